"""The browser notices what is wrong with a page; each check is shown one fault."""

from __future__ import annotations

import pytest

from oracles import browser
from oracles.browser import NARROW, WIDE, opened

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAAB"
    "JRU5ErkJggg=="
)
FAULTS = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>faults</title></head>
<body style="margin:0">
<div id="a" style="width:700px">too wide for a narrow window</div><p id="a">the same name</p>
<img alt="fine" src="PIXEL"><img alt="broken" src="data:image/png;base64,AAAA">
<img alt="far" src="http://example.invalid/x">
<a href="#nowhere">lost</a><a href="#a">found</a><a href="https://example.invalid/">out</a>
<script>thereIsNoSuchFunction()</script></body></html>""".replace("PIXEL", PIXEL)
SOUND = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>sound</title></head><body>
<p id="a">short</p><div class="wide" style="overflow-x:auto"><div style="width:3000px">scrolls on its own</div></div>
<img alt="fine" src="PIXEL"><a href="#a">found</a></body></html>""".replace("PIXEL", PIXEL)


@pytest.mark.slow
def test_faults_are_noticed(tmp_path):
    page = tmp_path / "faults.html"
    page.write_text(FAULTS, encoding="utf-8")
    seen = opened().measured(page)
    assert (seen[WIDE].inner, seen[WIDE].scroll) == (WIDE, WIDE)
    assert (seen[NARROW].inner, seen[NARROW].scroll) == (NARROW, 700)
    common = [
        "not decoded: broken",
        "not decoded: far",
        "asked for: http://example.invalid/x",
        "link to nowhere: #nowhere",
        "link to nowhere: https://example.invalid/",
        "repeated id: a",
    ]
    assert seen[WIDE].problems == common
    assert seen[NARROW].problems == ["1 elements are too wide: ['div']", *common]
    assert opened().console(page) == [
        f'"Uncaught ReferenceError: thereIsNoSuchFunction is not defined", source: {page.resolve().as_uri()} (7)'
    ]


@pytest.mark.slow
def test_a_sound_page_has_no_problems(tmp_path):
    page = tmp_path / "sound.html"
    page.write_text(SOUND, encoding="utf-8")
    seen = opened().measured(page)
    assert [seen[width].problems for width in (WIDE, NARROW)] == [[], []]
    assert seen[WIDE].images == 1
    assert opened().console(page) == []


@pytest.mark.slow
def test_a_blocked_request_is_heard_of(tmp_path):
    policy = """<meta http-equiv="Content-Security-Policy" content="default-src 'none'">"""
    page = tmp_path / "blocked.html"
    page.write_text(FAULTS.replace("<title>", f"{policy}<title>"), encoding="utf-8")
    assert any("http://example.invalid/x" in line for line in opened().console(page))


@pytest.fixture
def no_browser(monkeypatch):
    monkeypatch.setattr(browser, "found", lambda: None)
    monkeypatch.delenv("CONVISTA_WITHOUT_BROWSER", raising=False)


def test_without_a_browser_a_test_is_skipped(no_browser, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no Chromium on PATH"):
        opened()


def test_in_ci_a_missing_browser_is_a_failure_unless_it_could_not_be_had(no_browser, monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="in CI one has to be there"):
        opened()
    monkeypatch.setenv("CONVISTA_WITHOUT_BROWSER", "1")
    with pytest.raises(pytest.skip.Exception, match="no Chromium on PATH"):
        opened()
