"""The door's names are Keras's names: those that are there work, and the others say so."""

from __future__ import annotations

import importlib
import subprocess
import sys

import keras
import pytest

from convista.keras.names import in_keras

MODULES = [
    "",
    "activations",
    "callbacks",
    "datasets",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "optimizers.schedules",
    "preprocessing",
    "preprocessing.image",
    "utils",
]


def ours(module: str):
    return importlib.import_module(f"convista.keras.{module}".rstrip("."))


def theirs(module: str):
    found = keras
    for part in filter(None, module.split(".")):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_each_name_of_keras_is_there_or_known_to_be_absent(module: str) -> None:
    public = {name for name in dir(theirs(module)) if not name.startswith("_")}
    assert set(ours(module).__all__) | in_keras(module) == public


@pytest.mark.parametrize("module", MODULES)
def test_no_name_is_both_there_and_absent(module: str) -> None:
    assert not set(ours(module).__all__) & in_keras(module)
    for name in ours(module).__all__:
        getattr(ours(module), name)


@pytest.mark.parametrize(
    "code",
    [
        "from convista.keras.layers import Conv2D",
        "from convista.keras.models import Sequential",
        "from convista.keras.datasets import mnist; mnist.load_data",
        "from convista.keras.datasets.cifar10 import load_data",
        "from convista.keras.optimizers.schedules import CosineDecay",
        "import convista.keras as keras; keras.layers.MaxPool2D, keras.optimizers.schedules.ExponentialDecay",
        "from convista.keras import layers; layers.MaxPool2D is layers.MaxPooling2D",
        "from convista import keras; keras.utils.to_categorical, keras.datasets.cifar100.load_data, keras.Sequential",
        "import convista; convista.keras.Sequential, convista.keras.Input, convista.keras.Model",
    ],
)
def test_every_way_to_import_works(code: str) -> None:
    exec(code, {})  # noqa: S102


def test_the_door_opens_without_loading_anything_heavy() -> None:
    code = "import convista.keras, sys; print(sorted({'jax', 'numpy', 'optax', 'keras'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "[]\n"


MISSPELT = [
    ("layers", "Conv2d", "convista.keras.layers has no 'Conv2d'. Did you mean 'Conv2D'?"),
    ("utils", "to_catagorical", "convista.keras.utils has no 'to_catagorical'. Did you mean 'to_categorical'?"),
    ("models", "xyz", "convista.keras.models has no 'xyz'. Known: Model, Sequential, load_model."),
    (
        "datasets",
        "imdb",
        "Keras has datasets.imdb, but Convista does not have it yet. "
        "convista.keras.datasets has: cifar10, cifar100, fashion_mnist, mnist.",
    ),
    (
        "optimizers.schedules",
        "InverseTimeDecay",
        "Keras has optimizers.schedules.InverseTimeDecay, but Convista does not have it yet. "
        "convista.keras.optimizers.schedules has: CosineDecay, ExponentialDecay, LearningRateSchedule, "
        "PiecewiseConstantDecay, PolynomialDecay.",
    ),
    (
        "",
        "applications",
        "Keras has applications, but Convista does not have it yet. convista.keras has: Input, Layer, Loss, "
        "Metric, Model, Optimizer, Sequential, activations, callbacks, datasets, initializers, layers, losses, "
        "metrics, models, optimizers, preprocessing, utils.",
    ),
]


@pytest.mark.parametrize(("module", "name", "message"), MISSPELT)
def test_a_name_that_is_absent_says_so(module: str, name: str, message: str) -> None:
    with pytest.raises(AttributeError) as error:
        getattr(ours(module), name)
    assert str(error.value) == message
    assert not hasattr(ours(module), name)


@pytest.mark.parametrize(("module", "name", "message"), MISSPELT)
def test_from_import_says_the_same(module: str, name: str, message: str) -> None:
    with pytest.raises(ImportError) as error:
        exec(f"from {'convista.keras.' + module if module else 'convista.keras'} import {name}", {})  # noqa: S102
    assert str(error.value) == message
