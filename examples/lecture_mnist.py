"""The first lecture's two networks on the real MNIST, with the lecture's settings and its accuracies beside ours.

Run it with ``python examples/lecture_mnist.py --seeds 3 --epochs 5``. MNIST is taken from the folder that
``CONVISTA_DATA`` names, then from the cache; ``--download`` allows the network.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import convista
from convista import architectures

# Lecture 000: accuracy on the test pictures after 5 epochs of rmsprop at batch 128.
LECTURE = {"lecture-dense": 98.17, "lecture-convnet": 99.11}


def main() -> None:
    options = read_options()
    mnist = convista.data.load("mnist", offline=not options.download)
    train, test = mnist.train, mnist.test
    print(f"{mnist.name}: {mnist.source}", file=sys.stderr)
    print(f"{'network':<16} {'accuracy, each seed':<28} {'mean':>7} {'lecture':>8} {'seconds':>8}")
    for name in options.models:
        accuracies, seconds = [], []
        for seed in range(options.seeds):
            model = architectures.get(name)(mnist.shape, len(mnist.classes), seed=seed)
            model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
            began = time.perf_counter()
            model.fit(train.x[: options.examples], train.y[: options.examples], epochs=options.epochs, batch_size=128)
            seconds.append(time.perf_counter() - began)
            accuracies.append(100 * model.evaluate(test.x, test.y, verbose=0)[1])
        each = " ".join(f"{accuracy:.2f}" for accuracy in accuracies)
        mean, lecture, time_taken = statistics.mean(accuracies), LECTURE[name], statistics.mean(seconds)
        print(f"{name:<16} {each:<28} {mean:>7.2f} {lecture:>8.2f} {time_taken:>8.1f}", flush=True)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=list(LECTURE), default=list(LECTURE))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--examples", type=int, default=60_000, help="training pictures, for a quick look")
    parser.add_argument("--download", action="store_true", help="download MNIST if it is not on this machine")
    return parser.parse_args()


if __name__ == "__main__":
    main()
