"""`convista data`: which datasets there are, fetching one, looking at one."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from convista.cli.program import Session, Verbs

if TYPE_CHECKING:
    import numpy as np

    from convista.data.catalogue import Description
    from convista.data.dataset import Dataset

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
    """Show sizes, counts per class and a few pictures of the dataset NAME or of an .npz file."""
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


def _where(one: Description) -> str:
    if one.download_bytes == 0:
        return "inside the package"
    return "here" if one.available else f"download of {one.download_bytes / 1e6:,.0f} MB"


def _facts(chosen: Dataset) -> dict[str, Any]:
    import numpy as np

    train, test, classes = chosen.train, chosen.test, chosen.classes
    counts = [np.bincount(half.y, minlength=len(classes)) for half in (train, test)]
    return {
        "name": chosen.name,
        "source": str(chosen.source),
        "training_pictures": len(train.x),
        "test_pictures": len(test.x),
        "shape": list(train.x.shape[1:]),
        "dtype": str(train.x.dtype),
        "smallest": int(train.x.min()),
        "largest": int(train.x.max()),
        "classes": [
            {"class": name, "training": int(counts[0][index]), "test": int(counts[1][index])}
            for index, name in enumerate(classes)
        ],
    }


def _samples(chosen: Dataset) -> str:
    """The first picture of as many classes as fit beside each other."""
    import numpy as np

    width = shutil.get_terminal_size().columns
    labels = [label for label in range(len(chosen.classes)) if (chosen.train.y == label).any()]
    drawn: list[list[str]] = []
    names: list[str] = []
    for label in labels:
        blocks = as_blocks(chosen.train.x[int(np.argmax(chosen.train.y == label))])
        if drawn and (len(drawn) + 1) * (len(blocks[0]) + 2) > width:
            break
        drawn.append(blocks)
        names.append(chosen.classes[label][: len(blocks[0])].ljust(len(blocks[0])))
    lines = ["  ".join(parts).rstrip() for parts in zip(*drawn, strict=True)]
    return "\n".join(["  ".join(names).rstrip(), *lines])


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
