"""What passes through a network, against the network itself."""

from __future__ import annotations

import numpy as np
import pytest

from convista import Input, Model, Sequential
from convista.errors import ArgumentError, ShapeError
from convista.insight.inspection import convolutions, inspected, place_of, program, spatial_layers, tail, values
from convista.layers import Add, BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D


def small() -> Model:
    """Convolution → relu → pooling runs as one block; the sum keeps a branch beside it."""
    x = Input((8, 8, 1), name="picture")
    first = Conv2D(4, 3, activation="relu", name="first")(x)
    pooled = MaxPooling2D(2, name="pooled")(first)
    second = Conv2D(4, 1, name="second")(pooled)
    both = Add(name="both")([pooled, BatchNormalization(name="normalized")(second)])
    return Model(x, Dense(3, activation="softmax", name="answer")(Flatten(name="flat")(both)), seed=3)


X = np.random.default_rng(0).random((1, 8, 8, 1)).astype(np.float32)


def test_every_value_is_what_a_network_that_ends_there_predicts() -> None:
    model = small()
    places = range(1, len(model.graph.nodes))
    for place, found in zip(places, values(model, X, tuple(places)), strict=True):
        output = model.get_layer(model.graph.nodes[place].name)
        shorter = Model(*_ends(model, output.name))
        shorter.set_weights(_weights_until(model, shorter))
        np.testing.assert_allclose(found, shorter.predict(X), rtol=1e-5, atol=1e-6)


def _ends(model: Model, last: str):
    x = Input((8, 8, 1), name="picture")
    tensors = {"picture": x}
    for node in model.graph.nodes[1:]:
        taken = [tensors[model.graph.nodes[place].name] for place in node.inputs]
        tensors[node.name] = node.layer(taken if node.layer.merges else taken[0])
    return x, tensors[last]


def _weights_until(model: Model, shorter: Model):
    trees = {"params": model.params, "state": model.state}
    return [np.asarray(trees[part][layer][name]) for part, layer, name, _ in shorter._weight_places()]


@pytest.mark.parametrize("layer", ["picture", "first", "pooled", "second", "normalized", "both", "flat", "answer"])
def test_the_rest_of_the_network_gives_the_same_answer_wherever_it_begins(layer: str) -> None:
    model = small()
    place = place_of(model, layer, "test")
    value = X if layer == "picture" else values(model, X, (place,))[0]
    rest = tail(model, place)
    answer = np.asarray(rest(model.params, model.state, X, value))
    np.testing.assert_allclose(answer, model.predict(X), rtol=1e-5, atol=1e-6)
    if layer != "picture":
        changed = value + 1 + (np.arange(value.shape[-1]) % 2).astype(np.float32)
        other = np.asarray(rest(model.params, model.state, X, changed))
        assert not np.allclose(other, answer, atol=1e-4)  # the value that is given counts, also inside a block


def test_in_mixed_precision_values_are_those_inside_the_network() -> None:
    model = small()
    places = tuple(range(1, len(model.graph.nodes)))
    exact = values(model, X, places)
    model.policy = "mixed_bfloat16"
    for place, here, there in zip(places, values(model, X, places), exact, strict=True):
        difference = np.abs(here - there).max() / np.abs(there).max()
        assert 1e-4 < difference < 2**-6, model.graph.nodes[place].name  # asked for as outputs they would be float32
    np.testing.assert_allclose(values(model, X, places[-1:])[0], model.predict(X), rtol=1e-6)


def test_layers_with_positions_and_with_kernels() -> None:
    assert spatial_layers(small()) == ["first", "pooled", "second", "normalized", "both"]
    assert convolutions(small()) == ["first", "second"]


def test_one_example_in_each_of_its_forms() -> None:
    model = small()
    for form in (X, X[0], X[0, ..., 0]):
        assert inspected(model, form, "trace").x.shape == (1, 8, 8, 1)
        np.testing.assert_array_equal(inspected(model, form, "trace").x, X)


def test_a_batch_is_refused() -> None:
    with pytest.raises(ShapeError) as error:
        inspected(small(), np.zeros((2, 8, 8, 1), np.float32), "trace")
    assert str(error.value) == (
        "trace: one example is looked at, not a batch. Received 2 examples. Give one of them: x[0]."
    )


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError) as error:
        inspected(small(), np.zeros((9, 8, 1), np.float32), "trace")
    assert "batches of 8×8×1" in str(error.value)


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ArgumentError) as error:
        place_of(small(), "frist", "trace")
    assert str(error.value) == (
        "trace: a layer is named as in model.summary(). Received layer='frist'. Did you mean 'first'?"
    )


def test_a_layer_that_is_not_among_those_that_can_be_asked() -> None:
    model = small()
    with pytest.raises(ArgumentError, match="Dense 'answer' cannot be asked for this"):
        place_of(model, "answer", "feature_maps", among=spatial_layers(model))


def test_two_inputs_are_refused() -> None:
    x, y = Input((4,)), Input((4,))
    with pytest.raises(ArgumentError, match=r"Received 2 inputs and 1 output\. "):
        inspected(Model([x, y], Add()([x, y])), np.zeros(4), "trace")


def test_a_program_is_compiled_once_and_again_when_the_network_changes() -> None:
    model = Sequential([Input((4, 4, 1)), Conv2D(2, 3), Flatten(), Dense(2)])
    made = program(model, "twice", lambda x: x * 2)
    assert program(model, "twice", lambda x: x * 2) is made
    model.add(Dense(3))
    assert program(model, "twice", lambda x: x * 2) is not made
