"""Words inside Markdown: names are the user's own, and nothing in them formats."""

from __future__ import annotations

import re


def plain(words: str) -> str:
    r"""Return words in which Markdown finds nothing to format.

    Example:
        >>> plain("a|b [1]")
        'a\\|b \\[1\\]'
    """
    return re.sub(r"([\\`*_{}\[\]<>#|~$])", r"\\\1", words)
