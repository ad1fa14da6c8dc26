"""What a real browser makes of a page: headless Chromium as a subprocess, and a script in a copy of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDE, NARROW = 1280, 390
_SECONDS = 120
_HEIGHT = 900
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_CONSOLE = re.compile(r"CONSOLE[:(]\d+\)?\] (.*)")

# Runs inside the copy without waiting for anything, as Chromium may write the page down once it is loaded.
# Everything folded is opened first: what is hidden can be too wide as well.
_MEASURE = """<script>
addEventListener("load", () => {
  const height = document.documentElement.scrollHeight;
  document.querySelectorAll("details").forEach(one => { one.open = true; });
  const images = [...document.images];
  const broken = images.filter(image => !image.complete || !image.naturalWidth)
    .map(image => image.alt || image.src.slice(0, 60));
  const root = document.documentElement, framed = element => element.closest(".wide, pre") !== null;
  const ids = [...document.querySelectorAll("[id]")].map(element => element.id);
  parent.postMessage({
    inner: innerWidth, scroll: root.scrollWidth, height, images: images.length, broken,
    wide: [...document.body.querySelectorAll("*")]
      .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !framed(element))
      .map(element => element.tagName.toLowerCase() + (element.className ? "." + element.className : "")),
    requests: performance.getEntriesByType("resource").map(entry => entry.name),
    lost: [...document.querySelectorAll("a[href]")].map(link => link.getAttribute("href"))
      .filter(target => !target.startsWith("#") || !document.getElementById(target.slice(1))),
    repeated: ids.filter((id, place) => ids.indexOf(id) !== place),
  }, "*");
});
</script>"""

# Chromium opens no window narrower than 500 pixels, so every width is that of a frame.
_FRAMES = """<!DOCTYPE html><meta charset="utf-8"><body style="margin:0"><pre id="measured"></pre><script>
const found = {}, frames = {};
addEventListener("message", event => {
  for (const width in frames) if (frames[width].contentWindow === event.source) found[width] = event.data;
  document.getElementById("measured").textContent = JSON.stringify(found);
});
for (const width of WIDTHS) {
  const frame = frames[width] = document.createElement("iframe");
  Object.assign(frame.style, {width: width + "px", height: "HEIGHTpx", border: "0", display: "block"});
  frame.src = "copy.html";
  document.body.append(frame);
}
</script>"""


@dataclass(frozen=True)
class Measured:
    """A page at one width.

    Args:
        inner: The width of its window, in CSS pixels.
        scroll: The width of its content; larger than `inner` means that the page scrolls sideways.
        height: The height of its content, with what is folded left so.
        images: How many images it has.
        broken: Those that did not decode.
        wide: Elements that reach beyond the window, outside frames that scroll on their own.
        requests: Addresses that it asked for.
        lost: Links that lead nowhere in the page.
        repeated: Names that several elements have.
    """

    inner: int
    scroll: int
    height: int
    images: int
    broken: list[str]
    wide: list[str]
    requests: list[str]
    lost: list[str]
    repeated: list[str]

    @property
    def problems(self) -> list[str]:
        """What is wrong with it, one line each."""
        found = [f"{len(self.wide)} elements are too wide: {self.wide[:5]}"] if self.scroll > self.inner else []
        for words, names in (
            ("not decoded", self.broken),
            ("asked for", self.requests),
            ("link to nowhere", self.lost),
            ("repeated id", self.repeated),
        ):
            found += [f"{words}: {name}" for name in names]
        return found


class Browser:
    """A Chromium that is there.

    Args:
        program: Its path.
    """

    def __init__(self, program: str):
        self.program = program

    def measured(self, page: Path, widths: tuple[int, ...] = (WIDE, NARROW)) -> dict[int, Measured]:
        """Return what is found in a copy of a page at each width of its window."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            dom = self._run(_in_frames(page, folder, widths, _HEIGHT), folder).stdout
        found = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.DOTALL)
        assert found is not None, dom[:2000]
        text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        measured = {int(width): Measured(**values) for width, values in json.loads(text or "{}").items()}
        assert set(measured) == set(widths), f"the page was not measured: {text!r}"
        return measured

    def console(self, page: Path) -> list[str]:
        """Return what the page itself, unchanged, made the browser complain about."""
        with tempfile.TemporaryDirectory() as folder:
            done = self._run(page, Path(folder))
        return _CONSOLE.findall(done.stderr)

    def photograph(self, page: Path, width: int, path: Path, height: int | None = None) -> Path:
        """Write a screenshot of a page in a window of some width; of its whole height unless one is given."""
        high = self.measured(page, (width,))[width].height if height is None else height
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            frame = _in_frames(page, folder, (width,), high, measure=False)
            self._run(frame, folder, f"--screenshot={folder / 'shot.png'}", f"--window-size={max(width, 500)},{high}")
            with Image.open(folder / "shot.png") as shot:
                shot.convert("RGB").crop((0, 0, width, high)).save(path, optimize=True)
        return path

    def _run(self, page: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        words = [
            self.program,
            "--headless=new",
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-extensions",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=20000",
            *(options or (f"--window-size={WIDE},{_HEIGHT}", "--dump-dom")),
            page.resolve().as_uri(),
        ]
        return subprocess.run(
            words, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=_SECONDS, check=True
        )


def _in_frames(page: Path, folder: Path, widths: tuple[int, ...], height: int, measure: bool = True) -> Path:
    """Write a copy of a page that measures itself, and a page around it with one frame for each width."""
    text = _POLICY.sub("", page.read_text(encoding="utf-8"))
    head = re.search(r"<head[^>]*>", text)
    assert head is not None, "the page has no head"
    script = _MEASURE if measure else ""
    (folder / "copy.html").write_text(text[: head.end()] + script + text[head.end() :], encoding="utf-8")
    around = _FRAMES.replace("WIDTHS", json.dumps(widths)).replace("HEIGHT", str(height))
    (folder / "frames.html").write_text(around, encoding="utf-8")
    return folder / "frames.html"


def found() -> str | None:
    """Return the path of a Chromium on this machine, if there is one; ``CONVISTA_BROWSER`` names another."""
    named = os.environ.get("CONVISTA_BROWSER")
    return named or next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


def opened() -> Browser:
    """Return a browser, or skip the test; where CI says that one was made ready, its absence is a failure."""
    program = found()
    if program is not None:
        return Browser(program)
    message = "no Chromium on PATH: `make browser` installs Debian's where it can, CONVISTA_BROWSER names another"
    if os.environ.get("CI", "").lower() == "true" and os.environ.get("CONVISTA_WITHOUT_BROWSER") != "1":
        pytest.fail(f"{message}; in CI one has to be there", pytrace=False)
    pytest.skip(message)


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.style = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.style = tag == "style"
        if tag in ("script", "iframe", "object", "embed", "base"):
            self.found.append(f"<{tag}>")
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"):
                inside = (value or "").startswith(("data:", "#"))
                self.found += [] if inside else [f"{tag} {name}={value}"]
            if name == "style":
                self._styled(value or "")
            if name.startswith("on"):
                self.found.append(f"{tag} {name}")

    def handle_data(self, data: str) -> None:
        if self.style:
            self._styled(data)

    def handle_endtag(self, tag: str) -> None:
        self.style = False

    def _styled(self, text: str) -> None:
        self.found += [f"style {match}" for match in re.findall(r"url\((?!['\"]?data:)[^)]*\)|@import[^;]*", text)]


def outward(text: str) -> list[str]:
    """Return everything in a page's source that would ask for something outside it, or run a script."""
    parser = _Addresses()
    parser.feed(text)
    return parser.found
