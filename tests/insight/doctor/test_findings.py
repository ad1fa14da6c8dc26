"""Findings and diagnoses as text, data and HTML."""

from __future__ import annotations

import re

import pytest

from convista.errors import ArgumentError
from convista.insight.doctor.findings import Diagnosis, Evidence, Finding, Fix

FOUND = Finding(
    "dead channels",
    "warning",
    "<b>",
    Evidence("3 of 4 channels are 0.", {"dead": (0, 1, 2), "share": float("nan")}),
    "They never learn.",
    Fix("Draw them anew.", "3 answer."),
)
NOTED = Finding("size lost", "note", None, Evidence("A row."), "Blind there.", Fix("Pad."))
DIAGNOSIS = Diagnosis("net", (FOUND, NOTED), ("dead channels",), (("duplicates", "needs data"),), 5)


def test_text():
    assert str(DIAGNOSIS) == (
        "Diagnosis of 'net': 1 warning, 1 note\n\n"
        "warning: dead channels in '<b>'\n"
        "  3 of 4 channels are 0.\n  They never learn.\n  → Draw them anew.\n  Tried on a copy: 3 answer.\n\n"
        "note: size lost\n  A row.\n  Blind there.\n  → Pad.\n  Not tried.\n\n"
        "Checked on 5 examples: dead channels\nNot checked:\n  duplicates: needs data"
    )
    assert repr(DIAGNOSIS) == str(DIAGNOSIS)


def test_data():
    document = DIAGNOSIS.to_dict()
    assert document["findings"][0] == {
        "name": "dead channels",
        "severity": "warning",
        "layer": "<b>",
        "evidence": {"sentence": "3 of 4 channels are 0.", "numbers": {"dead": [0, 1, 2], "share": None}},
        "consequence": "They never learn.",
        "fix": {"sentence": "Draw them anew.", "verified": "3 answer."},
    }
    assert document["counts"] == {"error": 0, "warning": 1, "note": 1}
    assert document["skipped"] == [{"check": "duplicates", "reason": "needs data"}]


def test_html_is_escaped_and_needs_nothing_else(tmp_path):
    path = DIAGNOSIS.save(tmp_path / "diagnosis.html")
    page = path.read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page
    assert "Draw them anew. Tried on a copy: 3 answer." in page
    assert "Pad. Not tried." in page
    assert "dead channels in '<b>'" not in page
    assert re.findall(r"https?://|<script|<link", page) == []
    assert DIAGNOSIS._repr_html_() in page


def test_a_page_goes_into_a_folder_that_exists(tmp_path):
    with pytest.raises(ArgumentError, match="a folder that exists"):
        DIAGNOSIS.save(tmp_path / "none" / "diagnosis.html")
