"""Plain JAX, channels last, as its users can write it today: XLA's convolutions, pooling by reshape and maximum."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import networks
import numpy as np
from jax import lax
from networks import NETWORKS
from tasks import Convolution, Inference, Task, Training

from engines import jax_steps
from engines.program import Program, offered, operands, pictures


def prepare(task: Task, options: dict[str, Any], folder: Path) -> Program:
    """Return the task as JAX alone does it.

    Args:
        task: What to do.
        options: None.
        folder: Where the pictures are.
    """
    return offered(task, training=_training, inference=_inference, convolution=_convolution)(task, folder)


def describe() -> dict[str, Any]:
    """Return versions and threads."""
    return {"jax": jax.__version__, "threads": len(os.sched_getaffinity(0))}


def _start(nodes: tuple[networks.Node, ...], shape: networks.Shape, random: np.random.Generator) -> list[Any]:
    params = []
    for node in nodes:
        params.append(_start_one(node, shape, random))
        shape = networks.after((node,), shape)
    return params


def _start_one(node: networks.Node, shape: networks.Shape, random: np.random.Generator) -> Any:
    match node:
        case networks.Convolution(filters, kernel):
            inputs = 1 if filters is None else shape[-1]
            filters = filters or shape[-1]
            return _affine((kernel, kernel, inputs, filters), filters if node.bias else 0, random)
        case networks.Normalization():
            return {"gamma": jnp.ones(shape[-1]), "beta": jnp.zeros(shape[-1])}
        case networks.Dense(units):
            return _affine((shape[0], units), units, random)
        case networks.Residual(body, shortcut):
            return {"body": _start(body, shape, random), "shortcut": _start(shortcut, shape, random)}
        case _:
            return {}


def _affine(sizes: tuple[int, ...], biases: int, random: np.random.Generator) -> dict[str, jax.Array]:
    width = np.sqrt(2 / np.prod(sizes[:-1]))
    kernel = jnp.asarray(random.normal(0, width, sizes).astype(np.float32))
    return {"kernel": kernel, "bias": jnp.zeros(biases)} if biases else {"kernel": kernel}


def _through(nodes: tuple[networks.Node, ...], params: list[Any], x: jax.Array) -> jax.Array:
    for node, own in zip(nodes, params, strict=True):
        x = _one(node, own, x)
    return x


def _one(node: networks.Node, own: Any, x: jax.Array) -> jax.Array:
    match node:
        case networks.Convolution(filters, _, stride, same):
            groups = x.shape[-1] if filters is None else 1
            y = lax.conv_general_dilated(
                x,
                own["kernel"],
                (stride, stride),
                "SAME" if same else "VALID",
                feature_group_count=groups,
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            return y + own.get("bias", 0)
        case networks.Normalization():
            # The batch's own statistics, also in inference: no inference of a normalized network is measured.
            mean = jnp.mean(x, (0, 1, 2))
            variance = jnp.mean(jnp.square(x), (0, 1, 2)) - jnp.square(mean)
            return (x - mean) * (lax.rsqrt(variance + 1e-3) * own["gamma"]) + own["beta"]
        case networks.Relu():
            return jax.nn.relu(x)
        case networks.MaxPooling(size):
            batch, height, width, channels = x.shape
            rows, columns = height // size, width // size
            whole = x[:, : rows * size, : columns * size]
            return jnp.max(whole.reshape(batch, rows, size, columns, size, channels), (2, 4))
        case networks.GlobalAverage():
            return jnp.mean(x, (1, 2))
        case networks.Flatten():
            return x.reshape(len(x), -1)
        case networks.Dense():
            return x @ own["kernel"] + own["bias"]
        case networks.Residual(body, shortcut):
            return _through(body, own["body"], x) + _through(shortcut, own["shortcut"], x)


def _network(name: str) -> tuple[networks.Network, list[Any], int]:
    network = NETWORKS[name]
    params = _start(network.nodes, network.shape, np.random.default_rng(0))
    return network, params, sum(leaf.size for leaf in jax.tree.leaves(params))


def _training(task: Training, folder: Path) -> Program:
    network, params, count = _network(task.network)

    def apply(params: Any, state: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        return _through(network.nodes, params, x), state

    step = jax_steps.rmsprop_step(apply)
    x, y = pictures(task, folder)
    return Program(jax_steps.epoch(step, jax_steps.start(params, {}), x, y, task.batch, task.form), count)


def _inference(task: Inference, folder: Path) -> Program:
    network, params, count = _network(task.network)
    predict = jax.jit(lambda params, x: jax.nn.softmax(_through(network.nodes, params, x)))
    x = pictures(task, folder)[0]
    return Program(lambda: np.asarray(predict(params, x)), count)


def _convolution(task: Convolution, folder: Path) -> Program:
    return convolution_program(task, _lax_convolution(task))


def _lax_convolution(task: Convolution) -> Any:
    rank = len(task.sizes)
    axes = "WHD"[:rank]
    order = (f"N{axes}C", f"{axes}IO", f"N{axes}C")

    def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x,
            kernel,
            (task.stride,) * rank,
            [(task.pad, task.pad)] * rank,
            rhs_dilation=(task.dilation,) * rank,
            dimension_numbers=order,
        )

    return convolve


def convolution_program(task: Convolution, convolve: Any) -> Program:
    """Return the passes of a task in one compiled call.

    Args:
        task: Which passes of what.
        convolve: ``(x, kernel) -> y`` for the task's geometry, for as long as it is not transposed.
    """
    large, kernel, small = (jnp.asarray(array) for array in operands(task))

    def transposed(y: jax.Array, kernel: jax.Array) -> jax.Array:
        # The layers of transposed convolutions are the gradient by the input, too.
        _, gradient = jax.vjp(lambda x: convolve(x, kernel), jnp.zeros(large.shape, large.dtype))
        return gradient(y)[0]

    function, given, towards = (transposed, small, large) if task.transposed else (convolve, large, small)

    @jax.jit
    def passes(given: jax.Array, kernel: jax.Array, towards: jax.Array) -> list[jax.Array]:
        value, gradients = jax.vjp(function, given, kernel)
        by_input, by_kernel = gradients(towards)
        named = {"forward": value, "dx": by_input, "dw": by_kernel}
        return [named[name] for name in ("forward", "dx", "dw") if name in task.passes]

    found: list[jax.Array] = []

    def run() -> None:
        found[:] = jax.block_until_ready(passes(given, kernel, towards))

    def result() -> list[np.ndarray]:
        return [np.asarray(array) for array in found]

    return Program(run, task.parameters(), result)
