"""Other people's augmentations: what is called like albumentations is, and mistakes teach."""

from __future__ import annotations

import numpy as np
import pytest

from convista.data.picture_changes import changed_by, is_compose
from convista.errors import ArgumentError, ShapeError

X = np.random.default_rng(0).random((3, 4, 5, 1)).astype(np.float32)


class Compose:
    """The protocol of albumentations: keywords in, a mapping out."""

    def __init__(self, change):
        self.change = change

    def __call__(self, *args, force_apply=False, **data):
        return {"image": self.change(data["image"]), "mask": None}


def test_what_is_called_with_image_is_one():
    assert is_compose(Compose(np.flipud))
    assert is_compose(lambda image: {"image": image})
    assert not any(is_compose(item) for item in (Compose, np.flip, None, "Compose", lambda x: x, dict, max))


def test_pictures_are_changed_one_by_one_and_keep_their_dtype():
    np.testing.assert_array_equal(changed_by(Compose(np.flipud), X, 0), X[:, ::-1])
    bytes_ = (X * 255).astype(np.uint8)
    assert changed_by(Compose(np.flipud), bytes_, 0).dtype == np.uint8


def test_a_grey_picture_may_lose_its_channel_on_the_way():
    np.testing.assert_array_equal(changed_by(Compose(lambda image: image[..., 0]), X, 0), X)


def test_mistakes_teach():
    with pytest.raises(ShapeError) as caught:
        changed_by(Compose(lambda image: image[:2]), X, 0)
    assert str(caught.value) == (
        "Compose: augmentation keeps the shape of the pictures, or use would differ from training. Received (4, 5, 1) "
        "made (2, 5, 1). End it with a Resize to the size it began with, and leave ToTensorV2 and Normalize out."
    )
    with pytest.raises(ArgumentError) as caught:
        changed_by(lambda image: image, X, 0)
    assert str(caught.value) == (
        'function: an augmentation of single pictures returns {"image": picture}. Received ndarray.'
    )
