"""The file of a saved model: round trips, whole messages, and thousands of damaged files."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import pickle
import random
import re
import stat
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from convista.errors import ArgumentError, ModelFileError
from convista.models import files, strict_json, weights
from convista.models.archive import read, read_weights, write, write_weights

DAMAGED = "The file is damaged: take another copy of it or save it again."
NAME_ONE = "Name a file that model.save wrote, such as model.convista in a run folder."
DTYPES = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
DTYPES += ["float64", "float32", "float16", "bfloat16", "bool"]
CONFIG = {
    "name": "цифри",
    "layers": [{"kind": "Dense", "units": 10, "rate": 0.1, "bias": True, "shape": [8, 8, 1]}],
    "classes": ["0", "1"],
    "nothing": None,
    "tiny": -5e-324,
}


def numpy_dtype(name: str) -> np.dtype:
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def every_tensor() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    tensors = {
        f"layer/{name}": rng.integers(0, 2 if name == "bool" else 100, (2, 3)).astype(numpy_dtype(name))
        for name in DTYPES
    }
    tensors["empty"] = np.zeros((3, 0, 2), "float32")
    tensors["number"] = np.array(-0.0, "float32")
    tensors["not a number"] = np.array([np.nan, np.inf, -np.inf])
    tensors['назва "у лапках" \\ \n'] = np.arange(5)[::-2]
    return tensors


SMALL = {"dense/kernel": np.arange(12, dtype="float32").reshape(3, 4), "dense/bias": np.array([True, False])}


def assert_same(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    assert list(ours) == list(theirs)
    for name, array in theirs.items():
        assert ours[name].dtype == array.dtype, name
        assert ours[name].shape == array.shape, name
        assert ours[name].tobytes() == array.tobytes(), name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.convista"


def message(path: Path, load: Callable = read) -> str:
    """The message of the error, without the file's own name in front."""
    with pytest.raises(ModelFileError) as caught:
        load(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    return text[len(str(path)) :].removeprefix(", ").removeprefix(": ")


# ------------------------------------------------------------------------------------------------------- round trips


def test_round_trip_of_every_dtype(path: Path) -> None:
    write(path, CONFIG, every_tensor())
    config, tensors = read(path)
    assert config == CONFIG
    assert list(config) == list(CONFIG)
    assert_same(tensors, every_tensor())
    for tensor in tensors.values():
        assert tensor.flags.writeable
        assert tensor.flags.aligned
        assert tensor.flags.c_contiguous


def test_round_trip_of_weights(path: Path) -> None:
    write_weights(path, every_tensor())
    assert_same(read_weights(path), every_tensor())


def test_a_model_without_tensors(path: Path) -> None:
    write(path, {}, {})
    assert read(path) == ({}, {})
    write_weights(path, {})
    assert read_weights(path) == {}


def test_the_comparison_can_fail() -> None:
    changed = every_tensor()
    changed["number"] = np.array(0.0, "float32")
    with pytest.raises(AssertionError, match="number"):
        assert_same(changed, every_tensor())


def test_tuples_become_lists_and_byte_order_becomes_little(path: Path) -> None:
    write(path, {"size": (3, (2,))}, {"a": np.arange(3, dtype=">i4"), "b": np.asfortranarray(np.eye(3))})
    config, tensors = read(path)
    assert config == {"size": [3, [2]]}
    assert_same(tensors, {"a": np.arange(3, dtype="int32"), "b": np.eye(3)})


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for verb in (lambda path: write(path, CONFIG, every_tensor()), lambda path: write_weights(path, every_tensor())):
        verb(tmp_path / "a")
        verb(tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_tool_reads_what_is_written(path: Path) -> None:
    write(path, CONFIG, SMALL)
    with zipfile.ZipFile(path) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["config.json", "weights.safetensors"]
        assert_same(
            dict(sorted(safetensors.numpy.load(opened.read("weights.safetensors")).items())),
            dict(sorted(SMALL.items())),
        )
    write_weights(path, SMALL)
    assert_same(dict(sorted(safetensors.numpy.load_file(path).items())), dict(sorted(SMALL.items())))


def test_weights_from_another_program(path: Path) -> None:
    for metadata in (None, {"format": "pt", "note": "not from convista"}):
        safetensors.numpy.save_file(SMALL, path, metadata)
        found = read_weights(path)
        assert_same({name: found[name] for name in SMALL}, SMALL)


def test_the_lines_of_the_documentation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "saving.md").read_text("utf-8")
    (lines,) = re.findall(r"```python\n(import hashlib.*?)```", page, re.DOTALL)
    assert len(lines.strip().splitlines()) <= 12
    monkeypatch.chdir(path.parent)
    write("digits.convista", CONFIG, SMALL)
    names: dict = {}
    exec(lines, names)  # noqa: S102
    assert names["config"]["model"] == CONFIG
    assert_same({name: names["tensors"][name] for name in SMALL}, SMALL)
    data = bytearray(Path("digits.convista").read_bytes())
    Path("digits.convista").write_bytes(rebuilt(bytes(data), weights=lambda part: part[:-1] + b"\x7f"))
    with pytest.raises(AssertionError):
        exec(lines, {})  # noqa: S102


def test_unicode_and_long_names_of_files(tmp_path: Path) -> None:
    for name in ("модель 1.convista", "x" * 255, "-"):
        write(tmp_path / name, {}, {})
        assert read(str(tmp_path / name)) == ({}, {})


# ----------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ([], "config is a dictionary. Received []. Pass what describes the model."),
        ({"a": [1, float("nan")]}, "config['a'][1]: a number is finite. Received nan. Use None for no number."),
        ({"a": {3: 1}}, "config['a']: every key is a text. Received 3. Use '3'."),
        ({"a": 2**64}, "config['a']: a whole number fits 64 bits. Received a number of 65 bits. Use a float."),
        (
            {"a": np.float32(1)},
            "config['a']: a configuration holds dictionaries, lists, texts, numbers, booleans and None. Received "
            "np.float32(1.0) (float32). Convert it first, for example a NumPy number with .item() and an array with "
            ".tolist().",
        ),
        (
            {"a": "x" * strict_json.JSON_LIMIT},
            "the description of a model has at most 4194304 bytes. Received 4194443. Shorten the configuration or the "
            "names of the tensors.",
        ),
    ],
)
def test_a_configuration_that_cannot_be_saved(path: Path, config: object, expected: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        write(path, config, {})
    assert str(caught.value) == expected
    assert os.listdir(path.parent) == []


def test_the_deepest_configuration(path: Path) -> None:
    def nested(depth: int) -> dict:
        return {"deeper": nested(depth - 1)} if depth > 1 else {}

    write(path, nested(99), {})
    assert read(path)[0] == nested(99)
    with pytest.raises(ArgumentError) as caught:
        write(path, nested(100), {})
    assert str(caught.value) == (
        "config: a configuration is nested at most 100 deep. Flatten it, or remove the place where it contains itself."
    )
    itself: dict = {}
    itself["again"] = itself
    with pytest.raises(ArgumentError, match="nested at most 100 deep"):
        write(path, itself, {})


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        (
            {"a": np.zeros(2, "complex64")},
            "tensor 'a': a tensor is one of float64, float32, float16, bfloat16, int64, int32, int16, int8, uint64, "
            'uint32, uint16, uint8, bool. Received dtype complex64. Convert it with .astype("float32").',
        ),
        (
            {"__metadata__": np.zeros(2)},
            "the name of a tensor is a text of at most 1000 characters of Unicode, not '__metadata__'. Received "
            "'__metadata__'. Name it by layer and role, for example 'conv2d/kernel'.",
        ),
        (
            {"\ud800": np.zeros(2)},
            "the name of a tensor is a text of at most 1000 characters of Unicode, not '__metadata__'. Received "
            "'\\ud800'. Name it by layer and role, for example 'conv2d/kernel'.",
        ),
        (
            {"a": np.zeros((1,) * 33, "int8")},
            f"tensor 'a': a tensor has at most 32 axes and 2000000000 bytes. Received shape {(1,) * 33}. Reshape it.",
        ),
        (
            {"a": np.zeros((0, 500_000_001), "float32")},
            "tensor 'a': a tensor has at most 32 axes and 2000000000 bytes. Received shape (0, 500000001). Reshape it.",
        ),
        (
            {str(number): np.zeros(0) for number in range(10_001)},
            "a file has at most 10000 tensors. Received 10001. Save them in several files.",
        ),
        (
            {"a": np.broadcast_to(np.int8(0), (2,)), "b": np.zeros(2_000, object)},
            "tensor 'b': a tensor is one of float64, float32, float16, bfloat16, int64, int32, int16, int8, uint64, "
            'uint32, uint16, uint8, bool. Received dtype object. Convert it with .astype("float32").',
        ),
    ],
)
def test_tensors_that_cannot_be_saved(path: Path, tensors: dict, expected: str) -> None:
    for verb in (lambda: write(path, {}, tensors), lambda: write_weights(path, tensors)):
        with pytest.raises(ArgumentError) as caught:
            verb()
        assert str(caught.value) == expected
    assert os.listdir(path.parent) == []


def test_too_many_bytes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "FILE_LIMIT", 40)
    with pytest.raises(ArgumentError) as caught:
        write(path, {}, {"a": np.zeros(3), "b": np.zeros(3)})
    assert str(caught.value) == (
        "a file has at most 40 bytes. Received 48 bytes. Save the weights in several files with save_weights, or in a "
        "smaller dtype."
    )


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    inside = tmp_path / "no" / "m.convista"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    expected = {
        inside: f"{inside}: the folder {str(inside.parent)!r} does not exist. Make it first: "
        f"os.makedirs({str(inside.parent)!r}, exist_ok=True).",
        tmp_path: f"{tmp_path}: this is a folder, not a file. Name a file inside it: "
        f"{str(tmp_path / 'model.convista')!r}.",
        pipe: f"{pipe}: this is a pipe or a device, not a file. Name a file.",
        tmp_path / ("x" * 256): f"{tmp_path / ('x' * 256)}: the file cannot be written: File name too long. Check the "
        "free space and the permissions of the folder, or save elsewhere; what was there before is kept.",
    }
    for place, text in expected.items():
        for verb in (lambda place=place: write(place, {}, {}), lambda place=place: write_weights(place, {})):
            with pytest.raises(ModelFileError) as caught:
                verb()
            assert str(caught.value) == text
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.parametrize("name", [3, None, b"bytes", "", "nul\0"])
def test_names_that_are_no_names(name: object) -> None:
    for verb in (lambda: read(name), lambda: write(name, {}, {}), lambda: read_weights(name)):
        with pytest.raises(ArgumentError) as caught:
            verb()
        assert str(caught.value) == f"path is the name of a file. Received {name!r}. Pass a text or a pathlib.Path."


@pytest.mark.parametrize("verb", ["replace", "fsync"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_keeps_what_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch, verb: str, error: BaseException
) -> None:
    write(path, {"old": 1}, SMALL)

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(os, verb, fail)
        with pytest.raises(ModelFileError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
            write(path, {"new": 1}, SMALL)
    if isinstance(error, OSError):
        assert str(caught.value) == (
            f"{path}: the file cannot be written: No space left on device. Check the free space and the permissions "
            "of the folder, or save elsewhere; what was there before is kept."
        )
    assert os.listdir(path.parent) == ["m.convista"]
    assert read(path)[0] == {"old": 1}


def test_a_full_disk_in_the_middle(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, {"old": 1}, {})

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", fail)
    with pytest.raises(ModelFileError, match="No space left on device"):
        write(path, {"new": 1}, {})
    assert os.listdir(path.parent) == ["m.convista"]
    assert read(path)[0] == {"old": 1}


def test_permissions(path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(path, {}, {})
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        write(path, {}, {})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_symbolic_link_stays(path: Path) -> None:
    link = path.parent / "latest.convista"
    link.symlink_to(path.name)
    write(link, {"n": 1}, {})
    assert link.is_symlink()
    assert read(path)[0] == {"n": 1}


# ------------------------------------------------------------------------------------------------ what is not a model


def test_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    path = tmp_path / "digit.convista"
    with pytest.raises(FileNotFoundError) as caught:
        read(path)
    assert isinstance(caught.value, ModelFileError)
    assert caught.value.exit_code == 3
    none = f"there is no such file. The folder {str(tmp_path)!r} holds no saved models: check the path."
    assert message(path) == none
    assert str(pickle.loads(pickle.dumps(caught.value))) == f"{path}: {none}"  # noqa: S301
    write(tmp_path / "digits.convista", {}, {})
    suggestion = f"there is no such file. Did you mean {str(tmp_path / 'digits.convista')!r}?"
    assert message(path) == suggestion
    assert message(tmp_path / "digits") == suggestion
    assert message(tmp_path / "z") == f"there is no such file. Models in {str(tmp_path)!r}: digits.convista."
    folder = tmp_path / "no"
    assert (
        message(folder / "m")
        == f"there is no such file. The folder {str(folder)!r} does not exist either: check the path."
    )


def keras_file() -> bytes:
    return zipped({"metadata.json": b"{}", "config.json": b"{}", "model.weights.h5": b"\x89HDF\r\n\x1a\n"})


def zipped(entries: dict[str, bytes], **how: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **how) as opened:
        for name, data in entries.items():
            opened.writestr(zipfile.ZipInfo(name), data, compress_type=how.get("compression"))
    return buffer.getvalue()


def saved_array(save: Callable) -> bytes:
    buffer = io.BytesIO()
    save(buffer, np.zeros(3))
    return buffer.getvalue()


KERAS = (
    "Load it with keras.models.load_model, build the same model in Convista and copy the weights with "
    "model.set_weights(keras_model.get_weights())."
)
LOAD = "Build the model that the weights were made for, then call model.load_weights(path)."
PICKLE = (
    "Opening a pickle runs code from it, so Convista never does: in the program that wrote it, save the arrays with "
    "safetensors.numpy.save_file."
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", f"the file is empty. {DAMAGED}"),
        (b"PK", f"this is not a saved model. Received a file that starts with b'PK'. {NAME_ONE}"),
        (bytes(100), f"this is not a saved model. Received a file that starts with {bytes(16)!r}. {NAME_ONE}"),
        (b"import x\n", f"this is not a saved model. Received a file that starts with b'import x\\n'. {NAME_ONE}"),
        (keras_file(), f"this is not a saved model but a Keras model (.keras). {KERAS}"),
        (
            b"\x89HDF\r\n\x1a\n" + bytes(99),
            f"this is not a saved model but an HDF5 file, as Keras writes weights. {LOAD}",
        ),
        (pickle.dumps({}), f"this is not a saved model but a Python pickle. {PICKLE}"),
        (zipped({"m/data.pkl": b"", "m/version": b""}), f"this is not a saved model but a PyTorch file. {LOAD}"),
        (
            safetensors.numpy.save(SMALL),
            "this is not a saved model but a safetensors file, weights without a model. Build the model, then call "
            "model.load_weights(path).",
        ),
        (
            saved_array(np.save),
            "this is not a saved model but a NumPy array file. Read it with numpy.load and call model.set_weights.",
        ),
        (
            saved_array(np.savez),
            "this is not a saved model but a NumPy .npz archive. Read it with numpy.load and call model.set_weights.",
        ),
        (
            b"\x1f\x8b\x08\x00",
            "this is not a saved model but a gzip file. Unpack it with gunzip and load what comes out.",
        ),
        (
            b'{"layers": []}',
            "this is not a saved model but a JSON text, a model without weights. Build the model from it with "
            "from_json.",
        ),
        (
            zipped({}),
            "this zip holds no config.json, so it is no saved model. Received no entries. Name a file that model.save "
            "wrote.",
        ),
        (
            zipped({f"{number}.txt": b"" for number in range(2000)}),
            "this zip holds no config.json, so it is no saved model. Received entries '0.txt', '1.txt', '2.txt', "
            "'3.txt', '4.txt', …. Name a file that model.save wrote.",
        ),
    ],
)
def test_foreign_files(path: Path, data: bytes, expected: str) -> None:
    path.write_bytes(data)
    assert message(path) == expected


def test_foreign_files_instead_of_weights(path: Path) -> None:
    write(path, {}, {})
    assert message(path, read_weights) == (
        "this is not a weight file but a whole saved model or another zip. Load a saved model with "
        "convista.load_model(path)."
    )
    path.write_bytes(pickle.dumps({}))
    assert message(path, read_weights) == f"this is not a weight file but a Python pickle. {PICKLE}"
    path.write_bytes(b"weights!")
    assert message(path, read_weights) == (
        "this is not a weight file. Received a file that starts with b'weights!'. Weights come from .convista, "
        ".safetensors, .pth of PyTorch and .h5 of Keras."
    )
    path.write_bytes((100).to_bytes(8, "little") + b"{")  # how a .safetensors begins, cut short
    assert message(path, read_weights) == (
        f"header: the header's length is at most 4194304 and ends inside the file. Received 100 bytes of 1. {DAMAGED}"
    )


def test_folders_pipes_and_sizes(tmp_path: Path, path: Path) -> None:
    assert message(tmp_path) == "this is a folder, not a file. Name the file inside it."
    os.mkfifo(tmp_path / "pipe")
    assert message(tmp_path / "pipe") == "this is a pipe or a device, not a file. Copy it to a file first."
    with open(path, "wb") as file:
        file.truncate(files.FILE_LIMIT + 1)
    for load in (read, read_weights):
        assert message(path, load) == (
            "a file has at most 2000000000 bytes. Received 2000000001 bytes. This is not a model that Convista wrote."
        )


def test_a_failing_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, {}, SMALL)
    for error, reason in (
        (OSError(5, "Input/output error"), "Input/output error"),
        (MemoryError(), "there is not enough memory for it"),
    ):

        def fail(*_: object, error: BaseException = error) -> None:
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(files.Source, "fill", fail)
            assert message(path) == (
                f"the file cannot be read: {reason}. Check the file's permissions and the disk, or copy it elsewhere."
            )


# ------------------------------------------------------------------------------------------------ damage, by its kind


def rebuilt(
    data: bytes,
    config: Callable[[bytes], bytes] = lambda part: part,
    weights: Callable[[bytes], bytes] = lambda part: part,
) -> bytes:
    """The same zip with changed entries and correct sizes and CRCs."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return zipped(
            {
                "config.json": config(opened.read("config.json")),
                "weights.safetensors": weights(opened.read("weights.safetensors")),
            }
        )


def rehashed(change: Callable[[dict], object], key: str = "sha256") -> Callable[[bytes], bytes]:
    """Change the parsed description and give it the right hash again."""

    def apply(data: bytes) -> bytes:
        envelope = json.loads(data)
        envelope.pop("sha256")
        change(envelope)
        envelope[key] = hashlib.sha256(json.dumps(envelope, separators=(",", ":")).encode()).hexdigest()
        return json.dumps(envelope, separators=(",", ":")).encode()

    return apply


def header(change: Callable[[dict], object]) -> Callable[[bytes], bytes]:
    """Change the parsed header of a safetensors file and give it the right length again."""

    def apply(data: bytes) -> bytes:
        (length,) = struct.unpack_from("<Q", data)
        table = json.loads(data[8 : 8 + length])
        change(table)
        text = json.dumps(table).encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]

    return apply


def setting(*keys: str | int, to: object) -> Callable[[dict], None]:
    def apply(table: dict) -> None:
        for key in keys[:-1]:
            table = table[key]
        table[keys[-1]] = to

    return apply


@pytest.fixture(scope="module")
def model_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "m"
    write(path, CONFIG, SMALL)
    return path.read_bytes()


@pytest.fixture(scope="module")
def weight_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("weights") / "m"
    write_weights(path, SMALL)
    return path.read_bytes()


def test_rebuilding_changes_nothing_by_itself(path: Path, model_bytes: bytes) -> None:
    path.write_bytes(rebuilt(model_bytes, rehashed(lambda _: None), header(lambda _: None)))
    config, tensors = read(path)
    assert config == CONFIG
    assert_same(tensors, SMALL)


NOT_OURS = "This is not a file that Convista wrote."
IN_CONFIG = [
    (
        setting("version", to=2),
        "config.json: written by a newer Convista: version 2; this one reads up to 1. Run `pip install --upgrade "
        "convista` and load it again.",
    ),
    (setting("version", to=True), f"config.json, version: it is a whole number from 1. Received True. {DAMAGED}"),
    (setting("format", to="onnx"), f"config.json, format: it is 'convista'. Received 'onnx'. {NOT_OURS}"),
    (
        setting("author", to="x"),
        "config.json: its fields are format, model, sha256, tensors, version. Received 'author', 'format', 'model', "
        f"'sha256', 'tensors', 'version'. {DAMAGED}",
    ),
    (setting("model", to=[]), f"config.json, model: it is an object. Received []. {DAMAGED}"),
    (
        setting("tensors", to=3),
        f"config.json, tensors: it is an object with at most 10000 fields. Received 3. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/bias", to={}),
        f"config.json, tensor 'dense/bias': its fields are dtype, sha256 and shape. Received {{}}. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/bias", "dtype", to="object"),
        "config.json, tensor 'dense/bias', dtype: it is one of float64, float32, float16, bfloat16, int64, int32, "
        f"int16, int8, uint64, uint32, uint16, uint8, bool. Received 'object'. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/kernel", "shape", to=[3, 3, 1, 10**18]),
        "config.json, tensor 'dense/kernel', shape: its sizes are whole numbers from 0 to 2147483647. Received "
        f"[3, 3, 1, 1000000000000000000]. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/kernel", "shape", to=[2**31 - 1] * 4),
        "config.json, tensor 'dense/kernel', shape: the tensor has at most 2000000000 bytes. Received [2147483647, "
        f"2147483647, 2147483647, 2147483647]. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/kernel", "shape", to=[0, 2**31 - 1, 2]),
        "config.json, tensor 'dense/kernel', shape: the tensor has at most 2000000000 bytes. Received [0, 2147483647, "
        f"2]. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/kernel", "shape", to=[1] * 33),
        "config.json, tensor 'dense/kernel', shape: it is a list of at most 32 sizes. Received [1, 1, 1, 1, 1, 1, 1, "
        f"1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1…. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/kernel", "shape", to=[4, 3]),
        "weights.safetensors, tensor 'dense/kernel': it is float32 of shape (4, 3), as config.json says. Received "
        f"float32 of shape (3, 4). {DAMAGED}",
    ),
    (
        setting("tensors", "dense/kernel", "dtype", to="int32"),
        "weights.safetensors, tensor 'dense/kernel': it is int32 of shape (3, 4), as config.json says. Received "
        f"float32 of shape (3, 4). {DAMAGED}",
    ),
    (
        lambda table: table["tensors"].pop("dense/bias"),
        f"config.json: tensor 'dense/bias' is missing, though weights.safetensors has it. {DAMAGED}",
    ),
    (
        setting("tensors", "new", to={"shape": [], "dtype": "int8", "sha256": ""}),
        f"weights.safetensors: tensor 'new' is missing, though config.json has it. {DAMAGED}",
    ),
    (
        setting("tensors", "dense/bias", "sha256", to="0" * 64),
        "weights.safetensors, tensor 'dense/bias': its bytes do not have the SHA-256 that was written down for them. "
        f"{DAMAGED}",
    ),
    (
        setting("tensors", "dense/bias", "sha256", to=["é"]),
        "weights.safetensors, tensor 'dense/bias': its bytes do not have the SHA-256 that was written down for them. "
        f"{DAMAGED}",
    ),
]


@pytest.mark.parametrize(("change", "expected"), IN_CONFIG)
def test_a_wrong_description(path: Path, model_bytes: bytes, change: Callable, expected: str) -> None:
    path.write_bytes(rebuilt(model_bytes, config=rehashed(change)))
    assert message(path) == expected


def test_a_changed_configuration(path: Path, model_bytes: bytes) -> None:
    stated = json.loads(rebuilt_config := zipfile.ZipFile(io.BytesIO(model_bytes)).read("config.json"))["sha256"]
    assert b'"units":10' in rebuilt_config
    path.write_bytes(rebuilt(model_bytes, config=lambda data: data.replace(b'"units":10', b'"units":11')))
    assert message(path) == (
        f"config.json, sha256: the other fields do not have this SHA-256. Received '{stated}'. {DAMAGED}"
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"[1", "Expecting ',' delimiter: line 1 column 3 (char 2)"),
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b'{"a": 1, "b": 2, "a": 1}', "the key 'a' stands there twice"),
        (b'{"a": NaN}', "NaN is not a number of JSON"),
        (b'{"a": -Infinity}', "-Infinity is not a number of JSON"),
        (b'{"a": 1e999}', "the number 1e999 is not finite"),
        (b'{"a": ' + b"9" * 4000 + b"}", "the whole number 99999999999999999999… does not fit 64 bits"),
        (b"[" * 100_000, "it is nested more than 100 deep"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "it is nested more than 100 deep"),
    ],
)
def test_json_that_cannot_be_read(path: Path, model_bytes: bytes, data: bytes, expected: str) -> None:
    path.write_bytes(rebuilt(model_bytes, config=lambda _: data))
    assert message(path) == f"config.json: the JSON cannot be read: {expected}. {DAMAGED}"
    path.write_bytes(struct.pack("<Q", len(data)) + data)
    if data[:1] == b"{":
        assert message(path, read_weights) == f"header: the JSON cannot be read: {expected}. {DAMAGED}"


def test_json_that_is_too_long(path: Path, model_bytes: bytes) -> None:
    path.write_bytes(rebuilt(model_bytes, config=lambda data: data + b" " * strict_json.JSON_LIMIT))
    size = strict_json.JSON_LIMIT + len(zipfile.ZipFile(io.BytesIO(model_bytes)).read("config.json"))
    assert message(path) == f"config.json: it has at most 4194304 bytes. Received {size} bytes. {DAMAGED}"


@pytest.mark.parametrize(
    "text",
    [
        b'"' + b'\\"' * (2**21 - 1),
        b'{"' + b"\\" * (2**21 - 1),
        b"[" + b"{}," * (2**20),
        b"{" + b",".join(b'"%d":0' % (number // 2) for number in range(200_000)) + b"}",
        b"[" + b"1" * (2**22 - 2) + b"]",
        b"[0." + b"1" * (2**22 - 4) + b"]",
    ],
    ids=["quotes", "backslashes", "objects", "repeated keys", "long integer", "long float"],
)
def test_json_made_to_be_slow(path: Path, model_bytes: bytes, text: bytes) -> None:
    path.write_bytes(rebuilt(model_bytes, config=lambda _: text))
    start = time.perf_counter()
    with pytest.raises(ModelFileError):
        read(path)
    assert time.perf_counter() - start < 3


IN_HEADER = [
    (
        setting("dense/kernel", "dtype", to="F4"),
        "tensor 'dense/kernel', dtype: it is one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL. "
        "Received 'F4'.",
    ),
    (
        setting("dense/kernel", "shape", to=[3, 5]),
        "tensor 'dense/kernel', data_offsets: float32 of shape (3, 5) takes 60 bytes. Received [0, 48].",
    ),
    (
        setting("dense/kernel", "shape", to=[2**31 - 1, 2**31 - 1]),
        "tensor 'dense/kernel', shape: the tensor has at most 2000000000 bytes. Received [2147483647, 2147483647].",
    ),
    (
        setting("dense/kernel", "data_offsets", to=[-48, 0]),
        "tensor 'dense/kernel', data_offsets: float32 of shape (3, 4) takes 48 bytes. Received [-48, 0].",
    ),
    (
        setting("dense/kernel", "data_offsets", to=[0.0, 48.0]),
        "tensor 'dense/kernel', data_offsets: they are two whole numbers. Received [0.0, 48.0].",
    ),
    (
        setting("dense/kernel", "data_offsets", to=[2, 50]),
        "tensor 'dense/kernel', data_offsets: the tensor starts where the one before it ends, at 0. Received 2.",
    ),
    (
        setting("dense/bias", "data_offsets", to=[0, 2]),
        "tensor 'dense/kernel', data_offsets: the tensor starts where the one before it ends, at 2. Received 0.",
    ),
    (
        lambda table: table.pop("dense/bias"),
        "its tensors take 48 bytes, and they fill the file. Received 50 bytes of data.",
    ),
    (setting("dense/bias", to=3), "tensor 'dense/bias': its fields are data_offsets, dtype and shape. Received 3."),
    (setting("__metadata__", to={"a": 1}), "__metadata__: it is an object of texts. Received {'a': 1}."),
]


@pytest.mark.parametrize(("change", "expected"), IN_HEADER)
def test_a_wrong_header(path: Path, model_bytes: bytes, weight_bytes: bytes, change: Callable, expected: str) -> None:
    separator = ": " if expected.startswith("its") else ", "
    path.write_bytes(rebuilt(model_bytes, weights=header(change)))
    assert message(path) == f"weights.safetensors{separator}{expected} {DAMAGED}"
    path.write_bytes(header(change)(weight_bytes))
    assert message(path, read_weights) == f"header{separator}{expected} {DAMAGED}"


def in_metadata(change: Callable[[dict], object]) -> Callable[[dict], None]:
    def apply(table: dict) -> None:
        table["__metadata__"]["convista"] = rehashed(change)(table["__metadata__"]["convista"]).decode()

    return apply


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            header(lambda table: table.update(__metadata__={"a": table["__metadata__"]["convista"]})),
            f"header, __metadata__: it has the field 'convista'. Received ['a']. {DAMAGED}",
        ),
        (
            header(setting("__metadata__", "convista", to="{")),
            "header, __metadata__: the JSON cannot be read: Expecting property name enclosed in double quotes: line 1 "
            f"column 2 (char 1). {DAMAGED}",
        ),
        (
            header(in_metadata(setting("version", to=7))),
            "header, __metadata__: written by a newer Convista: version 7; this one reads up to 1. Run `pip install "
            "--upgrade convista` and load it again.",
        ),
        (
            header(in_metadata(lambda table: table["tensors"].pop("dense/bias"))),
            f"the hashes: tensor 'dense/bias' is missing, though the header has it. {DAMAGED}",
        ),
        (
            lambda data: data[:-1] + b"\1",
            f"tensor 'dense/bias': its bytes do not have the SHA-256 that was written down for them. {DAMAGED}",
        ),
        (
            lambda data: data[:-1],
            f"header: its tensors take 50 bytes, and they fill the file. Received 49 bytes of data. {DAMAGED}",
        ),
    ],
)
def test_a_wrong_weight_file(path: Path, weight_bytes: bytes, change: Callable, expected: str) -> None:
    path.write_bytes(change(weight_bytes))
    assert message(path, read_weights) == expected


def test_a_bool_that_is_neither(path: Path) -> None:
    data = bytearray(safetensors.numpy.save({"a": np.array([True, False])}))
    data[-1] = 2
    path.write_bytes(data)
    assert message(path, read_weights) == f"tensor 'a': a bool is the byte 0 or 1. Received 2. {DAMAGED}"


def patched(data: bytes, *changes: tuple[int, str, int]) -> bytes:
    """Numbers written into the zip's records; a negative position counts from the end."""
    changed = bytearray(data)
    for at, form, value in changes:
        struct.pack_into("<" + form, changed, at % len(changed), value)
    return bytes(changed)


def records(data: bytes) -> tuple[int, int, int]:
    """Where the second local header and the two records of the directory start."""
    directory = struct.unpack_from("<L", data, len(data) - 6)[0]
    second = directory + 46 + len("config.json")
    return struct.unpack_from("<L", data, second + 42)[0], directory, second


AGAIN = "Unzip it and save the model again with model.save."


def test_a_wrong_zip(path: Path, model_bytes: bytes) -> None:
    local, first, second = records(model_bytes)
    size = len(model_bytes)
    weights_size = struct.unpack_from("<L", model_bytes, second + 24)[0]
    checksum = struct.unpack_from("<L", model_bytes, second + 16)[0]
    flipped = patched(model_bytes, (first - 1, "B", 1))
    cases = [
        (
            model_bytes[:-1],
            f"end record: the zip has none: the file is cut short. Received {size - 1} bytes. Copy or "
            "download it again, to its end.",
        ),
        (
            model_bytes[: size // 2],
            f"end record: the zip has none: the file is cut short. Received {size // 2} bytes. "
            "Copy or download it again, to its end.",
        ),
        (model_bytes + b"x", f"end record: position is {size - 21}. Received {size - 22}. {DAMAGED}"),
        (
            patched(model_bytes + b"comment", (size - 2, "H", 7)),
            f"end record: comment length is 0. Received 7. {DAMAGED}",
        ),
        (
            patched(model_bytes, (first + 8, "H", 1), (6, "H", 1)),
            f"config.json: the entry is not encrypted. Received flags 0x0001. {AGAIN}",
        ),
        (
            patched(model_bytes, (second + 10, "H", 8), (local + 8, "H", 8)),
            f"weights.safetensors: the entry is stored without compression. Received method 8, {weights_size} bytes "
            f"for {weights_size}. {AGAIN}",
        ),
        (
            patched(model_bytes, (second + 8, "H", 8)),
            "weights.safetensors: the entry uses nothing but the plain parts "
            f"of the zip format. Received flags 0x0008, extra 0, comment 0, disk 0, needs version 20. {DAMAGED}",
        ),
        (
            patched(model_bytes, (local + 14, "L", 0)),
            "weights.safetensors, local header: it repeats the zip directory. "
            f"Received byte 0x00 instead of {checksum & 255:#04x} at position 14. {DAMAGED}",
        ),
        (
            patched(model_bytes, (second + 42, "L", 0)),
            f"weights.safetensors: the entry starts at byte {local}. Received byte 0. {DAMAGED}",
        ),
        (
            patched(
                model_bytes,
                (second + 20, "L", 2**31),
                (second + 24, "L", 2**31),
                (local + 18, "L", 2**31),
                (local + 22, "L", 2**31),
            ),
            f"weights.safetensors: the entry lies inside the file. Received 2147483648 bytes from byte {local + 49} in "
            f"a file of {size}. {DAMAGED}",
        ),
        (
            patched(model_bytes, (second + 16, "L", 1), (local + 14, "L", 1)),
            f"weights.safetensors: the zip's CRC-32 is that of the entry. Received 0x00000001 for bytes with "
            f"{checksum:#010x}. {DAMAGED}",
        ),
        (
            flipped,
            "weights.safetensors, tensor 'dense/bias': its bytes do not have the SHA-256 that was written down "
            f"for them. {DAMAGED}",
        ),
        (
            patched(model_bytes, (-12, "H", 3)),
            f"zip directory: its records fill it. Received 2 records in "
            f"{size - 22 - first} bytes, 3 in {size - 22 - first} in the end record. {DAMAGED}",
        ),
        (
            patched(model_bytes, (-6, "L", 2**32 - 1)),
            f"zip directory: it lies before the end record. Received "
            f"{size - 22 - first} bytes at 4294967295, end record at {size - 22}. {DAMAGED}",
        ),
    ]
    for data, expected in cases:
        path.write_bytes(data)
        assert message(path) == expected


def test_bytes_before_the_zip(path: Path, model_bytes: bytes) -> None:
    path.write_bytes(model_bytes[:30] + model_bytes)
    assert message(path).startswith("zip directory: every record starts with PK\\x01\\x02. Received b'")


def test_wrong_entries(path: Path, model_bytes: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(model_bytes)) as opened:
        parts = {name: opened.read(name) for name in opened.namelist()}
    rule = "zip directory: a saved model holds config.json and weights.safetensors, in this order, and nothing else."
    fix = "Save the model again with model.save."
    for extra in ("../../etc/passwd", "/config.json", "evil.py", "config.json/"):
        path.write_bytes(zipped({**parts, extra: b""}))
        assert message(path) == f"{rule} Received entries 'config.json', 'weights.safetensors', {extra!r}. {fix}"
    path.write_bytes(zipped({"config.json": parts["config.json"]}))
    assert message(path) == f"{rule} Received entries 'config.json'. {fix}"
    path.write_bytes(zipped(dict(reversed(parts.items()))))
    assert message(path) == f"{rule} Received entries 'weights.safetensors', 'config.json'. {fix}"
    with zipfile.ZipFile(path, "w") as opened:
        for name, data in parts.items():
            opened.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate name"):
            opened.writestr("config.json", b"{}")
    assert message(path) == f"zip directory: entry 'config.json' stands there once. Received 2 of them. {DAMAGED}"
    path.write_bytes(zipped(parts, compression=zipfile.ZIP_DEFLATED))
    assert message(path).startswith("config.json: the entry is stored without compression. Received method 8, ")


def test_a_newer_file_is_newer_whatever_else_is_new(path: Path, model_bytes: bytes) -> None:
    newer = json.dumps({"format": "convista", "version": 9, "layout": []}).encode()
    path.write_bytes(zipped({"config.json": newer, "layout.bin": b"", "weights.safetensors": b""}))
    assert message(path) == (
        "config.json: written by a newer Convista: version 9; this one reads up to 1. Run `pip install --upgrade "
        "convista` and load it again."
    )


# -------------------------------------------------------------------------------------------- damage, by the thousand

MEMORY_LIMIT = 4 * 2**20


def mutations(data: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` damaged versions: bits, bytes, cuts, insertions, deletions, swapped blocks, numbers of headers."""
    rng = random.Random(seed)
    size = len(data)
    numbers = [0, 1, 7, 255, 2**15, 2**16 - 1, size - 1, size, size + 1, 2**31 - 1, 2**31, 2**32 - 1]

    def place() -> int:
        # Half of the damage goes to the records at the two ends, which are few bytes among many.
        return rng.choice([rng.randrange(size), rng.randrange(size), rng.randrange(80), size - 1 - rng.randrange(200)])

    def flip() -> bytes:
        return patched(data, (at := place(), "B", data[at] ^ (1 << rng.randrange(8))))

    def overwrite() -> bytes:
        at, length = place(), rng.choice([1, 1, 2, 4, 16, 64])
        return data[:at] + rng.choice([rng.randbytes(length), bytes(length), b"\xff" * length]) + data[at + length :]

    def cut() -> bytes:
        return data[: rng.randrange(size)]

    def insert() -> bytes:
        at = place()
        return data[:at] + rng.randbytes(rng.choice([1, 2, 8, 500])) + data[at:]

    def delete() -> bytes:
        at = place()
        return data[:at] + data[at + rng.choice([1, 2, 8, 500]) :]

    def swap() -> bytes:
        length = rng.choice([1, 4, 16, 64])
        first, second = sorted([rng.randrange(size - length), rng.randrange(size - length)])
        middle = data[first + length : max(second, first + length)]
        return (
            data[:first]
            + data[second : second + length]
            + middle
            + data[first : first + length]
            + data[second + length :]
        )

    def number() -> bytes:
        form = rng.choice("HLQ")
        at = min(place(), size - struct.calcsize(form))
        return patched(data, (at, form, rng.choice(numbers) % 2 ** (8 * struct.calcsize(form))))

    def digits() -> bytes:
        found = rng.choice(list(re.finditer(rb"\d+", data)))
        return data[: found.start()] + str(rng.choice([*numbers, 2**63, 10**30])).encode() + data[found.end() :]

    kinds = [flip, flip, flip, overwrite, cut, insert, delete, swap, number, digits]
    for position in range(count):
        yield kinds[position % len(kinds)]()


def outcomes(path: Path, damaged: Iterator[bytes], load: Callable, good: object) -> dict[str, int]:
    """Read every damaged file; count what was refused, what was read unchanged and what was read changed."""
    counts = {"refused": 0, "unchanged": 0, "changed": 0}
    tracemalloc.start()
    try:
        for data in damaged:
            path.write_bytes(data)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            start = time.perf_counter()
            try:
                outcome = "unchanged" if spelled(load(path)) == good else "changed"
            except ModelFileError:
                outcome = "refused"
            counts[outcome] += 1
            assert time.perf_counter() - start < 5
            assert tracemalloc.get_traced_memory()[1] - before < MEMORY_LIMIT
    finally:
        tracemalloc.stop()
    return counts


def spelled(loaded: object) -> object:
    """Everything that a reader gives, order and types included, in a form that compares by bits."""
    config, tensors = loaded if isinstance(loaded, tuple) else (None, loaded)
    return json.dumps(config), [(name, str(a.dtype), a.shape, a.tobytes()) for name, a in tensors.items()]


@pytest.mark.parametrize("seed", range(3))
def test_damaged_models(path: Path, seed: int) -> None:
    write(path, CONFIG, every_tensor())
    good, data = spelled(read(path)), path.read_bytes()
    counts = outcomes(path, mutations(data, 1_200, seed), read, good)
    assert counts["changed"] == 0
    # What remains are the attributes of the entries and changes into the same; most damage has to be found.
    assert counts["refused"] > 1_100


def test_every_byte_of_a_model(path: Path, model_bytes: bytes) -> None:
    path.write_bytes(model_bytes)
    good = spelled(read(path))
    _, first, second = records(model_bytes)
    # Who made the zip, on what system and with which permissions: fields that nobody here reads.
    irrelevant = {record + at for record in (first, second) for at in (4, 5, 36, 37, 38, 39, 40, 41)}
    read_anyway = set()
    for at in range(len(model_bytes)):
        path.write_bytes(patched(model_bytes, (at, "B", model_bytes[at] ^ (1 << at % 8))))
        try:
            assert spelled(read(path)) == good
            read_anyway.add(at)
        except ModelFileError:
            pass
    assert read_anyway == irrelevant


def repaired(data: bytes, count: int) -> Iterator[bytes]:
    """Damage inside the two entries, with the zip's own sizes and CRC-32 made right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        config, weights = opened.read("config.json"), opened.read("weights.safetensors")
    for changed in mutations(config, count // 2):
        yield zipped({"config.json": changed, "weights.safetensors": weights})
    for changed in mutations(weights, count // 2):
        yield zipped({"config.json": config, "weights.safetensors": changed})


def test_damage_with_a_right_checksum(path: Path) -> None:
    write(path, CONFIG, every_tensor())
    good, data = spelled(read(path)), path.read_bytes()
    assert outcomes(path, repaired(data, 1_000), read, good)["changed"] == 0


def test_damaged_weights(path: Path) -> None:
    write_weights(path, every_tensor())
    good, data = spelled(read_weights(path)), path.read_bytes()
    counts = outcomes(path, mutations(data, 1_000), read_weights, good)
    assert counts["changed"] == 0
    assert counts["refused"] > 900


def test_damaged_weights_of_another_program_do_no_harm(path: Path) -> None:
    data = safetensors.numpy.save(every_tensor())
    outcomes(path, mutations(data, 500), read_weights, None)


def test_forged_descriptions_do_no_harm(path: Path, model_bytes: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(model_bytes)) as opened:
        config, data = opened.read("config.json"), opened.read("weights.safetensors")
    values = [None, -1, 0, 2**31 - 1, 2**63, 1e308, "", "F64", [], [2**31 - 1] * 3, {}, [[[]]], True]
    spots = [("tensors", "dense/kernel", key) for key in ("shape", "dtype", "sha256")]
    spots += [
        ("tensors", "dense/kernel", "shape", 0),
        ("tensors", "dense/kernel"),
        ("tensors",),
        ("model",),
        ("version",),
    ]
    forged = (
        zipped({"config.json": rehashed(setting(*spot, to=value))(config), "weights.safetensors": data})
        for spot, value in itertools.product(spots, values)
    )
    outcomes(path, forged, read, None)
    places = [("dense/kernel", key) for key in ("shape", "dtype", "data_offsets")]
    places += [("dense/kernel", "shape", 0), ("dense/kernel", "data_offsets", 0), ("dense/kernel", "data_offsets", 1)]
    forged = (
        zipped({"config.json": config, "weights.safetensors": header(setting(*spot, to=value))(data)})
        for spot, value in itertools.product(places, values)
    )
    outcomes(path, forged, read, None)


def test_without_the_hashes_damage_would_be_silent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, CONFIG, every_tensor())
    good, data = spelled(read(path)), path.read_bytes()
    monkeypatch.setattr(weights, "same_hash", lambda *_: True)
    counts = outcomes(path, repaired(data, 400), read, good)
    assert counts["changed"] > 10
    write_weights(path, every_tensor())
    assert (
        outcomes(path, mutations(path.read_bytes(), 400), read_weights, spelled((None, every_tensor())))["changed"] > 10
    )


def test_memory_for_a_real_model_is_taken_once(path: Path) -> None:
    tensors = {"kernel": np.ones((2**20, 4), "float32")}
    write(path, {}, tensors)
    tracemalloc.start()
    try:
        read(path)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * tensors["kernel"].nbytes
    finally:
        tracemalloc.stop()
