"""`keras.datasets.fashion_mnist`: pictures of clothes."""

from __future__ import annotations

from convista.data import load
from convista.keras.datasets.arrays import Pair, grey


def load_data() -> tuple[Pair, Pair]:
    """Return ``(x_train, y_train), (x_test, y_test)``, all uint8.

    The data comes from the folder that ``CONVISTA_DATA`` names, then from the cache, and only then from the network.

    Returns:
        60 000 and 10 000 pictures ``(N, 28, 28)`` with labels ``(N,)`` from 0 to 9.

    Raises:
        DataError: The data is neither there nor to be had, or it is damaged.

    Source: H. Xiao, K. Rasul, R. Vollgraf, 2017, arXiv 1708.07747.
    """
    return grey(load("fashion_mnist"))
