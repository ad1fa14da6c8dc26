"""The file that a page is written to."""

from __future__ import annotations

import os
from pathlib import Path

from convista.errors import ArgumentError


def check_page(path: str | os.PathLike[str]) -> None:
    """Check that the file of a page that is to be written is called so, and that its folder exists.

    Raises:
        ArgumentError: Its name ends otherwise, or there is no such folder.

    Example:
        >>> check_page("diagnosis.pdf")
        Traceback (most recent call last):
        convista.errors.ArgumentError: path: a page is written as an HTML file. Received 'diagnosis.pdf'. \
Write 'diagnosis.html'.
    """
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        named = str(target.with_suffix(".html")) if target.name else "page.html"
        raise ArgumentError(
            "a page is written as an HTML file",
            where="path",
            received=f"{os.fspath(path)!r}",
            fix=f"Write {named!r}",
        )
    if not target.parent.is_dir():
        raise ArgumentError(
            "a page is written into a folder that exists",
            where="path",
            received=f"{os.fspath(path)!r}",
            fix=f"Make the folder first: pathlib.Path({str(target.parent)!r}).mkdir(parents=True)",
        )
