"""Downloads: with progress, never larger than announced, and in place only when the checksum is right."""

from __future__ import annotations

import sys
from pathlib import Path

from convista.atomic import replacing
from convista.data.entries import Download
from convista.data.files import digest_of
from convista.errors import DataError

_SECONDS_OF_SILENCE = 30
_CHUNK = 1 << 16


def fetch(download: Download, folder: Path) -> Path:
    """Download a file into a folder.

    It is written under a temporary name and renamed once its SHA-256 is right, so that whatever interrupts it leaves
    nothing that looks complete. The URLs are tried in turn; each one that fails is named on stderr.

    Args:
        download: The file.
        folder: Where it goes; made when missing.

    Returns:
        The path of the complete file.

    Raises:
        DataError: No URL gave the right bytes; the message says what each one did.
    """
    target = folder / download.file
    target.parent.mkdir(parents=True, exist_ok=True)
    failures: list[str] = []
    for url in download.urls:
        try:
            with replacing(target) as temporary:
                _fetch_from(url, download, temporary)
        except DataError as error:
            failures.append(f"{url}: {error.received or error.rule}")
            print(f"{url}: {error.received or error.rule}", file=sys.stderr)
        else:
            return target
    raise DataError(
        f"{download.file} could not be downloaded",
        received="; ".join(failures),
        fix=f"Check the network, or put the file into the folder {folder} yourself",
    )


def _fetch_from(url: str, download: Download, temporary: Path) -> None:
    import requests
    from pooch import HTTPDownloader
    from urllib3.exceptions import HTTPError

    bar = _Bar(download)
    try:
        downloader = HTTPDownloader(
            progressbar=bar, chunk_size=_CHUNK, timeout=_SECONDS_OF_SILENCE, headers={"Accept-Encoding": "identity"}
        )
        downloader(url, str(temporary), None)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("the download failed", where=url, received=_said(error)) from error
    finally:
        bar.stop()
    size = temporary.stat().st_size
    if size != download.size:
        raise DataError("the download is not whole", where=url, received=f"{size} bytes of {download.size}")
    digest = digest_of(temporary)
    if digest != download.sha256:
        raise DataError(
            "the checksum is wrong", where=url, received=f"wrong checksum: SHA-256 {digest}, not {download.sha256}"
        )


class _Bar:
    """What pooch asks of a progress bar, drawn by rich on stderr; it also ends a download that grows too large."""

    def __init__(self, download: Download):
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.progress import TransferSpeedColumn as SpeedColumn

        self.total = 0
        self._download = download
        self._received = 0
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            SpeedColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(download.file, total=download.size)
        self._progress.start()

    def update(self, count: int) -> None:
        self._received += count
        # Pooch counts the last piece as a full one.
        if self._received > self._download.size + _CHUNK:
            raise DataError("more came than was announced", received=f"more than {self._download.size} bytes")
        self._progress.update(self._task, completed=self._received)

    def reset(self) -> None:
        """Pooch starts over to draw a full bar at the end; what was received stays received."""
        self._received = 0

    def close(self) -> None:
        """The bar is closed by ``stop``, which also runs when the download fails."""

    def stop(self) -> None:
        self._progress.stop()


def _said(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text[:200]}"
