"""The flows of `ImageDataGenerator`: batches by number, passes, folders of pictures."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
from PIL import Image

from convista.errors import ArgumentError, DataError, ShapeError
from convista.keras.preprocessing.image import ImageDataGenerator

X = np.random.default_rng(0).random((10, 6, 6, 1)).astype(np.float32)
Y = np.arange(10, dtype=np.int32)


def test_a_pass_has_every_picture_once_and_the_next_another_order():
    flow = ImageDataGenerator().flow(X, Y, batch_size=4, sample_weight=Y / 10)
    assert len(flow) == 3
    batches = [flow[number] for number in range(3)]
    assert [len(batch[0]) for batch in batches] == [4, 4, 2]
    first = np.concatenate([batch[1] for batch in batches])
    assert sorted(first) == list(range(10))
    for x, y, weight in batches:
        np.testing.assert_array_equal(x, X[y])
        np.testing.assert_allclose(weight, y / 10)
    flow.on_epoch_end()
    second = np.concatenate([flow[number][1] for number in range(3)])
    assert sorted(second) == list(range(10))
    assert list(first) != list(second)
    flow.reset()
    np.testing.assert_array_equal(np.concatenate([flow[number][1] for number in range(3)]), first)


def test_next_goes_on_for_ever_and_for_ends_with_the_pass():
    flow = ImageDataGenerator().flow(X, batch_size=4)
    assert [len(next(flow)) for _ in range(7)] == [4, 4, 2, 4, 4, 2, 4]
    assert [len(batch) for batch in flow] == [4, 4, 2]


def test_changes_come_from_the_seed_the_pass_and_the_batch():
    def batches(seed):
        return ImageDataGenerator(rotation_range=90).flow(X, Y, batch_size=5, shuffle=False, seed=seed)

    one, same, other = batches(1), batches(1), batches(2)
    np.testing.assert_array_equal(one[0][0], same[0][0])
    assert np.any(one[0][0] != other[0][0])
    before = one[0][0]
    one.on_epoch_end()
    assert np.any(one[0][0] != before)


def test_the_users_function_keeps_the_shape():
    with pytest.raises(ShapeError) as caught:
        ImageDataGenerator(preprocessing_function=lambda x: x[:3]).flow(X, Y)[0]
    assert str(caught.value) == (
        "ImageDataGenerator: preprocessing_function returns a picture of the shape it was given. Received (3, 6, 1) "
        "for (6, 6, 1)."
    )


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for picture in range(4):
            Image.new("RGB", (5 + picture, 7), (number * 200, 50, 10 * picture)).save(
                tmp_path / name / f"{picture}.png"
            )
    (tmp_path / "dog" / "notes.txt").write_text("no picture")
    (tmp_path / "readme.md").write_text("no class")
    return tmp_path


def test_a_folder_of_classes(folder):
    flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(folder, (4, 6), batch_size=8, shuffle=False)
    x, y = flow[0]
    assert (x.shape, x.dtype) == ((8, 4, 6, 3), np.float32)
    assert flow.class_indices == {"cat": 0, "dog": 1}
    assert flow.classes.tolist() == [0] * 4 + [1] * 4
    assert flow.filenames[0] == "cat/0.png"
    np.testing.assert_array_equal(y, np.eye(2)[flow.classes])
    np.testing.assert_allclose(x[4, 0, 0], np.array([200, 50, 0]) / 255, rtol=1e-6)
    assert not flow.augments


def test_modes_of_colours_and_labels(folder):
    generator = ImageDataGenerator(horizontal_flip=True, validation_split=0.25)
    flow = generator.flow_from_directory(folder, (4, 4), "grayscale", class_mode="sparse", subset="validation")
    assert flow.n == 2
    assert flow[0][0].shape == (2, 4, 4, 1)
    assert flow[0][1].tolist() in ([0, 1], [1, 0])
    binary = generator.flow_from_directory(
        folder, (4, 4), class_mode="binary", classes=["dog", "cat"], subset="training"
    )
    assert (binary.n, binary.class_indices, binary[0][1].dtype) == (6, {"dog": 0, "cat": 1}, np.float32)
    assert binary.augments
    assert generator.flow_from_directory(folder, (4, 4), class_mode=None)[0].shape == (8, 4, 4, 3)


def test_what_is_wrong_with_a_folder_is_said(folder):
    generator = ImageDataGenerator()
    with pytest.raises(DataError) as caught:
        generator.flow_from_directory(folder / "nowhere")
    where = "ImageDataGenerator.flow_from_directory"
    assert str(caught.value) == (
        f"{where}: there is a folder with one folder for each class. Received {folder / 'nowhere'}."
    )
    with pytest.raises(DataError) as caught:
        generator.flow_from_directory(folder, classes=["dog", "cta"])
    assert str(caught.value) == f"{where}: every class is a folder. Received 'cta'. Did you mean 'cat'?"
    with pytest.raises(DataError, match="there are pictures in folders, one for each class"):
        generator.flow_from_directory(folder / "cat")
    (folder / "bird").mkdir()
    with pytest.raises(ArgumentError) as caught:
        generator.flow_from_directory(folder, class_mode="binary")
    assert str(caught.value) == (
        f'{where}: class_mode="binary" is for two classes. Received 3 classes. Use class_mode="categorical" or '
        '"sparse".'
    )


def test_files_that_are_no_pictures_are_left_out_and_named(folder, capsys):
    (folder / "cat" / "broken.png").write_bytes((folder / "cat" / "0.png").read_bytes()[:40])
    (folder / "cat" / "inside").mkdir()
    Image.new("RGB", (5, 5)).save(folder / "cat" / "inside" / "deep.png")
    (folder / "cat" / "._0.png").write_bytes(b"what some systems leave behind")
    flow = ImageDataGenerator().flow_from_directory(folder, 4, class_mode="sparse", shuffle=False)
    assert flow.filenames[4:6] == ["cat/broken.png", "cat/inside/deep.png"]
    for _ in range(2):
        x, y = flow[0]
        assert (x.shape, y.tolist()) == ((9, 4, 4, 3), [0] * 5 + [1] * 4)
    assert capsys.readouterr().err.count("Skipped 1 file") == 1
    with pytest.raises(DataError) as caught:
        _ = ImageDataGenerator().flow_from_directory(folder, 4, shuffle=False, batch_size=1)[4]
    assert str(caught.value) == (
        "ImageDataGenerator.flow_from_directory: a batch has at least one picture that can be read. Received "
        "cat/broken.png. Remove these files, or use a larger batch_size."
    )


def test_a_folder_with_splits_is_not_taken_for_classes(folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("pets")
    (root / "train").symlink_to(folder)
    with pytest.raises(DataError) as caught:
        ImageDataGenerator().flow_from_directory(root)
    assert str(caught.value) == (
        f"ImageDataGenerator.flow_from_directory: a flow reads one split. Received {root} with a folder train. Write "
        f"flow_from_directory({str(root / 'train')!r}), or train on convista.data.image_folder({str(root)!r})."
    )
    assert ImageDataGenerator().flow_from_directory(root / "train").n == 8


def test_an_archive_is_unpacked(folder, tmp_path_factory, monkeypatch):
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("CONVISTA_HOME", str(home))
    with tarfile.open(home / "pets.tar", "w") as archive:
        archive.add(folder, "pets")
    flow = ImageDataGenerator().flow_from_directory(home / "pets.tar", 4)
    assert (flow.n, flow[0][0].shape) == (8, (8, 4, 4, 3))


def test_what_the_flows_of_keras_take_besides():
    generator = ImageDataGenerator()
    assert generator.flow(X, save_to_dir=None, save_prefix="", ignore_class_split=False).n == 10
    with pytest.raises(ArgumentError) as caught:
        generator.flow_from_directory("anywhere", save_to_dir="there")
    assert str(caught.value) == (
        "ImageDataGenerator.flow_from_directory: Keras has save_to_dir; Convista does not have it yet. Received "
        "save_to_dir='there'. Leave it out; convista.insight.show_augmented draws variants into a picture."
    )
    with pytest.raises(ArgumentError) as caught:
        generator.flow(X, batchsize=3)
    assert str(caught.value) == (
        "ImageDataGenerator.flow: there is no argument 'batchsize'. Received batchsize=3. Did you mean 'batch_size'?"
    )
