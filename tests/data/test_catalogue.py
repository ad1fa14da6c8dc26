"""Datasets by name: the folder, the cache, the network, in this order, and never the network offline."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from convista.data import describe, load, names
from convista.data.entries import ENTRIES, IDX_FILES, Download
from convista.errors import ArgumentError, DataError
from oracles.cifar_files import cifar10, tar

X, Y = np.arange(6 * 28 * 28, dtype=np.uint8).reshape(6, 28, 28), np.array([5, 0, 4, 1, 9, 2], np.uint8)
PARTS = (X[:4], Y[:4], X[4:], Y[4:])


def idx(values: np.ndarray) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


CONTENTS = {f"{name}.gz": gzip.compress(idx(part), mtime=0) for name, part in zip(IDX_FILES, PARTS, strict=True)}


def entries(base: str = "http://127.0.0.1:9"):
    """A table with a tiny fashion_mnist, a tiny cifar10 and a tiny mnist."""
    downloads = tuple(
        Download(name, (f"{base}/{name}",), hashlib.sha256(content).hexdigest(), len(content))
        for name, content in CONTENTS.items()
    )
    return {
        "mnist": dataclasses.replace(ENTRIES["mnist"], counts=(4, 2), contents=()),
        "fashion_mnist": dataclasses.replace(ENTRIES["fashion_mnist"], counts=(4, 2), downloads=downloads),
        "cifar10": dataclasses.replace(ENTRIES["cifar10"], counts=(10, 2)),
    }


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """An empty data folder, with an empty cache beside it."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("CONVISTA_DATA", str(folder))
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CONVISTA_OFFLINE", raising=False)
    return folder


def put(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def check(dataset) -> None:
    np.testing.assert_array_equal(dataset.train.x[..., 0], X[:4])
    np.testing.assert_array_equal(dataset.test.y, Y[4:])
    assert dataset.classes[9] == "Ankle boot"
    assert dataset.train.y.dtype == np.int32


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_from_the_folder(data, packed):
    contents = CONTENTS if packed else {name[:-3]: gzip.decompress(content) for name, content in CONTENTS.items()}
    put(data / "fashion_mnist", contents)
    dataset = load("fashion_mnist", offline=True, entries=entries())
    check(dataset)
    assert f"Read from {data / 'fashion_mnist'}." in dataset.source
    assert "MIT" in dataset.source


@pytest.mark.parametrize("place", [".", "fashion_mnist"])
def test_npz_from_the_folder(data, place):
    put(data / place, {})
    np.savez(data / place / "fashion_mnist.npz", x_train=X[:4], y_train=Y[:4], x_test=X[4:], y_test=Y[4:])
    check(load("fashion_mnist", offline=True, entries=entries()))


def test_idx_files_directly_in_the_folder_belong_to_nobody(data):
    put(data, CONTENTS)
    assert not describe("fashion_mnist", entries=entries()).available


@pytest.mark.parametrize("version", ["bin", "py"])
def test_cifar_from_folder_and_archive(data, version):
    folder = "cifar-10-batches-bin" if version == "bin" else "cifar-10-batches-py"
    archive = "cifar-10-binary.tar.gz" if version == "bin" else "cifar-10-python.tar.gz"
    put(data / folder, cifar10(version))
    first = load("cifar10", offline=True, entries=entries())
    put(data / "cifar10", {})
    tar(data / "cifar10" / archive, {f"{folder}/{name}": content for name, content in cifar10(version).items()})
    second = load("cifar10", offline=True, entries=entries())
    np.testing.assert_array_equal(first.train.x, second.train.x)
    assert first.train.y.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert "cifar10" in second.source


def test_the_folder_comes_before_the_cache(data, tmp_path):
    put(tmp_path / "home" / "data" / "fashion_mnist", CONTENTS)
    assert describe("fashion_mnist", entries=entries()).location == str(tmp_path / "home" / "data" / "fashion_mnist")
    put(data / "fashion_mnist", CONTENTS)
    assert describe("fashion_mnist", entries=entries()).location == str(data / "fashion_mnist")


def test_offline_says_where_it_looked(data, tmp_path, monkeypatch):
    def no_network(*arguments, **options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", no_network)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    put(data / "fashion_mnist", {IDX_FILES[0]: b""})
    cache = tmp_path / "home" / "data" / "fashion_mnist"
    expected = (
        "dataset 'fashion_mnist': the files were not found, and offline nothing is downloaded. "
        f"Looked in {data / 'fashion_mnist'}, {data}, {cache}; there is only {data / 'fashion_mnist' / IDX_FILES[0]}. "
        f"Put {', '.join(CONTENTS)} into one of these folders, or load it once with the network."
    )
    for offline, variable in ((True, "0"), (False, "1")):
        monkeypatch.setenv("CONVISTA_OFFLINE", variable)
        with pytest.raises(DataError) as caught:
            load("fashion_mnist", offline=offline, entries=entries())
        assert str(caught.value) == expected
    monkeypatch.delenv("CONVISTA_DATA")
    with pytest.raises(DataError, match=r"Looked in [^,]* \(CONVISTA_DATA is not set\)\. Put"):
        load("fashion_mnist", entries=entries())
    monkeypatch.setenv("CONVISTA_OFFLINE", "0")
    monkeypatch.setattr("convista.data.catalogue.fetch", no_network)
    with pytest.raises(AssertionError, match="the network was asked"):
        load("fashion_mnist", entries=entries())


@pytest.fixture
def server(tmp_path):
    import threading
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path / "served"))

        def log_message(self, *arguments):
            """Say nothing."""

        def do_GET(self):
            self.server.asked.append(self.path[1:])
            super().do_GET()

    put(tmp_path / "served", CONTENTS)
    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_download_lands_in_the_cache_once(data, tmp_path, server):
    table = entries(f"http://127.0.0.1:{server.server_address[1]}")
    cache = tmp_path / "home" / "data" / "fashion_mnist"
    put(cache, {IDX_FILES[1] + ".gz": CONTENTS[IDX_FILES[1] + ".gz"]})
    check(load("fashion_mnist", entries=table))
    assert sorted(os.listdir(cache)) == sorted(CONTENTS)
    check(load("fashion_mnist", offline=True, entries=table))
    assert sorted(server.asked) == sorted(name for name in CONTENTS if not name.startswith(IDX_FILES[1]))


def test_a_damaged_download_is_not_kept(data, tmp_path, server):
    table = entries(f"http://127.0.0.1:{server.server_address[1]}")
    (tmp_path / "served" / f"{IDX_FILES[2]}.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte.gz could not be downloaded"):
        load("fashion_mnist", entries=table)
    assert not describe("fashion_mnist", entries=table).available
    assert sorted(os.listdir(tmp_path / "home" / "data" / "fashion_mnist")) == sorted(list(CONTENTS)[:2])


def test_counts_that_differ_name_both_files(data):
    folder = data / "fashion_mnist"
    put(folder, {**CONTENTS, "train-labels-idx1-ubyte.gz": gzip.compress(idx(Y))})
    with pytest.raises(DataError) as caught:
        load("fashion_mnist", entries=entries())
    assert str(caught.value) == (
        f"{folder / 'train-images-idx3-ubyte.gz'}: there is one label for each picture. "
        f"Received 4 pictures and 6 labels in {folder / 'train-labels-idx1-ubyte.gz'}. "
        "Check that both files are of the same half, train or t10k."
    )


def test_pictures_and_labels_that_changed_places(data):
    folder = data / "fashion_mnist"
    put(folder, {**CONTENTS, "train-images-idx3-ubyte.gz": CONTENTS["train-labels-idx1-ubyte.gz"]})
    with pytest.raises(DataError) as caught:
        load("fashion_mnist", entries=entries())
    assert str(caught.value) == (
        f"{folder / 'train-images-idx3-ubyte.gz'}: pictures are uint8 of shape (count, height, width). "
        "Received uint8 of shape (4,)."
    )


def test_another_dataset_under_the_name(data):
    put(data / "mnist", CONTENTS)
    with pytest.raises(DataError) as caught:
        load("mnist")
    assert str(caught.value) == (
        f"{data / 'mnist'}: mnist has training and test pictures of shapes (60000, 28, 28, 1) and (10000, 28, 28, 1). "
        "Received (4, 28, 28, 1) and (2, 28, 28, 1). Put the published files there."
    )
    digests = tuple(hashlib.sha256(idx(part)).hexdigest() for part in PARTS)
    right = {"mnist": dataclasses.replace(entries()["mnist"], contents=digests)}
    assert load("mnist", entries=right).train.y.tolist() == [5, 0, 4, 1]
    wrong = {"mnist": dataclasses.replace(right["mnist"], contents=(*digests[:3], "0" * 64))}
    with pytest.raises(DataError) as caught:
        load("mnist", entries=wrong)
    assert str(caught.value) == (
        f"{data / 'mnist'}: these are not the published values of mnist. "
        f"Received t10k-labels-idx1-ubyte with the SHA-256 {digests[3]} and not {'0' * 64}. "
        "Put the published files there."
    )


def test_labels_without_a_class(data):
    put(
        data / "fashion_mnist",
        {**CONTENTS, "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(np.array([3, 10], np.uint8)))},
    )
    with pytest.raises(DataError) as caught:
        load("fashion_mnist", entries=entries())
    assert str(caught.value) == (
        f"{data / 'fashion_mnist'}: fashion_mnist has labels from 0 to 9. "
        "Received test labels from 3 to 10. Put the published files there."
    )


def test_a_mistyped_name():
    with pytest.raises(ArgumentError) as caught:
        load("fashion-mnist")
    assert str(caught.value) == (
        "load: there is no dataset of this name. Received 'fashion-mnist'. Did you mean 'fashion_mnist'?"
    )
    with pytest.raises(ArgumentError, match=r"Received None\. Known: cifar10, cifar100"):
        load(None)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("splice", 'load_sequences("splice")'),
        ("GunPoint", 'load_series("GunPoint")'),
        ("synthetic-volumes", "synthetic_volumes(count)"),
    ],
)
def test_what_has_no_pictures_is_read_elsewhere(name, call):
    with pytest.raises(ArgumentError) as caught:
        load(name)
    assert str(caught.value) == (
        f"load: there is no dataset of this name. Received {name!r}. These are no pictures: convista.data.{call}."
    )


def test_names_and_descriptions(data):
    assert names() == ("digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100")
    digits, mnist = describe("digits"), describe("mnist")
    assert digits.available
    assert digits.download_bytes == 0
    assert digits.train_count == 1437
    assert not mnist.available
    assert mnist.location is None
    assert mnist.download_bytes == 11_594_722
    assert mnist.shape == (28, 28, 1)
    assert mnist.test_count == 10_000
    assert len(mnist.classes) == 10


@pytest.fixture
def real_data(monkeypatch, tmp_path) -> Path:
    """The folder with the real data."""
    folder = os.environ.get("CONVISTA_DATA")
    if not folder:
        pytest.skip("set CONVISTA_DATA to the folder with the data sets to run this test")
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path))
    return Path(folder)


def test_the_real_mnist(real_data):
    mnist = load("mnist", offline=True)
    assert mnist.train.x.shape == (60_000, 28, 28, 1)
    assert mnist.test.x.shape == (10_000, 28, 28, 1)
    assert mnist.train.y[:3].tolist() == [5, 0, 4]
    assert mnist.test.y[:3].tolist() == [7, 2, 1]
    digest = hashlib.sha256(idx(mnist.train.x[..., 0])).hexdigest()
    assert digest == "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    assert ENTRIES["mnist"].contents[0] == digest
