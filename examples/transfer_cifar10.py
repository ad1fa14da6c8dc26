"""Transfer learning on real photographs: what CIFAR-10's animals teach about its vehicles.

A small residual network learns the six animals (20 000 pictures). Its backbone then learns the four vehicles from 50
pictures of each: the head alone first, then everything at a tenth of the rate. Beside it stands the same network that
learns the same 200 pictures from scratch, for as many epochs and at that same rate. (Ten epochs of the head at 0.001
and ten of everything at 0.0001 gained nothing, 49.2 against 48.4 % from scratch with seed 0: the new head had not
learned yet.) Run it with
``python examples/transfer_cifar10.py``; CIFAR-10 is taken from the folder that ``CONVISTA_DATA`` names, then from the
cache. ``--quick`` makes a few steps on a few pictures, which only shows that it runs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass

import numpy as np

import convista
from convista import Model, architectures
from convista.layers import Add, BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Input, ReLU
from convista.layers.symbolic import SymbolicTensor

ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
RATE = 1e-3
VEHICLES = ("airplane", "automobile", "ship", "truck")


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Args:
        examples: Pictures of animals.
        epochs: Over the animals.
        each: Pictures of every kind of vehicle.
        head_epochs: Over the vehicles, with the backbone frozen.
        fine_epochs: Over the vehicles, with everything learning.
        tests: Held-out pictures of vehicles.
    """

    examples: int
    epochs: int
    each: int
    head_epochs: int
    fine_epochs: int
    tests: int


WHOLE = Plan(examples=20_000, epochs=4, each=50, head_epochs=40, fine_epochs=40, tests=4_000)
QUICK = Plan(examples=256, epochs=1, each=8, head_epochs=1, fine_epochs=1, tests=64)


def network(classes: int, seed: int) -> Model:
    """Return a residual network of seven convolutions, small enough to learn on a processor."""

    def convolution(x: SymbolicTensor, filters: int, strides: int = 1) -> SymbolicTensor:
        x = Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
        return BatchNormalization(momentum=0.9)(x)

    inputs = Input((32, 32, 3))
    x = ReLU()(convolution(inputs, 16))
    for filters in (32, 64, 64):
        x = ReLU()(convolution(x, filters, strides=2))
        x = ReLU()(Add()([x, convolution(x, filters)]))
    outputs = Dense(classes, activation="softmax")(GlobalAveragePooling2D()(x))
    model = Model(inputs, outputs, name="small-resnet", seed=seed)
    model.preprocessing = convista.Preprocessing(scale=1 / 255)
    return model


def compiled(model: Model, rate: float) -> Model:
    """Return the model, told how to learn."""
    model.compile(convista.optimizers.Adam(rate), "sparse_categorical_crossentropy", ["accuracy"])
    return model


def chosen(x: np.ndarray, y: np.ndarray, classes: tuple[str, ...], names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
    """Return the pictures of some classes, numbered anew."""
    numbers = np.full(len(names), -1, np.int32)
    numbers[[names.index(name) for name in classes]] = np.arange(len(classes))
    wanted = numbers[y] >= 0
    return x[wanted], numbers[y[wanted]]


def few(x: np.ndarray, y: np.ndarray, each: int, seed: int) -> tuple[np.ndarray, ...]:
    """Return so many pictures of every class, chosen by the seed."""
    order = np.random.default_rng(seed).permutation(len(y))
    places = np.concatenate([order[y[order] == label][:each] for label in range(y.max() + 1)])
    return x[places], y[places]


def transferred(backbone: Model, x: np.ndarray, y: np.ndarray, plan: Plan, seed: int) -> Model:
    """Learn the vehicles in two stages: the new head alone, then everything slowly."""
    model = compiled(architectures.with_new_head(backbone, len(VEHICLES), seed=seed), 10 * RATE)
    model.freeze("backbone")
    model.fit(x, y, epochs=plan.head_epochs, batch_size=32, verbose=0)
    model.unfreeze()
    model.learning_rate = RATE
    model.fit(x, y, epochs=plan.fine_epochs, batch_size=32, verbose=0)
    return model


def main() -> None:
    options = read_options()
    plan = QUICK if options.quick else WHOLE
    cifar = convista.data.load("cifar10", offline=not options.download)
    print(f"{cifar.name}: {cifar.source}", file=sys.stderr)
    animals = [array[: plan.examples] for array in chosen(cifar.train.x, cifar.train.y, ANIMALS, cifar.classes)]
    vehicles = chosen(cifar.train.x, cifar.train.y, VEHICLES, cifar.classes)
    test_x, test_y = (array[: plan.tests] for array in chosen(cifar.test.x, cifar.test.y, VEHICLES, cifar.classes))
    print(f"{'seed':<6} {'scratch':>8} {'transfer':>9} {'gain':>6} {'seconds':>8}")
    scratch, transfer = [], []
    for seed in range(options.seeds):
        began = time.perf_counter()
        backbone = compiled(network(len(ANIMALS), seed), RATE)
        backbone.fit(*animals, epochs=plan.epochs, batch_size=128, verbose=0)
        x, y = few(*vehicles, plan.each, seed)
        alone = compiled(network(len(VEHICLES), seed), RATE)
        alone.fit(x, y, epochs=plan.head_epochs + plan.fine_epochs, batch_size=32, verbose=0)
        taught = transferred(backbone, x, y, plan, seed)
        for model, results in ((alone, scratch), (taught, transfer)):
            results.append(100 * model.evaluate(test_x, test_y, batch_size=250, verbose=0)[1])
        line = f"{seed:<6} {scratch[-1]:>8.2f} {transfer[-1]:>9.2f} {transfer[-1] - scratch[-1]:>+6.2f}"
        print(f"{line} {time.perf_counter() - began:>8.1f}", flush=True)
    means = statistics.mean(scratch), statistics.mean(transfer)
    print(f"{'mean':<6} {means[0]:>8.2f} {means[1]:>9.2f} {means[1] - means[0]:>+6.2f}")


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few steps on a few pictures: it only has to run")
    parser.add_argument("--download", action="store_true", help="download CIFAR-10 if it is not on this machine")
    return parser.parse_args()


if __name__ == "__main__":
    main()
