"""Convolutions with PyTorch's arguments, shapes and first weights."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from convista.errors import ArgumentError, ShapeError
from convista.torch import manual_seed, nn
from oracles import channels_first_loops as loops
from oracles.compare import SUMS, agree, numbers

CASES = {
    "lecture": (nn.Conv2d, (3, 1, 2), {}, (3, 5, 4)),
    "padding 1": (nn.Conv2d, (2, 4, 3), {"padding": 1}, (2, 5, 4)),
    "padding 1, stride 2": (nn.Conv2d, (2, 4, 3), {"padding": 1, "stride": 2}, (2, 6, 5)),
    "two paddings": (nn.Conv2d, (2, 4, (3, 2)), {"padding": (2, 0), "stride": (2, 1), "bias": False}, (2, 5, 4)),
    "same": (nn.Conv2d, (2, 3, 3), {"padding": "same"}, (2, 5, 4)),
    "same, even kernel": (nn.Conv2d, (2, 3, (2, 4)), {"padding": "same"}, (2, 5, 4)),
    "same, dilated": (nn.Conv2d, (1, 2, 2), {"padding": "same", "dilation": (3, 1)}, (1, 7, 4)),
    "valid": (nn.Conv2d, (1, 2, 2), {"padding": "valid", "dilation": 2}, (1, 5, 4)),
    "groups": (nn.Conv2d, (4, 6, 3), {"groups": 2, "padding": 1}, (4, 5, 4)),
    "depthwise": (nn.Conv2d, (3, 6, 3), {"groups": 3}, (3, 5, 4)),
    "reflect": (nn.Conv2d, (2, 3, 3), {"padding": (2, 1), "padding_mode": "reflect"}, (2, 5, 4)),
    "replicate": (nn.Conv2d, (2, 3, 3), {"padding": 2, "padding_mode": "replicate", "stride": 2}, (2, 5, 4)),
    "circular": (nn.Conv2d, (2, 3, 2), {"padding": "same", "padding_mode": "circular"}, (2, 5, 4)),
    "1-D": (nn.Conv1d, (4, 3, 5), {"padding": 2, "stride": 3}, (4, 11)),
    "1-D reflect": (nn.Conv1d, (2, 3, 3), {"padding": 1, "padding_mode": "reflect"}, (2, 7)),
    "3-D": (nn.Conv3d, (2, 3, (1, 2, 3)), {"padding": (0, 1, 1), "stride": (1, 2, 1)}, (2, 3, 4, 5)),
    "3-D same": (nn.Conv3d, (1, 2, 2), {"padding": "same"}, (1, 3, 4, 3)),
}
TRANSPOSED = {
    "plain": (nn.ConvTranspose2d, (2, 3, 2), {"stride": 2}, (2, 4, 3)),
    "padding and output_padding": (
        nn.ConvTranspose2d,
        (2, 3, 3),
        {"stride": 2, "padding": 1, "output_padding": 1},
        (2, 4, 3),
    ),
    "stride above the kernel": (nn.ConvTranspose2d, (2, 3, 2), {"stride": (3, 4), "bias": False}, (2, 3, 2)),
    "dilated": (nn.ConvTranspose2d, (1, 2, 3), {"dilation": 2, "padding": (2, 1)}, (1, 4, 3)),
    "extra rows only": (nn.ConvTranspose2d, (1, 2, 2), {"stride": 3, "output_padding": (2, 0)}, (1, 3, 2)),
    "1-D": (nn.ConvTranspose1d, (3, 2, 4), {"stride": 2, "padding": 1}, (3, 5)),
    "3-D": (nn.ConvTranspose3d, (2, 1, 2), {"stride": 2, "output_padding": (1, 0, 1)}, (2, 2, 3, 2)),
}


def made(case):
    kind, args, options, shape = case
    manual_seed(3)
    return kind(*args, **options), numbers(2, *shape)


def wanted(conv, x):
    return loops.convolution(
        x, conv.weight, conv.bias, conv.stride, conv.pads, conv.dilation, conv.groups, conv.padding_mode
    )


@pytest.mark.parametrize("case", CASES)
def test_convolution_is_that_of_the_loops(case):
    conv, x = made(CASES[case])
    y = conv(x)
    agree(y, wanted(conv, x), SUMS)
    with pytest.raises(AssertionError):
        agree(y, wanted(conv, np.flip(x, -1)), SUMS)


@pytest.mark.parametrize("case", TRANSPOSED)
def test_transposed_convolution_is_that_of_the_loops(case):
    conv, x = made(TRANSPOSED[case])

    def expected(weight):
        steps = (conv.stride, conv.padding, conv.output_padding, conv.dilation)
        return loops.transposed_convolution(x, weight, conv.bias, *steps)

    y = conv(x)
    agree(y, expected(conv.weight), SUMS)
    with pytest.raises(AssertionError):
        agree(y, expected(np.flip(conv.weight, -1)), SUMS)


def test_convolution_is_that_of_scipy():
    conv, x = made(CASES["lecture"])
    expected = [[signal.correlate(example, conv.weight[0], "valid")[0] + conv.bias[0]] for example in x]
    agree(conv(x), expected, SUMS)


def test_the_lectures_five_by_five_example_ends_with_minus_ten():
    conv = nn.Conv2d(1, 1, kernel_size=3, bias=False)
    conv.weight = [[[[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]]]
    x = [[3, 0, 0, 1, 1], [4, 2, 2, 1, 1], [1, 2, 5, 1, 0], [1, 4, 5, 5, 0], [3, 4, 0, 0, 0]]
    assert conv(np.array([[x]]))[0, 0].tolist() == [[-1, -1, -5], [6, -1, -11], [5, -4, -10]]


def test_the_lectures_cell_has_thirteen_parameters():
    model = nn.Conv2d(in_channels=3, out_channels=1, kernel_size=2)
    assert (model.weight.shape, model.bias.shape) == ((1, 3, 2, 2), (1,))
    assert sum(array.size for array in model.parameters()) == model.count_params() == 13
    bound = 1 / math.sqrt(12)  # the lecture's own numbers lie within it
    printed = [0.2278, 0.2484, 0.1522, -0.2209, -0.0611, 0.2156, -0.1626, -0.0988, -0.2752, 0.1702, 0.1131, 0.0462]
    assert max(map(abs, [*printed, -0.0321])) < bound
    assert max(np.abs(model.weight).max(), np.abs(model.bias).max()) < bound


@pytest.mark.parametrize(
    ("module", "fan_in"),
    [
        (lambda: nn.Conv2d(16, 256, 3), 144),
        (lambda: nn.Conv2d(16, 512, 3, groups=4), 36),
        (lambda: nn.Conv1d(8, 512, 5), 40),
        (lambda: nn.Conv3d(4, 256, 2), 32),
        (lambda: nn.ConvTranspose2d(256, 256, 3), 2304),
        (lambda: nn.ConvTranspose2d(64, 8, 3), 72),
        (lambda: nn.Linear(64, 512), 64),
    ],
)
def test_first_weights_are_uniform_within_the_bounds(module, fan_in):
    manual_seed(0)
    made, bound = module(), 1 / math.sqrt(fan_in)
    for array in made.parameters():
        assert array.dtype == np.float32
        assert np.abs(array).max() <= bound
        if array.size > 4000:
            assert np.abs(array).max() > 0.99 * bound
            assert abs(array.mean()) < 5 * bound / math.sqrt(3 * array.size)
            assert abs(array.std() / (bound / math.sqrt(3)) - 1) < 0.02


def test_arrays_of_jax_stay_in_jax_and_can_be_differentiated():
    conv, x = made(CASES["padding 1"])
    y = conv(jnp.asarray(x))
    assert isinstance(y, jax.Array)
    assert isinstance(conv(x), np.ndarray)
    agree(y, conv(x), SUMS)
    gradient = jax.jit(jax.grad(lambda x: conv(x).sum()))(jnp.asarray(x))
    assert gradient.shape == x.shape


def test_one_picture_needs_no_batch_axis():
    conv, x = made(CASES["padding 1"])
    agree(conv(x[0]), conv(x)[0], SUMS)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (nn.Conv2d(3, 1, 2), "Conv2d(3, 1, kernel_size=(2, 2), stride=(1, 1))"),
        (
            nn.Conv2d(4, 4, 3, 2, 1, 1, 2, False, "reflect"),
            "Conv2d(4, 4, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), groups=2, bias=False, "
            "padding_mode=reflect)",
        ),
        (nn.Conv2d(3, 4, 3, padding="same"), "Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=same)"),
        (nn.Conv1d(3, 4, 3, dilation=2), "Conv1d(3, 4, kernel_size=(3,), stride=(1,), dilation=(2,))"),
        (
            nn.ConvTranspose2d(3, 4, 2, 2, 1, 1),
            "ConvTranspose2d(3, 4, kernel_size=(2, 2), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))",
        ),
    ],
)
def test_representation_is_that_of_pytorch(module, text):
    assert repr(module) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: nn.Conv2d(3, 8, 3, stride=2, padding="same"),
            'Conv2d: padding="same" keeps the sizes, which a stride above 1 does not; PyTorch refuses both together. '
            "Received padding='same', stride=(2, 2). Write padding=1: output = (input + 2·padding − kernel) // stride "
            "+ 1.",
        ),
        (
            lambda: nn.Conv2d(3, 8, 3, padding="sane"),
            "Conv2d: padding is 'valid' or 'same'. Received padding='sane'. Did you mean 'same'?",
        ),
        (
            lambda: nn.Conv2d(3, 8, 3, padding_mode="reflex"),
            "Conv2d: padding_mode is 'zeros', 'reflect', 'replicate' or 'circular'. Received padding_mode='reflex'. "
            "Did you mean 'reflect'?",
        ),
        (
            lambda: nn.Conv2d(3, 8, 3, strides=2),
            "Conv2d: there is no argument 'strides'. Received strides=2. Did you mean 'stride'?",
        ),
        (
            lambda: nn.Conv2d(3, 8),
            "Conv2d: kernel_size is needed. Received only in_channels, out_channels. Write Conv2d(kernel_size=…).",
        ),
        (lambda: nn.Conv2d(3, 8, 3, groups=2), "Conv2d: groups divides in_channels. Received in_channels=3, groups=2."),
        (
            lambda: nn.Conv2d(3, 8, 3, stride=2, dilation=2),
            "Conv2d: PyTorch takes stride and dilation above 1 together; Convista does not yet. Received stride=2, "
            "dilation=2. Set one of them to 1.",
        ),
        (
            lambda: nn.Conv2d(3, 8, 3, device="cuda"),
            "Conv2d: JAX chooses the device. Received device='cuda'. Leave device out.",
        ),
        (
            lambda: nn.ConvTranspose2d(4, 4, 3, groups=2),
            "ConvTranspose2d: PyTorch has transposed convolutions in groups; Convista has not yet. Received groups=2. "
            "Leave groups out.",
        ),
        (
            lambda: nn.ConvTranspose2d(4, 4, 3, output_padding=1),
            "ConvTranspose2d: output_padding is below stride: it chooses among the sizes that a stride brings to one. "
            "Received output_padding=1, stride=1.",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ArgumentError) as error:
        make()
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (
            nn.Conv2d(3, 8, 3),
            (1, 28, 28, 3),
            "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)): the input has 3 channels, as in_channels says. Received "
            "an input of shape (28, 28, 3), channels first. The channels are last here: x.transpose(0, 3, 1, 2).",
        ),
        (
            nn.Conv2d(3, 8, 3),
            (1, 1, 28, 28),
            "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)): the input has 3 channels, as in_channels says. Received "
            "an input of shape (1, 28, 28), channels first. Write in_channels=1.",
        ),
        (
            nn.Conv2d(3, 8, 3),
            (1, 3, 2, 2),
            "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)): a 3×3 kernel does not fit a 2×2 input. Received an input "
            "of shape (3, 2, 2), channels first.",
        ),
        (
            nn.Conv2d(3, 8, 3),
            (28, 28),
            "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)): the input is (batch, channels, height, width). Received "
            "shape (28, 28).",
        ),
        (
            nn.Conv2d(1, 1, 3, padding=2, padding_mode="reflect"),
            (1, 1, 2, 9),
            "Conv2d(1, 1, kernel_size=(3, 3), stride=(1, 1), padding=(2, 2), padding_mode=reflect): "
            "padding_mode='reflect' copies at most 1 of 2 cells. Received padding 2 for an input of shape (1, 2, 9), "
            'channels first. Pad less, or with padding_mode="zeros" or "replicate".',
        ),
    ],
)
def test_shapes_that_do_not_fit(module, shape, message):
    with pytest.raises(ShapeError) as error:
        module(np.zeros(shape, np.float32))
    assert str(error.value) == message


def test_things_that_are_no_numbers_are_refused():
    with pytest.raises(ArgumentError, match=r"^x: a module takes arrays of real numbers\. Received str of <U3\."):
        nn.Conv2d(1, 1, 1)("cat")
