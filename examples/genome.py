"""Primate DNA by 1-D convolution: where does an exon end or begin? Five-fold cross-validation on 3 190 real sequences.

Run it with ``python examples/genome.py``. ``genome/splice.csv`` is taken from the folder that ``CONVISTA_DATA``
names. The network was chosen on other folds (seed 1) of the same sequences.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import Counter

import numpy as np

from convista import architectures, data
from convista.architectures.sequences import RECIPE

TARGET = 95.0


def main() -> None:
    options = read_options()
    splice = data.load_sequences("splice")
    print(splice.source, file=sys.stderr)
    tell_repeats(splice)
    x, y = data.encode_dna(splice.sequences), splice.y
    # Equal sequences go into one fold: what was learned is no test.
    fold = data.stratified_folds(y, 5, groups=splice.sequences, seed=options.seed)
    accuracies = []
    print(f"fold    learned  held out {' '.join(f'{name:>5}' for name in splice.classes)}  accuracy")
    for held_out in range(options.folds):
        learned, judged = fold != held_out, fold == held_out
        accuracy = train(x[learned], y[learned], x[judged], y[judged], options.epochs, seed=held_out)
        accuracies.append(accuracy)
        counts = " ".join(f"{count:>5}" for count in np.bincount(y[judged], minlength=len(splice.classes)))
        print(f"{held_out:<6} {learned.sum():>8} {judged.sum():>9} {counts} {accuracy:>8.2f}%", flush=True)
    print(f"mean {statistics.mean(accuracies):.2f} %, target {TARGET:.0f} %")


def train(x, y, held_out_x, held_out_y, epochs: int, seed: int) -> float:
    """Return the accuracy on what was held out, in percent."""
    model = architectures.sequence_convnet(x.shape[1:], 3, seed=seed)
    model.compile(RECIPE.optimizer(len(x)), RECIPE.loss, ["accuracy"])
    model.fit(x, y, epochs=epochs, batch_size=RECIPE.batch_size, verbose=0)
    return 100 * model.evaluate(held_out_x, held_out_y, verbose=0)[1]


def tell_repeats(splice: data.LabelledSequences) -> None:
    times = Counter(splice.sequences)
    rows = sum(count for count in times.values() if count > 1)
    classes: dict[str, set[int]] = {}
    for sequence, label in zip(splice.sequences, splice.y.tolist(), strict=True):
        classes.setdefault(sequence, set()).add(label)
    contradictory = sum(len(labels) > 1 for labels in classes.values())
    print(
        f"{len(splice)} sequences, {len(times)} different: {sum(count > 1 for count in times.values())} stand there "
        f"more than once, in {rows} rows; {contradictory} of them in two classes"
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the division into folds")
    parser.add_argument("--folds", type=int, default=5, choices=range(1, 6), help="fewer of the five, for a quick look")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    return parser.parse_args()


if __name__ == "__main__":
    main()
