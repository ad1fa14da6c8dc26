"""What the word DATA on the command line stands for: a named dataset or an .npz file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from convista.errors import ArgumentError, suggest

if TYPE_CHECKING:
    from convista.data.dataset import Dataset


def choose_data(text: str, *, offline: bool = False) -> Dataset:
    """Load the data a user names.

    Args:
        text: The name of a dataset, or the path of an ``.npz`` file with x_train, y_train, x_test and y_test.
        offline: Never use the network.

    Returns:
        The dataset; classes of a file are called by their numbers.

    Raises:
        ArgumentError: No dataset has this name.
        DataError: The file or the dataset cannot be read.
    """
    import convista.data

    if not looks_like_a_file(text):
        if text not in convista.data.names():
            raise ArgumentError(
                "this is neither the name of a dataset nor an .npz file",
                where="DATA",
                received=repr(text),
                fix=f"{suggest(text, convista.data.names())} Or give an .npz file, for example mine.npz",
            )
        return convista.data.load(text, offline=offline)
    from convista.data.dataset import Dataset
    from convista.data.npz import read_npz

    train, test = read_npz(text)
    count = int(max(train.y.max(), test.y.max())) + 1
    return Dataset(Path(text).stem, train, test, tuple(str(label) for label in range(count)), str(text))


def looks_like_a_file(text: str) -> bool:
    """Return whether a word is a path rather than a name.

    Example:
        >>> looks_like_a_file("digits"), looks_like_a_file("mine.npz")
        (False, True)
    """
    return text.endswith(".npz") or os.sep in text
