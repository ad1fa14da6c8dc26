"""Weight files from a server on this machine: whole and right, or not there at all."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from convista.architectures import fetch_weights
from convista.errors import ArgumentError, DataError

CONTENT = b"weights" * 99
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves one file, and counts how often it was asked."""

    def do_GET(self):
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *arguments):
        """Nothing is printed."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = 0
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path))
    url = f"http://127.0.0.1:{server.server_port}/models/resnet18.pth?download=true"
    for _ in range(2):
        path = fetch_weights(url, DIGEST.upper(), len(CONTENT))
        assert path == tmp_path / "weights" / DIGEST[:16] / "resnet18.pth"
        assert path.read_bytes() == CONTENT
    assert server.asked == 1


def test_another_file_is_not_kept(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path))
    with pytest.raises(DataError, match="resnet18\\.pth could not be downloaded"):
        fetch_weights(f"http://127.0.0.1:{server.server_port}/resnet18.pth", "0" * 64, len(CONTENT))
    assert not list(tmp_path.rglob("*.pth"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("file:///etc/passwd", DIGEST, 9),
            "fetch_weights: url begins with https:// or http:// and ends in the name of a file. Received "
            "url='file:///etc/passwd'. Give a file on this machine to model.load_weights itself.",
        ),
        (
            ("https://example.org/a.pth", "abc", 9),
            "fetch_weights: sha256 is 64 hexadecimal digits. Received sha256='abc'. sha256sum FILE prints it; whoever "
            "publishes weights says it beside them.",
        ),
        (
            ("https://example.org/a.pth", DIGEST, 0),
            "fetch_weights: size is a whole number of at least 1. Received size=0.",
        ),
    ],
)
def test_messages(arguments, message):
    with pytest.raises(ArgumentError) as error:
        fetch_weights(*arguments)
    assert str(error.value) == message
