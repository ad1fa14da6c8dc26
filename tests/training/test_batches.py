"""From arrays and iterables to batches: lengths, weights, the last batch, streams of every kind."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError, DataError
from convista.training import batches
from convista.training.batches import (
    Stream,
    as_array,
    examples,
    in_file_order,
    in_order,
    is_stream,
    on_device,
    padded,
    split,
)

X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10) % 3


class ByNumber:
    """What Keras calls a Sequence: batches by number, and no ``__iter__``."""

    def __init__(self, count: int = 3):
        self.count = count
        self.ends = 0

    def __len__(self):
        return self.count

    def __getitem__(self, number):
        return X[number * 2 : number * 2 + 2], Y[number * 2 : number * 2 + 2]

    def on_epoch_end(self):
        self.ends += 1


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.0, 2.0], "float32"),
        ([1, 2], "int32"),
        (np.array([1, 2], np.uint8), "uint8"),
        (np.array([1, 2], np.float16), "float16"),
        ([True, False], "bool"),
        (np.array([1, 2], np.uint64), "int32"),
        (jnp.array([1.0]), "float32"),
    ],
)
def test_arrays_keep_small_dtypes_and_wide_ones_shrink(values, dtype):
    assert as_array(values, "x").dtype == dtype


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [[1, 2], [3]],
            "x is an array of numbers, all rows of one shape. Received x of list with dtype object. "
            "Bring all pictures to one size, and encode texts as numbers.",
        ),
        (
            ["cat", "dog"],
            "x is an array of numbers, all rows of one shape. Received x of list with dtype <U3. "
            "Bring all pictures to one size, and encode texts as numbers.",
        ),
        (
            {"a": 1},
            "x is an array of numbers, all rows of one shape. Received x of dict with dtype object. "
            "Bring all pictures to one size, and encode texts as numbers.",
        ),
        ([2**40], "whole numbers in x fit 32 bits. Received 1099511627776."),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(values, message):
    with pytest.raises(DataError) as caught:
        as_array(values, "x")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            X,
            Y[:9],
            "x and y have one row an example. Received x with 10 rows, y of shape (9,). "
            "Check that pictures and labels come from the same split.",
        ),
        (
            (X, X[:4]),
            Y,
            "x and y have one row an example. Received x with 10 rows, x[1] of shape (4, 2). "
            "Check that pictures and labels come from the same split.",
        ),
        (X[:0], Y[:0], "there is at least one example. Received x of shape (0, 2)."),
        ([], [], "there is at least one example. Received x of shape (0,)."),
        ((), Y, "there is at least one example. Received x of shape (0,)."),
        (3.0, 4.0, "there is at least one example. Received x of shape ()."),
    ],
)
def test_lengths_have_to_agree(x, y, message):
    with pytest.raises(DataError) as caught:
        examples(x, y)
    assert str(caught.value) == message


def test_weights_are_sample_weight_times_class_weight():
    data = examples(X, Y, np.arange(10), {0: 2.0, 2: 0.5})
    factors = np.array([{0: 2.0, 1: 1.0, 2: 0.5}[label] for label in Y])
    np.testing.assert_array_equal(data.weight, np.arange(10) * factors)
    one_hot = examples(X, np.eye(3)[Y], np.arange(10), {0: 2.0, 2: 0.5})
    np.testing.assert_array_equal(one_hot.weight, data.weight)
    column = examples(X, Y[:, None], np.arange(10)[:, None], {0: 2.0, 2: 0.5})
    np.testing.assert_array_equal(column.weight, data.weight)


_CLASS_RULE = "fit: class_weight maps class numbers to factors of at least 0. Received class_weight="


@pytest.mark.parametrize(
    ("sample_weight", "class_weight", "message"),
    [
        (
            -np.ones(10),
            None,
            "sample_weight has one number of at least 0 an example. Received values from -1.0 to -1.0.",
        ),
        (
            np.ones(9),
            None,
            "sample_weight has one number of at least 0 an example. Received shape (9,) for 10 examples.",
        ),
        (None, {"cat": 1.0}, _CLASS_RULE + "{'cat': 1.0}."),
        (None, {0: -1.0}, _CLASS_RULE + "{0: -1.0}."),
        (None, {0: float("nan")}, _CLASS_RULE + "{0: nan}."),
        (None, {-1: 1.0}, _CLASS_RULE + "{-1: 1.0}."),
        (None, [1.0, 2.0], _CLASS_RULE + "[1.0, 2.0]. For example class_weight={0: 1.0, 1: 5.0}."),
    ],
)
def test_weights_that_cannot_be_right(sample_weight, class_weight, message):
    with pytest.raises(ArgumentError) as caught:
        examples(X, Y, sample_weight, class_weight)
    assert str(caught.value) == message


def test_texts_are_no_weights():
    with pytest.raises(DataError, match=r"^sample_weight is an array of numbers"):
        examples(X, Y, ["heavy"] * 10)


def test_class_weight_needs_classes():
    with pytest.raises(ArgumentError) as caught:
        examples(X, Y + 0.5, None, {0: 1.0})
    assert str(caught.value) == (
        "class_weight needs one class an example. Received targets of shape (10,), float32. "
        "Give the factors of the examples with sample_weight."
    )
    with pytest.raises(ArgumentError, match=r"targets of shape \(10, 4, 4\)"):
        examples(X, np.zeros((10, 4, 4), int), None, {0: 1.0})


def test_class_weight_against_the_number_of_classes():
    batches.check_class_weight({0: 1, np.int64(1): np.float32(2)}, 2)
    with pytest.raises(ArgumentError) as caught:
        batches.check_class_weight({2: 1.0}, 2)
    assert str(caught.value) == (
        "fit: class_weight maps class numbers 0…1 to factors of at least 0. Received class_weight={2: 1.0}."
    )


def test_split_takes_the_last_part_before_any_shuffling():
    first, last = split(examples(X, Y), 0.25)
    assert last is not None
    assert (first.size, last.size) == (7, 3)
    np.testing.assert_array_equal(first.x, X[:7])
    np.testing.assert_array_equal(last.x, X[7:])
    np.testing.assert_array_equal(last.y, Y[7:])
    assert split(examples(X, Y), 0.0)[1] is None


@pytest.mark.parametrize("fraction", [1.0, -0.1, 7, "a"])
def test_split_is_a_fraction(fraction):
    with pytest.raises(ArgumentError) as caught:
        split(examples(X, Y), fraction)
    assert str(caught.value) == (
        f"validation_split is a fraction between 0 and 1. Received validation_split={fraction!r}."
    )


def test_split_leaves_something_on_both_sides():
    with pytest.raises(ArgumentError) as caught:
        split(examples(X[:2], Y[:2]), 0.6)
    assert str(caught.value) == (
        "validation_split leaves examples on both sides. Received validation_split=0.6 of 2 examples."
    )


def test_the_last_batch_is_filled_up_and_masked():
    whole = list(in_order(examples(X, Y), 4))
    assert [batch.x.shape for batch in whole] == [(4, 2)] * 3
    np.testing.assert_array_equal(whole[2].mask, [1, 1, 0, 0])
    np.testing.assert_array_equal(np.concatenate([batch.x for batch in whole])[:10], X)
    # A row that fills up has to be a real one: zeros could be out of a layer's domain.
    np.testing.assert_array_equal(whole[2].x[2:], X[[8, 8]])


def test_several_inputs_are_cut_together():
    batch = padded(examples((X, X * 2), Y).part(8, 10), 3)
    np.testing.assert_array_equal(batch.x[1], 2 * batch.x[0])
    assert batch.mask.tolist() == [1, 1, 0]


@pytest.mark.parametrize("thing", [X, [X, Y], (X, Y), "a.png", b"a", {"a": X}, None, 3, jnp.asarray(X)])
def test_these_are_no_streams(thing):
    assert not is_stream(thing)


@pytest.mark.parametrize("thing", [iter([]), (part for part in X), ByNumber(), {(1, 2)}, map(str, X)])
def test_these_are_streams(thing):
    assert is_stream(thing)


def test_pairs_triples_and_lists_are_batches():
    found = list(Stream([(X, Y), (X, Y, np.full(10, 2.0)), [X.tolist(), Y.tolist()]]).examples())
    assert [item.size for item in found] == [10, 10, 10]
    assert [float(item.weight[0]) for item in found] == [1, 2, 1]


@pytest.mark.parametrize(
    ("item", "received"), [(X, "ndarray"), ((X,), "tuple of 1"), ((X, Y, Y, Y), "tuple of 4"), ({"x": X}, "dict")]
)
def test_other_batches_are_refused(item, received):
    with pytest.raises(DataError) as caught:
        list(Stream(iter([item])).examples())
    assert str(caught.value) == (f"an iterable of batches yields (x, y) or (x, y, sample_weight). Received {received}.")


def test_class_weight_of_a_class_that_a_batch_lacks():
    found = list(Stream(((X[i : i + 1], Y[i : i + 1]) for i in range(3)), {0: 2.0, 1: 3.0, 2: 4.0}).examples())
    assert [float(item.weight[0]) for item in found] == [2, 3, 4]


def test_batches_by_number_know_their_steps_and_hear_when_a_pass_ends():
    source = ByNumber()
    stream = Stream(source)
    assert stream.steps == 3
    assert [item.size for item in stream.examples()] == [2, 2, 2]
    assert [item.size for item in stream.examples()] == [2, 2, 2]
    assert source.ends == 2


def test_a_generator_goes_on_where_it_stopped_and_is_never_closed():
    stream = Stream((X[i : i + 1], Y[i : i + 1]) for i in range(4))
    assert stream.steps is None
    assert next(stream.examples()).x[0, 0] == X[0, 0]
    assert [item.x[0, 0] for item in stream.examples()] == X[1:4, 0].tolist()
    assert list(stream.examples()) == []


def test_endless_passes_over_what_can_be_iterated_again_and_one_over_a_generator():
    again = Stream([(X[:1], Y[:1]), (X[1:2], Y[1:2])]).endless()
    assert [item.x[0, 0] for item in itertools.islice(again, 5)] == [0, 2, 0, 2, 0]
    assert len(list(Stream(iter([(X, Y)])).endless())) == 1


def test_all_batches_of_a_stream_have_the_largest_size_seen():
    stream = Stream([])
    assert [stream.pad(examples(X[:rows], Y[:rows])).x.shape[0] for rows in (4, 2, 3)] == [4, 4, 4]


def test_uint8_stays_uint8_on_the_device():
    data = on_device(examples(np.zeros((3, 2, 2, 1), np.uint8), Y[:3]))
    assert isinstance(data.x, jax.Array)
    assert data.x.dtype == jnp.uint8
    assert data.x.nbytes == 12


class Folder:
    """What an image folder has beside its batches."""

    def __init__(self):
        self.epoch = None

    def __iter__(self):
        yield np.zeros((2, 1)), np.zeros(2)

    def set_epoch(self, number):
        self.epoch = number

    def in_order(self):
        return "in order"


def test_a_source_is_told_its_pass_and_asked_for_its_order_where_it_knows_of_them():
    folder, plain = Folder(), [1]
    Stream(folder).begin(3)
    assert folder.epoch == 3
    Stream(plain).begin(3)
    assert in_file_order(folder) == "in order"
    assert in_file_order(plain) is plain
