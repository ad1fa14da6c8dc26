"""The history of a training: what each epoch's logs were."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from convista.training.callbacks import Callback, Logs
from convista.training.table import write_table


class History(Callback):
    """Collects the logs of each epoch; `fit` returns one.

    Attributes:
        history: Name to list with one value per epoch: a float, a list for metrics with one value per class, or None
            for an epoch that had no such log.
        epoch: The numbers of the epochs, from 0.
        params: ``epochs``, ``steps`` and ``verbose`` of the training.

    Example:
        >>> history = History()
        >>> history.on_epoch_end(0, {"loss": 0.5})
        >>> history.on_epoch_end(1, {"loss": 0.25, "val_loss": 0.75})
        >>> history.history
        {'loss': [0.5, 0.25], 'val_loss': [None, 0.75]}
    """

    def __init__(self) -> None:
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Start anew."""
        self.history, self.epoch = {}, []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Add the epoch's logs; every list stays as long as `epoch`."""
        values = {name: _plain(value) for name, value in (logs or {}).items()}
        for name in values:
            self.history.setdefault(name, [None] * len(self.epoch))
        for name, column in self.history.items():
            column.append(values.get(name))
        self.epoch.append(epoch)

    def to_csv(self, path: str | os.PathLike[str]) -> Path:
        r"""Write a table with one row per epoch, whole or not at all.

        Args:
            path: The file; its folder is made if need be.

        Returns:
            The path.

        Example:
            >>> import tempfile
            >>> history = History()
            >>> history.on_epoch_end(0, {"loss": 0.5})
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     history.to_csv(folder + "/history.csv").read_text()
            'epoch,loss\n0,0.5\n'
        """
        rows = [
            {"epoch": epoch, **{name: column[i] for name, column in self.history.items()}}
            for i, epoch in enumerate(self.epoch)
        ]
        return write_table(path, ["epoch", *self.history], rows)

    def __repr__(self) -> str:
        epochs = "1 epoch" if len(self.epoch) == 1 else f"{len(self.epoch)} epochs"
        return f"History({epochs}: {', '.join(self.history) or 'no logs'})"


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value
