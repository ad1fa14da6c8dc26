"""The catalogue of a report's sentences: every key is used, every use has a key, and the blanks are filled."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import pytest

import convista.insight.reports as package
from convista.insight.reports.texts import NOUNS, TEXTS, counted, lasting, say

SOURCES = sorted(Path(package.__file__).parent.glob("*.py"))


def said(source: str) -> tuple[set[str], set[str]]:
    """Return the keys that a file asks for, and the beginnings of those that it puts together."""
    whole, starts = set(), set()
    for node in ast.walk(ast.parse(source)):
        texts = node.values if isinstance(node, ast.JoinedStr) else []
        if texts and isinstance(texts[0], ast.Constant) and "." in str(texts[0].value):
            starts.add(str(texts[0].value))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            whole.add(node.value)
    return whole, starts


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_sentence_is_said_somewhere():
    whole, starts = set(), set()
    for path in SOURCES:
        if path.name != "texts.py":
            found = said(path.read_text(encoding="utf-8"))
            whole |= found[0]
            starts |= found[1]
    titles = {key for key in TEXTS if key.endswith(".title")}
    unused = [key for key in TEXTS if key not in whole | titles and not key.startswith(tuple(starts))]
    assert unused == []


def calls(source: str) -> list[tuple[str, set[str] | None]]:
    """Return the keys that are said as they stand, with the names of their values; None where some are put together."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say" and node.args):
            continue
        key = node.args[0]
        if isinstance(key, ast.Constant):
            names = [word.arg for word in node.keywords]
            found.append((key.value, None if None in names else set(names)))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_key_is_known_and_its_blanks_are_filled(path):
    problems = []
    for key, names in calls(path.read_text(encoding="utf-8")):
        if key not in TEXTS:
            problems.append(f"{key} is not in the catalogue")
        elif names is not None and names != blanks(TEXTS[key]):
            problems.append(f"{key} has the blanks {blanks(TEXTS[key])} and is given {names}")
    assert problems == []


def test_wrong_keys_and_blanks_are_noticed():
    assert calls('say("story.none", a=1)') == [("story.none", {"a"})]
    assert calls('say("curve.caption", **values)') == [("curve.caption", None)]
    assert blanks("{a} and {b}") == {"a", "b"}
    with pytest.raises(KeyError):
        say("no such sentence")
    with pytest.raises(KeyError):
        say("curve.caption")


def test_sentences_are_plain_text():
    assert [key for key, text in TEXTS.items() if "<script" in text or "&lt;" in text] == []
    assert all(text.strip() == text and text for text in TEXTS.values())


def test_nouns_follow_their_number():
    assert [counted(number, "class") for number in (0, 1, 2, 1_000)] == [
        "0 classes",
        "1 class",
        "2 classes",
        "1\u00a0000 classes",
    ]
    assert all(len(forms) == 2 for forms in NOUNS.values())


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h 0 min"),
        (90_000, "25 h 0 min"),
    ],
)
def test_durations(seconds, words):
    assert lasting(seconds) == words
