"""`convista data`: which datasets there are, fetching one, looking at one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from convista.cli.program import Session, Verbs
from convista.errors import DataError

if TYPE_CHECKING:
    import numpy as np

    from convista.cli.chosen_data import Data
    from convista.data.catalogue import Description
    from convista.data.folder_check import FolderCheck
    from convista.data.picture_batches import PictureBatches

_FILES_SHOWN = 5
_SHADES = " .:-=+*#%@"


@click.group(cls=Verbs, epilog="\b\nExample:\n  convista data show digits")
def data() -> None:
    """List, fetch and look at datasets."""


@data.command("list", epilog="\b\nExample:\n  convista data list")
@click.pass_obj
def list_(session: Session) -> None:
    """List the datasets that have a name."""
    import convista.data
    from convista.insight.tables import table

    names = convista.data.names()
    described = [convista.data.describe(name) for name in names]
    rows = [
        [
            one.name,
            one.title,
            _where(one),
            "×".join(str(size) for size in one.shape),
            f"{one.train_count:,}",
            f"{one.test_count:,}",
            str(len(one.classes)),
        ]
        for one in described
    ]
    header = ["name", "what it shows", "where", "size", "training", "test", "classes"]
    session.show(table(header, rows, left=3), [asdict(one) for one in described])


@data.command("get", epilog="\b\nExample:\n  convista data get mnist")
@click.argument("name")
@click.option("--offline", is_flag=True, help="Never use the network: only say whether it is here.")
@click.pass_obj
def get(session: Session, name: str, offline: bool) -> None:
    """Fetch the dataset NAME and check it, so that later commands need no network."""
    import convista.data

    chosen = convista.data.load(name, offline=offline)
    facts = _facts(chosen)
    place = convista.data.describe(name).location
    counts = f"{facts['training_pictures']:,} pictures to learn from and {facts['test_pictures']:,} to test on"
    session.show(f"{name} is here and whole: {counts}, in {place}", {**facts, "location": place})


@data.command("show", epilog="\b\nExamples:\n  convista data show digits\n  convista data show mine.npz --json")
@click.argument("name")
@click.option("--offline", is_flag=True, help="Never use the network.")
@click.pass_obj
def show(session: Session, name: str, offline: bool) -> None:
    """Show sizes, counts per class and a few pictures of the dataset NAME, of an .npz file or of a folder."""
    from convista.cli.chosen_data import choose_data
    from convista.insight.tables import table

    chosen = choose_data(name, offline=offline)
    facts = _facts(chosen)
    rows = [[row["class"], f"{row['training']:,}", f"{row['test']:,}"] for row in facts["classes"]]
    rows.append(["all", f"{facts['training_pictures']:,}", f"{facts['test_pictures']:,}"])
    sizes = "×".join(str(size) for size in facts["shape"])
    lines = [
        f"{chosen.name}: pictures of {sizes}, {facts['dtype']} from {facts['smallest']} to {facts['largest']}",
        f"Source: {facts['source']}",
        "",
        table(["class", "training", "test"], rows),
        "",
        _samples(chosen),
    ]
    session.show("\n".join(lines), facts)


@data.command("check", epilog="\b\nExamples:\n  convista data check photos\n  convista data check photos.tar --json")
@click.argument("folder")
@click.option("--all", "everything", is_flag=True, help="Name every file, not the first few of each finding.")
@click.pass_obj
def check(session: Session, folder: str, everything: bool) -> None:
    """Look at every picture of FOLDER (or of a .tar of it) and say what is wrong.

    Files that are no pictures, the same picture in two splits or classes, pictures that look the same, classes of very
    different sizes, grey pictures among coloured ones, tiny pictures, wrong suffixes. The exit code is 3 when there are
    errors, and 0 for warnings and notes.
    """
    from convista.data import check_folder

    with _watched() as watch:
        found = check_folder(folder, watch=watch)
    session.show(_told(found, everything), found.document())
    if found.errors:
        raise click.exceptions.Exit(DataError.exit_code)


@contextmanager
def _watched() -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error while a terminal is there to see it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Looking at pictures")
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _told(found: FolderCheck, everything: bool) -> str:
    from convista.insight.tables import table

    rows = [[row.name, *(f"{count:,}" for count in (row.train, row.validation, row.test))] for row in found.classes]
    counts = [sum(getattr(row, split) for row in found.classes) for split in ("train", "validation", "test")]
    rows.append(["all", *(f"{count:,}" for count in counts)])
    lines = [f"{found.folder}: {found.pictures:,} pictures in {len(found.classes)} classes", ""]
    lines += [table(["class", "train", "val", "test"], rows), ""]
    for finding in found.findings:
        lines.append(f"{finding.severity}: {finding.message}")
        shown = finding.files if everything else finding.files[:_FILES_SHOWN]
        lines += [f"  {' = '.join(files)}" for files in shown]
        if len(shown) < len(finding.files):
            lines.append(f"  and {len(finding.files) - len(shown):,} more (--all names them)")
    if not found.findings:
        lines.append("Nothing is wrong.")
    return "\n".join(lines)


def _where(one: Description) -> str:
    if one.download_bytes == 0:
        return "inside the package"
    return "here" if one.available else f"download of {one.download_bytes / 1e6:,.0f} MB"


def _first_batch(train: PictureBatches) -> np.ndarray:
    """Pictures of a folder, in mixed order; files that are none are skipped."""
    return next(iter(train))[0]


def _facts(chosen: Data) -> dict[str, Any]:
    import numpy as np

    from convista.data import Split

    train, test, classes = chosen.train, chosen.test, chosen.classes
    some = train.x if isinstance(train, Split) else _first_batch(train)
    counts = [np.bincount(half.y, minlength=len(classes)) for half in (train, test)]
    return {
        "name": chosen.name,
        "source": str(chosen.source),
        "training_pictures": len(train.x),
        "test_pictures": len(test.x),
        "shape": list(train.x.shape[1:]),
        "dtype": str(train.x.dtype),
        "smallest": int(some.min()),
        "largest": int(some.max()),
        "classes": [
            {"class": name, "training": int(counts[0][index]), "test": int(counts[1][index])}
            for index, name in enumerate(classes)
        ],
    }


def _samples(chosen: Data) -> str:
    """The first picture of as many classes as fit beside each other."""
    width = shutil.get_terminal_size().columns
    labels = [label for label in range(len(chosen.classes)) if (chosen.train.y == label).any()]
    drawn: list[list[str]] = []
    names: list[str] = []
    for label in labels:
        blocks = as_blocks(_first_of(chosen, label))
        if drawn and (len(drawn) + 1) * (len(blocks[0]) + 2) > width:
            break
        drawn.append(blocks)
        names.append(chosen.classes[label][: len(blocks[0])].ljust(len(blocks[0])))
    lines = ["  ".join(parts).rstrip() for parts in zip(*drawn, strict=True)]
    return "\n".join(["  ".join(names).rstrip(), *lines])


def _first_of(chosen: Data, label: int) -> np.ndarray:
    """The first picture of a class; in a folder, the first that can be read."""
    import numpy as np

    places = np.flatnonzero(chosen.train.y == label)
    for place in places[:-1]:
        try:
            return chosen.train.x[int(place)]
        except DataError:
            continue
    return chosen.train.x[int(places[-1])]


def as_blocks(picture: np.ndarray) -> list[str]:
    """Draw a picture with characters: the brighter, the denser.

    Args:
        picture: uint8 (H, W, C).

    Returns:
        Lines of the same length; small pictures get two characters a pixel, as characters are twice as high as wide.
    """
    import numpy as np

    grey = picture[..., :3].mean(axis=-1) if picture.shape[-1] >= 3 else picture[..., 0].astype(float)
    if grey.shape[1] <= 16:
        grey = grey.repeat(2, axis=1)
    else:
        grey = grey[: len(grey) // 2 * 2].reshape(len(grey) // 2, 2, -1).mean(axis=1)
    levels = np.clip(grey / 256 * len(_SHADES), 0, len(_SHADES) - 1).astype(int)
    return ["".join(_SHADES[level] for level in row) for row in levels]
