"""The picture of variants: original at the left, the same bytes for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from convista.errors import ArgumentError, ShapeError
from convista.insight import show_augmented
from convista.layers import Cutout, RandomCrop, RandomFlip
from convista.training.augmentation import MixUp

BLUE = (0, 114, 178)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_row_a_picture_with_its_original_framed_in_blue(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    drawn = pixels(show_augmented(x, Cutout(4), n=3, path=tmp_path / "a.png"))
    assert drawn.shape == (390, 624, 3)
    blue = (np.abs(drawn - BLUE).max(axis=-1) <= 2).any(axis=0)
    assert blue[:150].any()
    assert not blue[160:].any()


def test_the_same_seed_draws_the_same_bytes(tmp_path):
    x = np.random.default_rng(0).random((8, 8, 1))
    one, same, other = (
        show_augmented(x, [Cutout(4), RandomFlip()], 4, tmp_path / f"{number}.png", seed=seed)
        for number, seed in enumerate((0, 0, 1))
    )
    assert one.read_bytes() == same.read_bytes() != other.read_bytes()


def test_a_cutout_that_covers_all_is_seen(tmp_path):
    white = np.ones((8, 8, 1), np.float32)
    plain = pixels(show_augmented(white, RandomFlip(), 2, tmp_path / "plain.png"))
    covered = pixels(show_augmented(white, Cutout(16), 2, tmp_path / "covered.png"))
    assert (covered == 0).all(axis=-1).sum() > (plain == 0).all(axis=-1).sum() + 2 * 100 * 100


def test_a_crop_is_drawn_smaller_than_its_original(tmp_path):
    black = np.zeros((8, 8, 1), np.float32)
    whole = pixels(show_augmented(black, RandomFlip(), 2, tmp_path / "whole.png"))
    cropped = pixels(show_augmented(black, RandomCrop(4, 8), 2, tmp_path / "cropped.png"))
    missing = (whole == 0).all(axis=-1).sum() - (cropped == 0).all(axis=-1).sum()
    assert abs(missing - 2 * 132 * 66) < 500  # half of each variant, which is 132 dots wide


def test_other_peoples_augmentation_is_drawn_too(tmp_path):
    drawn = show_augmented(np.eye(8)[..., None], lambda image: {"image": image[::-1]}, 2, tmp_path / "flipped.png")
    assert drawn.exists()


def test_mistakes_teach(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(ShapeError) as caught:
        show_augmented(np.zeros((8, 8)), RandomFlip(), path=path)
    assert str(caught.value) == (
        "show_augmented: a picture is height × width × channels with 1, 3 or 4 channels, or a batch of them. Received "
        "shape (8, 8). Add the channel axis of a grey picture: picture[..., None]."
    )
    with pytest.raises(ArgumentError) as caught:
        show_augmented(np.zeros((13, 8, 8, 1)), RandomFlip(), path=path)
    assert str(caught.value) == ("show_augmented: at most 12 pictures are drawn. Received 13. Choose some: x[:12].")
    with pytest.raises(ArgumentError) as caught:
        show_augmented(np.zeros((8, 8, 1)), MixUp(), path=path)
    assert str(caught.value) == "augment: MixUp needs labels. Received MixUp(). Leave it out here."
    assert not path.exists()
    with pytest.raises(ArgumentError) as caught:
        show_augmented(np.zeros((8, 8, 1)), RandomFlip(), 1, tmp_path / "no" / "a.png")
    assert str(caught.value) == (
        f"path: a picture is saved into a folder that exists. Received '{tmp_path}/no/a.png'. Make the folder first: "
        f"pathlib.Path('{tmp_path}/no').mkdir(parents=True)."
    )
