"""Volumes by 3-D convolution: which solid is hidden in the noise? A synthetic set, with the memory that it takes.

Run it with ``python examples/volumes.py``. «synthetic-volumes» are made from a seed; they stand for CT and MRI, and are
neither.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

from convista import architectures, data
from convista.architectures.volumes import RECIPE
from convista.shapes import bytes_text

TARGET = 95.0
# Of test volumes: seeds from here on were not learned from.
TEST_SEED = 1000


def main() -> None:
    options = read_options()
    train = data.synthetic_volumes(options.examples, size=options.size, seed=0)
    test = data.synthetic_volumes(options.test_examples, size=options.size, seed=TEST_SEED)
    print(f"{train.source}\nvolumes to learn from: {bytes_text(train.x.nbytes)}", file=sys.stderr)
    model = architectures.volume_convnet(train.x.shape[1:], len(train.classes), seed=0)
    summary = model.summary(detail=True)
    before = peak_memory()
    model.compile(RECIPE.optimizer(len(train)), RECIPE.loss, ["accuracy"])
    began = time.perf_counter()
    model.fit(train.x, train.y, epochs=options.epochs, batch_size=RECIPE.batch_size, verbose=2)
    seconds = time.perf_counter() - began
    accuracy = 100 * model.evaluate(test.x, test.y, verbose=0)[1]
    activations = sum(row.activation_bytes or 0 for row in summary.rows)
    batch = min(RECIPE.batch_size, len(train))
    a_batch = bytes_text(batch * activations)
    print(f"activations of one volume: {bytes_text(activations)}, of a batch of {batch}: {a_batch}")
    print(f"peak memory of the process: {bytes_text(before)} before training, {bytes_text(peak_memory())} after it")
    print(f"{accuracy:.2f} % of {len(test)} test volumes after {seconds:.0f} s, target {TARGET:.0f} %")


def peak_memory() -> int:
    """Return the most memory the process has had so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return peak if sys.platform == "darwin" else 1024 * peak


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=16, help="cells along each edge")
    parser.add_argument("--examples", type=int, default=1000, help="training volumes, fewer for a quick look")
    parser.add_argument("--test-examples", type=int, default=500)
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    return parser.parse_args()


if __name__ == "__main__":
    main()
