"""From a model to a file and back: configuration, weights, classes, preprocessing; never code."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
from collections.abc import Iterator, Mapping
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
from convista.models import archive, memory, pretrained, weights
from convista.models.graph import Graph
from convista.models.policy import checked_policy
from convista.models.provenance import Provenance
from convista.models.seed import checked_seed
from convista.training.compilation import Compilation

if TYPE_CHECKING:
    from convista.models.model import Model

_OPTIMIZER = "optimizer"
# A layer may be called optimizer too; its weights have names, not numbers.
_OPTIMIZER_TENSOR = re.compile(rf"{_OPTIMIZER}/\d{{4,}}")
# So many different layers take ten seconds to check; no network comes near it.
_MOST_NODES = 2_000
_MISTAKES = (ConvistaError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)


def save(model: Model, path: str | Path, overwrite: bool = True) -> None:
    """Write a model to a ``.convista`` file; see :meth:`Model.save`."""
    target = _target(path, ".convista", "a model is saved to a file whose name ends in .convista", "save")
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


def _target(path: Any, suffix: str, rule: str, verb: str) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(rule, where=verb, received=repr(path), fix=f'model.{verb}("name{suffix}")')
    target = Path(path)
    if target.suffix == suffix:
        return target
    name = str(target.with_suffix(suffix)) if target.name else f"name{suffix}"
    raise ArgumentError(rule, where=verb, received=f"{str(path)!r}", fix=f"model.{verb}({name!r})")


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
    model = _described(config, f"{path}, config.json")
    _take_tensors(model, tensors, str(path))
    _take_optimizer(model, config, tensors, str(path))
    return model


def _described(config: Any, place: str) -> Model:
    """Return the model that a configuration describes.

    Raises:
        ModelFileError: Anything in it is wrong; ``place`` and the field are named.
    """
    try:
        return _from_config(config)
    except _Field as wrong:
        raise ModelFileError(wrong.rule, where=f"{place}, {wrong.name}", received=wrong.received) from wrong
    except _MISTAKES as error:
        raise ModelFileError("it describes a model", where=place, received=_worded(error)) from error


def _worded(error: Exception) -> str:
    text = str(error) if isinstance(error, ConvistaError) else f"{type(error).__name__}: {error}"
    return text if len(text) <= 500 else f"{text[:500]}…"


class _Field(Exception):
    """A field of a configuration that is wrong."""

    def __init__(self, name: str, rule: str, received: str):
        super().__init__(name, rule, received)
        self.name, self.rule, self.received = name, rule, received


@contextlib.contextmanager
def _field(name: str, rule: str) -> Iterator[None]:
    """Say that what goes wrong inside does so because of this field."""
    try:
        yield
    except _MISTAKES as error:
        raise _Field(name, rule, _worded(error)) from error


def save_weights(model: Model, path: str | Path) -> None:
    """Write the weights alone; see :meth:`Model.save_weights`."""
    rule = "weights are saved to a file whose name ends in .safetensors"
    weights.write_weights(_target(path, ".safetensors", rule, "save_weights"), _tensors(model))


def load_weights(model: Model, path: str | Path, *, head: bool = True, offline: bool = False) -> pretrained.Loaded:
    """Read weights of this architecture; see :meth:`Model.load_weights`."""
    return pretrained.load(model, path, head=head, offline=offline)


def to_json(model: Model) -> str:
    """Return the architecture as JSON; see :meth:`Model.to_json`."""
    return json.dumps(model_config(model), indent=2, sort_keys=True, ensure_ascii=False)


def from_json(text: str) -> Model:
    """Return a model with new weights from what ``to_json`` returned.

    Raises:
        ModelFileError: The text is no such description.
    """
    try:
        config = json.loads(text)
    except _MISTAKES as error:
        raise ModelFileError("the text is what to_json returned", where="from_json", received=_worded(error)) from error
    return _described(config, "from_json")


def model_config(model: Model) -> dict[str, Any]:
    """Return a model without its numbers, as plain data."""
    from convista.models.sequential import Sequential

    graph = model.graph
    config: dict[str, Any] = {
        "class": "Sequential" if isinstance(model, Sequential) else "Model",  # a subclass of the user's own as well
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
    if model.policy != "float32":  # files of other models stay byte for byte what they were before there were policies
        config["policy"] = model.policy
    if model.provenance is not None:
        config["provenance"] = model.provenance.to_config()
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


def _from_config(config: Any) -> Model:
    for name in ("class", "name", "seed", "nodes", "inputs", "outputs", "classes", "preprocessing"):
        if not isinstance(config, Mapping) or name not in config:
            raise _Field(name, "it is there", "nothing")
    kind, name = config["class"], config["name"]
    if kind not in ("Model", "Sequential"):
        raise _Field("class", "it is Model or Sequential", f"{kind!r:.100}")
    if not isinstance(name, str):
        raise _Field("name", "it is a text", f"{name!r:.100}")
    with _field("seed", "it is a seed"):
        seed = checked_seed(config["seed"])
    nodes = _nodes(config["nodes"])
    model = _chain(nodes, name, seed) if kind == "Sequential" else _functional(config, nodes, name, seed)
    _take_description(model, config)
    return model


def _chain(nodes: tuple[Node, ...], name: str, seed: int) -> Model:
    from convista.models.sequential import Sequential

    if any(node.inputs != (place - 1,) for place, node in enumerate(nodes) if place):
        raise _Field("nodes", "those of a Sequential are a chain", "another graph")
    model = Sequential(name=name, seed=seed)
    with _field("nodes", "their sizes follow each other"):
        model._take_chain([node.layer for node in nodes])
    built = [node.name for node in model.graph.nodes]
    if built != [node.name for node in nodes]:
        wrong = next(node.name for node, own in zip(nodes, built, strict=True) if node.name != own)
        raise _Field("nodes", "a layer has its own name, or the one that follows from its class", f"{wrong!r:.100}")
    return model


def _functional(config: Mapping[str, Any], nodes: tuple[Node, ...], name: str, seed: int) -> Model:
    from convista.models.model import Model

    inputs, outputs = (_places(config[field], field, nodes) for field in ("inputs", "outputs"))
    if {place for place, node in enumerate(nodes) if not node.inputs} != set(inputs):
        raise _Field("inputs", "they are the nodes that take nothing", f"{list(inputs)}")
    with _field("nodes", "their sizes follow each other"):
        graph = Graph(nodes, inputs, outputs)
        graph.shapes()
    model = Model.__new__(Model)
    model._begin(graph, name, seed)
    return model


def _take_description(model: Model, config: Mapping[str, Any]) -> None:
    classes, preprocessing, training = config["classes"], config["preprocessing"], config.get("training")
    if classes is not None and not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise _Field("classes", "it is a list of texts", f"{classes!r:.100}")
    model.classes = None if classes is None else tuple(classes)
    with _field("preprocessing", "it says how pictures become inputs"):
        model.preprocessing = None if preprocessing is None else Preprocessing.from_config(preprocessing)
    with _field("policy", "it is a policy"):
        model.policy = checked_policy(config.get("policy", "float32"))
    with _field("provenance", "it says where the weights came from"):
        origin = config.get("provenance")
        model.provenance = None if origin is None else Provenance.from_config(origin)
    with _field("nodes", "they make a network that runs"):
        memory.check_weights(model.graph, "the model")
        memory.check_activations(model.graph, "the model")
        _try(model.graph)
    if training is not None:
        with _field("training", "it says how the model learns"):
            model._compilation = Compilation.from_config(training)
            if len(model.graph.outputs) == 1:
                model._ready_trainer()


def _try(graph: Graph) -> None:
    """Trace each layer without any numbers, so that a wrong field is found now and not in the first prediction."""
    shapes = graph.shapes()
    for node in graph.nodes:
        taken = tuple(shapes[spot] for spot in node.inputs)
        if taken and not any(None in shape for shape in taken):
            _trace(type(node.layer).__name__, json.dumps(node.layer.to_config() | {"name": None}), taken)


@functools.lru_cache(maxsize=1024)
def _trace(kind: str, config: str, taken: tuple[tuple[int, ...], ...]) -> None:
    # Described by texts, so that a layer that was traced once is not traced again: that takes milliseconds.
    layer = from_config(kind, json.loads(config))
    x = [jax.ShapeDtypeStruct((1, *shape), jnp.float32) for shape in taken]
    shape: Any = list(taken) if layer.merges else taken[0]
    params, state = (
        {name: jax.ShapeDtypeStruct(parameter.shape, jnp.float32) for name, parameter in group.items()}
        for group in (layer.parameters(shape), layer.statistics(shape))
    )
    key = jax.eval_shape(lambda: jax.random.key(0))
    jax.eval_shape(functools.partial(layer.apply, training=True), params, state, x if layer.merges else x[0], key=key)


def _nodes(descriptions: Any) -> tuple[Node, ...]:
    if not isinstance(descriptions, list) or not 1 <= len(descriptions) <= _MOST_NODES:
        raise _Field("nodes", f"it is a list of 1 to {_MOST_NODES} nodes", f"{descriptions!r:.100}")
    nodes: list[Node] = []
    layers: dict[str, Layer] = {}
    for place, item in enumerate(descriptions):
        with _field(f"nodes[{place}]", "it is a layer of Convista and takes earlier nodes"):
            nodes.append(_node(place, item, layers))
    return tuple(nodes)


def _node(place: int, item: Mapping[str, Any], layers: dict[str, Layer]) -> Node:
    name, inputs = item["name"], item["inputs"]
    if not isinstance(name, str) or not isinstance(inputs, list):
        raise ValueError("name is a text and inputs a list")
    if not all(type(spot) is int and 0 <= spot < place for spot in inputs):
        raise ValueError(f"inputs={inputs!r:.100}")
    layer = from_config(item["class"], item["config"])
    if layers.setdefault(name, layer) != layer:
        raise ValueError(f"two different layers are called {name!r}")
    if isinstance(layer, InputLayer) == bool(inputs) or (len(inputs) > 1 and not layer.merges):
        raise ValueError(f"{name!r} takes {len(inputs)} inputs")
    return Node(name, layers[name], tuple(inputs))


def _places(places: Any, field: str, nodes: tuple[Node, ...]) -> tuple[int, ...]:
    fits = isinstance(places, list) and all(type(place) is int and 0 <= place < len(nodes) for place in places)
    if not fits or not places or (len(set(places)) < len(places) and field == "inputs"):
        raise _Field(field, "they are places of nodes", f"{places!r:.100}")
    return tuple(places)


def _tensors(model: Model) -> dict[str, np.ndarray]:
    trees = {"params": model.params, "state": model.state}
    return {f"{layer}/{name}": np.asarray(trees[part][layer][name]) for part, layer, name, _ in model._weight_places()}


def _take_tensors(model: Model, tensors: Mapping[str, np.ndarray], path: str) -> None:
    expected = {f"{layer}/{name}": (part, layer, name, shape) for part, layer, name, shape in model._weight_places()}
    given = [name for name in tensors if not _OPTIMIZER_TENSOR.fullmatch(name)]
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
    stored = {name: array for name, array in tensors.items() if _OPTIMIZER_TENSOR.fullmatch(name)}
    if model._compilation is None:
        if stored:
            raise ModelFileError("an optimizer's memory has an optimizer", where=path, received="tensors without one")
        return
    if not stored and "step" not in training:
        return  # it was compiled, and never trained
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
    if not isinstance(rate, int | float) or not 0 <= rate <= float(np.finfo(np.float32).max):
        raise ModelFileError("the learning rate is a number of at least 0", where=path, received=f"{rate!r}")
    model.train_state = model.train_state._replace(
        opt_state=opt_state, step=jnp.int32(training["step"]), learning_rate=jnp.float32(rate)
    )
