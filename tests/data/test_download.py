"""Downloads from a server on this machine that tells the truth, stops half-way, or lies."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from convista.data.download import fetch
from convista.data.entries import Download
from convista.errors import DataError

CONTENT = bytes(range(256)) * 1000


class Handler(BaseHTTPRequestHandler):
    """Serves the same bytes under several names, each with its own fault."""

    def do_GET(self):
        if self.path == "/missing":
            return self.send_error(404)
        self.send_response(200)
        if self.path != "/endless":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if self.path == "/half":
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
        elif self.path == "/wrong":
            self.wfile.write(CONTENT[:-1] + b"?")
        elif self.path == "/stalled":
            self.wfile.write(CONTENT[: len(CONTENT) // 2])
            self.wfile.flush()
            self.server.stalled.wait(20)
        elif self.path == "/endless":
            self.endless()
        else:
            self.wfile.write(CONTENT)

    def endless(self):
        try:
            for _ in range(10_000):
                self.wfile.write(CONTENT)
                self.server.sent += len(CONTENT)
        except ConnectionError:
            pass

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        running.stalled, running.sent = threading.Event(), 0
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.stalled.set()
        running.shutdown()
        thread.join()


def download(server, *paths: str) -> Download:
    base = f"http://127.0.0.1:{server.server_address[1]}"
    urls = tuple(f"{base}/{path}" for path in paths)
    return Download("file.gz", urls, hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def test_a_good_download_is_whole(server, tmp_path):
    path = fetch(download(server, "good"), tmp_path / "cache")
    assert path == tmp_path / "cache" / "file.gz"
    assert path.read_bytes() == CONTENT
    assert os.listdir(tmp_path / "cache") == ["file.gz"]


@pytest.mark.parametrize("fault", ["half", "wrong", "missing", "endless"])
def test_nothing_that_looks_complete_remains(server, tmp_path, fault):
    wanted = download(server, fault)
    with pytest.raises(DataError) as caught:
        fetch(wanted, tmp_path)
    text = str(caught.value)
    assert text.startswith(f"file.gz could not be downloaded. Received {wanted.urls[0]}: ")
    assert text.endswith(f"Check the network, or put the file into the folder {tmp_path} yourself.")
    assert os.listdir(tmp_path) == []
    assert server.sent < 100 * len(CONTENT)


def test_a_wrong_checksum_says_both(server, tmp_path):
    wanted = download(server, "wrong")
    with pytest.raises(DataError) as caught:
        fetch(wanted, tmp_path)
    found = hashlib.sha256(CONTENT[:-1] + b"?").hexdigest()
    assert caught.value.received == f"{wanted.urls[0]}: wrong checksum: SHA-256 {found}, not {wanted.sha256}"


def test_the_next_mirror_is_asked_and_the_failure_is_said(server, tmp_path, capsys):
    wanted = download(server, "wrong", "good")
    assert fetch(wanted, tmp_path).read_bytes() == CONTENT
    assert f"{wanted.urls[0]}: wrong checksum" in capsys.readouterr().err


def test_nobody_listens(server, tmp_path):
    wanted = Download("file.gz", ("http://127.0.0.1:9/file.gz",), "0" * 64, 1)
    with pytest.raises(DataError, match=r"file.gz could not be downloaded. Received http://127.0.0.1:9/file.gz: Conn"):
        fetch(wanted, tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_killed_download_leaves_no_file_of_the_name(server, tmp_path):
    wanted = download(server, "stalled")
    code = (
        "import pathlib, sys; from convista.data.download import fetch; from convista.data.entries import Download; "
        f"fetch(Download('file.gz', {wanted.urls!r}, {wanted.sha256!r}, {wanted.size}), pathlib.Path(sys.argv[1]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.DEVNULL) as process:
        end = time.monotonic() + 15
        while not any(tmp_path.glob(".convista-*.part")) and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
    assert not (tmp_path / "file.gz").exists()
    assert [name[:10] for name in os.listdir(tmp_path)] == [".convista-"]
    assert fetch(download(server, "good"), tmp_path).read_bytes() == CONTENT
