"""Networks as torchvision defines them, in NumPy: NCHW, OIHW, its names. Parameters are made as they are asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray[Any, Any]


# Of MobileNet v2: expansion, filters, repeats, first stride; of EfficientNet-B0 with the size of the window before.
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)


class State(dict[str, Array]):
    """A state dictionary that grows: an unknown name gets random numbers."""

    def __init__(self, seed: int = 0):
        super().__init__()
        self._generator = np.random.default_rng(seed)

    def number(self, name: str, shape: tuple[int, ...], low: float, high: float) -> Array:
        if name not in self:
            self[name] = self._generator.uniform(low, high, shape).astype(np.float32)
        return self[name].astype(np.float64)

    def conv(
        self,
        x: Array,
        name: str,
        out: int,
        size: int,
        stride: int = 1,
        pad: int = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> Array:
        width = (6.0 / (x.shape[1] // groups * size * size)) ** 0.5
        kernel = self.number(f"{name}.weight", (out, x.shape[1] // groups, size, size), -width, width)
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        windows = sliding_window_view(x, (size, size), (2, 3))[:, :, ::stride, ::stride]
        if groups == 1:
            y = np.moveaxis(np.tensordot(windows, kernel, ([1, 4, 5], [1, 2, 3])), -1, 1)
        else:
            assert groups == x.shape[1] == out
            y = np.einsum("nchwij,cij->nchw", windows, kernel[:, 0])
        return y + self.number(f"{name}.bias", (out,), -0.1, 0.1)[:, None, None] if bias else y

    def norm(self, x: Array, name: str) -> Array:
        channels = (x.shape[1],)
        scale, shift = (
            self.number(f"{name}.weight", channels, 0.5, 1.2),
            self.number(f"{name}.bias", channels, -0.1, 0.1),
        )
        mean = self.number(f"{name}.running_mean", channels, -0.1, 0.1)
        variance = self.number(f"{name}.running_var", channels, 0.5, 1.5)
        self[f"{name}.num_batches_tracked"] = np.array(7, np.int64)
        factor = scale / np.sqrt(variance + 1e-5)
        return x * factor[:, None, None] + (shift - mean * factor)[:, None, None]

    def layer_norm(self, x: Array, name: str) -> Array:
        """Over the last axis."""
        channels = (x.shape[-1],)
        centred = x - x.mean(-1, keepdims=True)
        y = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return y * self.number(f"{name}.weight", channels, 0.5, 1.2) + self.number(f"{name}.bias", channels, -0.1, 0.1)

    def linear(self, x: Array, name: str, out: int) -> Array:
        width = (3.0 / x.shape[-1]) ** 0.5
        return x @ self.number(f"{name}.weight", (out, x.shape[-1]), -width, width).T + self.number(
            f"{name}.bias", (out,), -0.1, 0.1
        )


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def max_pool(x: Array, size: int, stride: int, pad: int = 0) -> Array:
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), constant_values=-np.inf)
    return sliding_window_view(x, (size, size), (2, 3))[:, :, ::stride, ::stride].max((-2, -1))


def resnet(state: State, x: Array, depths: tuple[int, ...], classes: int, bottleneck: bool) -> Array:
    x = relu(state.norm(state.conv(x, "conv1", 64, 7, 2, 3), "bn1"))
    x = max_pool(x, 3, 2, 1)
    for stage, depth in enumerate(depths, start=1):
        width = 32 * 2**stage
        for block in range(depth):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            if bottleneck:
                y = relu(state.norm(state.conv(x, f"{name}.conv1", width, 1), f"{name}.bn1"))
                y = relu(state.norm(state.conv(y, f"{name}.conv2", width, 3, stride, 1), f"{name}.bn2"))
                y = state.norm(state.conv(y, f"{name}.conv3", 4 * width, 1), f"{name}.bn3")
            else:
                y = relu(state.norm(state.conv(x, f"{name}.conv1", width, 3, stride, 1), f"{name}.bn1"))
                y = state.norm(state.conv(y, f"{name}.conv2", width, 3, 1, 1), f"{name}.bn2")
            if x.shape[1] != y.shape[1] or stride > 1:
                x = state.norm(state.conv(x, f"{name}.downsample.0", y.shape[1], 1, stride), f"{name}.downsample.1")
            x = relu(x + y)
    return state.linear(x.mean((2, 3)), "fc", classes)


def vgg(state: State, x: Array, depths: tuple[int, ...], classes: int) -> Array:
    """Without the pooling to 7×7 that does nothing at 224×224."""
    place = 0
    for depth, filters in zip(depths, (64, 128, 256, 512, 512), strict=True):
        for _ in range(depth):
            x = relu(state.conv(x, f"features.{place}", filters, 3, 1, 1, bias=True))
            place += 2
        x = max_pool(x, 2, 2)
        place += 1
    x = x.reshape(len(x), -1)
    x = relu(state.linear(x, "classifier.0", 4096))
    x = relu(state.linear(x, "classifier.3", 4096))
    return state.linear(x, "classifier.6", classes)


def mobilenet_v2(state: State, x: Array, classes: int) -> Array:
    def six(x: Array, name: str) -> Array:
        return np.clip(state.norm(x, name), 0, 6)

    x = six(state.conv(x, "features.0.0", 32, 3, 2, 1), "features.0.1")
    place = 1
    for expansion, filters, repeats, first in BLOCKS:
        for repeat in range(repeats):
            name, stride = f"features.{place}.conv", first if repeat == 0 else 1
            wide, y, at = x.shape[1] * expansion, x, 0
            if expansion > 1:
                y, at = six(state.conv(y, f"{name}.0.0", wide, 1), f"{name}.0.1"), 1
            y = six(state.conv(y, f"{name}.{at}.0", wide, 3, stride, 1, groups=wide), f"{name}.{at}.1")
            y = state.norm(state.conv(y, f"{name}.{at + 1}", filters, 1), f"{name}.{at + 2}")
            x = x + y if stride == 1 and x.shape[1] == filters else y
            place += 1
    x = six(state.conv(x, "features.18.0", 1280, 1), "features.18.1")
    return state.linear(x.mean((2, 3)), "classifier.1", classes)


def efficientnet_b0(state: State, x: Array, classes: int) -> Array:
    def swish(x: Array, name: str) -> Array:
        x = state.norm(x, name)
        return x * sigmoid(x)

    x = swish(state.conv(x, "features.0.0", 32, 3, 2, 1), "features.0.1")
    for stage, (size, repeats, filters, expansion, first) in enumerate(STAGES, start=1):
        for repeat in range(repeats):
            name, stride = f"features.{stage}.{repeat}.block", first if repeat == 0 else 1
            wide, y, at = x.shape[1] * expansion, x, 0
            if expansion > 1:
                y, at = swish(state.conv(y, f"{name}.0.0", wide, 1), f"{name}.0.1"), 1
            y = swish(state.conv(y, f"{name}.{at}.0", wide, size, stride, size // 2, groups=wide), f"{name}.{at}.1")
            gate = state.conv(y.mean((2, 3), keepdims=True), f"{name}.{at + 1}.fc1", x.shape[1] // 4, 1, bias=True)
            gate = state.conv(gate * sigmoid(gate), f"{name}.{at + 1}.fc2", wide, 1, bias=True)
            y = y * sigmoid(gate)
            y = state.norm(state.conv(y, f"{name}.{at + 2}.0", filters, 1), f"{name}.{at + 2}.1")
            x = x + y if stride == 1 and x.shape[1] == filters else y
    x = swish(state.conv(x, "features.8.0", 1280, 1), "features.8.1")
    return state.linear(x.mean((2, 3)), "classifier.1", classes)


def convnext_tiny(state: State, x: Array, classes: int) -> Array:
    from scipy.special import erf

    def last(x: Array) -> Array:
        return np.moveaxis(x, 1, -1)

    def second(x: Array) -> Array:
        return np.moveaxis(x, -1, 1)

    for stage, (depth, filters) in enumerate(((3, 96), (3, 192), (9, 384), (3, 768))):
        if stage == 0:
            x = state.conv(x, "features.0.0", filters, 4, 4, bias=True)
            x = second(state.layer_norm(last(x), "features.0.1"))
        else:
            x = second(state.layer_norm(last(x), f"features.{2 * stage}.0"))
            x = state.conv(x, f"features.{2 * stage}.1", filters, 2, 2, bias=True)
        for block in range(depth):
            name = f"features.{2 * stage + 1}.{block}"
            y = last(state.conv(x, f"{name}.block.0", filters, 7, 1, 3, groups=filters, bias=True))
            y = state.linear(state.layer_norm(y, f"{name}.block.2"), f"{name}.block.3", 4 * filters)
            y = state.linear(y * (1 + erf(y / 2**0.5)) / 2, f"{name}.block.5", filters)
            x = x + second(y) * state.number(f"{name}.layer_scale", (filters, 1, 1), 0.2, 1.0)
    return state.linear(state.layer_norm(x.mean((2, 3)), "classifier.0"), "classifier.2", classes)
