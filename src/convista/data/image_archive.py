"""CIFAR-10 as an archive of JPEG pictures, ``train/CLASS/NNNN.jpg`` and ``test/CLASS/NNNN.jpg``."""

from __future__ import annotations

import io
import sys
from pathlib import Path, PurePosixPath

import numpy as np

from convista.atomic import replacing
from convista.data.archives import tar_members
from convista.data.dataset import Split
from convista.data.files import digest_of
from convista.data.npz import read_npz
from convista.errors import DataError

_LARGEST_PICTURE = 1 << 20
_SIDE = 32


def read_image_archive(path: Path, classes: tuple[str, ...], *, kept: Path) -> tuple[Split, Split]:
    """Decode an archive of 32×32 pictures, and keep the decoded arrays for the next time.

    The pictures are put in the order of their numbers, and the classes in turn within a number: 0, 1, …, 9, 0, 1, … So
    every slice of the training half has about as many of each class.

    Args:
        path: The archive.
        classes: The names of the classes, which are the names of its folders.
        kept: The folder for the decoded arrays; their name carries the archive's SHA-256.

    Returns:
        The training and the test pictures, uint8 ``(count, 32, 32, 3)``, with int32 labels.

    Raises:
        DataError: The archive is damaged, or a picture is not a JPEG of 32×32.
    """
    decoded = kept / f"{path.name.split('.')[0]}-{digest_of(path)[:32]}.npz"
    if decoded.is_file():
        try:
            return read_npz(decoded)
        except DataError as error:
            print(f"{error} It is replaced.", file=sys.stderr)
    print(f"Decoding {path}; this is done once.", file=sys.stderr)
    train, test = _decode(path, classes)
    _keep(decoded, train, test)
    return train, test


def _decode(path: Path, classes: tuple[str, ...]) -> tuple[Split, Split]:
    labels = {name: label for label, name in enumerate(classes)}
    found: dict[str, list[tuple[str, int, np.ndarray]]] = {"train": [], "test": []}

    def wanted(member: PurePosixPath) -> bool:
        parts = member.parts
        return len(parts) == 3 and parts[0] in found and parts[1] in labels and member.suffix == ".jpg"

    for member, content in tar_members(path, wanted, largest=_LARGEST_PICTURE):
        half, name, _ = member.parts
        found[half].append((member.stem, labels[name], _picture(f"{path}: {member}", content)))
    return _split(path, "train", found["train"]), _split(path, "test", found["test"])


def _picture(where: str, content: bytes) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            if image.size != (_SIDE, _SIDE):
                raise DataError(f"these pictures are {_SIDE}×{_SIDE}", where=where, received=f"{image.size}")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"the picture cannot be decoded ({error})", where=where) from error


def _split(path: Path, half: str, found: list[tuple[str, int, np.ndarray]]) -> Split:
    if not found:
        raise DataError(f"there are no pictures {half}/CLASS/NUMBER.jpg in this archive", where=str(path))
    found.sort(key=lambda item: item[:2])
    return Split(np.stack([picture for _, _, picture in found]), np.array([label for _, label, _ in found], np.int32))


def _keep(decoded: Path, train: Split, test: Split) -> None:
    try:
        decoded.parent.mkdir(parents=True, exist_ok=True)
        with replacing(decoded) as temporary, open(temporary, "wb") as file:
            np.savez(file, x_train=train.x, y_train=train.y, x_test=test.x, y_test=test.y)
    except OSError as error:
        print(f"{decoded} could not be written ({error}); the next time it is decoded again.", file=sys.stderr)
