"""Means, deviations and whitening do to the data what their names say."""

from __future__ import annotations

import numpy as np

from convista.data.standardization import Standardization, statistics

X = np.random.default_rng(0).normal(3.0, 2.0, (200, 3, 2, 2)).astype(np.float32) * np.array([1, 5], np.float32)


def test_channels_have_mean_0_and_deviation_1():
    mean, std, whitening = statistics(X, center=True, deviation=True, whitening=False)
    assert whitening is None
    y = Standardization(mean=mean, std=std)(X)
    np.testing.assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(0, 1, 2)), 1, atol=1e-5)
    assert statistics(X, center=False, deviation=False, whitening=False) == (None, None, None)


def test_whitened_pixels_are_uncorrelated():
    mean, _, whitening = statistics(X, center=True, deviation=False, whitening=True)
    y = Standardization(mean=mean, whitening=whitening)(X).reshape(len(X), -1)
    centred = (X - mean).reshape(len(X), -1)
    np.testing.assert_allclose(y.T @ y / len(X), np.eye(12), atol=1e-3)
    assert np.abs(centred.T @ centred / len(X) - np.eye(12)).max() > 1


def test_each_picture_by_itself():
    y = Standardization(0.5, samplewise_center=True, samplewise_std_normalization=True)(X)
    np.testing.assert_allclose(y.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(1, 2, 3)), 1, atol=1e-4)
    assert y.dtype == np.float32
