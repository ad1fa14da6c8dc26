"""What PICTURE stands for: a picture file, which the model prepares, or a .npy file with the numbers of one input."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np

    from convista.models import Model

_MODES = {"1": "black and white", "L": "grey", "P": "palette", "I;16": "16-bit grey"}
_TURNED = range(5, 9)  # the orientations of EXIF that lie on their side
_ORIENTATION = 0x0112


def read_input(file: str, network: Model) -> str | np.ndarray:
    """Return what a verb gives the network: the picture file's name, or the array of a .npy file.

    Of a picture that is brought to another size or to other channels, one line on standard error says so.

    Args:
        file: What the user named.
        network: The model that will look at it.

    Raises:
        DataError: The file is not there, or holds no numbers; the model does not say how files are scaled.
        ShapeError: The model takes no pictures.
    """
    if Path(file).suffix.lower() == ".npy":
        return _numbers(file)
    _tell_changes(file, network)
    return file


def _numbers(file: str) -> np.ndarray:
    import numpy as np

    from convista.errors import DataError

    fix = "Save one array of numbers with numpy.save"
    try:
        # Mapped first: a header that promises more than the file has is an error, and not so much memory.
        mapped = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise DataError("there is no such file", where=file) from None
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"a .npy file holds one array of numbers ({error})", where=file, fix=fix) from error
    if not isinstance(mapped, np.ndarray) or mapped.dtype.kind not in "biuf":
        received = f"dtype {mapped.dtype}" if isinstance(mapped, np.ndarray) else "several arrays"
        raise DataError("a .npy file holds one array of numbers", where=file, received=received, fix=fix)
    return np.array(mapped)


def _tell_changes(file: str, network: Model) -> None:
    from convista.data.files import regular_file
    from convista.data.pictures import opened
    from convista.errors import DataError, ShapeError
    from convista.insight.inspection import check_one_input, reading

    check_one_input(network, "PICTURE")
    path = regular_file(file)
    try:
        (height, width, channels), _ = reading(network)
    except (DataError, ShapeError) as error:
        fix = "Save one input, prepared as it was for the training, with numpy.save, and name the .npy file"
        raise type(error)(error.rule, where=error.where, received=error.received, fix=fix) from error
    if path.stat().st_size == 0:
        return  # what is wrong with the file is said where it is read
    with opened(path) as image:
        turned = image.getexif().get(_ORIENTATION) in _TURNED
        size = (image.height, image.width) if turned else image.size
        mode = image.mode
    wanted = "L" if channels == 1 else "RGB"
    if size == (width, height) and mode == wanted:
        return
    told = f"{size[0]}×{size[1]} {_MODES.get(mode, mode)}, brought to {width}×{height} {_MODES.get(wanted, wanted)}"
    says = "as the model takes it" if network.preprocessing is None else "as the model's preprocessing says"
    click.echo(f"{file}: {told} {says}", err=True)
