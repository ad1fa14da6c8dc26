"""Time series by 1-D convolution: does a hand draw a gun or point? GunPoint of the UCR archive, five seeds.

Run it with ``python examples/time_series.py``. ``timeseries/GunPoint_TRAIN.tsv`` and ``GunPoint_TEST.tsv`` are taken
from the folder that ``CONVISTA_DATA`` names. Network and recipe were chosen by cross-validation inside the 50 training
series (``--cross-validate`` repeats it); the 150 test series only judge.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from convista import architectures, data
from convista.architectures.series import RECIPE

TARGET = 98.0


def main() -> None:
    options = read_options()
    gun_point = data.load_series("GunPoint")
    print(gun_point.source, file=sys.stderr)
    train, test = gun_point.train, gun_point.test
    if options.cross_validate:
        for seed in range(options.seeds):
            print(f"folds of seed {seed}: {cross_validated(train, options.epochs, seed):.2f} %", flush=True)
        return
    accuracies = []
    for seed in range(options.seeds):
        accuracies.append(accuracy(train.x, train.y, test.x, test.y, options.epochs, seed))
        print(f"seed {seed}: {accuracies[-1]:.2f} % of {len(test)} test series", flush=True)
    print(f"mean {statistics.mean(accuracies):.2f} %, target {TARGET:.0f} %")


def accuracy(x, y, judged_x, judged_y, epochs: int, seed: int) -> float:
    """Return the accuracy on series that were not learned, in percent."""
    model = architectures.series_convnet(x.shape[1:], 2, seed=seed)
    model.compile(RECIPE.optimizer(len(x)), RECIPE.loss, ["accuracy"])
    model.fit(x, y, epochs=epochs, batch_size=RECIPE.batch_size, verbose=0)
    return 100 * model.evaluate(judged_x, judged_y, verbose=0)[1]


def cross_validated(train: data.Series, epochs: int, seed: int) -> float:
    fold = data.stratified_folds(train.y, 5, seed=seed)
    right = 0.0
    for held_out in range(5):
        learned, judged = fold != held_out, fold == held_out
        found = accuracy(
            train.x[learned], train.y[learned], train.x[judged], train.y[judged], epochs, 10 * seed + held_out
        )
        right += found * judged.sum()
    return right / len(train)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, help="fewer for a quick look")
    parser.add_argument("--cross-validate", action="store_true", help="inside the training file alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
