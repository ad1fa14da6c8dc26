"""What the word of ``--class`` stands for: the name of a class, or else its number."""

from __future__ import annotations

from typing import overload


@overload
def class_named(word: str, classes: tuple[str, ...] | None) -> int | str: ...
@overload
def class_named(word: str | None, classes: tuple[str, ...] | None) -> int | str | None: ...
def class_named(word: str | None, classes: tuple[str, ...] | None) -> int | str | None:
    """Return the class that a word names: its name if the model knows it, otherwise its number.

    Args:
        word: What the user wrote; ``None`` stays ``None``.
        classes: The model's names, if it has any.

    Example:
        >>> class_named("7", None), class_named("7", ("7", "8")), class_named("cat", None)
        (7, '7', 'cat')
    """
    if word is not None and word not in (classes or ()) and word.isdecimal():
        return int(word)
    return word
