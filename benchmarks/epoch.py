"""Seconds for one epoch of the lecture convnet on MNIST, batch 128, after compilation; peers where they are installed.

Run it with ``python benchmarks/epoch.py``. The engines take turns, so that a busy moment of the machine hits them all.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import numpy as np
from machine import machine, write

Epoch = Callable[[], None]
RESULTS = Path(__file__).parent / "results" / "epoch.json"


def main() -> None:
    options = read_options()
    x, y = pictures(options.examples)
    engines = {name: PEERS[name] for name in options.engines if is_here(name)}
    epochs = {name: make(x, y, options.batch_size) for name, make in engines.items()}
    document = {"benchmark": "epoch", "examples": len(x), "batch_size": options.batch_size, "machine": machine()}
    compilation = {name: seconds(epoch) for name, epoch in epochs.items()}
    times: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(options.repeats):
        for name, epoch in epochs.items():
            times[name].append(seconds(epoch))
    document["engines"] = {
        name: {
            "seconds": statistics.median(found),
            "images_per_second": len(x) / statistics.median(found),
            "each": found,
            "first_epoch_with_compilation": compilation[name],
        }
        for name, found in times.items()
    }
    show(document)
    write(options.out, document)


def pictures(examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's training half as in the lecture: float32 in 0…1, ``(N, 28, 28, 1)``."""
    import convista

    train = convista.data.load("mnist", offline=True).train
    return train.x[:examples].astype("float32") / 255, train.y[:examples]


def of_convista(x: np.ndarray, y: np.ndarray, batch_size: int) -> Epoch:
    from convista import architectures

    model = architectures.get("lecture-convnet")(x.shape[1:], 10, seed=0)
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: void(model.fit(x, y, epochs=1, batch_size=batch_size, verbose=0))


def of_keras(x: np.ndarray, y: np.ndarray, batch_size: int) -> Epoch:
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return lambda: void(model.fit(x, y, epochs=1, batch_size=batch_size, verbose=0))


def of_torch(x: np.ndarray, y: np.ndarray, batch_size: int) -> Epoch:
    import torch
    from torch import nn

    network = nn.Sequential(
        *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 128, 3), nn.ReLU(), nn.Flatten(), nn.Linear(1152, 10)),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.RMSprop(network.parameters(), lr=0.001, alpha=0.9, eps=1e-7)
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2)).contiguous(memory_format=torch.channels_last)
    labels = torch.from_numpy(y.astype(np.int64))

    def epoch() -> None:
        correct = torch.zeros((), dtype=torch.int64)
        for places in torch.randperm(len(inputs)).split(batch_size):
            optimizer.zero_grad(set_to_none=True)
            logits = network(inputs[places].contiguous(memory_format=torch.channels_last))
            nn.functional.cross_entropy(logits, labels[places]).backward()
            optimizer.step()
            correct += (logits.detach().argmax(1) == labels[places]).sum()

    return epoch


PEERS = {"convista": of_convista, "keras": of_keras, "torch": of_torch}


def is_here(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def void(_: object) -> None:
    """Drop a result."""


def seconds(epoch: Epoch) -> float:
    began = time.perf_counter()
    epoch()
    return time.perf_counter() - began


def show(document: dict) -> None:
    on = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in on["versions"].items())
    print(f"{document['examples']} images, batch {document['batch_size']}; {on['processor']}, {on['cores']} cores")
    print(f"{versions}; load before: {on['load_before']}")
    print(f"{'engine':<10} {'seconds':>8} {'images/s':>9} {'first epoch':>12}   each")
    for name, row in document["engines"].items():
        each = " ".join(f"{value:.2f}" for value in row["each"])
        first = row["first_epoch_with_compilation"]
        print(f"{name:<10} {row['seconds']:>8.2f} {row['images_per_second']:>9.0f} {first:>12.2f}   {each}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3, help="timed epochs of each engine; the median counts")
    parser.add_argument("--engines", nargs="+", choices=list(PEERS), default=["convista"], help="default: convista")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
