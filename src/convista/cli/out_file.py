"""What `--out` names: a file in a folder that is there and may be written, checked before the work begins."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path


def check_out(out: str | os.PathLike[str]) -> None:
    """Check that the file can be written.

    Args:
        out: What the user named.

    Raises:
        ArgumentError: It is a folder, its folder is not there, or nothing may be written into that.
    """
    from convista.errors import ArgumentError

    target = Path(out)
    folder = target.parent
    if target.is_dir():
        rule, fix = "a file is written, not a folder", f"Name a file in it, such as {target / 'NAME'}"
    elif not folder.is_dir():
        rule, fix = "the folder of the file is there", f"Make it first: mkdir -p {shlex.quote(str(folder))}"
    elif not os.access(folder, os.W_OK | os.X_OK):
        rule, fix = f"the folder {folder.resolve()} may be written", "Name a file in another folder"
    else:
        return
    raise ArgumentError(rule, where="--out", received=os.fspath(out), fix=fix)


def check_suffix(out: str | os.PathLike[str], known: Sequence[str], what: str) -> None:
    """Check how the name of the file ends.

    Args:
        out: What the user named.
        known: The endings, without the point; the first is advised.
        what: Is written, for the message.

    Raises:
        ArgumentError: It ends otherwise.
    """
    from convista.errors import ArgumentError

    target = Path(out)
    if target.suffix.lower().removeprefix(".") not in known:
        kinds = [f".{ending}" for ending in known]
        listed = " or ".join([", ".join(kinds[:-1]), kinds[-1]] if kinds[1:] else kinds)
        named = target.with_suffix(kinds[0]) if target.name else f"FILE{kinds[0]}"
        raise ArgumentError(
            f"{what} is written as a {listed} file",
            where="--out",
            received=os.fspath(out),
            fix=f"Write --out {shlex.quote(str(named))}",
        )
