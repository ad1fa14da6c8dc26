"""What a convolution, a pooling and a normalisation do besides their numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConvolutionGeometry:
    """What a convolution does besides its numbers; one entry for each spatial axis.

    Args:
        strides: Step of the window.
        pads: Zeros ``(before, after)``.
        dilation: Distance between taps.
        groups: Channel groups that do not see each other.
    """

    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def outputs(self, sizes: tuple[int, ...], window: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of window positions along each axis, 0 where the window does not fit.

        Example:
            >>> ConvolutionGeometry((2,), ((1, 1),), (1,)).outputs((28,), (3,))
            (14,)
        """
        return tuple(
            max((size + before + after - (taps - 1) * step - 1) // stride + 1, 0)
            for size, taps, stride, (before, after), step in zip(
                sizes, window, self.strides, self.pads, self.dilation, strict=True
            )
        )


@dataclass(frozen=True)
class PoolingGeometry:
    """The window of a pooling; one entry for each spatial axis.

    Args:
        size: Window size.
        strides: Step of the window.
        pads: Cells ``(before, after)`` that lie outside the picture.
    """

    size: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]

    @property
    def padded(self) -> bool:
        """Whether any cell lies outside the picture."""
        return any(before or after for before, after in self.pads)

    def outputs(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of window positions along each axis, 0 where the window does not fit.

        Example:
            >>> PoolingGeometry((2,), (2,), ((0, 0),)).outputs((27,))
            (13,)
        """
        convolution = ConvolutionGeometry(self.strides, self.pads, (1,) * len(self.size))
        return convolution.outputs(sizes, self.size)


@dataclass(frozen=True)
class BlockGeometry:
    """What convolution, bias, relu and max pooling in one do besides their numbers.

    Args:
        convolution: The convolution.
        size: Windows that tile what the convolution makes; ones where nothing is pooled.
        relu: Whether negative results become 0.
    """

    convolution: ConvolutionGeometry
    size: tuple[int, ...]
    relu: bool

    @property
    def pooling(self) -> PoolingGeometry:
        """The pooling as one of its own."""
        return PoolingGeometry(self.size, self.size, ((0, 0),) * len(self.size))

    @property
    def pools(self) -> bool:
        """Whether windows have more than one cell."""
        return max(self.size) > 1

    def outputs(self, sizes: tuple[int, ...], window: tuple[int, ...]) -> tuple[int, ...]:
        """Return the number of pooled positions along each axis.

        Example:
            >>> plain = ConvolutionGeometry((1,), ((0, 0),), (1,))
            >>> BlockGeometry(plain, (2,), relu=True).outputs((13,), (3,))
            (5,)
        """
        return self.pooling.outputs(self.convolution.outputs(sizes, window))


@dataclass(frozen=True)
class NormalizationGeometry:
    """What a batch normalisation does besides its numbers.

    Args:
        epsilon: Added to the variance.
        relu: Whether negative results become 0.
    """

    epsilon: float
    relu: bool
