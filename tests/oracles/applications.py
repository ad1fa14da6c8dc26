"""Keras Applications with random weights: what an architecture of ours has to answer with the same file."""

from __future__ import annotations

import warnings
from pathlib import Path

import jax
import keras
import numpy as np

from convista import Model
from oracles.compare import QUICK, Tolerance, agree

# Dozens of float32 layers, summed in another order by each side.
NETWORKS = Tolerance(1e-4, 1e-6)


def randomised(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give every weight a value that matters: biases and moving statistics begin as 0 and 1."""
    generator = np.random.default_rng(seed)
    for variable in model.weights:
        kind = variable.path.rsplit("/", 1)[-1]
        if kind in ("moving_variance", "variance"):
            variable.assign(generator.uniform(0.5, 1.5, variable.shape))
        elif kind in ("moving_mean", "mean", "beta", "bias"):
            variable.assign(generator.normal(0, 0.1, variable.shape))
        elif "layer_scale" in variable.path or kind == "gamma":
            variable.assign(generator.uniform(0.5, 1.2, variable.shape))
    return model


def save_weights(model: keras.Model, path: Path) -> Path:
    """Let Keras write its weights; on JAX it still asks NumPy for arrays in an old way."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model.save_weights(path)
    return path


def same_answers(theirs: keras.Model, ours: Model, folder: Path, scale: float = 1.0) -> None:
    """Save Keras's weights, load them, and compare the outputs on the same pictures."""
    file = save_weights(randomised(theirs), folder / "keras.weights.h5")
    loaded = ours.load_weights(file)
    assert (loaded.new, loaded.left) == ((), ())
    assert ours.provenance is not None
    assert (ours.provenance.source, ours.provenance.format) == ("keras.weights.h5", "keras")
    assert ours.count_params() == theirs.count_params()
    x = np.random.default_rng(1).uniform(0, scale, (2, *ours.input_shape[1:])).astype(np.float32)
    found, wanted = (np.asarray(answer) for answer in _together(ours, theirs, x))
    assert wanted.std() > 1e-3
    agree(found, wanted, NETWORKS)


def _together(ours: Model, theirs: keras.Model, x: np.ndarray) -> tuple[jax.Array, jax.Array]:
    """Run both in one program each, compiled in a hurry: layer by layer, compiling takes most of a minute."""
    one = jax.jit(lambda params, state, x: ours.apply(params, state, x)[0], compiler_options=QUICK)
    other = jax.jit(
        lambda learned, kept, x: theirs.stateless_call(learned, kept, x, training=False)[0], compiler_options=QUICK
    )
    learned = [variable.value for variable in theirs.trainable_variables]
    kept = [variable.value for variable in theirs.non_trainable_variables]
    return one(ours.params, ours.state, x), other(learned, kept, x)
