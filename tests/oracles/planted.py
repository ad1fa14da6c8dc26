"""Pictures whose class is decided by a small patch in a known place, hidden in noise that is as bright as the patch."""

from __future__ import annotations

import numpy as np

from convista import Sequential
from convista.layers import Conv2D, Dense, GlobalAveragePooling2D, GlobalMaxPooling2D, Input

SIDE, PATCH = 24, 5
CELLS = SIDE - PATCH + 1
_SIGNS = (
    np.array([[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]]),
    np.array([[1, 0, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0, 1, 0, 1, 0], [1, 0, 0, 0, 1]]),
    np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]),
)
_MARGIN = 3


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return noise of 0 and 1 with a plus, a cross or a ring in it, which of them, and bool masks of where.

    As many pixels are 1 in the noise as in the signs on the average, so brightness gives nothing away.
    """
    draw = np.random.default_rng(seed)
    x = (draw.random((count, SIDE, SIDE, 1)) < np.mean(_SIGNS)).astype(np.float32)
    y = draw.integers(0, len(_SIGNS), count)
    inside = np.zeros((count, SIDE, SIDE), bool)
    for number, (row, column) in enumerate(draw.integers(1, SIDE - PATCH, (count, 2))):
        part = np.s_[number, row : row + PATCH, column : column + PATCH]
        x[part] = _SIGNS[y[number]][..., None]
        inside[part] = True
    return x, y, inside


def built() -> Sequential:
    """Return a network made by hand: a kernel for each sign, which fires where at most two pixels are wrong."""
    model = Sequential(
        [
            Input((SIDE, SIDE, 1)),
            Conv2D(3, PATCH, activation="relu", name="match"),
            Conv2D(3, 1, activation="relu", name="keep"),
            GlobalAveragePooling2D(name="mean"),
            Dense(3, activation="softmax", name="answer"),
        ]
    )
    model.classes = ("plus", "cross", "ring")
    signs = np.stack(_SIGNS, axis=-1).astype(np.float32)
    kernels = (2 * signs - 1)[:, :, None]
    model.set_weights(
        [
            kernels,
            _MARGIN - signs.sum(axis=(0, 1)),
            np.eye(3)[None, None],
            np.zeros(3),
            CELLS**2 * (2 * np.eye(3) - 1),
            np.zeros(3),
        ]
    )
    return model


def network(seed: int = 0) -> Sequential:
    """Return a small convolutional network for these pictures, not trained."""
    return Sequential(
        [
            Input((SIDE, SIDE, 1)),
            Conv2D(16, PATCH, activation="relu", name="first"),
            Conv2D(16, 1, activation="relu", name="second"),
            GlobalMaxPooling2D(name="most"),
            Dense(len(_SIGNS), activation="softmax", name="answer"),
        ],
        seed=seed,
    )


def trained(seed: int = 0) -> Sequential:
    """Return the network after it has learned."""
    model = network(seed)
    model.classes = ("plus", "cross", "ring")
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y, _ = pictures(4000, 1)
    model.learning_rate = 0.01
    model.fit(x, y, batch_size=64, epochs=6, verbose=0)
    return model
