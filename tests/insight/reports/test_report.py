"""Reports: every number against a slow count, every section made, and every odd run told as it is."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from convista import Input, Model, Sequential
from convista.data import Dataset, Preprocessing, Split, load
from convista.errors import DataError
from convista.insight import figures, report
from convista.insight.doctor.calibration import Calibration
from convista.insight.features.feature_map import feature_maps
from convista.insight.judgement import Judgement
from convista.insight.reports.classes import classes
from convista.insight.reports.confusion import confused_pair, confusion
from convista.insight.reports.hard_pictures import hardest
from convista.insight.reports.insides import _all
from convista.insight.reports.learning import learning
from convista.insight.reports.material import Material
from convista.insight.reports.report import Report
from convista.insight.reports.reproduction import reproduction
from convista.insight.reports.story import story
from convista.insight.reports.trust import _verdict
from convista.insight.runs import RunFolder
from convista.layers import Add, Conv1D, Conv2D, Conv3D, Dense, Flatten
from convista.models import load_model
from convista.training.optimizers import AdamW
from convista.training.schedules import CosineDecay

ANCHORS = [
    *("story", "curves", "confusion", "classes", "calibration", "pictures"),
    *("attribution", "filters", "maps", "derivation", "doctor", "reproduction"),
]


class Tables(HTMLParser):
    """The tables of a page by their captions, as rows of texts."""

    def __init__(self, text):
        super().__init__()
        self.found, self.rows, self.text, self.caption = {}, [], None, ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.rows = []
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td", "caption"):
            self.text = ""

    def handle_data(self, data):
        self.text = None if self.text is None else self.text + data

    def handle_endtag(self, tag):
        if tag == "caption":
            self.caption = self.text
        elif tag in ("th", "td"):
            self.rows[-1].append(self.text)
        elif tag == "table":
            self.found[self.caption] = self.rows


def words(page: Report) -> str:
    """The page as a reader sees it."""
    text = re.sub(r"<[^>]*>", " ", page.html.partition("<body>")[2])
    return re.sub(r"\s+", " ", text.replace("\u00a0", " ").replace("&#x27;", "'").replace("&quot;", '"'))


def notes(page: Report) -> dict[str, str]:
    return {part.anchor: part.note for part in page.sections if not part.made}


@pytest.fixture(scope="module")
def judged(finished):
    digits, model = load("digits"), load_model(finished / "model.convista")
    return digits.test, model.predict(digits.test.x, verbose=0)


def test_every_section_is_made(page):
    assert [part.anchor for part in page.sections] == ANCHORS
    assert notes(page) == {}
    assert page.title == "sequential on digits"
    assert len(page.html.encode()) < 1_000_000


def test_every_picture_in_it_is_whole(page):
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page.html)
    assert len(found) > 50
    for text in found:
        with Image.open(io.BytesIO(base64.b64decode(text))) as image:
            image.load()


def test_the_story_says_what_was_counted(page, judged):
    split, answers = judged
    right = sum(int(answer.argmax() == truth) for answer, truth in zip(answers, split.y, strict=True))
    text = words(page)
    assert f"Of 360 pictures that it had never seen it names {right} right: {100 * right / 360:.2f} %." in text
    assert "learned to tell 10 classes apart from 1 437 pictures of 8×8×1: the data digits." in text
    assert "10 % of them, drawn by the seed, were kept back to watch the learning." in text
    assert "Adam with a learning rate of 0.01 made the steps" in text


def test_the_tables_against_a_slow_count(page, judged):
    split, answers = judged
    tables = Tables(page.html).found
    matrix = np.zeros((10, 10), int)
    for answer, truth in zip(answers, split.y, strict=True):
        matrix[truth, answer.argmax()] += 1
    caption = next(name for name in tables if name.startswith("Confusion matrix"))
    cells = [[int(cell or 0) for cell in row[1:]] for row in tables[caption][1:]]
    np.testing.assert_array_equal(cells, matrix)
    for label, row in enumerate(tables["Precision, recall and F1 of every class"][1:]):
        assert row[:2] == [str(label), str((split.y == label).sum())]
        assert float(row[2]) == pytest.approx(matrix[label, label] / max(matrix[:, label].sum(), 1), abs=1e-4)
        assert float(row[3]) == pytest.approx(matrix[label, label] / matrix[label].sum(), abs=1e-4)


def test_the_calibration_error_against_a_slow_count(page, judged):
    split, answers = judged
    error = 0.0
    for number in range(15):
        inside = [
            (float(answer.max()), bool(answer.argmax() == truth))
            for answer, truth in zip(answers.astype(np.float64), split.y, strict=True)
            if min(int(answer.max() * 15), 14) == number
        ]
        if inside:
            sure, right = np.mean(inside, axis=0)
            error += len(inside) / 360 * abs(sure - right)
    said = re.search(r"expected calibration error is ([\d.]+) on 360 pictures", words(page))
    assert said is not None
    assert float(said[1]) == pytest.approx(error, abs=1e-3)


def test_the_worked_lines_of_every_layer_are_there(page):
    text = words(page)
    assert "output_h = (8 + 2·0 − 3) // 1 + 1 = 6" in text
    assert "parameters = 3·3·1·8 + 8 = 80" in text


def test_how_to_repeat_it(page, finished):
    import hashlib

    text = words(page)
    assert "convista train digits --model" in text
    assert "The seed was 0." in text
    sums = dict(Tables(page.html).found["Checksums"][1:])
    assert sums["model.convista"] == hashlib.sha256((finished / "model.convista").read_bytes()).hexdigest()
    assert len(sums) == 3
    assert "Read from inside the package." in text
    assert f"convista report {finished} digits --out {finished}/report.html" in text  # report.html may be there


def test_settings_left_open_are_those_of_the_network(page, copied, no_doctor):
    settings = dict(Tables(page.html).found["Settings"][1:])
    told = [settings[name] for name in ("optimizer", "learning_rate", "schedule")]
    assert told == ["Adam, by default", "0.01", "constant"]
    model = load_model(copied / "model.convista")
    model.compile(AdamW(CosineDecay(0.01, 900)), "sparse_categorical_crossentropy")
    record = RunFolder.open(copied).read_record()
    record["plan"] |= {"optimizer": None, "learning_rate": None, "schedule": "constant"}
    made = reproduction(Material(RunFolder.open(copied), record, model, None, "it is away."))
    settings = dict(Tables(str(made.body)).found["Settings"][1:])
    assert settings["optimizer"] == "AdamW, by default"
    assert settings["schedule"] == "CosineDecay, by default"


def test_layers_that_are_left_out_are_named():
    convolutions = [Conv2D(1, 1, name=f"c{number}") for number in range(10)]
    model = Sequential([Input((4, 4, 1)), *convolutions], seed=0)
    shown = "".join(map(str, _all(feature_maps(model, np.ones((4, 4, 1), np.float32)))))
    assert "8 of 10 layers are shown; left out: " in shown
    left = shown.partition("left out: ")[2].partition(".")[0].split(", ")
    assert len(left) == 2
    assert all(f"<h3>{name} (Conv2D)" not in shown for name in left)


@pytest.mark.parametrize(
    ("error", "confidence", "words"),
    [
        (0.1, 0.8, "The doctor calls this a fault only where the error is more than 0.15 above that chance: label"),
        (0.3, 0.8, ""),
        (0.05, 0.99, "The doctor calls it a fault where the error is more than 0.05 above that chance."),
        (0.2, 0.99, ""),
    ],
)
def test_why_the_doctor_finds_no_fault_in_probabilities(error, confidence, words):
    temperature = 2.0 if confidence > 0.9 else 0.5
    found = Calibration((), error, error, 0.9, confidence, temperature, error, 0.01, 0.02, 360)
    said = _verdict(found, "picture")
    assert ("The doctor" in said) == bool(words)
    assert words in said


def test_letters_are_read_on_every_colour_of_the_confusion_table(page):
    def luminance(colour):
        parts = np.array(colour) / 255
        return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    found = re.findall(r"background:rgb\((\d+),(\d+),(\d+)\);color:#(fff|000)", page.html)
    assert len(found) > 20
    for *ground, letters in found:
        pair = sorted([luminance([int(part) for part in ground]), 1.0 if letters == "fff" else 0.0])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) > 4.5


def judgement(truths, answers):
    truths = np.array(truths)
    split = Split(np.zeros((len(truths), 2, 2, 1), np.uint8), truths)
    return Judgement(split, ("a", "b", "c"), np.array(answers), None)


def test_the_hardest_are_the_surest_mistakes():
    found = judgement([0, 0, 1, 2], [[0.4, 0.5, 0.1], [0.9, 0.1, 0], [0.8, 0.15, 0.05], [0.3, 0.3, 0.4]])
    assert hardest(found, 5).tolist() == [2, 0]
    assert hardest(found, 1).tolist() == [2]


def test_without_mistakes_the_hardest_are_the_least_sure():
    found = judgement([0, 1], [[0.6, 0.4, 0], [0.1, 0.5, 0.4]])
    assert hardest(found, 5).tolist() == [1, 0]
    assert confused_pair(found.confusion) is None


def test_story_and_pictures_name_the_same_pair(page, judged):
    split, answers = judged
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (split.y, answers.argmax(axis=1)), 1)
    first, second, often = confused_pair(matrix)
    assert often == matrix[first, second] + matrix[second, first]
    text = words(page)
    assert f"The pair it confuses most: {first} and {second}, {often} times, both ways together." in text
    assert f"The most confused pair: {first} and {second}" in text


def test_single_mistakes_make_no_pair(copied, no_doctor):
    record = RunFolder.open(copied).read_record()
    record["test"]["confusion"] = (9 * np.eye(10, dtype=int) + np.eye(10, k=1, dtype=int)).tolist()
    model = load_model(copied / "model.convista")
    material = Material(RunFolder.open(copied), record, model, None, "it is away.")
    assert "No two classes were confused more than once." in str(story(material).body)
    assert "No mistake was made twice: 0 taken for 1 (1); " in str(confusion(material).body)


def test_the_confused_pair_counts_both_ways():
    a, b, c = [1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]
    found = judgement([0, 0, 1, 2, 2], [b, c, c, b, a])
    assert confused_pair(found.confusion) == (0, 2, 2)
    assert confused_pair(judgement([0, 1, 1, 2], [b, c, a, c]).confusion) == (0, 1, 2)
    assert confused_pair(judgement([0, 1, 2], [b, c, c]).confusion) is None  # each once: none is the most confused


@pytest.mark.slow
def test_data_given_and_data_found_give_the_same_page(finished, page):
    assert report(RunFolder.open(finished), load("digits")).html == page.html


def test_the_result_as_text_and_as_data(page, tmp_path):
    assert str(page).startswith("sequential on digits, 0.")
    assert "\n  What the doctor found" in str(page)
    document = page.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert document["sections"][0] == {"title": "The story", "anchor": "story", "made": True, "note": ""}
    assert page.save(tmp_path / "a.html").read_text(encoding="utf-8") == page.html
    assert page._repr_html_().startswith('<iframe sandbox title="sequential on digits"')
    assert "<h1>" not in page._repr_html_()


def test_a_folder_that_does_not_exist(page, tmp_path):
    with pytest.raises(ValueError, match="a page is written into a folder that exists"):
        page.save(tmp_path / "none" / "a.html")


@pytest.fixture
def no_doctor(monkeypatch):
    """Leave the doctor out of a test that is about something else: it takes seconds."""
    from convista.insight.reports import report as module

    monkeypatch.setattr(module, "SECTIONS", tuple(make for make in module.SECTIONS if make is not module.checkup))


def forget_data(folder, name="elsewhere"):
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    record["data"]["name"] = name
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return record


def test_data_that_cannot_be_loaded_leaves_what_the_run_wrote_down(copied):
    forget_data(copied)
    page = report(copied)
    assert set(notes(page)) == {"calibration", "pictures"}
    assert notes(page)["pictures"].startswith("the data of this run, elsewhere, could not be loaded again")
    assert notes(page)["pictures"].endswith("Give it: convista report RUN DATA, or in Python report(run, data).")
    text = words(page)
    assert "As the run itself counted, for the data is not at hand now." in text
    assert "shown the run's example.png" in text
    assert "Only the network and its training were examined" in text


@pytest.mark.slow
def test_a_model_alone(copied, no_doctor):
    for file in copied.iterdir():
        if file.name != "model.convista":
            file.unlink()
    page = report(copied / "model.convista")
    assert set(notes(page)) == {"curves", "confusion", "classes", "calibration", "pictures", "attribution", "maps"}
    assert "There is no run.json beside this model, so how it was trained is not known" in words(page)
    assert report(copied, "digits").title == "sequential on digits"


@pytest.mark.slow
def test_history_csv_stands_in_for_the_record(copied, no_doctor):
    (copied / "run.json").unlink()
    page = report(copied, "digits")
    assert "Over 3 epochs the loss went from" in words(page)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[1]", "it is no object"),
        ("[" * 100_000, "maximum recursion depth exceeded while decoding a JSON array from a unicode string"),
    ],
)
def test_a_record_that_is_none(copied, content, why):
    (copied / "run.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        report(copied, "digits")
    assert str(caught.value) == (
        f"{copied}/run.json: the record of a run is JSON, and this cannot be read ({why}). "
        "Put the file back as it was, or move it away: what it tells is then left out."
    )


ODD = [None, True, -1, 10**30, 1e300, "x", "", [], [1, "a"], {}, {"name": 3}]


@pytest.mark.slow
def test_odd_values_anywhere_in_the_record_break_nothing(copied, monkeypatch):
    record, model = forget_data(copied), load_model(copied / "model.convista")
    content = figures.curve_png("loss", [1.0, 0.5])
    monkeypatch.setattr(figures, "curve_png", lambda *arguments: content)
    made = 0
    for path in places(record):
        for odd in ODD:
            material = Material(RunFolder.open(copied), replaced(record, path, odd), model, None, "it is away.")
            for make in (story, learning, confusion, classes, reproduction):
                assert make(material).title
            made += 1
    assert made > 500


def places(tree, path=()):
    """Every place in a tree of dictionaries; of lists the first."""
    if path:
        yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from places(value, (*path, key))
    elif isinstance(tree, list) and tree:
        yield from places(tree[0], (*path, 0))


def replaced(tree, path, value):
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = replaced(tree[path[0]], path[1:], value)
    return copy


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "sentence"),
    [("interrupted", "The training was interrupted;"), ("diverged", "The training diverged: its loss was no longer")],
)
def test_a_run_that_did_not_end_well(copied, status, sentence, no_doctor):
    record = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    record |= {"status": status, "history": {"loss": [0.5, None], "accuracy": [None, 0.5]}}
    del record["test"], record["epochs"]
    (copied / "run.json").write_text(json.dumps(record), encoding="utf-8")
    text = words(report(copied, "digits"))
    assert sentence in text
    assert "In 2 epochs a value was not finite; the curve has a gap there." in text


def saved(model, folder, **settings):
    for name, value in settings.items():
        setattr(model, name, value)
    model.save(folder / "model.convista")
    return folder


def test_a_regression_says_that_it_names_no_classes(tmp_path, no_doctor):
    model = Sequential([Input((8, 8, 1)), Flatten(), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    page = report(saved(model, tmp_path), "digits")
    reason = "the network's answers are numbers, and nothing says that they are classes."
    assert notes(page)["calibration"] == notes(page)["pictures"] == notes(page)["attribution"] == reason
    assert notes(page)["filters"].startswith("filters: filters are the kernels of a convolution.")
    assert "derivation" not in notes(page)


def test_a_network_with_two_inputs(tmp_path):
    left, right = Input((4,)), Input((4,))
    model = Model([left, right], Dense(2, activation="softmax")(Add()([left, right])), seed=0)
    page = report(saved(model, tmp_path))
    assert notes(page)["confusion"] == "there are no results: the network has several inputs or outputs."
    assert "derivation" not in notes(page)


class Parts:
    """Examples of any shape, as a user might bring them."""

    def __init__(self, shape, classes, noise):
        x, y = noise.standard_normal((60, *shape)).astype(np.float32), np.arange(60) % len(classes)
        self.train = self.test = type("Part", (), {"x": x, "y": y, "__len__": lambda self: 60})()
        self.name, self.source, self.classes = "mine", "drawn at random", classes


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "layer"), [((12, 3), Conv1D), ((4, 5, 6, 1), Conv3D)])
def test_examples_that_are_no_pictures(tmp_path, noise, shape, layer):
    model = Sequential(
        [Input(shape), layer(4, 3, activation="relu"), Flatten(), Dense(2, activation="softmax")], seed=0
    )
    page = report(saved(model, tmp_path, classes=("calm", "wild")), Parts(shape, ("calm", "wild"), noise))
    size = "×".join(map(str, shape))
    assert notes(page) == {
        "curves": "no finished epoch was written down, neither in run.json nor in history.csv.",
        "pictures": f"its examples are of {size}, and such are not drawn.",
    }
    assert "Of 60 examples that it had never seen" in words(page)


@pytest.mark.slow
def test_many_classes_are_drawn_and_the_worst_come_first(tmp_path, noise, no_doctor):
    names = tuple(f"class {number}" for number in range(30))
    model = Sequential([Input((8, 8, 3)), Flatten(), Dense(30, activation="softmax")], seed=0)
    pictures = noise.integers(0, 256, (90, 8, 8, 3), dtype=np.uint8)
    split, scale = Split(pictures, np.arange(90) % 30), Preprocessing(scale=1 / 255)
    page = report(
        saved(model, tmp_path, classes=names, preprocessing=scale),
        Dataset("many", split, split, names, "drawn at random"),
    )
    tables = Tables(page.html).found
    assert len(tables["The 10 classes with the lowest F1"]) == 11
    assert len(tables["Precision, recall and F1 of every class"]) == 31
    assert "Confusion matrix of 30 classes" in page.html
    assert "One of them could not be asked: " in words(page)  # no convolution, so no Grad-CAM


@pytest.mark.slow
def test_a_network_without_mistakes(copied, no_doctor):
    digits, model = load("digits"), load_model(copied / "model.convista")
    right = model.predict(digits.test.x, verbose=0).argmax(axis=1) == digits.test.y
    easy = Split(digits.test.x[right], digits.test.y[right])
    text = words(report(copied, Dataset("easy", digits.train, easy, digits.classes, "")))
    assert "Everything was named right. These are the right answers that it was least sure of." in text
    assert "its true share of mistakes is likely below" in text
    assert "There are no mistakes." in text


def test_data_of_another_size(copied, noise):
    split = Split(noise.integers(0, 256, (10, 9, 9, 1), dtype=np.uint8), np.arange(10))
    with pytest.raises(DataError) as caught:
        report(copied, Dataset("other", split, split, tuple("0123456789"), ""))
    assert str(caught.value) == (
        "other: the model takes pictures of 8×8×1. Received pictures of 9×9×1. "
        "Use the data it was trained on, or train a new model."
    )


@pytest.mark.slow
def test_mixed_precision(copied, no_doctor):
    model = load_model(copied / "model.convista")
    model.policy = "mixed_bfloat16"
    model.save(copied / "model.convista")
    assert notes(report(copied, "digits")) == {}
