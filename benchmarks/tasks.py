"""What an engine is asked to do: train, predict, or convolve; plain data, so that every process has the same."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from networks import NETWORKS, inside


@dataclass(frozen=True)
class Training:
    """Pass once over some pictures in a new random order, update after every batch, count the right answers.

    Args:
        network: Name of the network.
        batch: Pictures a step.
        examples: Pictures of one pass; the last batch may be smaller.
        pictures: ``"mnist"``, or ``"numbers"`` for random ones.
        form: ``"fit"`` for the engine's own loop; ``"loop"`` and ``"scan"`` call one compiled step from Python, or put
            the same step into one compiled loop, on data that is in place already.
    """

    network: str
    batch: int
    examples: int
    pictures: str = "numbers"
    form: str = "fit"

    @property
    def steps(self) -> int:
        """Updates in one pass."""
        return -(-self.examples // self.batch)

    def operations(self) -> float:
        """Return the floating-point operations of one pass."""
        return NETWORKS[self.network].operations(training=True) * self.examples

    def parameters(self) -> int:
        """Return how many numbers are learned."""
        return NETWORKS[self.network].parameters()


@dataclass(frozen=True)
class Inference:
    """Give NumPy pictures to a network and get NumPy probabilities back.

    Args:
        network: Name of the network.
        batch: Pictures a call.
    """

    network: str
    batch: int
    steps = 1

    def operations(self) -> float:
        """Return the floating-point operations of one call."""
        return NETWORKS[self.network].operations(training=False) * self.batch

    def parameters(self) -> int:
        """Return how many numbers are learned."""
        return NETWORKS[self.network].parameters()


@dataclass(frozen=True)
class Convolution:
    """One convolution along any number of axes, or one of its gradients.

    Args:
        batch: Pictures.
        sizes: Positions along each axis of the input; of the output of a transposed convolution.
        channels: Input channels.
        filters: Output channels.
        kernel: Width of the window along each axis.
        stride: Its step.
        pad: Zeros before and after, along each axis.
        dilation: Distance between taps.
        passes: Any of ``"forward"``, ``"dx"``, ``"dw"``, in one compiled call.
        transposed: Whether it goes the other way: from ``filters`` channels at the positions of the output to
            ``channels`` at ``sizes``; ``"dx"`` is then by its own input, the smaller array.
    """

    batch: int
    sizes: tuple[int, ...]
    channels: int
    filters: int
    kernel: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1
    passes: tuple[str, ...] = ("forward",)
    transposed: bool = False
    steps = 1

    @property
    def outputs(self) -> tuple[int, ...]:
        """The window's positions along each axis."""
        span = (self.kernel - 1) * self.dilation + 1
        return tuple((size + 2 * self.pad - span) // self.stride + 1 for size in self.sizes)

    def operations(self) -> float:
        """Return the floating-point operations: two per product, those with padding left out, the same in each pass."""
        step = (self.kernel, self.stride, self.pad, self.dilation)
        taps = math.prod(inside(size, out, *step) for size, out in zip(self.sizes, self.outputs, strict=True))
        return 2.0 * len(self.passes) * self.batch * taps * self.channels * self.filters

    def parameters(self) -> int:
        """Return the size of the kernel."""
        return self.kernel ** len(self.sizes) * self.channels * self.filters

    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Return the shapes of the larger array, of the kernel and of the smaller array, channels last."""
        window = (self.kernel,) * len(self.sizes)
        return (
            (self.batch, *self.sizes, self.channels),
            (*window, self.channels, self.filters),
            (self.batch, *self.outputs, self.filters),
        )


Task = Training | Inference | Convolution


def to_message(task: Task) -> dict[str, object]:
    """Return a task as JSON can carry it.

    Example:
        >>> to_message(Inference("lecture", 128))
        {'kind': 'Inference', 'network': 'lecture', 'batch': 128}
    """
    return {"kind": type(task).__name__, **dataclasses.asdict(task)}


def from_message(message: dict[str, object]) -> Task:
    """Return the task that :func:`to_message` described."""
    kinds = {kind.__name__: kind for kind in (Training, Inference, Convolution)}
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in message.items()}
    return kinds[fields.pop("kind")](**fields)
