"""Folders of pictures from the files to a trained model."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convista.data import Preprocessing, image_folder, read_picture
from convista.errors import ArgumentError, ConvistaError, DataError
from convista.layers import Dense, Flatten, Rescaling
from convista.models import Sequential
from oracles.cifar_files import tar

COLOURS = {"blue": (20, 40, 220), "red": (220, 40, 20), "white": (235, 235, 235)}


def pictures(root: Path, count: int, seed: int = 0) -> Path:
    """Noisy pictures of three colours, in mixed sizes and modes."""
    draw = np.random.default_rng(seed)
    for name, colour in COLOURS.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            size = ((16, 16), (40, 24), (16, 16), (13, 50))[number % 4]
            noise = draw.integers(-20, 20, (size[1], size[0], 3))
            image = Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8))
            image = image.convert(("RGB", "RGBA", "P", "RGB")[number % 4])
            image.save(root / name / f"{number:03}.{('jpg', 'png', 'png', 'webp')[number % 4]}")
    return root


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("colours"), 12)


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    root = tmp_path_factory.mktemp("split")
    for seed, (split, count) in enumerate({"train": 12, "val": 4, "test": 4}.items()):
        pictures(root / split, count, seed)
    return root


def model(shape=(16, 16, 3)):
    made = Sequential([Rescaling(1 / 255, input_shape=shape), Flatten(), Dense(3, activation="softmax")], seed=1)
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def test_splits(splits):
    found = image_folder(splits, batch_size=8)
    assert found.classes == ("blue", "red", "white")
    assert [part.size for part in (found.train, found.validation, found.test)] == [36, 12, 12]
    assert (found.name, found.image_shape, len(found), found.is_split) == (splits.name, (16, 16, 3), 5, True)
    assert sum(len(x) for x, y in found) == 36
    assert found.skipped == ()


def test_a_split_of_one_folder_is_drawn_by_the_seed(classes):
    found = image_folder(classes, validation_split=0.25, seed=5)
    assert np.bincount(found.validation.y).tolist() == [3, 3, 3]
    assert found.test is None
    assert not found.is_split
    assert image_folder(classes, validation_split=0.25, seed=5).validation.paths == found.validation.paths
    assert image_folder(classes, validation_split=0.25, seed=6).validation.paths != found.validation.paths


@pytest.mark.parametrize("mode", ["rgb", "grayscale"])
@pytest.mark.parametrize("resize", ["stretch", "pad", "crop"])
def test_mixed_sizes_and_modes_are_brought_to_one_as_read_picture_does(classes, mode, resize):
    options = {"resize": resize, "interpolation": "bicubic", "invert": True}
    found = image_folder(classes, image_size=(10, 14), color_mode=mode, **options)
    shape = (10, 14, 3 if mode == "rgb" else 1)
    expected = [read_picture(path, shape, Preprocessing(**options)) for path in found.train.paths]
    np.testing.assert_array_equal(found.train.x[:], expected)
    assert found.preprocessing == Preprocessing(scale=1 / 255, **options)


def test_the_commonest_size(classes, tmp_path):
    assert image_folder(classes).image_shape == (16, 16, 3)
    assert image_folder(classes, image_size=20).image_shape == (20, 20, 3)
    for name in "ab":
        (tmp_path / name).mkdir()
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (30, 20)).save(tmp_path / name / "turned.jpg", exif=exif)
        (tmp_path / name / "bad.jpg").write_bytes(b"")
    assert image_folder(tmp_path).image_shape == (30, 20, 3)
    Image.new("RGB", (300, 200)).save(tmp_path / "a" / "turned.jpg")
    Image.new("RGB", (300, 200)).save(tmp_path / "b" / "turned.jpg")
    assert image_folder(tmp_path).image_shape == (256, 256, 3)


@pytest.mark.slow
def test_fit_evaluate_predict(splits):
    found = image_folder(splits, batch_size=8, seed=2)
    network = model()
    history = network.fit(found, validation_data=found.validation, epochs=12, verbose=0).history
    assert history["accuracy"][-1] == 1.0
    assert history["val_accuracy"][-1] == 1.0
    loss, accuracy = network.evaluate(found.test, verbose=0)
    assert accuracy == 1.0
    x = found.test.x[:]
    assert network.evaluate(x, found.test.y, verbose=0)[0] == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(network.predict(found.test), network.predict(x), atol=1e-6)
    # The training pictures are shuffled to learn from, but predictions stand in the order of the files.
    np.testing.assert_allclose(network.predict(found), network.predict(found.train.x[:]), atol=1e-6)
    assert (network.predict(found).argmax(1) == found.train.y).all()
    path = found.test.paths[0]
    network.preprocessing = Preprocessing()
    np.testing.assert_allclose(network.predict(path), network.predict(x[:1]), atol=1e-6)


@pytest.mark.slow
def test_the_same_bits_whatever_the_threads_and_when_taken_up_again(splits):
    def trained(workers, keep_bytes, *epochs):
        network = model()
        before = 0
        for last in epochs:
            found = image_folder(splits, batch_size=8, seed=2, workers=workers, keep_bytes=keep_bytes)
            network.fit(found, epochs=last, initial_epoch=before, verbose=0)
            before = last
        return np.asarray(network.params["dense"]["kernel"])

    expected = trained(1, 0, 3)
    np.testing.assert_array_equal(trained(4, 1 << 20, 3), expected)
    np.testing.assert_array_equal(trained(2, 1 << 20, 1, 3), expected)
    with pytest.raises(AssertionError):
        np.testing.assert_array_equal(trained(1, 0, 2), expected)


def test_bad_files_do_not_stop_training(tmp_path, capsys):
    root = pictures(tmp_path, 6)
    (root / "red" / "000.jpg").write_bytes(b"")
    found = image_folder(root, batch_size=4)
    model().fit(found, epochs=2, verbose=0)
    assert [one.path.name for one in found.skipped] == ["000.jpg"]
    assert capsys.readouterr().err == f"Skipped 1 file: {root / 'red' / '000.jpg'}: the picture file is empty\n"
    with pytest.raises(DataError, match=r"000\.jpg: the picture file is empty\."):
        model().fit(image_folder(root, errors="raise"), verbose=0)


def test_an_archive_is_read_like_its_folder(classes, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path / "home"))
    files = {str(path.relative_to(classes.parent)): path.read_bytes() for path in classes.rglob("*") if path.is_file()}
    found = image_folder(tar(tmp_path / "colours.tar.gz", files))
    np.testing.assert_array_equal(found.train.x[:], image_folder(classes).train.x[:])
    assert found.name == "colours"
    assert "this is done once" in capsys.readouterr().err


def test_labels_and_classes(classes):
    _, y = next(iter(image_folder(classes, label_mode="categorical", shuffle=False)))
    assert y.shape == (32, 3)
    named = image_folder(classes, class_names=["white", "red", "blue", "green"], shuffle=False)
    assert named.train.y.tolist() == sorted([0, 1, 2] * 12)
    assert named.train.paths[0].parent.name == "white"


MISTAKES = [
    (
        {"color_mode": "gray"},
        "color_mode is one of 'grayscale', 'rgb'. Received color_mode='gray'. Did you mean 'grayscale'?",
    ),
    (
        {"image_size": (0, 3)},
        "image_size is (height, width) in pixels. Received image_size=(0, 3). For example image_size=(64, 64).",
    ),
    (
        {"image_size": (10**6, 10**6)},
        "image_size is (height, width) in pixels. Received image_size=(1000000, 1000000). "
        "For example image_size=(64, 64).",
    ),
    ({"validation_split": 1.5}, "validation_split is a fraction between 0 and 1. Received validation_split=1.5."),
    ({"batch_size": 0}, "batch_size is a whole number of at least 1. Received batch_size=0."),
    ({"seed": -1}, "seed is a whole number of at least 0. Received seed=-1."),
    ({"workers": 0}, "workers is a whole number of at least 1. Received workers=0."),
    ({"errors": "ignore"}, "errors is one of 'skip', 'raise'. Received errors='ignore'. Known: raise, skip."),
    (
        {"label_mode": "binary"},
        'label_mode="binary" is for two classes. Received 3 classes. Use label_mode="int" or "categorical".',
    ),
]


@pytest.mark.parametrize(("options", "message"), MISTAKES)
def test_mistakes(classes, options, message):
    with pytest.raises(ConvistaError) as caught:
        image_folder(classes, **options)
    assert type(caught.value) is ArgumentError
    assert str(caught.value) == f"image_folder: {message}"


def test_val_and_validation_split(splits):
    with pytest.raises(ArgumentError) as caught:
        image_folder(splits, validation_split=0.1)
    assert str(caught.value) == (
        "image_folder: a folder with val/ brings its own validation pictures. Received validation_split=0.1. "
        "Leave validation_split out."
    )


def real(data_folder: Path) -> Path:
    path = data_folder / "cifar10" / "cifar10-images.tar.xz"
    if not path.is_file():
        pytest.skip("CONVISTA_DATA has no cifar10/cifar10-images.tar.xz")
    return path


@pytest.mark.slow
def test_a_few_hundred_real_pictures(data_folder, tmp_path):
    from convista.data.archives import tar_members

    def wanted(member):
        return member.parts[0] == "test" and member.stem < "0030"

    for member, content in tar_members(real(data_folder), wanted, largest=1 << 20):
        (tmp_path / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / member).write_bytes(content)
        if len(list((tmp_path / "test").glob("*/*.jpg"))) == 300:
            break
    found = image_folder(tmp_path / "test", batch_size=50, shuffle=False)
    assert (found.train.size, found.image_shape, len(found.classes)) == (300, (32, 32, 3), 10)
    x = np.concatenate([x for x, y in found])
    assert found.skipped == ()
    for place in range(0, 300, 37):
        with Image.open(found.train.paths[place]) as image:
            np.testing.assert_array_equal(x[place], np.asarray(image.convert("RGB")))


@pytest.mark.slow
def test_all_real_pictures(data_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path))
    found = image_folder(real(data_folder), batch_size=500, workers=os.cpu_count())
    assert (found.train.size, found.test.size, found.image_shape) == (50_000, 10_000, (32, 32, 3))
    labels = np.concatenate([y for x, y in found.test])
    assert np.bincount(labels).tolist() == [1000] * 10
    assert found.skipped == ()
    capsys.readouterr()


# --- changes of single pictures by other people's code ---------------------------------------------------------------


class Turning:
    """Called like an albumentations.Compose: turns half of the pictures upside down, by its own seed."""

    def __init__(self, change=lambda picture: picture[::-1]):
        self.change, self.seen = change, 0

    def set_random_seed(self, seed):
        self.draw = np.random.default_rng(seed)

    def __call__(self, *args, force_apply=False, **data):
        self.seen += 1
        return {"image": self.change(data["image"]) if self.draw.random() < 0.5 else data["image"]}


def test_only_training_pictures_are_changed_anew_in_each_pass_and_by_the_seed(splits):
    plain = image_folder(splits, batch_size=8, image_size=16, seed=3)
    found = image_folder(splits, batch_size=8, image_size=16, seed=3, augmentation=Turning())
    again = image_folder(splits, batch_size=8, image_size=16, seed=3, augmentation=Turning(), workers=3)
    assert (found.augments, found.train.augments, found.test.augments, plain.augments) == (True, True, False, False)
    turned = []
    for _ in range(2):
        for (x, y), (same, _), (before, labels) in zip(found, again, plain, strict=True):
            np.testing.assert_array_equal(x, same)
            np.testing.assert_array_equal(y, labels)
            up, down = ((x == other).all((1, 2, 3)) for other in (before, before[:, ::-1]))
            assert (up | down).all()
            turned += down.tolist()
    assert 20 < sum(turned) < 52
    assert turned[:36] != turned[36:]
    # What is kept in memory is not what was changed.
    for ours, theirs in ((found.in_order(), plain.in_order()), (found.test, plain.test)):
        assert all((x == before).all() for (x, _), (before, _) in zip(ours, theirs, strict=True))


def test_a_split_leaves_the_validation_pictures_alone(classes):
    compose = Turning()
    found = image_folder(classes, validation_split=0.25, image_size=16, augmentation=compose)
    history = model().fit(found, epochs=2, verbose=0, validation_data=found.validation)
    # fit looks at the first batch, here all 27, before it begins.
    assert compose.seen == 27 + 2 * found.train.size == 81
    assert np.isfinite(history.history["val_loss"]).all()


ONLY = "only the pictures of training are augmented: a score on changed pictures tells about no picture. Received "
INSTEAD = "Give its .validation or .test, or .in_order(), the training pictures as they are."


def test_changed_pictures_judge_nothing(splits):
    found = image_folder(splits, image_size=16, augmentation=Turning())
    for call, where, received in (
        (lambda: model().fit(found, validation_data=found.train), "fit, validation_data", "PictureBatches"),
        (lambda: model().fit(found, validation_data=found), "fit, validation_data", "ImageFolder"),
        (lambda: model().evaluate(found), "evaluate", "ImageFolder"),
        (lambda: model().predict(found.train), "predict", "PictureBatches"),
    ):
        with pytest.raises(ArgumentError) as caught:
            call()
        assert str(caught.value) == f"{where}: {ONLY}{received} that changes pictures at random. {INSTEAD}"
    assert np.isfinite(model().evaluate(found.in_order(), verbose=0)).all()


def test_mistakes_of_augmentation(splits):
    with pytest.raises(ArgumentError) as caught:
        image_folder(splits, augmentation=[1])
    assert str(caught.value) == (
        'image_folder: augmentation is called as augmentation(image=picture)["image"], as an albumentations.Compose '
        "is. Received augmentation=[1]. Layers that augment go into the compiled step: model.fit(folder, "
        "augmentation=[RandomRotation(0.05)])."
    )
    found = image_folder(splits, augmentation=lambda image: {"image": image / 255})
    with pytest.raises(ArgumentError) as caught:
        next(iter(found))
    assert str(caught.value) == (
        "function: augmentation keeps uint8 pictures, or use would differ from training. Received pictures of "
        "float64. Leave ToFloat and Normalize out; Rescaling is a layer of the model."
    )


def test_the_real_albumentations(splits):
    albumentations = pytest.importorskip("albumentations")
    compose = albumentations.Compose([albumentations.HorizontalFlip(p=0.5), albumentations.Rotate(20, p=1.0)])
    first, second = (next(iter(image_folder(splits, image_size=16, augmentation=compose))) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
