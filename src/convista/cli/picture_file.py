"""Where the verbs that draw write their picture: a file that the user names, or one that is not there yet."""

from __future__ import annotations

from pathlib import Path


def picture_file(out: str | None, default: str, *sources: str | None) -> Path:
    """Return the file to write, checked before anything is computed.

    Args:
        out: What the user named; ``None`` is the default.
        default: A file in this folder, written only if it is not there.
        *sources: What the verb reads, which is never replaced: files, folders of pictures; names of data sets and
            ``None`` are no files and are passed over.

    Raises:
        ArgumentError: It is not a PNG file, its folder is not there, it is what is read, or the default exists.
    """
    from convista.cli.out_file import check_out
    from convista.errors import ArgumentError

    target = Path(default if out is None else out)
    if target.suffix.lower() != ".png":
        raise ArgumentError(
            "a figure is written as a PNG file",
            where="--out",
            received=str(target),
            fix=f"Write --out {target.with_suffix('.png')}" if target.name else f"Write --out {default}",
        )
    if any(_is_of(target, Path(source)) for source in sources if source is not None):
        raise ArgumentError(
            "the picture itself is not overwritten",
            where="--out",
            received=f"{target}, which exists",
            fix="Name another file with --out",
        )
    if out is None and target.exists():
        raise ArgumentError(
            "nothing is overwritten unless it is named",
            where="--out",
            received=f"{target}, which exists",
            fix=f"Add --out {target} to replace it",
        )
    check_out(target)
    return target


def _is_of(target: Path, source: Path) -> bool:
    """Whether a file that exists is the source, by whatever name, or a picture in it."""
    if not target.exists() or not source.exists():
        return False
    return target.samefile(source) or (source.is_dir() and target.resolve().is_relative_to(source.resolve()))
