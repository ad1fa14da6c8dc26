"""Words in Markdown: every sign that formats is held back."""

from __future__ import annotations

from convista.insight.markdown import plain


def test_every_sign_that_formats() -> None:
    signs = "\\`*_{}[]<>#|~$"
    assert plain(f"a {signs} b") == "a " + "".join(f"\\{sign}" for sign in signs) + " b"
    assert plain("a plain name, 3 × 4") == "a plain name, 3 × 4"
