"""Each method against the definition of its paper, written as plain loops over the network's own answers."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from convista import Input, Model, Sequential
from convista.errors import ArgumentError, ShapeError
from convista.insight import attribute
from convista.insight.attributions.methods import METHODS
from convista.insight.attributions.placing import centres, laid_over
from convista.insight.inspection import values
from convista.layers import (
    ELU,
    GELU,
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    LeakyReLU,
    MaxPooling2D,
    PReLU,
    ReLU,
    SiLU,
    Softmax,
)

X = np.random.default_rng(0).random((9, 8, 2)).astype(np.float32)


@functools.cache
def network(activation: str = "relu", *, softmax: bool = True) -> Sequential:
    """One for all tests: its programs are compiled once."""
    model = Sequential(
        [
            Input((9, 8, 2)),
            Conv2D(4, 3, activation=activation, name="first"),
            MaxPooling2D(2, name="pooled"),
            Conv2D(5, 2, activation=activation, name="last"),
            Flatten(),
            Dense(3, activation="softmax" if softmax else None, name="answer"),
        ]
    )
    draw = np.random.default_rng(2)
    model.set_weights([draw.normal(0, 0.3, array.shape) for array in model.get_weights()])
    return model


def logits(model: Sequential, x: np.ndarray) -> np.ndarray:
    """The answers of a network with the same weights that ends in Dense alone."""
    return network(model.layers[0].activation, softmax=False).predict(x).astype(np.float64)


def test_every_method_is_listed_with_its_paper_and_its_meaning() -> None:
    assert set(METHODS) == {
        *("saliency", "smoothgrad", "integrated_gradients", "guided_backpropagation"),
        *("grad_cam", "grad_cam_plus_plus", "score_cam", "occlusion"),
    }
    assert all(kind.source and kind.meaning for kind in METHODS.values())


@pytest.mark.slow
def test_saliency_is_the_gradient_by_finite_differences() -> None:
    model = network("tanh")  # smooth: a relu that turns within the step would spoil the difference, not the gradient
    found = attribute(model, X, "saliency", target=1)
    places = list(itertools.product(*(range(size) for size in X.shape)))
    moved = np.stack([X] * (2 * len(places))).reshape(2, len(places), *X.shape)
    for number, place in enumerate(places):
        moved[(0, number, *place)] += 1e-2
        moved[(1, number, *place)] -= 1e-2
    above, below = logits(model, moved.reshape(-1, *X.shape))[:, 1].reshape(2, -1)
    expected = ((above - below) / 2e-2).reshape(X.shape)
    np.testing.assert_allclose(found.raw, expected, atol=2e-3)
    np.testing.assert_array_equal(found.map, np.abs(found.raw).max(axis=-1))
    assert np.abs(expected).max() > 0.05
    assert not np.allclose(attribute(model, X, "saliency", target=0).raw, expected, atol=2e-3)


def test_smoothgrad_is_the_mean_over_noisy_copies() -> None:
    model = network()
    found = attribute(model, X, "smoothgrad", target=1, samples=7, noise=0.2, seed=5)
    deviation = 0.2 * (X.max() - X.min())
    assert found.findings["standard deviation of the noise"] == pytest.approx(deviation)
    copies = [
        X + np.float32(deviation) * np.random.default_rng((5, number)).standard_normal(X.shape, np.float32)
        for number in range(7)
    ]
    expected = np.mean([attribute(model, copy, "saliency", target=1).raw for copy in copies], axis=0)
    np.testing.assert_allclose(found.raw, expected, atol=1e-5)
    assert not np.allclose(attribute(model, X, "smoothgrad", target=1, samples=7, noise=0.2).raw, expected, atol=1e-5)
    without = attribute(model, X, "smoothgrad", target=1, samples=1, noise=0.0)
    np.testing.assert_allclose(without.raw, attribute(model, X, "saliency", target=1).raw, atol=1e-6)


@pytest.mark.parametrize(
    ("activation", "baseline"), [("relu", 0.0), ("relu", -1.0), ("tanh", -1.0), ("tanh", "picture")]
)
def test_integrated_gradients_add_up(activation: str, baseline) -> None:
    model = network(activation)
    start = np.random.default_rng(1).random(X.shape).astype(np.float32) if baseline == "picture" else baseline
    found = attribute(model, X, "integrated_gradients", target=2, baseline=start, steps=256)
    after, before = logits(model, np.stack([X, np.broadcast_to(np.float32(start), X.shape)]))[:, 2]
    assert found.score == pytest.approx(after, abs=1e-5)
    assert found.findings["score of the baseline"] == pytest.approx(before, abs=1e-5)
    # Relus and poolings make the gradient jump; a jump is off by half a step at the most.
    assert found.map.sum(dtype=np.float64) == pytest.approx(after - before, abs=0.02 if activation == "relu" else 1e-3)
    assert found.findings["missing"] == pytest.approx(after - before - found.map.sum(dtype=np.float64), abs=1e-5)
    np.testing.assert_allclose(found.raw.sum(axis=-1), found.map, atol=1e-6)
    if baseline == -1.0:  # one step is too few for such a way, and the finding says so
        coarse = attribute(model, X, "integrated_gradients", target=2, baseline=start, steps=1)
        assert abs(coarse.findings["missing"]) > 0.04
        assert coarse.map.sum(dtype=np.float64) != pytest.approx(after - before, abs=0.02)


def test_integrated_gradients_of_a_linear_network_are_weight_times_input() -> None:
    model = Sequential([Input((9, 8, 2)), Flatten(), Dense(3, activation="softmax")], seed=1)
    found = attribute(model, X, "integrated_gradients", target=1, steps=3)
    np.testing.assert_allclose(found.raw, X * model.get_weights()[0][:, 1].reshape(X.shape), atol=1e-6)
    assert abs(found.findings["missing"]) < 1e-5


def test_guided_backpropagation_drops_what_is_negative() -> None:
    """``score = 2·relu(x₀ − x₁) − relu(x₂)``: the second relu gets a negative gradient, and lets nothing back."""
    model = Sequential([Input((3,)), Dense(2, activation="relu"), Dense(1)])
    model.set_weights([np.array([[1, 0], [-1, 0], [0, 1]]), np.zeros(2), np.array([[2.0], [-1.0]]), np.zeros(1)])
    x = np.array([3.0, 1.0, 5.0], np.float32)
    assert attribute(model, x, "saliency").raw.tolist() == [2, -2, -1]
    assert attribute(model, x, "guided_backpropagation").raw.tolist() == [2, -2, 0]
    assert attribute(model, x, "guided_backpropagation").map.tolist() == [2, 2, 0]


def test_guided_backpropagation_of_other_activations_is_the_gradient() -> None:
    model = network("tanh")
    plain, guided = (attribute(model, X, method, target=1).raw for method in ("saliency", "guided_backpropagation"))
    np.testing.assert_allclose(guided, plain, atol=1e-6)
    relus = network("relu")
    plain, guided = (attribute(relus, X, method, target=1).raw for method in ("saliency", "guided_backpropagation"))
    assert not np.allclose(guided, plain, atol=1e-3)


def by_hand() -> tuple[Sequential, np.ndarray]:
    """Two 1×1 kernels: ``A₀ = x``, ``A₁ = 1 − x``; the score is ``ΣA₀·v − 2·A₁[0, 0]``."""
    model = Sequential([Input((2, 2, 1)), Conv2D(2, 1, activation="relu", name="seen"), Flatten(), Dense(1)])
    weights = np.array([[1, -2], [2, 0], [3, 0], [6, 0]], np.float32).reshape(8, 1)
    model.set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 1.0]), weights, np.zeros(1)])
    return model, np.array([[0.25, 0.5], [1.0, 0.75]], np.float32)


def test_grad_cam_by_hand() -> None:
    model, x = by_hand()
    found = attribute(model, x, "grad_cam", layer="seen")
    # w₀ = (1 + 2 + 3 + 6)/4 = 3, w₁ = −2/4 = −0.5; A₀ = x, A₁ = 1 − x
    np.testing.assert_allclose(found.raw, 3 * x - 0.5 * (1 - x), atol=1e-6)
    np.testing.assert_allclose(found.map, [[0.375, 1.25], [3.0, 2.125]], atol=1e-6)
    assert not np.allclose(found.map, 3 * x, atol=1e-3)


def test_what_is_negative_in_grad_cam_is_in_the_raw_values_only() -> None:
    model, x = by_hand()
    weights = model.get_weights()
    model.set_weights([*weights[:2], -weights[2], weights[3]])
    found = attribute(model, x, "grad_cam")
    assert (found.map == 0).all()
    np.testing.assert_allclose(found.raw, 0.5 * (1 - x) - 3 * x, atol=1e-6)
    assert "nothing in the map speaks for this class" in str(found)


def test_grad_cam_plus_plus_by_loops() -> None:
    model, x = by_hand()
    found = attribute(model, x, "grad_cam_plus_plus")
    channels = [x.astype(float), 1 - x.astype(float)]
    gradients = [np.array([[1.0, 2.0], [3.0, 6.0]]), np.array([[-2.0, 0.0], [0.0, 0.0]])]
    expected = np.zeros((2, 2))
    for channel, gradient in zip(channels, gradients, strict=True):
        weight = 0.0
        for g in gradient.ravel():
            below = 2 * g**2 + channel.sum() * g**3
            weight += (g**2 / below if below else 0.0) * max(g, 0.0)
        expected += weight * channel
    np.testing.assert_allclose(found.raw, expected, rtol=1e-5)
    assert not np.allclose(found.raw, attribute(model, x, "grad_cam").raw, rtol=1e-3)


def test_grad_cam_inside_a_larger_network() -> None:
    """Behind the last convolution is one Dense layer: the gradient there is a column of its kernel."""
    model = network("tanh")
    place = [node.name for node in model.graph.nodes].index("last")
    found = attribute(model, X, "grad_cam", target=1)
    assert found.settings == {"layer": "last"}
    weights = model.get_weights()
    cells = values(model, X[None], (place,))[0][0]
    slopes = weights[4][:, 1].reshape(cells.shape).mean(axis=(0, 1))
    np.testing.assert_allclose(found.raw, cells @ slopes, atol=1e-5)
    middles = centres(model.graph, place)
    np.testing.assert_allclose(found.map, laid_over(np.maximum(cells @ slopes, 0), middles, (9, 8)), atol=1e-5)
    other = laid_over(np.maximum(cells @ slopes, 0), centres(model.graph, place - 1), (9, 8))
    assert not np.allclose(found.map, other, atol=1e-3)  # places are those of this layer


def test_score_cam_by_loops() -> None:
    model = network()
    place = [node.name for node in model.graph.nodes].index("last")
    cells = values(model, X[None], (place,))[0][0].astype(np.float64)
    scores, kept = [], []
    for channel in np.moveaxis(cells, -1, 0):
        if np.ptp(channel) > 0:
            mask = (channel - channel.min()) / np.ptp(channel)
            shown = X * laid_over(mask, centres(model.graph, place), (9, 8))[..., None]
            scores.append(logits(model, shown[None])[0, 1])
            kept.append(channel)
    weights = np.exp(scores) / np.exp(scores).sum()
    expected = sum(weight * channel for weight, channel in zip(weights, kept, strict=True))
    found = attribute(model, X, "score_cam", target=1)
    np.testing.assert_allclose(found.raw, expected, rtol=1e-4, atol=1e-6)
    assert not np.allclose(attribute(model, X, "score_cam", target=0).raw, expected, rtol=1e-4, atol=1e-6)


def test_score_cam_of_dead_channels_is_zero() -> None:
    model = network.__wrapped__()
    model.set_weights([*model.get_weights()[:3], np.full(5, -100.0), *model.get_weights()[4:]])
    assert (attribute(model, X, "score_cam").map == 0).all()


@pytest.mark.parametrize(("size", "stride", "fill"), [(3, 1, 0.0), ((4, 3), (3, 2), 0.25), (None, None, "mean")])
def test_occlusion_by_loops(size, stride, fill) -> None:
    model = network()
    found = attribute(model, X, "occlusion", target=1, size=size, stride=stride, fill=fill)
    rows, columns = found.settings["size"]
    down, right = found.settings["stride"]
    tops, lefts = (sorted({*range(0, n - s + 1, d), n - s}) for n, s, d in ((9, rows, down), (8, columns, right)))
    parts = [np.s_[top : top + rows, left : left + columns] for top in tops for left in lefts]
    covered = np.stack([X] * (len(parts) + 1))
    for picture, part in zip(covered, parts, strict=False):  # the last one stays as it is
        picture[part] = X.mean(axis=(0, 1)) if fill == "mean" else fill
    scores = logits(model, covered)[:, 1]
    total, count = np.zeros((9, 8)), np.zeros((9, 8))
    for part, one in zip(parts, scores, strict=False):
        total[part] += scores[-1] - one
        count[part] += 1
    np.testing.assert_allclose(found.map, total / count, atol=1e-5)
    assert np.abs(found.map).max() > 1e-3
    assert not np.allclose(attribute(model, X, "occlusion", target=0).map, found.map, atol=1e-5)


def test_a_window_is_a_fifth_of_the_picture() -> None:
    model = Sequential([Input((28, 30, 1)), Flatten(), Dense(2)])
    assert attribute(model, np.ones((28, 30)), "occlusion").settings == {"size": (6, 6), "stride": (2, 2), "fill": 0.0}


def test_a_convolution_and_its_activation_are_one_whether_written_as_one_or_as_two() -> None:
    x = Input((9, 8, 2))
    whole = Conv2D(4, 3, activation="relu")(x)
    one = Model(x, Dense(3, activation="softmax")(GlobalAveragePooling2D()(whole)))
    apart = BatchNormalization(name="normalized")(Conv2D(4, 3)(x))
    apart = ReLU(name="rectified")(apart)
    two = Model(x, Softmax()(Activation("linear")(Dense(3)(GlobalAveragePooling2D()(apart)))))
    kernel, bias, *answer = one.get_weights()
    two.set_weights([kernel, bias, np.ones(4), np.zeros(4), np.zeros(4), np.full(4, 1 - 1e-3), *answer])
    for method in ("grad_cam", "grad_cam_plus_plus", "score_cam"):
        found, other = (attribute(model, X, method, target=1) for model in (one, two))
        np.testing.assert_allclose(found.map, other.map, rtol=1e-4, atol=1e-6)
        assert other.settings == {"layer": "rectified"}


def test_the_sum_of_branches_belongs_to_the_last_convolution() -> None:
    x = Input((9, 8, 2))
    short = Conv2D(4, 1, name="short")(x)
    y = Conv2D(4, 3, padding="same", name="last")(Conv2D(4, 3, padding="same", activation="relu")(x))
    y = ReLU(name="after")(Add(name="sum")([BatchNormalization()(y), short]))
    model = Model(x, Dense(3)(GlobalAveragePooling2D()(y)), seed=0)
    assert attribute(model, X, "grad_cam").settings == {"layer": "after"}


def test_a_convolution_that_leaves_one_position_is_passed_over() -> None:
    model = Sequential(
        [Input((9, 8, 2)), Conv2D(4, 3, name="wide"), Conv2D(4, (7, 6), name="single"), Flatten(), Dense(3)],
        seed=0,
    )
    assert attribute(model, X, "grad_cam").settings == {"layer": "wide"}


def test_a_depthwise_convolution_may_be_the_last() -> None:
    model = Sequential(
        [Input((9, 8, 2)), Conv2D(4, 3, name="first"), DepthwiseConv2D(3, name="last"), Flatten(), Dense(3)], seed=0
    )
    assert attribute(model, X, "grad_cam").settings == {"layer": "last"}


@pytest.mark.parametrize(
    ("method", "settings", "error", "message"),
    [
        (
            "gradcam",
            {},
            ArgumentError,
            "attribute: method is 'saliency', 'smoothgrad', 'integrated_gradients', 'guided_backpropagation', "
            "'grad_cam', 'grad_cam_plus_plus', 'score_cam' or 'occlusion'. Received method='gradcam'. Did you mean "
            "'grad_cam'?",
        ),
        (
            "smoothgrad",
            {"sample": 3},
            ArgumentError,
            "SmoothGrad: there is no argument 'sample'. Received sample=3. Did you mean 'samples'?",
        ),
        (
            "smoothgrad",
            {"samples": 0},
            ArgumentError,
            "SmoothGrad: samples is a whole number of at least 1. Received samples=0.",
        ),
        (
            "saliency",
            {"layer": "last"},
            ArgumentError,
            "attribute: layer belongs to grad_cam, grad_cam_plus_plus, score_cam; saliency looks at the input. "
            "Received layer='last'. Leave layer out.",
        ),
        (
            "grad_cam",
            {"layer": "lost"},
            ArgumentError,
            "attribute: a layer is named as in model.summary(). Received layer='lost'. Did you mean 'last'? "
            "Known: first, pooled, last.",
        ),
        (
            "score_cam",
            {"layer": "answer"},
            ArgumentError,
            "attribute: Dense 'answer' cannot be asked for this: its output has no positions, only channels. "
            "Received layer='answer'. Known: first, pooled, last.",
        ),
        (
            "occlusion",
            {"size": 9},
            ShapeError,
            "Occlusion: the window that covers is at most as large as the picture. Received size=9×9, a "
            "picture of 9×8.",
        ),
        (
            "occlusion",
            {"size": 2, "stride": 3},
            ArgumentError,
            "Occlusion: a stride larger than the window leaves pixels out. Received stride=3×3, size=2×2.",
        ),
        (
            "occlusion",
            {"fill": "grey"},
            ArgumentError,
            "Occlusion: fill is a number or \"mean\". Received fill='grey'.",
        ),
        (
            "integrated_gradients",
            {"baseline": np.zeros((9, 8))},
            ShapeError,
            "IntegratedGradients: baseline is a number or has the input's shape (9, 8, 2). Received shape (9, 8).",
        ),
        (
            "integrated_gradients",
            {"baseline": "black"},
            ArgumentError,
            "IntegratedGradients: baseline is a finite number, or an array of them. Received baseline='black'.",
        ),
    ],
)
def test_what_cannot_be(method: str, settings, error, message: str) -> None:
    with pytest.raises(error) as found:
        attribute(network(), X, method, **settings)
    assert str(found.value) == message


def test_a_network_without_convolution_is_not_looked_into() -> None:
    model = Sequential([Input((9, 8, 2)), Flatten(), Dense(3)], name="plain")
    with pytest.raises(ArgumentError) as error:
        attribute(model, X)
    assert str(error.value) == (
        "attribute: this method looks into a convolution with several positions. Received a model without one, "
        "'plain'. "
        'Write method="saliency", "integrated_gradients" or "occlusion".'
    )


@pytest.mark.parametrize("kind", [ELU, GELU, LeakyReLU, PReLU, ReLU, SiLU])
def test_the_activation_behind_a_convolution_is_where_the_walk_ends(kind) -> None:
    layers = [Conv2D(2, 3), BatchNormalization(), kind(name="ends"), BatchNormalization(), Flatten(), Dense(2)]
    model = Sequential([Input((6, 6, 1)), *layers], seed=0)
    x = np.random.default_rng(0).random((6, 6, 1)).astype(np.float32)
    assert attribute(model, x, "grad_cam", target=0).settings["layer"] == "ends"
