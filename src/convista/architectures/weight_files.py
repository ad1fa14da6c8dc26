"""Published weight files: fetched once, kept only when their checksum is right."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from convista import arguments, folders
from convista.data.download import fetch
from convista.data.entries import Download
from convista.data.files import digest_of
from convista.errors import ArgumentError

_HEXADECIMAL = frozenset("0123456789abcdef")


def fetch_weights(url: str, sha256: str, size: int) -> Path:
    """Download a weight file into the cache, or find it there, and return its path for ``model.load_weights``.

    Args:
        url: Where it is, beginning with ``https://`` or ``http://``.
        sha256: The SHA-256 of its bytes, hexadecimal.
        size: How many bytes it has; not one more is taken.

    Returns:
        Its path in the cache, in a folder of its checksum.

    Raises:
        ArgumentError: The URL or the checksum is none.
        DataError: It cannot be fetched, or is another file.

    Example:
        >>> fetch_weights("resnet18.pth", "0" * 64, 10)
        Traceback (most recent call last):
        ...
        convista.errors.ArgumentError: fetch_weights: url begins with https:// or http:// and ends in the name...
    """
    parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    name = PurePosixPath(parts.path).name
    if parts.scheme not in ("https", "http") or not parts.netloc or not name or "\\" in name:
        raise ArgumentError(
            "url begins with https:// or http:// and ends in the name of a file",
            where="fetch_weights",
            received=f"url={url!r:.200}",
            fix="Give a file on this machine to model.load_weights itself",
        )
    if not isinstance(sha256, str) or len(sha256) != 64 or not set(sha256.lower()) <= _HEXADECIMAL:
        raise ArgumentError(
            "sha256 is 64 hexadecimal digits",
            where="fetch_weights",
            received=f"sha256={sha256!r:.100}",
            fix="sha256sum FILE prints it; whoever publishes weights says it beside them",
        )
    digest = sha256.lower()
    download = Download(name, (url,), digest, arguments.integer(size, "size", where="fetch_weights"))
    folder = folders.cache_folder() / "weights" / digest[:16]
    kept = folder / name
    if kept.is_file() and digest_of(kept) == digest:
        return kept
    return fetch(download, folder)
