"""Keras 3, on the backend that KERAS_BACKEND names."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
from networks import NETWORKS
from tasks import Inference, Task, Training

from engines import keras_layers
from engines.program import NotOffered, Program, offered, pictures


def prepare(task: Task, options: dict[str, Any], folder: Path) -> Program:
    """Return the task as Keras does it.

    Args:
        task: What to do.
        options: None.
        folder: Where the pictures are.
    """
    return offered(task, training=_training, inference=_inference)(task, folder)


def describe() -> dict[str, Any]:
    """Return versions and threads."""
    backend = keras.config.backend()
    threads = len(os.sched_getaffinity(0))
    return {"keras": keras.__version__, backend: importlib.import_module(backend).__version__, "threads": threads}


def _model(name: str) -> tuple[Any, int]:
    keras.utils.set_random_seed(0)
    model = keras.Model(*keras_layers.build(keras.layers, NETWORKS[name]))
    return model, sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def _training(task: Training, folder: Path) -> Program:
    if task.form != "fit":
        raise NotOffered("steps in a loop or a scan are asked of JAX only")
    model, count = _model(task.network)
    model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = pictures(task, folder)
    return Program(lambda: model.fit(x, y, batch_size=task.batch, verbose=0), count)


def _inference(task: Inference, folder: Path) -> Program:
    model, count = _model(task.network)
    x = pictures(task, folder)[0]
    # predict builds a data pipeline for each call; predict_on_batch is the faster of the two
    return Program(lambda: model.predict_on_batch(x), count)
