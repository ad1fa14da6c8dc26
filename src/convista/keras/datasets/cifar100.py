"""`keras.datasets.cifar100`: small colour pictures in 100 classes."""

from __future__ import annotations

from convista.data import load
from convista.errors import ArgumentError, suggest
from convista.keras.datasets.arrays import Pair, colour


def load_data(label_mode: str = "fine") -> tuple[Pair, Pair]:
    """Return ``(x_train, y_train), (x_test, y_test)``, all uint8.

    The data comes from the folder that ``CONVISTA_DATA`` names, then from the cache, and only then from the network.

    Args:
        label_mode: ``"fine"``: the 100 classes. Keras's ``"coarse"`` labels are not read yet.

    Returns:
        50 000 and 10 000 pictures ``(N, 32, 32, 3)`` with labels ``(N, 1)`` from 0 to 99.

    Raises:
        ArgumentError: Another ``label_mode``.
        DataError: The data is neither there nor to be had, or it is damaged.

    Source: A. Krizhevsky, «Learning multiple layers of features from tiny images», 2009.
    """
    if label_mode != "fine":
        raise ArgumentError(
            'Convista reads the 100 classes, label_mode="fine"; Keras also has the 20 coarse ones',
            where="cifar100.load_data",
            received=f"label_mode={label_mode!r}",
            fix="Leave label_mode out" if label_mode == "coarse" else suggest(str(label_mode), ("fine",)),
        )
    return colour(load("cifar100"))
