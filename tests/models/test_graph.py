from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista import Model, Sequential
from convista.layers import (
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    Reshape,
)
from convista.shapes import ReceptiveField
from oracles.compare import LAYERS, agree, agree_all, gradients_of, run_together


def test_after_a_reshape_of_pictures_a_cell_may_see_anything():
    model = Sequential([Input((8, 8, 1)), Conv2D(2, 3, padding="same"), Reshape((4, 4, 8)), Conv2D(2, 3)])
    three = ReceptiveField((3, 3), (1, 1))
    assert model.graph.receptive_fields() == [ReceptiveField.start(2), three, None, None]


def test_a_reshape_into_the_same_shape_mixes_nothing():
    model = Sequential([Input((8, 8, 1)), Conv2D(2, 3, padding="same"), Reshape((8, 8, 2))])
    assert model.graph.receptive_fields()[-1] == ReceptiveField((3, 3), (1, 1))


@pytest.mark.parametrize("merge", [Add, Concatenate])
def test_a_merge_sees_what_the_branch_with_the_larger_kernel_sees(merge):
    x = Input((9, 9, 1))
    small, large = (Conv2D(2, size, padding="same")(x) for size in (1, 5))
    model = Model(x, MaxPooling2D()(merge()([small, large])))
    assert model.graph.receptive_fields()[-1] == ReceptiveField((6, 6), (2, 2))


def branched() -> Model:
    x = Input((4, 4, 1))
    shared = Conv2D(1, 3, padding="same", name="shared")
    a = shared(x)
    b = shared(a)
    return Model(x, Dense(2)(Flatten()(Concatenate()([a, Add()([a, b])]))))


def test_branches_and_shared_weights_compute_what_is_written():
    model = branched()
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 4, 1)), jnp.float32)
    assert sorted(model.params) == ["dense", "shared"]

    def by_hand(params):
        layers = model.graph.layers
        apply = lambda name, value: layers[name].apply(params[name], {}, value, training=False, key=None)[0]  # noqa: E731
        a = apply("shared", x)
        b = apply("shared", a)
        joined = jnp.concatenate([a, a + b], -1).reshape(3, -1)
        return apply("dense", joined)

    ways = {"graph": lambda params: model.apply(params, {}, x)[0], "hand": by_hand}
    found = run_together({name: (gradients_of(way), (model.params,)) for name, way in ways.items()})
    agree_all(found["graph"], found["hand"], LAYERS)
    agree(model.predict(x), found["hand"][0], LAYERS)


def test_two_dropouts_of_one_model_drop_different_values():
    model = Sequential([Input((400,)), Dropout(0.5), Dropout(0.5)])
    y, _ = model.apply({}, {}, jnp.ones((1, 400)), training=True, key=jax.random.key(0))
    assert 0.15 < (np.asarray(y) > 0).mean() < 0.35


def test_calling_a_model_in_training_drops_and_uses_batch_statistics():
    model = Sequential([Input((50,)), BatchNormalization(), Dropout(0.5)])
    x = np.random.default_rng(0).normal(5, 3, (8, 50)).astype(np.float32)
    y = np.asarray(model(x, training=True))
    assert 0.3 < (y == 0).mean() < 0.7
    assert abs(y.mean()) < 0.3
    assert (np.asarray(model(x)) != 0).all()
