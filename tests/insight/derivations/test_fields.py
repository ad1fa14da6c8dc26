"""Where receptive fields begin, held against which input cells really move which output cells."""

from __future__ import annotations

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from convista import Model, Sequential, layers
from convista.insight import explain
from convista.insight.derivations.fields import Sight, Start, looked
from convista.insight.derivations.sizes import Use
from convista.shapes import ReceptiveField

LENGTH = 96


def influence(chain):
    """Return which input cells move which cells after each layer: bool ``(input, cells)``, every weight 1."""
    x = jnp.eye(LENGTH)[:, :, None]
    found = []
    for layer in chain:
        shape = x.shape[1:]
        params = {name: jnp.ones(parameter.shape) for name, parameter in layer.parameters(shape).items()}
        x, _ = layer.apply(params, {}, x, training=False, key=None)
        found.append(np.asarray(x).any(axis=-1))
    return found


def sights(chain):
    sight, shape = Sight.of_input((LENGTH, 1), ReceptiveField.start(1)), (LENGTH, 1)
    found = []
    for layer in chain:
        use = Use(layer, (shape,), layer.output_shape(shape))
        sight = looked(use, [sight], layer.receptive_field(sight.field))
        shape = use.output
        found.append(sight)
    return found


def conv(size, **settings):
    return layers.Conv1D(1, size, use_bias=False, **settings)


def back(size, **settings):
    return layers.Conv1DTranspose(1, size, use_bias=False, **settings)


CHAINS = {
    "windows": [
        conv(3),
        layers.AveragePooling1D(2),
        conv(5, padding="same"),
        layers.SumPooling1D(3, 2, "same"),
        conv(2),
    ],
    "same with strides": [conv(3, strides=2, padding="same"), conv(4, strides=3, padding="same"), conv(1, strides=2)],
    "explicit": [conv(3, strides=2, padding=((2, 0),)), conv(3, dilation_rate=3, padding=((1, 4),))],
    "dilated": [conv(3, dilation_rate=2, padding="same"), conv(2, dilation_rate=4)],
    "borders": [layers.ZeroPadding1D((3, 1)), conv(3), layers.Cropping1D((2, 5)), layers.AveragePooling1D(3)],
    "repeated": [
        layers.AveragePooling1D(2),
        layers.UpSampling1D(3),
        conv(3, padding="same"),
        layers.Cropping1D((2, 1)),
    ],
    "repeated and back": [layers.UpSampling1D(2), conv(3, padding="same"), layers.AveragePooling1D(2), conv(3)],
    "laid out": [back(3, strides=2), conv(2), layers.ZeroPadding1D((1, 0))],
    "laid out, same": [conv(3, strides=2, padding="same"), back(4, strides=2, padding="same"), conv(3, padding="same")],
    "laid out twice": [back(2, strides=2), back(3, strides=2, padding="same"), conv(3, padding="same")],
    "laid out, dilated": [back(3, dilation_rate=2, padding="same"), conv(3)],
    "output padding": [conv(5, strides=3), back(5, strides=3, padding="same", output_padding=1)],
}


@pytest.mark.parametrize("name", CHAINS)
def test_a_field_begins_with_the_first_cell_that_moves_it(name):
    check_starts(CHAINS[name])


def check_starts(chain):
    for moved, sight in zip(influence(chain), sights(chain), strict=True):
        (start,) = sight.starts
        checked = 0
        for cell in range(moved.shape[1]):
            rows = np.flatnonzero(moved[:, cell])
            # In the padding and beyond the end nothing can be seen to move.
            if len(rows) and start.of(cell) >= 0 and rows[-1] < LENGTH - 1:
                assert rows[0] == start.of(cell), (cell, rows)
                assert rows[-1] < start.of(cell) + sight.field.size[0]
                checked += 1
        assert checked > 5


def test_the_check_rejects_a_wrong_start(monkeypatch):
    wrong = lambda self, before, stride: Start(self.at + 1, self.step * stride)  # noqa: E731
    monkeypatch.setattr(Start, "gathered", wrong)
    with pytest.raises(AssertionError):
        check_starts(CHAINS["windows"])


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
@pytest.mark.parametrize("many", [2, 3])
def test_an_interpolated_cell_begins_where_its_weights_do(interpolation, many):
    layer = layers.UpSampling2D((1, many), interpolation=interpolation)
    x = jnp.eye(40).reshape(40, 1, 40, 1)
    moved = np.abs(np.asarray(layer.apply({}, {}, x, training=False, key=None)[0])[:, 0, :, 0]) > 1e-7
    use = Use(layer, ((1, 40, 1),), layer.output_shape((1, 40, 1)))
    field = ReceptiveField.start(2)
    start = looked(use, [Sight.of_input((1, 40, 1), field)], layer.receptive_field(field)).starts[1]
    exact = 0
    for cell in range(15 * many, 25 * many):
        first = np.flatnonzero(moved[:, cell])[0]
        assert first >= start.of(cell)
        exact += first == start.of(cell)
    # A cell in the middle of another has weights of 0 at both ends.
    assert exact >= 10 * (many - 1)


def test_a_stride_between_two_enlargements_leaves_the_offset_open():
    chain = [layers.UpSampling1D(2), conv(3, strides=3), layers.UpSampling1D(2)]
    assert sights(chain)[-1].starts == (None,)
    model = Sequential([layers.Input((24, 1)), *chain])
    last = explain(model).layers[-1]
    assert last.offset == (None,)
    assert "offset" not in str(last.lines)
    assert last.line("jump_length").value == Fraction(3, 4)


def test_lines_step_by_step():
    model = Sequential(
        [
            layers.Input((32, 20, 1)),
            layers.Conv2D(1, 3, padding="same"),
            layers.MaxPooling2D((2, 4)),
            layers.Conv2D(1, 5, padding="same"),
            layers.ReLU(),
        ]
    )
    second, third, fourth = explain(model).layers[2:]
    told = [line.equation for line in second.lines if line.topic == "receptive_field"]
    assert told == [
        "field_h = 3 + (2 − 1)·1 = 4",
        "field_w = 3 + (4 − 1)·1 = 6",
        "jump_h = 1·2 = 2",
        "jump_w = 1·4 = 4",
        "offset_h = −1 − 0·1 = −1",
    ]
    assert second.line("offset_w").name == "offset_h"
    assert [third.line(f"offset_{axis}").equation for axis in "hw"] == [
        "offset_h = −1 − 2·2 = −5",
        "offset_w = −1 − 2·4 = −9",
    ]
    assert third.remarks[-1] == (
        "Its first cell sees rows −5 to 6 and columns −9 to 12 of the 32×20 input; what lies outside is padding."
    )
    assert all(line.topic != "receptive_field" for line in fourth.lines)


def test_branches_see_what_the_widest_sees():
    x = layers.Input((16, 16, 1))
    y = layers.Add()([layers.Conv2D(1, 5, padding="same")(x), layers.Conv2D(1, 1)(x)])
    joined = explain(Model(x, y)).layers[-1]
    assert [line.equation for line in joined.lines if line.topic == "receptive_field"] == [
        "field_h = max(5, 1) = 5",
        "jump_h = max(1, 1) = 1",
        "offset_h = min(−2, 0) = −2",
    ]


def test_branches_that_see_different_places_say_so():
    x = layers.Input((16, 16, 1))
    left, right = (layers.Conv2D(1, 3, padding=((1, 1), pads))(x) for pads in ((2, 0), (0, 2)))
    joined, last = explain(Model(x, layers.Conv2D(1, 3)(layers.Add()([left, right])))).layers[-2:]
    assert joined.offset == (-1, None)
    assert joined.remarks[-1] == (
        "Its inputs see different places: together they see more than the widest of them, which is counted."
    )
    assert last.offset == (-1, None)
    assert not any("first cell sees" in said for said in (*joined.remarks, *last.remarks))


def test_axes_in_another_order_and_pictures_of_another_size():
    x = layers.Input((12, 30, 1))
    y = layers.Permute((2, 1, 3))(layers.AveragePooling2D((2, 3))(x))
    swapped, resized, last = explain(Model(x, layers.Conv2D(1, 3)(layers.Resizing(9, 7)(y)))).layers[2:]
    assert (swapped.receptive_field, swapped.jump) == ((3, 2), (3, 2))
    assert resized.remarks[-1] == "From here on receptive fields are counted in cells of this 9×7 picture."
    assert last.remarks[-1] == "Its first cell sees rows 0 to 2 and columns 0 to 2 of the 9×7 input."


def test_a_crop_that_resizes_has_no_offset():
    model = Sequential([layers.Input((8, 8, 1)), layers.RandomCrop(6, 6), layers.Conv2D(1, 3)])
    assert explain(model).layers[-1].offset == (None, None)
    assert not any("first cell sees" in said for said in explain(model).layers[-1].remarks)
