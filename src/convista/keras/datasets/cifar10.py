"""`keras.datasets.cifar10`: small colour pictures in 10 classes."""

from __future__ import annotations

from convista.data import load
from convista.keras.datasets.arrays import Pair, colour


def load_data() -> tuple[Pair, Pair]:
    """Return ``(x_train, y_train), (x_test, y_test)``, all uint8.

    The data comes from the folder that ``CONVISTA_DATA`` names, then from the cache, and only then from the network.

    Returns:
        50 000 and 10 000 pictures ``(N, 32, 32, 3)`` with labels ``(N, 1)`` from 0 to 9.

    Raises:
        DataError: The data is neither there nor to be had, or it is damaged.

    Source: A. Krizhevsky, «Learning multiple layers of features from tiny images», 2009.
    """
    return colour(load("cifar10"))
