"""Where files are looked for and kept: the user's data, the cache, and whether the network may be asked."""

from __future__ import annotations

import os
from pathlib import Path

from convista.errors import ArgumentError

_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


def data_folder() -> Path | None:
    """Return the folder that ``CONVISTA_DATA`` names, or None when it is not set."""
    named = os.environ.get("CONVISTA_DATA", "")
    return Path(named).expanduser() if named else None


def cache_folder() -> Path:
    """Return the folder for downloads and compiled programs; it is not created.

    It is ``$CONVISTA_HOME``, else ``$XDG_CACHE_HOME/convista``, else ``~/.cache/convista``.
    """
    home = os.environ.get("CONVISTA_HOME", "")
    if home:
        return Path(home).expanduser()
    general = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says to ignore relative paths.
    if general and Path(general).is_absolute():
        return Path(general) / "convista"
    return Path("~/.cache/convista").expanduser()


def must_stay_offline() -> bool:
    """Tell whether ``CONVISTA_OFFLINE`` forbids the network.

    Raises:
        ArgumentError: It is set to something that is neither yes nor no.
    """
    said = os.environ.get("CONVISTA_OFFLINE", "").strip().lower()
    if said not in _YES + _NO:
        raise ArgumentError("CONVISTA_OFFLINE is 1 or 0", received=repr(said), fix="Set it to 1 to stay offline")
    return said in _YES
