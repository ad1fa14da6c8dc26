"""Batch normalisation with PyTorch's momentum and variances."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError, ShapeError
from convista.torch import nn
from oracles.compare import LAYERS, SUMS, agree, numbers

SHAPES = [
    (nn.BatchNorm1d, (6, 3)),
    (nn.BatchNorm1d, (4, 3, 5)),
    (nn.BatchNorm2d, (2, 3, 4, 5)),
    (nn.BatchNorm3d, (2, 3, 2, 2, 3)),
]


@pytest.mark.parametrize(("kind", "shape"), SHAPES)
def test_two_batches_then_use(kind, shape):
    norm = kind(3, momentum=0.3)
    norm.weight, norm.bias = [1.0, 2.0, -1.0], [0.5, 0.0, 3.0]
    mean, variance = np.zeros(3), np.ones(3)
    across = tuple(axis for axis in range(len(shape)) if axis != 1)
    form = (-1, *(1,) * (len(shape) - 2))

    def expected(x, mean, variance):
        unit = (x - mean.reshape(form)) / np.sqrt(variance.reshape(form) + 1e-5)
        return unit * norm.weight.astype(np.float64).reshape(form) + norm.bias.astype(np.float64).reshape(form)

    for seed in (1, 2):
        x = numbers(*shape, seed=seed).astype(np.float64) * 2 + 1
        agree(norm(x), expected(x, x.mean(across), x.var(across)), LAYERS)
        mean = 0.7 * mean + 0.3 * x.mean(across)
        variance = 0.7 * variance + 0.3 * x.var(across, ddof=1)
    agree(norm.running_mean, mean, SUMS)
    agree(norm.running_var, variance, SUMS)
    with pytest.raises(AssertionError):
        agree(norm.running_var, 0.49 + 0.51 * x.var(across), SUMS)
    assert norm.num_batches_tracked == 2
    agree(norm.eval()(x), expected(x, mean, variance), LAYERS)
    assert norm.num_batches_tracked == 2


def test_without_weight_or_bias():
    x = numbers(4, 3, 2, 2)
    plain, unshifted = nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3, bias=False)
    assert list(plain.state_dict()) == ["running_mean", "running_var", "num_batches_tracked"]
    assert next(iter(unshifted.state_dict())) == "weight"
    assert unshifted.bias is None
    agree(plain(x), unshifted(x), SUMS)


def test_representation_is_that_of_pytorch():
    text = "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"
    assert repr(nn.BatchNorm2d(3)) == text


def test_a_transformation_of_jax_is_for_use_alone():
    norm, x = nn.BatchNorm2d(3), jnp.ones((2, 3, 2, 2))
    with pytest.raises(ArgumentError) as error:
        jax.jit(norm)(x)
    assert str(error.value) == (
        f"{norm!r}: a module in training changes its statistics, which jax.jit, jax.grad and others cannot see. "
        "Received a call inside a transformation of JAX. Call net.eval() before, or differentiate "
        "convista.torch.to_model(net, input_shape).apply."
    )
    agree(jax.jit(norm.eval())(x), norm(x), SUMS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"momentum": None},
            "BatchNorm2d: PyTorch then averages over all batches; Convista does not yet. Received momentum=None. Give "
            "a fraction: momentum=0.1.",
        ),
        (
            {"track_running_stats": False},
            "BatchNorm2d: PyTorch then uses the batch's statistics always; Convista does not yet. Received "
            "track_running_stats=False. Leave track_running_stats out.",
        ),
        ({"eps": 0}, "BatchNorm2d: eps is above 0. Received eps=0."),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ArgumentError) as error:
        nn.BatchNorm2d(3, **options)
    assert str(error.value) == message


def test_one_value_a_channel_has_no_variance():
    norm = nn.BatchNorm1d(3)
    with pytest.raises(ShapeError) as error:
        norm(np.ones((1, 3)))
    assert str(error.value) == (
        f"{norm!r}: a batch has at least two values a channel while training. Received one. Call net.eval() to use "
        "the module."
    )
