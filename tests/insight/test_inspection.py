"""What passes through a network, against the network itself."""

from __future__ import annotations

import dataclasses
import gc
import weakref

import numpy as np
import pytest

from convista import Input, Model, Sequential
from convista.errors import ArgumentError, ShapeError
from convista.insight import excitations, feature_maps, inspection, maximize, trace
from convista.insight.attributions.score import score_of
from convista.insight.doctor.signals import Body, signals
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


@pytest.mark.slow
def test_in_mixed_precision_every_tool_measures_the_network_that_predicts() -> None:
    model = small()
    exact = values(model, X, (3,))[0]
    model.policy = "mixed_bfloat16"
    layer, place = "second", place_of(model, "second", "test")
    inside = values(model, X, (place,))[0]
    assert not np.array_equal(inside, exact)
    np.testing.assert_array_equal(inside[0], feature_maps(model, X, layer)[layer].values)
    peaks = inside[0].reshape(-1, 4).max(axis=0)
    channels = excitations(model, X, layer, n=1).layers[0].channels
    np.testing.assert_array_equal([channel.strongest for channel in channels], np.maximum(peaks, 0))
    highest = int(peaks.argmax())
    assert trace(model, X, layer, *channels[highest].found[0].cell, highest).computed == peaks[highest]
    measured = signals(Body.of(model), X)[place]
    np.testing.assert_array_equal(measured.highest, np.abs(inside[0]).max(axis=(0, 1)))
    np.testing.assert_array_equal(score_of(model, X, 0, "test").inside(X, place)[0], inside[0])
    found = maximize(model, layer, 1, cell=(1, 1), steps=2, value_range=(0, 1))
    assert found.activation == values(model, found.picture[None], (place,))[0][0, 1, 1, 1]


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
        "trace: a layer is named as in model.summary(). Received layer='frist'. Did you mean 'first'? "
        "Known: picture, first, pooled, second, normalized, both, flat, answer."
    )


def test_a_layer_that_is_not_among_those_that_can_be_asked() -> None:
    model = small()
    with pytest.raises(ArgumentError) as error:
        place_of(model, "answer", "feature_maps", among=spatial_layers(model))
    assert str(error.value) == (
        "feature_maps: Dense 'answer' cannot be asked for this: its output has no positions, only channels. "
        "Received layer='answer'. Known: first, pooled, second, normalized, both."
    )


@pytest.mark.parametrize(
    ("layer", "among", "reason"),
    [
        ("picture", ["first", "answer"], "InputLayer 'picture' cannot be asked for this: an input computes nothing"),
        ("pooled", ["first", "second"], "MaxPooling2D 'pooled' cannot be asked for this: it slides no kernel"),
        ("both", ["pooled", "first"], "Add 'both' cannot be asked for this"),
    ],
)
def test_the_reason_why_a_layer_cannot_be_asked(layer: str, among: list[str], reason: str) -> None:
    with pytest.raises(ArgumentError) as error:
        place_of(small(), layer, "maps", among=among)
    known = ", ".join(name for name in ("first", "pooled", "second", "answer") if name in among)
    assert str(error.value) == f"maps: {reason}. Received layer={layer!r}. Known: {known}."


def test_of_many_layers_only_the_first_are_named() -> None:
    model = Sequential([Input((4,)), *(Dense(2, name=f"d{number}") for number in range(15))])
    with pytest.raises(ArgumentError) as error:
        place_of(model, "zzz", "trace", among=[f"d{number}" for number in range(15)])
    assert str(error.value).endswith("Known: d0, d1, d2, d3, d4, d5, d6, d7, d8, d9, d10, d11 … and 3 more.")


@pytest.mark.parametrize(("given", "received"), [(None, "None"), ([[1, 2], [3]], "[[1, 2], [3]]")])
def test_what_is_no_array_is_refused(given: object, received: str) -> None:
    with pytest.raises(ShapeError) as error:
        inspected(small(), given, "attribute")
    assert str(error.value) == (
        f"attribute: one example is a picture file or an array of numbers. Received {received}. "
        'For example "photo.png", or x[0] of an array of pictures.'
    )


@pytest.mark.parametrize(
    ("channels", "fix"), [(3, "x.mean(-1, keepdims=True)"), (4, "x[..., :3].mean(-1, keepdims=True)")]
)
def test_a_picture_in_colour_is_made_grey(channels: int, fix: str) -> None:
    x = np.random.default_rng(1).random((8, 8, channels)).astype(np.float32)
    with pytest.raises(ShapeError) as error:
        inspected(small(), x, "attribute")
    assert str(error.value) == (
        "attribute: the model takes pictures with one channel, in grey. "
        f"Received a picture of 8×8×{channels}. Make it grey: {fix}."
    )
    assert inspected(small(), eval(fix), "attribute").x.shape == (1, 8, 8, 1)  # noqa: S307 - the fix itself


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


@pytest.mark.slow
def test_a_model_is_freed_with_its_programs() -> None:
    model = small()
    model.compile("adam", "sparse_categorical_crossentropy")
    values(model, X, (1, 2))
    model.check((np.repeat(X, 70, axis=0), np.arange(70) % 3))  # its range test compiles what holds the model itself
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_the_program_that_was_not_asked_for_longest_is_dropped_and_only_for_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspection, "_MOST_PROGRAMS", 2)
    model = small()
    first, second = (program(model, name, lambda x: x) for name in ("first", "second"))
    model._graph = dataclasses.replace(model.graph)  # another network, though equal: its programs take their place
    assert program(model, "second", lambda x: x) is not second
    again = program(model, "first", lambda x: x)
    assert again is not first
    program(model, "second", lambda x: x)
    assert program(model, "first", lambda x: x) is again
    program(model, "third", lambda x: x)
    assert [name for name, _ in model._inspections] == ["first", "third"]
