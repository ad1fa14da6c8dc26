"""Weights that other programs wrote, brought to the names and layouts of a model."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from convista.errors import ArgumentError, ModelFileError
from convista.layers import BatchNormalization, Conv1D, Conv2D, Conv3D, Dense, DepthwiseConv1D, DepthwiseConv2D
from convista.layers.base import Layer, snake_case
from convista.layers.inference import Node
from convista.layers.preprocessing import StoredNormalization
from convista.layers.reshaping import Flatten
from convista.layers.scaling import LayerScale
from convista.models import archive, freezing, torch_names, weights
from convista.models.files import opened
from convista.models.graph import Graph
from convista.models.hub import PREFIX, hub_file
from convista.models.keras_file import KerasLayer, read_keras_file
from convista.models.provenance import Provenance
from convista.models.torch_file import read_torch_file

if TYPE_CHECKING:
    from convista.models.model import Model

_SHOWN = 8
_TORCH_EPSILON = 1e-5
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"


@dataclass(frozen=True)
class Loaded:
    """What loading did.

    Args:
        provenance: The file.
        loaded: How many arrays the model took from it.
        new: The layers that kept the weights they had: the head, where only the backbone was asked for.
        left: Names in the file that were not needed for the backbone.
    """

    provenance: Provenance
    loaded: int
    new: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Wanted:
    """One array of the model, what the file calls it, and how it is brought to our layout."""

    part: str
    layer: str
    name: str
    shape: tuple[int, ...]
    convert: Callable[[np.ndarray], np.ndarray]


def load(model: Model, path: str | os.PathLike[str], *, head: bool = True, offline: bool = False) -> Loaded:
    """Give a model the weights of a file; see :meth:`Model.load_weights`."""
    source = Path(path).name
    if isinstance(path, str) and path.startswith(PREFIX):
        source, path = path, hub_file(path, offline=offline)
    new = () if head else tuple(sorted(freezing.head(model.graph)))
    format_, arrays, wanted = _opened(model, path, set(new))
    missing = {key: item.shape for key, item in wanted.items() if key not in arrays}
    found = {key: item.convert(arrays[key]) for key, item in wanted.items() if key in arrays}
    wrong = {
        key: (tuple(arrays[key].shape), wanted[key].shape)
        for key, array in found.items()
        if tuple(array.shape) != wanted[key].shape
    }
    left = {key: tuple(array.shape) for key, array in arrays.items() if key not in wanted}
    if missing or wrong or (left and head):
        raise _incomplete(path, _Differences(missing, wrong, left), format_, head=head)
    trees: dict[str, Any] = {
        "params": {name: dict(group) for name, group in _kept(model, "params", new).items()},
        "state": {name: dict(group) for name, group in _kept(model, "state", new).items()},
    }
    for key, item in wanted.items():
        trees[item.part].setdefault(item.layer, {})[item.name] = jnp.array(found[key], jnp.float32)
    model._take_weights(trees["params"], trees["state"])
    model.provenance = Provenance(source, _digest(path), format_)
    return Loaded(model.provenance, len(found), new, tuple(left))


def _kept(model: Model, part: str, layers: Collection[str]) -> dict[str, Any]:
    """Return the present arrays of some layers; nothing is drawn where there are none to keep."""
    if not layers:
        return {}
    tree = model.params if part == "params" else model.state
    return {name: group for name, group in tree.items() if name in layers}


def _opened(
    model: Model, path: str | os.PathLike[str], new: set[str]
) -> tuple[str, dict[str, np.ndarray], dict[str, _Wanted]]:
    graph = model.graph
    if Path(path).suffix == ".convista":
        return "convista", _own(archive.read(path)[1]), _own_names(graph, new)
    with opened(path) as source:
        first = source.bytes_at(0, min(source.size, 8), "first bytes")
    if first == _HDF5:
        _check_keras(graph, path)
        return "keras", *_keras(graph, read_keras_file(path), new)
    if first.startswith(_ZIP):
        _check_torch(graph, path)
        return "torch", *_torch(graph, read_torch_file(path), new)
    tensors = weights.read_weights(path)
    if any("/" in name for name in tensors):
        return "convista", _own(tensors), _own_names(graph, new)
    _check_torch(graph, path)
    return "torch", *_torch(graph, tensors, new)


def _own(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array for name, array in tensors.items() if not name.startswith("optimizer/")}


def _places(graph: Graph, new: set[str]) -> Iterator[tuple[Node, str, str, tuple[int, ...]]]:
    nodes = {node.name: node for node in reversed(graph.nodes)}
    for layer, (learned, kept) in graph.parameters().items():
        for part, group in (("params", learned), ("state", kept)):
            for name, parameter in group.items():
                if layer not in new:
                    yield nodes[layer], part, name, parameter.shape


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _own_names(graph: Graph, new: set[str]) -> dict[str, _Wanted]:
    return {
        f"{node.name}/{name}": _Wanted(part, node.name, name, shape, _same)
        for node, part, name, shape in _places(graph, new)
    }


def _keras(graph: Graph, layers: list[KerasLayer], new: set[str]) -> tuple[dict[str, np.ndarray], dict[str, _Wanted]]:
    wanted: dict[str, _Wanted] = {}
    counts: dict[str, int] = {}
    for node, part, name, shape in _places(graph, new):
        number = counts[node.name] = counts.get(node.name, -1) + 1
        convert = _from_grouped if isinstance(node.layer, DepthwiseConv1D | DepthwiseConv2D) else _same
        wanted[f"{node.name}/{number}"] = _Wanted(part, node.name, name, shape, convert)
    names = _paired(graph, layers, counts)
    arrays = {
        f"{names.get(place, layer.name)}/{number}": array
        for place, layer in enumerate(layers)
        for number, array in enumerate(layer.arrays)
    }
    return arrays, wanted


def _paired(graph: Graph, layers: list[KerasLayer], ours: Collection[str]) -> dict[int, str]:
    """Return our names for layers of the file that have no name in common with us.

    Keras numbers layers without a name through a whole session, so that one model's ``conv2d`` is another's
    ``conv2d_7``: such layers are paired in their order, class by class, where their numbers agree.
    """
    given = {layer.name for layer in layers}
    spare: dict[str, list[str]] = {}
    for name in ours:
        if name not in given:
            spare.setdefault(_kind(graph.layers[name]), []).append(name)
    theirs: dict[str, list[int]] = {}
    for place, layer in enumerate(layers):
        if layer.name not in ours:
            theirs.setdefault(layer.kind, []).append(place)
    return {
        place: name
        for kind, names in spare.items()
        if len(names) == len(theirs.get(kind, []))
        for place, name in zip(theirs[kind], names, strict=True)
    }


def _kind(layer: Layer) -> str:
    return "normalization" if isinstance(layer, StoredNormalization) else snake_case(type(layer).__name__)


def _from_grouped(array: np.ndarray) -> np.ndarray:
    """Keras's ConvNeXt convolves in as many groups as there are channels: (h, w, 1, C) is our (h, w, C, 1)."""
    if array.ndim > 2 and array.shape[-2] == 1 and array.shape[-1] > 1:
        return np.swapaxes(array, -1, -2)
    return array


_SUFFIXES = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
_SUFFIXES |= {"kernel": "weight", "bias": "bias"}


def _torch(
    graph: Graph, tensors: Mapping[str, np.ndarray], new: set[str]
) -> tuple[dict[str, np.ndarray], dict[str, _Wanted]]:
    arrays = {name: array for name, array in tensors.items() if not name.endswith("num_batches_tracked")}
    places = list(_places(graph, new))
    weighted = list(dict.fromkeys(node.name for node, *_ in places))
    choices = [_torch_wanted(graph, places, names) for names in torch_names.families(weighted).values()]
    # Each network fits the names of one family; the others know some of its layers at most.
    return arrays, max(choices, key=lambda wanted: sum(key in arrays for key in wanted))


def _torch_wanted(
    graph: Graph, places: list[tuple[Node, str, str, tuple[int, ...]]], names: Mapping[str, str]
) -> dict[str, _Wanted]:
    wanted = {}
    for node, part, name, shape in places:
        module = names.get(node.name, node.name)
        suffix = "layer_scale" if isinstance(node.layer, LayerScale) else _SUFFIXES.get(name, name)
        wanted[f"{module}.{suffix}"] = _Wanted(part, node.name, name, shape, _from_torch(graph, node, name, shape))
    return wanted


def _from_torch(graph: Graph, node: Node, name: str, shape: tuple[int, ...]) -> Callable[[np.ndarray], np.ndarray]:
    """Return how PyTorch's layout becomes ours; an array that does not fit comes back as it is and is reported."""
    layer = node.layer

    def convert(array: np.ndarray) -> np.ndarray:
        if isinstance(layer, LayerScale):
            return array.reshape(-1)
        if name != "kernel" or array.ndim != (2 if isinstance(layer, Dense) else len(shape)):
            return array
        if isinstance(layer, Dense):
            return _dense(array, _flattened(graph, node))
        if isinstance(layer, DepthwiseConv1D | DepthwiseConv2D):
            moved = np.moveaxis(array, (0, 1), (-1, -2))
            return (
                moved.reshape(shape) if moved.size == int(np.prod(shape)) and moved.shape[:-2] == shape[:-2] else array
            )
        if isinstance(layer, Conv1D | Conv2D | Conv3D):
            return np.moveaxis(array, (0, 1), (-1, -2))
        return array

    return convert


def _dense(array: np.ndarray, before: tuple[int, ...] | None) -> np.ndarray:
    """Return (outputs, inputs) as (inputs, outputs); inputs that were feature maps are reordered, channels last."""
    if before is None or array.shape[1] != int(np.prod(before)):
        return array.T
    *sizes, channels = before
    maps = np.moveaxis(array.reshape(array.shape[0], channels, *sizes), 1, -1)
    return maps.reshape(array.shape[0], -1).T


def _flattened(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """Return the shape of the feature maps whose values a dense layer takes in a row; None if it takes no such."""
    shapes = graph.shapes()
    place = node.inputs[0]
    while graph.nodes[place].inputs:
        before = graph.nodes[place].inputs[0]
        if isinstance(graph.nodes[place].layer, Flatten):
            shape = shapes[before]
            return tuple(size or 0 for size in shape) if len(shape) > 1 else None
        if graph.nodes[place].layer.parameters(graph.nodes[place].input_shape(shapes)):
            return None
        place = before
    return None


def _check_torch(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Refuse PyTorch's weights for a network that pads and normalises as Keras does: shapes agree, answers do not."""
    for name, layer in graph.layers.items():
        if isinstance(layer, BatchNormalization) and layer.epsilon != _TORCH_EPSILON:
            raise ArgumentError(
                f"weights of PyTorch were learned with epsilon={_TORCH_EPSILON}",
                where=str(path),
                received=f"a model whose {name!r} has epsilon={layer.epsilon}",
                fix='Build the architecture with convention="torch"',
            )


def _check_keras(graph: Graph, path: str | os.PathLike[str]) -> None:
    padded = next((name for name in graph.layers if name.endswith("_torch_pad")), None)
    if padded is not None:
        raise ArgumentError(
            "weights of Keras were learned with Keras's padding",
            where=str(path),
            received=f'a model built with convention="torch", whose {padded!r} pads as PyTorch does',
            fix="Build the architecture without convention",
        )


@dataclass(frozen=True)
class _Differences:
    """What a file has otherwise than a model: shapes of the model's arrays, both, and shapes of the file's."""

    missing: Mapping[str, tuple[int, ...]]
    wrong: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    left: Mapping[str, tuple[int, ...]]


def _incomplete(path: Any, differences: _Differences, format_: str, *, head: bool) -> ModelFileError:
    parts = []
    if differences.missing:
        parts.append(f"missing: {_shown([f'{key} {shape}' for key, shape in differences.missing.items()])}")
    if differences.wrong:
        texts = [f"{key} {theirs} for {ours}" for key, (theirs, ours) in differences.wrong.items()]
        parts.append(f"of another shape: {_shown(texts)}")
    if differences.left:
        noun = "left over" if head else "in the file, not taken"
        parts.append(f"{noun}: {_shown([f'{key} {shape}' for key, shape in differences.left.items()])}")
    fix = "Build the architecture that the file was made for"
    if format_ == "torch":
        fix += ' (for torchvision with convention="torch" where there is one)'
    rule = "every weight of the backbone is in the file"
    if head:
        rule = "every weight of the model is in the file, and no other"
        fix += ", with as many classes; head=False takes the backbone alone"
    return ModelFileError(rule, where=str(path), received="; ".join(parts), fix=fix)


def _shown(texts: list[str]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more


def _digest(path: str | os.PathLike[str]) -> str:
    with opened(path) as source:
        return hashlib.file_digest(source.file, "sha256").hexdigest()
