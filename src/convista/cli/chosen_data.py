"""What the word DATA on the command line stands for: a named dataset, an .npz file, a folder or archive of pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from convista.errors import ArgumentError, DataError, suggest

if TYPE_CHECKING:
    from convista.data.dataset import Dataset
    from convista.data.image_folders import ImageFolder
    from convista.data.picture_batches import PictureBatches
    from convista.data.pictures import Preprocessing
    from convista.models import Model

HELD_OUT = 0.2
"""The share of the pictures that judges, in a folder that has neither test/ nor val/."""


@dataclass(frozen=True)
class Pictures:
    """How the pictures of a folder are to be read; other data is what it is.

    Args:
        image_size: (height, width); None takes the one that is most frequent.
        color_mode: "rgb" or "grayscale".
        batch_size: Pictures in a batch.
        seed: Of their order.
        class_names: The classes in the order of a trained model, where there is one.
        preprocessing: That of a trained model, where there is one.
    """

    image_size: tuple[int, int] | None = None
    color_mode: str = "rgb"
    batch_size: int = 128
    seed: int = 0
    class_names: tuple[str, ...] | None = None
    preprocessing: Preprocessing | None = None


@dataclass(frozen=True, eq=False)
class FolderData:
    """A folder of pictures with a part that judges.

    Args:
        name: What it is called.
        train: The pictures to learn from.
        watching: Pictures that only watch the learning, where the folder brings both val/ and test/.
        test: The pictures that judge.
        classes: The names of the classes.
        source: Where the pictures are, and which of them judge.
        preprocessing: How they are brought to one size.
    """

    name: str
    train: PictureBatches
    watching: PictureBatches | None
    test: PictureBatches
    classes: tuple[str, ...]
    source: str
    preprocessing: Preprocessing


Data: TypeAlias = "Dataset | FolderData"


def choose_data(text: str, *, offline: bool = False, pictures: Pictures | None = None) -> Data:
    """Load the data a user names.

    Args:
        text: The name of a dataset; the path of an ``.npz`` file with x_train, y_train, x_test and y_test; a folder of
            pictures; or a tar archive of one.
        offline: Never use the network.
        pictures: How the pictures of a folder are read.

    Returns:
        The dataset; classes of an ``.npz`` file are called by their numbers.

    Raises:
        ArgumentError: No dataset has this name.
        DataError: The file, the folder or the dataset cannot be read.
    """
    import convista.data

    if is_folder(text):
        return _folder(text, pictures or Pictures())
    if not looks_like_a_file(text):
        if text not in convista.data.names():
            raise ArgumentError(
                "this is neither the name of a dataset, nor a folder of pictures, nor an .npz file",
                where="DATA",
                received=repr(text),
                fix=f"{suggest(text, convista.data.names())} Or give an .npz file, for example mine.npz",
            )
        return convista.data.load(text, offline=offline)
    from convista.data.dataset import Dataset
    from convista.data.npz import read_npz

    train, test = read_npz(text)
    count = int(max(train.y.max(), test.y.max())) + 1
    return Dataset(Path(text).stem, train, test, tuple(str(label) for label in range(count)), str(text))


def looks_like_a_file(text: str) -> bool:
    """Return whether a word is a path rather than a name.

    Example:
        >>> looks_like_a_file("digits"), looks_like_a_file("mine.npz")
        (False, True)
    """
    return text.endswith(".npz") or os.sep in text


def is_folder(text: str) -> bool:
    """Return whether a word stands for a folder of pictures or an archive of one; a dataset's name comes first.

    Example:
        >>> is_folder("pets.tar.gz"), is_folder("digits")
        (True, False)
    """
    import convista.data
    from convista.data.archive_folder import is_archive

    if is_archive(Path(text)):
        return True
    return text not in convista.data.names() and Path(text).is_dir()


def as_taken_by(model: Model, data: str, pictures: Pictures) -> Pictures:
    """Return how a folder's pictures are read for a trained model: in its size, its mode and by its preprocessing.

    Raises:
        DataError: It is a folder, and the model does not take pictures with 1 or 3 channels.
    """
    if not is_folder(data):
        return pictures
    shape = model.input_shape[1:]
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(
            "a model that reads picture files takes pictures with 1 or 3 channels",
            where=data,
            received=f"input_shape={model.input_shape}",
            fix="Use a model that begins with Input((height, width, channels))",
        )
    size = pictures.image_size if None in shape[:2] else (int(shape[0] or 0), int(shape[1] or 0))
    mode = "grayscale" if shape[2] == 1 else "rgb"
    return replace(pictures, image_size=size, color_mode=mode, preprocessing=model.preprocessing)


def open_folder(text: str, pictures: Pictures) -> ImageFolder:
    """Open a folder of pictures as it is, without holding anything out."""
    from convista.data import Preprocessing, image_folder

    how = pictures.preprocessing or Preprocessing()
    return image_folder(
        text,
        image_size=pictures.image_size,
        color_mode=pictures.color_mode,
        batch_size=pictures.batch_size,
        seed=pictures.seed,
        class_names=pictures.class_names,
        resize=how.resize,
        interpolation=how.interpolation,
        invert=how.invert,
    )


def _folder(text: str, pictures: Pictures) -> FolderData:
    found = open_folder(text, pictures)
    train, watching, test = found.train, found.validation, found.test
    judges = "test/"
    if test is None and watching is not None:
        test, watching, judges = watching, None, "val/"
    elif test is None:
        # Never by --seed: `evaluate` has to find the same pictures that `train` held out.
        train, test = train.parted(HELD_OUT, seed=0)
        judges = f"one in {round(1 / HELD_OUT)} of each class, drawn at random,"
    source = f"{found.source}; {judges} is held out"
    return FolderData(found.name, train, watching, test, found.classes, source, found.preprocessing)
