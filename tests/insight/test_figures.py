"""The figures: drawn for every kind of run, the same bytes every time, never half written."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from convista.errors import ArgumentError, ShapeError
from convista.insight import as_dense, figures
from convista.layers import AveragePooling2D, Conv2D

DIGITS = [str(digit) for digit in range(10)]
BLUE, VERMILLION = (0, 114, 178), (213, 94, 0)


def picture(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def holds(path, colour):
    return bool((np.abs(picture(path) - colour).max(axis=-1) <= 2).any())


@pytest.fixture
def wrong():
    random = np.random.default_rng(0)
    truths = random.integers(0, 10, 40)
    predicted = truths.copy()
    predicted[:7] = (truths[:7] + 1) % 10
    pictures = random.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    return pictures, truths, predicted, random.random(40)


def test_curves_show_training_and_validation(tmp_path):
    path = figures.curves({"loss": [0.9, 0.4], "accuracy": [0.6, 0.9]}, tmp_path / "a.png")
    assert holds(path, BLUE)
    assert not holds(path, VERMILLION)
    both = {"loss": [0.9, 0.4], "val_loss": [0.8, 0.6], "accuracy": [0.6, 0.9], "val_accuracy": [0.5, 0.8]}
    path = figures.curves(both, tmp_path / "b.png")
    assert holds(path, BLUE)
    assert holds(path, VERMILLION)
    assert picture(path).shape == (468, 1152, 3)


@pytest.mark.parametrize(
    "history",
    [
        {},
        {"loss": []},
        {"loss": [0.5]},
        {"loss": [float("nan"), float("inf")]},
        {"loss": [0.9, float("nan"), 0.1], "val_loss": [0.5, 0.4]},
        {"loss": [1.0, 2.0], "confusion": [np.eye(2), np.eye(2)], "learning_rate": [1e-3, 1e-4]},
        {"loss": list(range(300)), "top_$k$": list(range(300)), "f1": [1] * 300},
    ],
)
def test_curves_of_odd_histories(tmp_path, history):
    drawn = picture(figures.curves(history, tmp_path / "curves.png"))
    assert 200 < drawn.mean() < 255


def test_confusion_colours_right_and_wrong_apart(tmp_path):
    perfect = picture(figures.confusion(np.diag([5] * 10), DIGITS, tmp_path / "a.png"))
    orange = (perfect[..., 0] - perfect[..., 2]) > 60
    assert not orange.any()
    matrix = np.diag([50] * 10)
    matrix[3, 7] = 1
    flawed = picture(figures.confusion(matrix, DIGITS, tmp_path / "b.png"))
    orange = (flawed[..., 0] - flawed[..., 2]) > 60
    rows, columns = np.nonzero(orange)
    assert orange.sum() > 500
    height, width = orange.shape
    assert 0.25 * height < rows.mean() < 0.45 * height  # row 3 of 10
    assert 0.65 * width < columns.mean() < 0.85 * width  # column 7 of 10


@pytest.mark.parametrize("count", [1, 2, 20, 21, 100])
def test_confusion_of_any_size(tmp_path, count):
    names = [f"a very long class name {number}" for number in range(count)]
    matrix = np.random.default_rng(0).integers(0, 20_000, (count, count))
    drawn = picture(figures.confusion(matrix, names, tmp_path / "a.png"))
    assert max(drawn.shape) <= 1400


def test_confusion_without_pictures(tmp_path):
    figures.confusion(np.zeros((3, 3), int), ["a", "b", "c"], tmp_path / "a.png")


def test_confusion_that_does_not_fit_its_names(tmp_path):
    with pytest.raises(ShapeError) as caught:
        figures.confusion(np.zeros((3, 4), int), ["a", "b", "c"], tmp_path / "a.png")
    assert str(caught.value) == (
        "confusion: a confusion matrix has one row and one column per class. Received a matrix of shape (3, 4) "
        "and 3 class names. Pass as many names as the matrix has rows."
    )


@pytest.fixture
def drawn(monkeypatch):
    """What `mistakes` writes above and under each picture."""
    seen = []
    draw = figures._draw_picture

    def record(axes, shown, said, truth):
        seen.append((said, truth))
        draw(axes, shown, said, truth)

    monkeypatch.setattr(figures, "_draw_picture", record)
    return seen


def test_mistakes_are_the_wrong_ones_surest_first(tmp_path, drawn):
    pictures = np.zeros((4, 8, 8, 1), np.uint8)
    path = tmp_path / "a.png"
    figures.mistakes(pictures, [1, 2, 3, 4], [1, 3, 5, 9], [0.99, 0.2, 0.9, 0.5], DIGITS, path)
    assert drawn == [("said 5, 90.0%", "is 3"), ("said 9, 50.0%", "is 4"), ("said 3, 20.0%", "is 2")]


def test_mistakes_keep_to_the_limit(tmp_path, wrong, drawn):
    figures.mistakes(*wrong, DIGITS, tmp_path / "a.png", limit=4)
    assert len(drawn) == 4


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_mistakes_of_grey_and_coloured_pictures(tmp_path, channels):
    pictures = np.full((2, 5, 7, channels), 200, np.uint8)
    pictures[..., 0] = 10
    path = figures.mistakes(pictures, [0, 1], [1, 0], [0.5, 0.6], ["cat", "a name far too long"], tmp_path / "a.png")
    assert holds(path, (10, 200, 200) if channels >= 3 else (10, 10, 10))


def test_no_mistakes_is_good_news(tmp_path, wrong, drawn):
    pictures, truths, _, confidences = wrong
    path = figures.mistakes(pictures, truths, truths, confidences, DIGITS, tmp_path / "a.png")
    assert drawn == []
    assert holds(path, BLUE)


def test_mistakes_check_what_they_get(tmp_path, wrong):
    pictures, truths, predicted, confidences = wrong
    with pytest.raises(ShapeError) as caught:
        figures.mistakes(pictures, truths[:-1], predicted, confidences, DIGITS, tmp_path / "a.png")
    assert str(caught.value) == (
        "mistakes: pictures are (N, H, W, C) with N truths, N predictions and N confidences. "
        "Received (40, 8, 8, 1), (39,), (40,), (40,). Pass arrays of the same length."
    )
    with pytest.raises(ArgumentError) as caught:
        figures.mistakes(*wrong, DIGITS, tmp_path / "a.png", limit=0)
    assert str(caught.value) == "mistakes: limit is at least 1. Received limit=0. Use limit=25."


def test_names_in_other_scripts_and_with_dollars(tmp_path):
    names = ["небо", "つ", "$x^$", "a_b"]
    matrix = np.eye(4, dtype=int)
    figures.confusion(matrix, names, tmp_path / "a.png")
    pictures = np.zeros((4, 8, 8, 1), np.uint8)
    figures.mistakes(pictures, [0, 1, 2, 3], [1, 2, 3, 0], [0.5] * 4, names, tmp_path / "b.png")


def test_a_matrix_shows_shared_weights_in_one_colour(tmp_path):
    drawn = picture(figures.dense_matrix(as_dense(Conv2D(1, 2), (3, 3, 1)), tmp_path / "a.png"))
    kinds, counts = np.unique(drawn.reshape(-1, 3), axis=0, return_counts=True)
    coloured = counts[(kinds.max(axis=1) - kinds.min(axis=1) > 30) & (counts > 500)]
    assert len(coloured) == 4  # weights, each in four cells
    assert coloured.max() < 1.2 * coloured.min()
    assert counts.max() > 20 * coloured.max() / 4


def test_matrices_of_many_sizes(tmp_path):
    for layer, shape in [(Conv2D(2, 3), (9, 9, 1)), (AveragePooling2D(2), (4, 4, 2)), (Conv2D(3, 1), (1, 1, 2))]:
        drawn = picture(figures.dense_matrix(as_dense(layer, shape), tmp_path / "a.png"))
        assert 150 < drawn.mean() < 255
    with pytest.raises(ArgumentError) as caught:
        figures.dense_matrix(as_dense(Conv2D(1, 1), (65, 65, 1)), tmp_path / "a.png")
    assert str(caught.value) == (
        "dense_matrix: a matrix is drawn up to 4,096 inputs and outputs. Received 4,225 × 4,225. "
        "Give as_dense a smaller input_shape: the pattern is the same."
    )


def test_same_bytes_whatever_the_users_settings(tmp_path, wrong):
    import matplotlib

    history = {"loss": [0.9, 0.4], "val_loss": [0.8, 0.6]}

    def draw(folder):
        folder.mkdir()
        figures.curves(history, folder / "curves.png")
        figures.confusion(np.diag([3] * 10), DIGITS, folder / "confusion.png")
        figures.mistakes(*wrong, DIGITS, folder / "mistakes.png")
        return {file.name: file.read_bytes() for file in folder.iterdir()}

    first = draw(tmp_path / "first")
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "black", "savefig.dpi": 30}):
        second = draw(tmp_path / "second")
    assert first == second
    assert len(first) == 3
    assert first["curves.png"] != first["confusion.png"]
    for content in first.values():
        assert set(Image.open(io.BytesIO(content)).info) <= {"dpi"}


def test_never_touches_pyplot(tmp_path):
    lines = [
        "import sys",
        "from convista.insight import figures",
        f"figures.curves({{'loss': [1.0]}}, {str(tmp_path / 'a.png')!r})",
        "sys.exit('matplotlib.pyplot' in sys.modules)",
    ]
    assert subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False).returncode == 0
