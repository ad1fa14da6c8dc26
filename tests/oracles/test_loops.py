"""The oracles themselves, on numbers small enough to work out by hand."""

from __future__ import annotations

import numpy as np

from oracles import loops


def test_positions_are_counted_by_sliding():
    assert loops.positions((28, 56), (3, 2), (2, 3), ((0, 0), (0, 0)), (1, 1)) == (13, 19)
    assert loops.positions((2,), (3,), (1,), ((0, 0),), (1,)) == (0,)


def test_convolution_by_hand():
    x = np.array([1.0, 2.0, 4.0]).reshape(1, 3, 1)
    kernel = np.array([10.0, 1.0]).reshape(2, 1, 1)
    y, dx, dk = loops.convolution(x, kernel, (1,), ((1, 0),), (1,), 1, np.array([1.0, 0.0, 3.0]).reshape(1, 3, 1))
    assert y.ravel().tolist() == [1, 12, 24]
    assert dx.ravel().tolist() == [1, 30, 3]
    assert dk.ravel().tolist() == [6, 13]


def test_groups_do_not_see_each_other():
    x = np.array([[1.0, 5.0]]).reshape(1, 1, 2)
    kernel = np.array([2.0, 3.0]).reshape(1, 1, 2)
    y, *_ = loops.convolution(x, kernel, (1,), ((0, 0),), (1,), 2, np.ones((1, 1, 2)))
    assert y.ravel().tolist() == [2, 15]


def test_the_first_of_equal_values_wins():
    x = np.array([3.0, 3.0, 1.0, 1.0]).reshape(1, 4, 1)
    y, dx = loops.max_pooling(x, (2,), (2,), ((0, 0),), np.array([5.0, 7.0]).reshape(1, 2, 1))
    assert y.ravel().tolist() == [3, 1]
    assert dx.ravel().tolist() == [5, 0, 7, 0]


def test_cells_outside_the_picture_do_not_count():
    x = np.array([2.0, 4.0, 9.0]).reshape(1, 3, 1)
    y, dx = loops.average_pooling(x, (2,), (2,), ((0, 1),), np.array([1.0, 5.0]).reshape(1, 2, 1))
    assert y.ravel().tolist() == [3, 9]
    assert dx.ravel().tolist() == [0.5, 0.5, 5]


def test_kernels_are_laid_out_and_added():
    x = np.array([1.0, 2.0]).reshape(1, 2, 1)
    kernel = np.array([10.0, 1.0, 5.0]).reshape(3, 1, 1)
    sent = np.array([1.0, 0.0, 0.0, 4.0]).reshape(1, 4, 1)
    y, dx, dk = loops.transposed_convolution(x, kernel, (2,), (1,), (1,), (4,), sent)
    assert y.ravel().tolist() == [1, 25, 2, 10]
    assert dx.ravel().tolist() == [1, 20]
    assert dk.ravel().tolist() == [0, 1, 8]


def test_the_rest_of_a_window_adds_nothing():
    x = np.array([2.0, 4.0, 9.0]).reshape(1, 3, 1)
    y, dx = loops.sum_pooling(x, (2,), (2,), ((0, 1),), np.array([1.0, 5.0]).reshape(1, 2, 1))
    assert y.ravel().tolist() == [6, 9]
    assert dx.ravel().tolist() == [1, 1, 5]
