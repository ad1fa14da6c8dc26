"""The lectures' cells run when only their import root changes, and their numbers come out."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convista.data
from convista.data import Dataset, Split
from convista.models import Model, Summary
from convista.training import loop

CELLS = Path(__file__).parents[1] / "lectures" / "cells"
DENSE, OWN, DROPOUT = "000_4fde565dddcb5fd1", "002_4ac13a7139ed8a0a", "004_0da88112ce819bd5"
ALL = sorted(path.relative_to(CELLS).as_posix() for path in CELLS.glob("*/*.txt"))


def with_our_root(code: str) -> str:
    """The one change: ``tensorflow.keras`` and ``keras`` become ``convista.keras``."""
    code = re.sub(r"^from tensorflow import keras$", "from convista import keras", code, flags=re.M)
    code = re.sub(r"^import keras$", "import convista.keras as keras", code, flags=re.M)
    return re.sub(r"^from (tensorflow\.)?keras\b", "from convista.keras", code, flags=re.M)


class Notebook:
    """Runs cells of one lecture in one namespace, as a notebook does."""

    def __init__(self, lecture: str):
        self.lecture = lecture
        self.names: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.names[name]

    def run(self, *cells: str) -> Any:
        """Run cells; the value of the last one's last line, if that is an expression."""
        value = None
        for cell in cells:
            (path,) = (CELLS / self.lecture).glob(f"[0-9][0-9]-{cell}.txt")
            tree = ast.parse(with_our_root(path.read_text(encoding="utf-8")))
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, path.name, "exec"), self.names)  # noqa: S102 (a notebook runs code)
            code = compile(ast.Expression(last.value), path.name, "eval") if last else None
            value = eval(code, self.names) if code else None  # noqa: S307
        return value


def pictures_in_the_shape_of_mnist() -> Dataset:
    """A stand-in for MNIST with its shapes: noise, with a bright bar in the row that the label names."""
    generator = np.random.default_rng(0)

    def split(count: int) -> Split:
        y = generator.integers(0, 10, count, dtype=np.uint8)
        x = generator.integers(0, 64, (count, 28, 28, 1), dtype=np.uint8)
        x[np.arange(count), 4 + 2 * y] = 255
        return Split(x, y)

    return Dataset("mnist", split(60_000), split(10_000), tuple("0123456789"), "made by this test")


@pytest.fixture(scope="module")
def stand_in() -> Dataset:
    return pictures_in_the_shape_of_mnist()


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch, stand_in: Dataset) -> Dataset:
    """What ``mnist.load_data`` of the cells reads."""
    monkeypatch.setattr("convista.keras.datasets.mnist.load", lambda name: {"mnist": stand_in}[name])
    return stand_in


@pytest.fixture
def shortened(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """The cells ask for minutes of training; this cuts ``fit`` to one epoch on the first examples, cells untouched."""

    def cut(examples: int) -> None:
        fit = Model.fit

        def short(self: Model, x: Any, y: Any, *, epochs: int, **options: Any) -> Any:
            assert epochs in (1, 5)
            assert len(x) == 60_000
            return fit(self, x[:examples], y[:examples], epochs=1, verbose=0, **options)

        monkeypatch.setattr(Model, "fit", short)

    return cut


def rows(summary: Summary) -> list[tuple[str, tuple[int, ...], int]]:
    return [(row.kind, row.output_shape[1:], row.parameters) for row in summary.rows]


def last_convolution(summary: Summary) -> Any:
    return [row for row in summary.rows if row.kind == "Conv2D"][-1]


# --- the cells are the lectures' -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lectures(data_folder: Path) -> Path:
    folder = data_folder.parent / "lectures"
    if not folder.is_dir():
        pytest.skip("the lectures do not lie beside the data sets")
    return folder


def stands_in(cell: str, lecture: str) -> bool:
    """Whether a cell's lines stand in a lecture one after another, after a line that begins a cell."""
    return any(
        f"{start}\n{cell.rstrip(chr(10))}\n" in f"{lecture}\n"
        for start in ("```python", "In [None]:", "In [0]:", "● ● ●")
    )


@pytest.mark.parametrize("cell", ALL)
def test_a_cell_stands_in_its_lecture(cell: str, lectures: Path) -> None:
    lecture = (lectures / f"{cell.split('/')[0]}.txt").read_text(encoding="utf-8")
    text = (CELLS / cell).read_text(encoding="utf-8")
    assert stands_in(text, lecture)
    assert not stands_in(text.replace("a", "b", 1), lecture)


def test_no_cell_was_lost() -> None:
    assert [sum(name.startswith(lecture) for name in ALL) for lecture in (DENSE, OWN, DROPOUT)] == [19, 7, 4]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("from tensorflow import keras", "from convista import keras"),
        ("from tensorflow.keras import layers", "from convista.keras import layers"),
        ("from keras.datasets import mnist", "from convista.keras.datasets import mnist"),
        ("import keras", "import convista.keras as keras"),
        ("y = keras.utils.to_categorical(y, 10)", "y = keras.utils.to_categorical(y, 10)"),
    ],
)
def test_only_the_import_root_changes(theirs: str, ours: str) -> None:
    assert with_our_root(theirs) == ours


# --- lecture 000: the fully connected network ------------------------------------------------------------------------


def test_000_the_shapes_of_mnist(mnist: Dataset) -> None:
    notebook = Notebook(DENSE)
    notebook.run("load")
    assert notebook.run("training-pictures") == (60_000, 28, 28)
    assert notebook.run("training-labels") == 60_000
    assert notebook.run("test-pictures") == (10_000, 28, 28)
    assert notebook.run("test-labels") == 10_000
    assert notebook["train_images"].dtype == notebook["train_labels"].dtype == np.uint8


@pytest.mark.slow
def test_000_the_dense_network(
    mnist: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One epoch on as many pictures as MNIST has; the rest of the lecture's five would show nothing new."""
    fit, made = Model.fit, []

    def one_epoch(self: Model, x: Any, y: Any, *, epochs: int, batch_size: int) -> Any:
        assert (epochs, batch_size) == (5, 128)
        return fit(self, x, y, epochs=1, batch_size=batch_size, verbose=0)

    def counted(*arguments: Any) -> Any:
        for batch in batches(*arguments):
            made.append(batch)
            yield batch

    batches = loop.validation_batches
    monkeypatch.setattr(Model, "fit", one_epoch)
    monkeypatch.setattr(loop, "validation_batches", counted)

    notebook = Notebook(DENSE)
    history = notebook.run("load", "dense-model", "compile", "rows", "fit")
    assert list(history.history) == ["loss", "accuracy"]
    assert history.params["steps"] == 469
    assert int(notebook["model"].train_state.step) == 469
    summary = notebook["model"].summary(print_to=None)
    assert rows(summary) == [("Dense", (512,), 401_920), ("Dense", (10,), 5_130)]
    assert summary.total == 407_050

    prediction = notebook.run("predict")
    assert (prediction.shape, prediction.dtype) == ((10,), np.float32)
    assert float(prediction.sum()) == pytest.approx(1, abs=1e-5)
    assert notebook.run("answer") == notebook.run("label")
    notebook.run("evaluate")
    assert len(made) == 313
    assert notebook["test_acc"] > 0.98
    capsys.readouterr()
    notebook.run("accuracy")
    assert capsys.readouterr().out == f"test accuracy: {notebook['test_acc']}\n"


# --- lecture 000: the convolutional networks -------------------------------------------------------------------------


def test_000_the_convolutional_network() -> None:
    notebook = Notebook(DENSE)
    summary = notebook.run("convnet", "summary")
    assert rows(summary) == [
        ("InputLayer", (28, 28, 1), 0),
        ("Conv2D", (26, 26, 32), 320),
        ("MaxPooling2D", (13, 13, 32), 0),
        ("Conv2D", (11, 11, 64), 18_496),
        ("MaxPooling2D", (5, 5, 64), 0),
        ("Conv2D", (3, 3, 128), 73_856),
        ("Flatten", (1152,), 0),
        ("Dense", (10,), 11_530),
    ]
    assert summary.total == summary.trainable == notebook["model"].count_params() == 104_202
    assert summary.multiply_accumulates == 3_100_032
    assert last_convolution(summary).receptive_field == (18, 18)


TOTALS = """\
Total params: 104202 (407.04 KB)
Trainable params: 104202 (407.04 KB)
Non-trainable params: 0 (0.00 Byte)
"""


def test_000_the_printed_summary_ends_as_in_the_lecture(capsys: pytest.CaptureFixture[str]) -> None:
    Notebook(DENSE).run("convnet", "summary")
    assert TOTALS in capsys.readouterr().out
    Notebook(DENSE).run("convnet-without-pooling", "summary-without-pooling")
    assert TOTALS.replace("104202 (407.04 KB)", "712202 (2.72 MB)") in capsys.readouterr().out


def test_000_the_network_without_pooling() -> None:
    summary = Notebook(DENSE).run("convnet-without-pooling", "summary-without-pooling")
    assert rows(summary) == [
        ("InputLayer", (28, 28, 1), 0),
        ("Conv2D", (26, 26, 32), 320),
        ("Conv2D", (24, 24, 64), 18_496),
        ("Conv2D", (22, 22, 128), 73_856),
        ("Flatten", (61_952,), 0),
        ("Dense", (10,), 619_530),
    ]
    assert summary.total == 712_202
    assert summary.multiply_accumulates == 47_115_392
    assert last_convolution(summary).receptive_field == (7, 7)


@pytest.mark.slow
def test_000_the_convolutional_network_learns(mnist: Dataset, shortened: Callable[[int], None]) -> None:
    shortened(1280)
    notebook = Notebook(DENSE)
    history = notebook.run("convnet", "convnet-fit")
    assert history.params["steps"] == 10
    assert np.isfinite(history.history["loss"][0])
    assert notebook["model"].evaluate(notebook["test_images"][:500], notebook["test_labels"][:500], verbose=0)[1] > 0.5


# --- lecture 002: one layer after another ----------------------------------------------------------------------------


def test_002_the_network_grows_by_add() -> None:
    notebook = Notebook(OWN)
    notebook.run("sequential")
    totals, shapes = [], []
    for cell in ("first-convolution", "second-convolution", "pooling", "flatten", "dense"):
        notebook.run(cell)
        summary = notebook.run("summary")
        totals.append(summary.total)
        shapes.append(summary.rows[-1].output_shape[1:])
    assert totals == [224, 469, 469, 469, 832]
    assert shapes == [(28, 56, 8), (13, 19, 5), (4, 6, 5), (120,), (3,)]
    assert [(row.name, row.parameters) for row in summary.rows] == [
        ("conv2d", 224),
        ("conv2d_1", 245),
        ("max_pooling2d", 0),
        ("flatten", 0),
        ("dense", 363),
    ]


# --- lecture 004: with dropout ---------------------------------------------------------------------------------------


def test_004_the_network_with_dropout() -> None:
    notebook = Notebook(DROPOUT)
    summary = notebook.run("imports", "model")
    assert rows(summary) == [
        ("Conv2D", (26, 26, 8), 80),
        ("Conv2D", (24, 24, 16), 1_168),
        ("MaxPooling2D", (12, 12, 16), 0),
        ("Dropout", (12, 12, 16), 0),
        ("Flatten", (2304,), 0),
        ("Dense", (128,), 295_040),
        ("Dropout", (128,), 0),
        ("Dense", (10,), 1_290),
    ]
    assert summary.total == 297_578


@pytest.mark.slow
def test_004_the_network_learns(mnist: Dataset, shortened: Callable[[int], None]) -> None:
    shortened(640)
    notebook = Notebook(DROPOUT)
    history = notebook.run("imports", "load", "model", "fit")
    assert notebook["y"].shape == (60_000, 10)
    assert (notebook["X"].shape, notebook["X"].max()) == ((60_000, 28, 28, 1), 1)
    assert history.params["steps"] == 36
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert history.history["val_accuracy"][0] > 0.5


# --- on the real MNIST -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_000_on_the_real_mnist(mnist_folder: Path, shortened: Callable[[int], None]) -> None:
    assert mnist_folder.parent == Path(os.environ["CONVISTA_DATA"]).resolve()
    shortened(12_800)
    notebook = Notebook(DENSE)
    notebook.run("load")
    assert notebook["train_labels"][[0, 1, 2, -3, -2, -1]].tolist() == [5, 0, 4, 5, 6, 8]
    assert notebook["test_labels"][[0, 1, 2, -3, -2, -1]].tolist() == [7, 2, 1, 4, 5, 6]
    notebook.run("dense-model", "compile", "rows", "fit", "predict")
    assert notebook.run("answer") == notebook.run("label") == 7
    notebook.run("evaluate")
    assert notebook["test_acc"] > 0.9
    assert convista.data.load("mnist").classes == tuple("0123456789")


@pytest.mark.slow
def test_000_the_convolutional_network_on_the_real_mnist(mnist_folder: Path, shortened: Callable[[int], None]) -> None:
    shortened(5_120)
    notebook = Notebook(DENSE)
    notebook.run("convnet", "convnet-fit")
    loss, accuracy = notebook["model"].evaluate(
        notebook["test_images"][:1000], notebook["test_labels"][:1000], verbose=0
    )
    assert accuracy > 0.8
    assert loss < 1
