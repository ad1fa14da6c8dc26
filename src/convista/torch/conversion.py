"""Modules as models of Convista, which learn, and the way back."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from convista import arguments, layers
from convista.errors import ArgumentError
from convista.layers.base import snake_case
from convista.models import Model
from convista.models import Sequential as SequentialModel
from convista.torch.activation import elementwise
from convista.torch.linear import Linear
from convista.torch.module import LayerModule, Module, Shape, Step, channels_first, channels_last
from convista.torch.reshaping import Flatten, Identity
from convista.torch.sequential import Sequential


class _Layered(NamedTuple):
    """A layer of the model: its name there, the module it comes from, and how its arrays are brought over."""

    name: str
    module: Module
    step: Step


def to_model(
    module: Module, input_shape: Sequence[int], name: str | None = None, *, seed: int | None = None
) -> SequentialModel:
    """Return a model of Convista that computes what a module does, with a copy of its weights.

    The model has ``compile``, ``fit``, ``evaluate``, ``predict``, ``summary`` and ``save``. Its data has the channels
    last: ``x.transpose(0, 2, 3, 1)``. The weights are its own; ``copy_weights`` brings them back when it has learned.
    While it learns, running variances follow Keras's rule: of the batch's variance divided by ``n``, not ``n − 1``.

    Args:
        module: A ``Sequential``, also of others, or a single module. A class with a ``forward`` of its own has no
            layers that could be listed.
        input_shape: Shape of one example with the channels first: ``(channels, height, width)`` or ``(features,)``.
        name: The model's name.
        seed: Of shuffling and dropout: see ``convista.Model``.

    Raises:
        ArgumentError: The module is none that can be turned into layers.
        ShapeError: Sizes do not follow each other.

    Example:
        >>> from convista.torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10), nn.Softmax(dim=1))
        >>> model = to_model(net, (1, 8, 8))
        >>> model.input_shape, model.output_shape, model.count_params() == net.count_params()
        ((None, 8, 8, 1), (None, 10), True)

    Source: lecture 001.
    """
    shape = arguments.shape(input_shape, "input_shape", where="to_model")
    if None in shape:
        rule, received = "the sizes of the input are known", f"input_shape={tuple(shape)}"
        raise ArgumentError(rule, where="to_model", received=received, fix="For example input_shape=(3, 32, 32)")
    known = tuple(size or 0 for size in shape)
    found = list(_layered(module, known))
    named = [dataclasses.replace(item.step.layer, name=item.name) for item in found]
    model = SequentialModel([layers.Input(channels_last(known)), *named], name, seed=seed)
    arrays = {
        (item.name, place.name): place.to_layer(getattr(item.module, place.own))
        for item in found
        for place in item.step.places
    }
    places = model.graph.parameters().items()
    model.set_weights([arrays[layer, part] for layer, groups in places for group in groups for part in group])
    return model


def copy_weights(model: Model, module: Module) -> None:
    """Copy the weights of a model back into the module it was made from.

    It finds them by name, so that a model that was saved and loaded in between serves as well.

    Args:
        model: A model of ``to_model``.
        module: A module with the same structure; its arrays are replaced, all or none.

    Raises:
        ArgumentError: The model has other layers.

    Example:
        >>> from convista.torch import nn
        >>> net = nn.Sequential(nn.Linear(4, 2))
        >>> model = to_model(net, (4,))
        >>> model.set_weights([np.ones((4, 2)), np.zeros(2)])
        >>> copy_weights(model, net)
        >>> net[0].weight.tolist()
        [[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    if isinstance(model, Module) or not isinstance(module, Module):
        received = f"{type(model).__name__}, {type(module).__name__}"
        rule = "weights go from a model to a module"
        raise ArgumentError(rule, where="copy_weights", received=received, fix="Write copy_weights(model, net)")
    shape = channels_first(model.input_shape[1:])
    found = [item for item in _layered(module, shape) if item.step.places]
    owned = {name: set(learned) | set(kept) for name, (learned, kept) in model.graph.parameters().items()}
    wanted = {item.name: {place.name for place in item.step.places} for item in found}
    if {name: parts for name, parts in owned.items() if parts} != wanted:
        other = sorted(set(owned) ^ set(wanted)) or sorted(wanted)
        raise ArgumentError(
            "the model was made from this module by to_model",
            where="copy_weights",
            received=f"other layers: {', '.join(other[:8])}",
            fix="Give the module that to_model took, or one that was built alike",
        )
    trees = (model.params, model.state)
    arrays = [
        (item.module, place.own, place.to_module(np.asarray(trees[place.kept][item.name][place.name], np.float32)))
        for item in found
        for place in item.step.places
    ]
    for owner, own, array in arrays:
        if array.shape != getattr(owner, own).shape:
            received = f"{own} {array.shape} for {getattr(owner, own).shape}"
            raise ArgumentError("the model has the module's sizes", where=repr(owner), received=received)
    for owner, own, array in arrays:
        setattr(owner, own, array)


def _leaves(module: Module, path: str) -> Iterator[tuple[str, LayerModule]]:
    if type(module) is Sequential:
        for name, child in module.named_children():
            yield from _leaves(child, f"{path}.{name}" if path else name)
    elif isinstance(module, LayerModule):
        yield path, module
    else:
        raise ArgumentError(
            "to_model lists the layers of a Sequential; a forward of one's own has none to list",
            where="to_model",
            received=type(module).__name__,
            fix="Write the network as nn.Sequential, or with convista.Model(inputs, outputs)",
        )


def _layered(module: Module, shape: Shape) -> Iterator[_Layered]:
    leaves = list(_leaves(module, ""))
    _check_single_use([leaf for _, leaf in leaves])
    pixels: Shape | None = None
    for number, (path, leaf) in enumerate(leaves):
        if (
            isinstance(leaf, Flatten)
            and len(shape) > 1
            and _reaches_linear([other for _, other in leaves[number + 1 :]])
        ):
            # Convista's row goes position by position. Instead of moving each picture, Linear's weights are moved once.
            _ = leaf.checked_steps(shape)
            steps, pixels, shape = [Step(layers.Flatten())], shape, (math.prod(shape),)
        elif isinstance(leaf, Linear):
            steps, pixels, shape = leaf.steps_after(shape, pixels), None, (leaf.out_features,)
        else:
            steps, shape = leaf.checked_steps(shape)
        own = f"{type(leaf).__name__.lower()}_{path}" if path else type(leaf).__name__.lower()
        main = next((step for step in steps if step.places), steps[-1] if steps else None)
        for step in steps:
            name = own if step is main else f"{own}_{snake_case(type(step.layer).__name__)}"
            yield _Layered(name, leaf, step)


def _reaches_linear(following: Sequence[Module]) -> bool:
    """Whether a Linear is the first module to mind in which order the row is."""
    for module in following:
        if isinstance(module, Linear):
            return True
        if not (elementwise(module) or isinstance(module, Flatten | Identity)):
            return False
    return False


def _check_single_use(leaves: Sequence[Module]) -> None:
    learning = [id(leaf) for leaf in leaves if leaf.count_params()]
    if len(set(learning)) < len(learning):
        raise ArgumentError(
            "each module of a Sequential that learns stands in it once",
            where="to_model",
            received="the same module twice",
            fix="Make a second module, or share layers with convista.Model(inputs, outputs)",
        )
