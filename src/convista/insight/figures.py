"""Pictures of a training run: its curves, its confusions and its mistakes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convista.errors import ArgumentError, ShapeError
from convista.insight.drawing import BLUE, GREY, VERMILLION, encoded, new_figure, save, style, write_picture
from convista.shapes import times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from convista.insight.dense import DenseMatrix

_LONGEST_CLASS = 14
_LONGEST_CLASS_BESIDE_A_PICTURE = 11
_UNITS = {"loss": "mean loss per picture", "accuracy": "share of pictures named right", "learning_rate": "step size"}
_MOST_NUMBERED = 20
_MOST_LABELLED = 40
_MOST_DRAWN = 4_096
_MOST_ROWS_NUMBERED = 12


def curves(history: Mapping[str, Sequence[float]], path: str | os.PathLike[str]) -> Path:
    """Draw how the loss and every metric went over the epochs, training beside validation.

    Args:
        history: Name → one value per epoch, as in ``History.history``; ``val_…`` are drawn beside their own name.
            Values that are not finite leave a gap; entries that are not numbers (a confusion matrix) are left out.
        path: The PNG file to write.

    Returns:
        The path.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     curves({"loss": [0.9, 0.4], "val_loss": [0.8, 0.5]}, Path(folder) / "curves.png").name
        'curves.png'
    """
    values = {name: array for name, series in history.items() if (array := _series(series)) is not None}
    epochs = max((len(array) for array in values.values()), default=0)
    if epochs == 0:
        return _notice("Nothing to draw yet", "No epoch was completed, so there are no curves.", path)
    names = [name for name in values if not (name.startswith("val_") and name.removeprefix("val_") in values)]
    columns = min(len(names), 2)
    rows = -(-len(names) // columns)
    with style():
        figure = new_figure(4.8 * columns, 3.6 * rows + 0.3)
        for index, name in enumerate(names):
            axes = figure.add_subplot(rows, columns, index + 1)
            _draw_curve(axes, name, values[name], values.get(f"val_{name}"))
        figure.suptitle(f"Learning over {epochs} epoch{'s' if epochs > 1 else ''}", fontsize=13, fontweight="bold")
        return save(figure, path)


def curve_png(name: str, training: Sequence[float], validation: Sequence[float] | None = None) -> bytes:
    """Return one curve, training beside validation where there is one, as the bytes of a PNG file.

    Args:
        name: What it is, for example ``"loss"``.
        training: One value per epoch; values that are not finite leave a gap.
        validation: The same of the pictures that only watch.
    """
    watching = None if validation is None else np.asarray(validation, np.float64)
    with style():
        figure = new_figure(4.8, 3.6)
        _draw_curve(figure.add_subplot(), name, np.asarray(training, np.float64), watching)
        return encoded(figure)


def confusion(matrix: np.ndarray, classes: Sequence[str], path: str | os.PathLike[str]) -> Path:
    """Draw which class was taken for which: right answers in blue on the diagonal, mistakes in orange beside it.

    A cell's colour is its share of its row, that is of all pictures that truly belong to the class. Mistakes have a
    colour scale of their own, so that one in a hundred is still seen. Up to 20 classes the counts stand in the cells.

    Args:
        matrix: int (C, C), rows the true class, columns the predicted one.
        classes: The C names.
        path: The PNG file to write.

    Returns:
        The path.

    Raises:
        ShapeError: The matrix is not C×C for the C names.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     confusion(np.array([[9, 1], [0, 10]]), ["cat", "dog"], Path(folder) / "confusion.png").name
        'confusion.png'
    """
    return write_picture(confusion_png(matrix, classes), path)


def confusion_png(matrix: np.ndarray, classes: Sequence[str]) -> bytes:
    """Return the picture that :func:`confusion` writes as the bytes of a PNG file.

    Args:
        matrix: int (C, C), rows the true class, columns the predicted one.
        classes: The C names.

    Raises:
        ShapeError: The matrix is not C×C for the C names.
    """
    matrix = np.asarray(matrix)
    count = len(classes)
    if matrix.shape != (count, count):
        raise ShapeError(
            "a confusion matrix has one row and one column per class",
            where="confusion",
            received=f"a matrix of shape {matrix.shape} and {count} class names",
            fix="Pass as many names as the matrix has rows",
        )
    total, right = int(matrix.sum()), int(np.trace(matrix))
    with style():
        side = float(np.clip(0.44 * count + 2.6, 5.2, 11.0))
        figure = new_figure(side, side)
        axes = figure.add_subplot()
        _draw_confusion(axes, matrix, [_short(str(name)) for name in classes])
        share = f"{right / total:.2%} right" if total else "no pictures"
        figure.suptitle(f"Confusion: {right:,} of {total:,} pictures, {share}", fontsize=13, fontweight="bold")
        return encoded(figure)


def mistakes(
    pictures: np.ndarray,
    truths: np.ndarray,
    predicted: np.ndarray,
    confidences: np.ndarray,
    classes: Sequence[str],
    path: str | os.PathLike[str],
    limit: int = 25,
) -> Path:
    """Draw the pictures that were taken for something else, the surest mistakes first.

    Args:
        pictures: uint8 (N, H, W, C), all pictures that were shown to the model; C is 1 (grey), 3 or 4 (colour). The
            ``x`` of a folder's pictures is one too: only what is drawn is read.
        truths: int (N,), the true classes.
        predicted: int (N,), the classes the model said.
        confidences: float (N,), how sure it was, 0 to 1.
        classes: The class names.
        path: The PNG file to write.
        limit: Draw at most this many.

    Returns:
        The path.

    Raises:
        ShapeError: The arrays do not have the same length, or the pictures do not have four axes.
        ArgumentError: `limit` is less than 1.

    Example:
        >>> import tempfile
        >>> pictures = np.zeros((2, 8, 8, 1), np.uint8)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "mistakes.png"
        ...     mistakes(pictures, [0, 1], [0, 0], [0.9, 0.8], ["cat", "dog"], file).name
        'mistakes.png'
    """
    truths, predicted, confidences = map(np.asarray, (truths, predicted, confidences))
    # The pictures of a folder are read by their numbers; as an array they might not fit the memory.
    pictures = pictures if hasattr(pictures, "ndim") else np.asarray(pictures)
    _check_mistakes(pictures, truths, predicted, confidences, limit)
    wrong = np.flatnonzero(truths != predicted)
    if wrong.size == 0:
        return _notice("No mistakes", f"All {len(truths):,} pictures were named correctly.", path)
    chosen = wrong[np.argsort(-confidences[wrong], kind="stable")][:limit]
    columns = min(5, len(chosen))
    rows = -(-len(chosen) // columns)
    with style():
        width, height = max(1.8 * columns, 3.6), 2.15 * rows + 0.5
        figure = new_figure(width, height, layout=None)
        left = (width - 1.8 * columns) / 2
        for place, index in enumerate(chosen):
            row, column = divmod(place, columns)
            # Inches from the left and the bottom; matplotlib's own layouts take a second for 25 pictures.
            corner = (left + 1.8 * column + 0.1, height - 0.5 - 2.15 * (row + 1) + 0.3)
            axes = figure.add_axes((corner[0] / width, corner[1] / height, 1.6 / width, 1.6 / height))
            said, truth = (
                _short(str(classes[label[index]]), _LONGEST_CLASS_BESIDE_A_PICTURE) for label in (predicted, truths)
            )
            _draw_picture(axes, pictures[index], f"said {said}, {confidences[index]:.1%}", f"is {truth}")
        shown = "" if len(chosen) == len(wrong) else f", the {len(chosen)} surest"
        title = f"Mistakes: {len(wrong):,} of {len(truths):,} pictures{shown}"
        figure.text(0.5, 1 - 0.12 / height, title, ha="center", va="top", fontsize=12, fontweight="bold")
        return save(figure, path)


def dense_matrix(matrix: DenseMatrix, path: str | os.PathLike[str]) -> Path:
    """Draw the matrix that a convolution is: one row for each output, one column for each input.

    Connections through the same weight have the same colour, so that sharing is seen as diagonals; what is not
    connected is white. Up to 12 outputs the numbers of the weights stand in the cells.

    Args:
        matrix: What ``as_dense`` returned; with at most 4,096 inputs and outputs, so that a pixel is no crowd.
        path: The PNG file to write.

    Returns:
        The path.

    Raises:
        ArgumentError: The matrix is too large for a picture.

    Example:
        >>> import tempfile
        >>> from convista.insight.dense import as_dense
        >>> from convista.layers import Conv2D
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     dense_matrix(as_dense(Conv2D(1, 2), (3, 3, 1)), Path(folder) / "matrix.png").name
        'matrix.png'

    Source: lecture 003, «Свертки».
    """
    outputs, inputs = matrix.shape
    if max(outputs, inputs) > _MOST_DRAWN:
        raise ArgumentError(
            f"a matrix is drawn up to {_MOST_DRAWN:,} inputs and outputs",
            where="dense_matrix",
            received=f"{outputs:,} × {inputs:,}",
            fix="Give as_dense a smaller input_shape: the pattern is the same",
        )
    with style():
        longest = max(outputs, inputs)
        scale = float(np.clip(0.42 * longest, 5.0, 9.0)) / longest
        figure = new_figure(max(inputs * scale, 3.0) + 1.6, max(outputs * scale, 2.0) + 1.5)
        axes = figure.add_subplot()
        _draw_matrix(axes, matrix)
        figure.suptitle(
            f"{matrix.connections:,} of {matrix.dense_connections:,} connections, "
            f"{matrix.weights:,} weight{'s' if matrix.weights != 1 else ''}",
            fontsize=13,
            fontweight="bold",
        )
        return save(figure, path)


def _draw_matrix(axes: Axes, matrix: DenseMatrix) -> None:
    from matplotlib import colormaps

    outputs, inputs = matrix.shape
    kinds = matrix.values.astype(np.float64) if matrix.places is None else matrix.places.astype(np.float64)
    least, most = (kinds.min(), kinds.max()) if kinds.size else (0.0, 1.0)
    colours = np.ones((outputs, inputs, 4), np.float32)
    # The darkest and the palest end are left out: the numbers stay readable, and no weight looks like no connection.
    shades = colormaps["viridis"](0.15 + 0.75 * (kinds - least) / max(most - least, 1e-9))
    colours[matrix.rows, matrix.columns] = shades
    axes.imshow(colours, interpolation="nearest", aspect="equal")
    axes.grid(False)
    axes.set_xlabel(f"input, {times(matrix.input_shape)} in a row")
    axes.set_ylabel(f"output, {times(matrix.output_shape)}")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(GREY)
    axes.tick_params(length=0)
    if inputs <= 2 * _MOST_NUMBERED and outputs <= _MOST_NUMBERED:
        axes.set_xticks(range(inputs), [str(number + 1) for number in range(inputs)], fontsize=8.0)
        axes.set_yticks(range(outputs), [str(number + 1) for number in range(outputs)], fontsize=8.0)
        for edge in np.arange(0.5, inputs - 1):
            axes.axvline(edge, color="#E6E6E6", linewidth=0.6)
        for edge in np.arange(0.5, outputs - 1):
            axes.axhline(edge, color="#E6E6E6", linewidth=0.6)
        _write_places(axes, matrix, shades)


def _write_places(axes: Axes, matrix: DenseMatrix, shades: np.ndarray) -> None:
    if matrix.places is None or matrix.shape[0] > _MOST_ROWS_NUMBERED:
        return
    dark = shades[:, :3] @ np.array([0.299, 0.587, 0.114]) < 0.55
    for row, column, place, is_dark in zip(matrix.rows, matrix.columns, matrix.places, dark, strict=True):
        colour = "white" if is_dark else "black"
        axes.text(column, row, f"w{place + 1}", ha="center", va="center", fontsize=8.0, color=colour)


def _draw_curve(axes: Axes, name: str, training: np.ndarray, validation: np.ndarray | None) -> None:
    from matplotlib.ticker import MaxNLocator

    bare = name.removeprefix("val_")
    lines = [("validation" if bare != name else "training", training)]
    if validation is not None:
        lines.append(("validation", validation))
    for label, series in lines:
        colour, dashes, marker = (BLUE, "-", "o") if label == "training" else (VERMILLION, "--", "s")
        said = f"last {series[-1]:.4g}" if name == "learning_rate" else f"{label}, last {series[-1]:.4g}"
        axes.plot(
            np.arange(1, len(series) + 1),
            np.where(np.isfinite(series), series, np.nan),
            dashes,
            color=colour,
            linewidth=1.8,
            marker=marker if len(series) <= 40 else None,
            markersize=4.5,
            label=said,
        )
    if not any(np.isfinite(series).any() for _, series in lines):
        axes.text(0.5, 0.5, "no finite value", transform=axes.transAxes, ha="center", va="center", color=GREY)
    axes.set_title(bare.replace("_", " "))
    axes.set_xlabel("epoch")
    axes.set_ylabel(_UNITS.get(bare, ""))
    axes.ticklabel_format(axis="y", useOffset=False)
    longest = max(len(series) for _, series in lines)
    if longest <= 10:
        axes.set_xticks(np.arange(1, longest + 1))
        axes.set_xlim(0.5, longest + 0.5)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.margins(x=0.02)
    axes.legend(loc="best")


def _draw_confusion(axes: Axes, matrix: np.ndarray, names: Sequence[str]) -> None:
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    count = len(names)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    diagonal = np.eye(count, dtype=bool)
    worst = max(float(share[~diagonal].max(initial=0.0)), 1e-9)
    # The upper ends of the colour maps are so dark that black lines and numbers drown in them.
    colours = np.where(
        diagonal[..., None],
        colormaps["Blues"](0.08 + 0.72 * share),
        colormaps["Oranges"](np.where(share > 0, 0.12 + 0.63 * share / worst, 0.0)),
    )
    colours[(matrix == 0) & ~diagonal] = (1.0, 1.0, 1.0, 1.0)
    axes.imshow(colours, interpolation="nearest")
    step = 1 if count <= _MOST_LABELLED else -(-count // 25)
    ticks = range(0, count, step)
    longest = max((len(names[tick]) for tick in ticks), default=0)
    size = 10.0 if count <= 12 else 9.0 if count <= _MOST_NUMBERED else 8.0
    axes.set_xticks(ticks, [names[tick] for tick in ticks], fontsize=size)
    axes.set_yticks(ticks, [names[tick] for tick in ticks], fontsize=size)
    if longest > 3:
        axes.tick_params(axis="x", labelrotation=90 if count > 12 else 45)
        if count <= 12:
            for label in axes.get_xticklabels():
                label.set(ha="right", rotation_mode="anchor")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.add_patch(Rectangle((-0.5, -0.5), count, count, fill=False, edgecolor=GREY, linewidth=0.8, clip_on=False))
    if count <= _MOST_NUMBERED:
        _write_counts(axes, matrix, colours)


def _write_counts(axes: Axes, matrix: np.ndarray, colours: np.ndarray) -> None:
    brightness = colours[..., :3] @ np.array([0.299, 0.587, 0.114])
    for row, column in np.ndindex(*matrix.shape):
        count = int(matrix[row, column])
        if count == 0 and row != column:
            continue  # an empty cell says zero more quietly than ninety zeros
        axes.text(
            column,
            row,
            _short_count(count),
            ha="center",
            va="center",
            fontsize=9.5 if len(matrix) <= 12 else 8.0,
            fontweight="bold" if row == column else "normal",
            color="white" if brightness[row, column] < 0.55 else "black",
        )
    for edge in np.arange(0.5, len(matrix) - 1):
        axes.axhline(edge, color="#E6E6E6", linewidth=0.6)
        axes.axvline(edge, color="#E6E6E6", linewidth=0.6)


def _draw_picture(axes: Axes, picture: np.ndarray, said: str, truth: str) -> None:
    shown = picture[..., :3] if picture.shape[-1] >= 3 else picture[..., 0]
    if shown.ndim == 2:
        axes.imshow(shown, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    else:
        axes.imshow(shown, interpolation="nearest")
    axes.set_title(said, fontsize=9.0, color=VERMILLION, pad=3)
    axes.set_xlabel(truth, fontsize=9.0, color="black", labelpad=3)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#BFBFBF")


def _notice(title: str, text: str, path: str | os.PathLike[str]) -> Path:
    with style():
        figure = new_figure(6.0, 2.4)
        figure.text(0.5, 0.62, title, ha="center", va="center", fontsize=15, fontweight="bold", color=BLUE)
        figure.text(0.5, 0.36, text, ha="center", va="center", fontsize=11)
        return save(figure, path)


def _check_mistakes(
    pictures: np.ndarray, truths: np.ndarray, predicted: np.ndarray, confidences: np.ndarray, limit: int
) -> None:
    lengths = {len(array) for array in (pictures, truths, predicted, confidences)}
    if pictures.ndim != 4 or len(lengths) != 1:
        raise ShapeError(
            "pictures are (N, H, W, C) with N truths, N predictions and N confidences",
            where="mistakes",
            received=", ".join(str(array.shape) for array in (pictures, truths, predicted, confidences)),
            fix="Pass arrays of the same length",
        )
    if limit < 1:
        raise ArgumentError("limit is at least 1", where="mistakes", received=f"limit={limit}", fix="Use limit=25")


def _series(series: Any) -> np.ndarray | None:
    try:
        array = np.asarray(series, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.ndim == 1 and array.size else None


def _short(name: str, length: int = _LONGEST_CLASS) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def _short_count(count: int) -> str:
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 10_000_000 else f"{count / 1e6:.0f}M"
