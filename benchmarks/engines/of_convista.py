"""Convista, as its users call it: fit, predict, a compiled ``apply``, and the convolution of ``convista.ops``."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from networks import NETWORKS
from tasks import Convolution, Inference, Task, Training

import convista
from convista.kernels import native, selection
from convista.ops.convolution import ConvolutionGeometry, convolution
from engines import jax_steps, keras_layers
from engines.of_jax import convolution_program
from engines.program import NotOffered, Program, offered, pictures


def prepare(task: Task, options: dict[str, Any], folder: Path) -> Program:
    """Return the task as Convista does it.

    Args:
        task: What to do.
        options: ``policy`` names a precision; ``apply`` predicts through ``jax.jit(model.apply)``.
        folder: Where the pictures are.
    """
    engine = offered(task, training=_training, inference=_inference, convolution=_convolution)
    return engine(task, options, folder)


def describe() -> dict[str, Any]:
    """Return versions, kernels and threads."""
    kernels = selection.describe()
    threads = native.threads() if kernels.native else len(os.sched_getaffinity(0))
    return {"convista": convista.__version__, "jax": jax.__version__, "kernels": kernels.kernels, "threads": threads}


def _model(name: str, options: dict[str, Any]) -> Any:
    policy = {"policy": options["policy"]} if "policy" in options else {}
    if policy and "policy" not in inspect.signature(convista.Model.compile).parameters:
        raise NotOffered(f"this Convista has no policy={options['policy']!r}")
    model = convista.Model(*keras_layers.build(convista.layers, NETWORKS[name]), seed=0)
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"], **policy)
    return model


def _count(model: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(model.params))


def _training(task: Training, options: dict[str, Any], folder: Path) -> Program:
    model = _model(task.network, options)
    x, y = pictures(task, folder)
    if task.form == "fit":
        return Program(lambda: model.fit(x, y, batch_size=task.batch, verbose=0), _count(model))

    def apply(params: Any, state: Any, x: jax.Array) -> tuple[jax.Array, Any]:
        # The model ends in a softmax. Logarithms of its probabilities stand for the logits: the same loss.
        probabilities, state = model.apply(params, state, x, training=True, key=jax.random.key(0))
        return jnp.log(probabilities), state

    carry = jax_steps.start(model.params, model.state)
    step = jax_steps.rmsprop_step(apply)
    return Program(jax_steps.epoch(step, carry, x, y, task.batch, task.form), _count(model))


def _inference(task: Inference, options: dict[str, Any], folder: Path) -> Program:
    model = _model(task.network, options)
    x = pictures(task, folder)[0]
    if not options.get("apply"):
        return Program(lambda: model.predict(x), _count(model))
    predict = jax.jit(lambda params, state, x: model.apply(params, state, x)[0])
    return Program(lambda: np.asarray(predict(model.params, model.state, x)), _count(model))


def _convolution(task: Convolution, options: dict[str, Any], folder: Path) -> Program:
    if "policy" in options:
        raise NotOffered("a policy is a model's; the operation takes the precision of its operands")
    rank = len(task.sizes)
    pads = ((task.pad, task.pad),) * rank
    geometry = ConvolutionGeometry((task.stride,) * rank, pads, (task.dilation,) * rank)
    return convolution_program(task, lambda x, kernel: convolution(x, kernel, geometry))
