"""From a model to a file and back: configuration, weights, classes, preprocessing; never code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from convista.data.pictures import Preprocessing
from convista.errors import ArgumentError, ConvistaError, ModelFileError, suggest
from convista.layers.base import Layer, from_config
from convista.layers.inference import Node
from convista.layers.input import InputLayer
from convista.models import archive, weights
from convista.models.graph import Graph
from convista.training.compilation import Compilation

if TYPE_CHECKING:
    from convista.models.model import Model

_OPTIMIZER = "optimizer"


def save(model: Model, path: str | Path, overwrite: bool = True) -> None:
    """Write a model to a ``.convista`` file; see :meth:`Model.save`."""
    target = Path(path)
    if target.suffix != ".convista":
        raise ArgumentError(
            "a model is saved to a file whose name ends in .convista",
            where="save",
            received=f"{str(path)!r}",
            fix=f"model.save({str(target.with_suffix('.convista'))!r})",
        )
    if target.exists() and not overwrite:
        raise ArgumentError(
            "the file is new when overwrite=False",
            where="save",
            received=f"{str(path)!r}, which exists",
            fix="Choose another name or overwrite=True",
        )
    tensors = _tensors(model)
    tensors |= _optimizer_tensors(model)
    archive.write(target, model_config(model), tensors)


def load_model(path: str | Path) -> Model:
    """Return the model that ``model.save`` wrote, ready to predict and, if it was compiled, to go on learning.

    Only layers of Convista, and those that were registered with ``convista.layers.register``, are built; nothing in the
    file is executed.

    Args:
        path: The file.

    Raises:
        ModelFileError: The file is truncated, damaged, foreign, newer, or not what it says it is. Nothing is allocated
            before every size has been checked.

    Example:
        >>> import tempfile
        >>> from convista import Sequential, layers
        >>> model = Sequential([layers.Dense(2, input_shape=(3,))])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(folder + "/small.convista")
        ...     load_model(folder + "/small.convista").count_params()
        8
    """
    config, tensors = archive.read(path)
    try:
        model = _from_config(config)
    except ModelFileError:
        raise
    except (ConvistaError, TypeError, ValueError, KeyError, AttributeError, IndexError, OverflowError) as error:
        raise ModelFileError(
            "config.json describes a model of this version",
            where=str(path),
            received=f"{type(error).__name__}: {error}",
        ) from error
    _take_tensors(model, tensors, str(path))
    _take_optimizer(model, config, tensors, str(path))
    return model


def save_weights(model: Model, path: str | Path) -> None:
    """Write the weights alone; see :meth:`Model.save_weights`."""
    if Path(path).suffix != ".safetensors":
        raise ArgumentError(
            "weights are saved to a file whose name ends in .safetensors",
            where="save_weights",
            received=f"{str(path)!r}",
            fix=f"model.save_weights({str(Path(path).with_suffix('.safetensors'))!r})",
        )
    weights.write_weights(path, _tensors(model))


def load_weights(model: Model, path: str | Path) -> None:
    """Read weights of this architecture; see :meth:`Model.load_weights`."""
    tensors = archive.read(path)[1] if Path(path).suffix == ".convista" else weights.read_weights(path)
    own = {name: array for name, array in tensors.items() if not name.startswith(f"{_OPTIMIZER}/")}
    _take_tensors(model, own, str(path))


def to_json(model: Model) -> str:
    """Return the architecture as JSON; see :meth:`Model.to_json`."""
    return json.dumps(model_config(model), indent=2, sort_keys=True, ensure_ascii=False)


def from_json(text: str) -> Model:
    """Return a model with new weights from what ``to_json`` returned.

    Raises:
        ModelFileError: The text is no such description.
    """
    try:
        return _from_config(json.loads(text))
    except (ConvistaError, TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError) as error:
        raise ModelFileError(
            "the text is what to_json returned", where="from_json", received=f"{type(error).__name__}: {error}"
        ) from error


def model_config(model: Model) -> dict[str, Any]:
    """Return a model without its numbers, as plain data."""
    graph = model.graph
    config: dict[str, Any] = {
        "class": type(model).__name__,
        "name": model.name,
        "seed": model.seed,
        "nodes": [
            {
                "name": node.name,
                "class": type(node.layer).__name__,
                "config": node.layer.to_config(),
                "inputs": list(node.inputs),
            }
            for node in graph.nodes
        ],
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "classes": None if model.classes is None else list(model.classes),
        "preprocessing": None if model.preprocessing is None else model.preprocessing.to_config(),
    }
    if model._compilation is not None:
        config["training"] = _training_config(model)
    return config


def _training_config(model: Model) -> dict[str, Any] | None:
    try:
        compilation = model._compiled().to_config()
    except ConvistaError:  # a loss or metric of the user's own: the network itself is saved all the same
        return None
    train = model._train
    if train is None or train.opt_state is None:
        return compilation
    return compilation | {"step": int(train.step), "learning_rate": float(train.learning_rate)}


def _from_config(config: Mapping[str, Any]) -> Model:
    from convista.models.model import Model
    from convista.models.sequential import Sequential

    kind = config["class"]
    if kind not in ("Model", "Sequential"):
        raise ValueError(f"class {kind!r} is neither Model nor Sequential")
    nodes = _nodes(config["nodes"])
    if kind == "Sequential":
        if any(node.inputs != (place - 1,) for place, node in enumerate(nodes) if place):
            raise ValueError("a Sequential is a chain")
        chain = Sequential(name=config["name"], seed=config["seed"])
        chain._take_chain([node.layer for node in nodes])
        model: Model = chain
    else:
        model = Model.__new__(Model)
        graph = Graph(nodes, _places(config["inputs"], nodes), _places(config["outputs"], nodes))
        if not graph.inputs or not graph.outputs:
            raise ValueError("a model has inputs and outputs")
        if {place for place, node in enumerate(nodes) if not node.inputs} != set(graph.inputs):
            raise ValueError("inputs are the nodes that take nothing")
        graph.shapes()
        model._several_inputs = len(graph.inputs) > 1
        model._begin(graph, config["name"], config["seed"])
    classes, preprocessing = config["classes"], config["preprocessing"]
    if classes is not None and not all(isinstance(name, str) for name in classes):
        raise ValueError("classes are texts")
    model.classes = None if classes is None else tuple(classes)
    model.preprocessing = None if preprocessing is None else Preprocessing.from_config(preprocessing)
    training = config.get("training")
    if training is not None:
        model._compilation = Compilation.from_config(training)
    return model


def _nodes(descriptions: list[Mapping[str, Any]]) -> tuple[Node, ...]:
    layers: dict[str, Layer] = {}
    nodes: list[Node] = []
    for place, item in enumerate(descriptions):
        name, inputs = item["name"], item["inputs"]
        if not isinstance(name, str) or not all(type(spot) is int and 0 <= spot < place for spot in inputs):
            raise ValueError(f"node {place} has a name and takes earlier nodes")
        layer = from_config(item["class"], item["config"])
        if layers.setdefault(name, layer) != layer:
            raise ValueError(f"two different layers are called {name!r}")
        if isinstance(layer, InputLayer) == bool(inputs):
            raise ValueError(f"{name!r} takes {len(inputs)} inputs")
        if len(inputs) > 1 and not layer.merges:
            raise ValueError(f"{name!r} takes {len(inputs)} inputs")
        nodes.append(Node(name, layers[name], tuple(inputs)))
    return tuple(nodes)


def _places(places: list[int], nodes: tuple[Node, ...]) -> tuple[int, ...]:
    if not all(type(place) is int and 0 <= place < len(nodes) for place in places):
        raise ValueError("inputs and outputs are places of nodes")
    return tuple(places)


def _tensors(model: Model) -> dict[str, np.ndarray]:
    trees = {"params": model.params, "state": model.state}
    return {f"{layer}/{name}": np.asarray(trees[part][layer][name]) for part, layer, name, _ in model._weight_places()}


def _take_tensors(model: Model, tensors: Mapping[str, np.ndarray], path: str) -> None:
    expected = {f"{layer}/{name}": (part, layer, name, shape) for part, layer, name, shape in model._weight_places()}
    given = [name for name in tensors if not name.startswith(f"{_OPTIMIZER}/")]
    for name in given:
        if name not in expected:
            raise ModelFileError(
                "every tensor belongs to a layer of the model",
                where=path,
                received=f"{name!r}",
                fix=suggest(name, expected) if expected else None,
            )
    trees: dict[str, Any] = {"params": {}, "state": {}}
    for full, (part, layer, name, shape) in expected.items():
        if full not in tensors:
            raise ModelFileError("every weight of the model is in the file", where=path, received=f"no {full!r}")
        array = tensors[full]
        if tuple(array.shape) != shape or array.dtype != np.float32:
            raise ModelFileError(
                f"{full!r} is float32 of shape {shape}",
                where=path,
                received=f"{array.dtype} of shape {tuple(array.shape)}",
            )
        trees[part].setdefault(layer, {})[name] = jnp.array(array)
    model._take_weights(trees["params"], trees["state"])


def _optimizer_tensors(model: Model) -> dict[str, np.ndarray]:
    if model._train is None or model._train.opt_state is None or _training_config(model) is None:
        return {}
    leaves = jax.tree.leaves(model._train.opt_state)
    return {f"{_OPTIMIZER}/{place:04d}": np.asarray(leaf) for place, leaf in enumerate(leaves)}


def _take_optimizer(model: Model, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray], path: str) -> None:
    training = config.get("training") or {}
    stored = {name: array for name, array in tensors.items() if name.startswith(f"{_OPTIMIZER}/")}
    if model._compilation is None or not stored:
        if stored:
            raise ModelFileError("an optimizer's memory has an optimizer", where=path, received="tensors without one")
        return
    model._start_optimizer()
    template = model.train_state.opt_state
    leaves, structure = jax.tree.flatten(template)
    names = [f"{_OPTIMIZER}/{place:04d}" for place in range(len(leaves))]
    fits = set(names) == set(stored) and all(
        stored[name].shape == leaf.shape and stored[name].dtype == leaf.dtype
        for name, leaf in zip(names, leaves, strict=True)
    )
    if not fits or type(training.get("step")) is not int or not 0 <= training["step"] < 2**31:
        raise ModelFileError(
            f"the optimizer's memory is that of {type(model.optimizer).__name__}", where=path, received="other tensors"
        )
    opt_state = jax.tree.unflatten(structure, [jnp.array(stored[name]) for name in names])
    rate = training.get("learning_rate")
    if not isinstance(rate, int | float) or not 0 <= rate < float("inf"):
        raise ModelFileError("the learning rate is a number of at least 0", where=path, received=f"{rate!r}")
    model.train_state = model.train_state._replace(
        opt_state=opt_state, step=jnp.int32(training["step"]), learning_rate=jnp.float32(rate)
    )
