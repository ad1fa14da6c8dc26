"""MNIST, if it is on this machine: the scripts ask no network."""

from __future__ import annotations

from convista.data import describe
from convista.keras.datasets import mnist


def load_data():
    """Return what ``mnist.load_data()`` returns, or ``None`` and a sentence where MNIST is not on this machine."""
    if describe("mnist").available:
        return mnist.load_data()
    print(
        "MNIST is not on this machine, so this part is left out. Set CONVISTA_DATA to a folder that has mnist/ with "
        "its four files, or fetch it once: python -c \"import convista; convista.data.load('mnist')\""
    )
    return None
