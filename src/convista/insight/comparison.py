"""Networks side by side: how right, how large, how fast; for a network before and after it was made smaller."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.errors import ArgumentError
from convista.insight.tables import table
from convista.shapes import bytes_text

if TYPE_CHECKING:
    from convista.insight.judgement import Labelled
    from convista.models import Model

_TIMED_PICTURES = 2_000


@dataclass(frozen=True)
class Measured:
    """One network, measured.

    Args:
        name: What it is called in the table.
        accuracy: Share of the pictures that it names right.
        parameters: Numbers that it learns or keeps.
        nonzero: Those that are not zero.
        multiply_accumulates: Of one picture, forward; zeros are multiplied like any number.
        file_bytes: Its weights as a file.
        compressed_bytes: The same, compressed by zlib; what zeros save is seen here.
        milliseconds: To name 1,000 pictures, the best of several times.
    """

    name: str
    accuracy: float
    parameters: int
    nonzero: int
    multiply_accumulates: int
    file_bytes: int
    compressed_bytes: int
    milliseconds: float


@dataclass(frozen=True)
class Comparison:
    """Networks measured on the same pictures, in turns on the same machine.

    Args:
        rows: One for each network.
        pictures: How many pictures they named.
    """

    rows: tuple[Measured, ...]
    pictures: int

    def document(self) -> dict[str, Any]:
        """The result as plain data."""
        return {"pictures": self.pictures, "networks": [asdict(row) for row in self.rows]}

    def __str__(self) -> str:
        header = ["network", "accuracy", "parameters", "not zero", "multiply–adds", "file", "zipped", "1,000 pictures"]
        return table(
            header,
            [
                [
                    row.name,
                    f"{row.accuracy:.2%}",
                    f"{row.parameters:,}",
                    f"{row.nonzero:,}",
                    f"{row.multiply_accumulates:,}",
                    bytes_text(row.file_bytes),
                    bytes_text(row.compressed_bytes),
                    f"{row.milliseconds:.1f} ms",
                ]
                for row in self.rows
            ],
        )


def compare_models(models: Mapping[str, Model], split: Labelled, batch_size: int = 256, rounds: int = 7) -> Comparison:
    """Measure networks on labelled pictures: accuracy, size and time.

    Times are taken in turns, network after network, round after round, and the shortest of each counts, so that a
    machine that is busy for a moment does not decide.

    Args:
        models: The networks by the names that the table shall show.
        split: Pictures and labels that none of them has learned from; also those of a folder, whose files are read.
        batch_size: Pictures at a time.
        rounds: How often each is timed.

    Returns:
        The comparison; ``print`` shows it as a table.

    Raises:
        ArgumentError: There is no network.
        DataError: A network does not fit the pictures.

    Example:
        >>> from convista.architectures.digits import digits_convnet
        >>> from convista.data import load
        >>> result = compare_models({"as drawn": digits_convnet()}, load("digits").test, rounds=1)
        >>> result.pictures, result.rows[0].name
        (360, 'as drawn')
    """
    if not models:
        raise ArgumentError("there is a network to measure", where="compare_models", received="none")
    right = {name: _accuracy(model, split, batch_size) for name, model in models.items()}
    few = split.x[:_TIMED_PICTURES]
    best = dict.fromkeys(models, float("inf"))
    for _ in range(rounds):
        for name, model in models.items():
            begin = time.perf_counter()
            model.predict(few, batch_size=batch_size, verbose=0)
            best[name] = min(best[name], time.perf_counter() - begin)
    rows = [_measured(name, model, right[name], best[name] * 1e6 / len(few)) for name, model in models.items()]
    return Comparison(tuple(rows), len(split.y))


def _accuracy(model: Model, split: Labelled, batch_size: int) -> float:
    from convista.data.picture_batches import PictureBatches
    from convista.insight.judgement import class_probabilities

    # Pictures of a folder come in batches: after that pass the split knows which of its files are none.
    answered = (
        model.predict(split, verbose=0)
        if isinstance(split, PictureBatches)
        else model.predict(split.x, batch_size=batch_size, verbose=0)
    )
    answers = class_probabilities(model, np.asarray(answered))
    return float(np.mean(answers.argmax(axis=1) == split.y))


def _measured(name: str, model: Model, accuracy: float, milliseconds: float) -> Measured:
    weights = model.get_weights()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.safetensors"
        model.save_weights(file)
        content = file.read_bytes()
    macs = sum(number or 0 for number in model.graph.multiply_accumulates())
    return Measured(
        name,
        accuracy,
        model.count_params(),
        sum(int(np.count_nonzero(array)) for array in weights),
        macs,
        len(content),
        len(zlib.compress(content, 6)),
        milliseconds,
    )
