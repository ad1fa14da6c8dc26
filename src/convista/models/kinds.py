"""What a file is that was taken for a saved model: named from its first bytes or its entries, with a way on."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from convista.models.files import Source, show


class _Kind(NamedTuple):
    noun: str
    fix: str


_COPY_FROM_KERAS = (
    "Load it with keras.models.load_model, build the same model in Convista and copy the weights with "
    "model.set_weights(keras_model.get_weights())"
)
_NEVER_PICKLE = (
    "Opening a pickle runs code from it, so Convista never does: in the program that wrote it, save the arrays with "
    "safetensors.numpy.save_file"
)
_LOAD_WEIGHTS = "Build the model that the weights were made for, then call model.load_weights(path)"
_KINDS = {
    "zip": _Kind("a whole saved model or another zip", "Load a saved model with convista.load_model(path)"),
    "safetensors": _Kind(
        "a safetensors file, weights without a model", "Build the model, then call model.load_weights(path)"
    ),
    "hdf5": _Kind("an HDF5 file, as Keras writes weights", _LOAD_WEIGHTS),
    "pickle": _Kind("a Python pickle", _NEVER_PICKLE),
    "numpy": _Kind("a NumPy array file", "Read it with numpy.load and call model.set_weights"),
    "gzip": _Kind("a gzip file", "Unpack it with gunzip and load what comes out"),
    "json": _Kind("a JSON text, a model without weights", "Build the model from it with from_json"),
    "keras": _Kind("a Keras model (.keras)", _COPY_FROM_KERAS),
    "pytorch": _Kind("a PyTorch file", _LOAD_WEIGHTS),
    "npz": _Kind("a NumPy .npz archive", "Read it with numpy.load and call model.set_weights"),
}


def expect(source: Source, wanted: str) -> None:
    """Refuse a file that starts like something else, and name what it is."""
    first = source.bytes_at(0, min(source.size, 16), "first bytes")
    kind = _kind(first)
    damaged = kind is None and (first[8:9] == b"{" or source.path.endswith(".safetensors"))
    if kind == wanted or (damaged and wanted == "safetensors"):
        return
    noun = "a saved model" if wanted == "zip" else "a weight file"
    if kind is None:
        fix = "Name a file that model.save wrote, such as model.convista in a run folder"
        if wanted == "safetensors":
            fix = "Weights come from .convista, .safetensors, .pth of PyTorch and .h5 of Keras"
        raise source.wrong(None, f"this is not {noun}", f"a file that starts with {first!r}", fix)
    raise source.wrong(None, f"this is not {noun} but {_KINDS[kind].noun}", fix=_KINDS[kind].fix)


def _kind(first: bytes) -> str | None:
    starts = {
        b"PK\x03\x04": "zip",
        b"PK\x05\x06": "zip",
        b"\x89HDF\r\n\x1a\n": "hdf5",
        b"\x93NUMPY": "numpy",
        b"\x1f\x8b": "gzip",
    }
    for magic, kind in starts.items():
        if first.startswith(magic):
            return kind
    if first[8:9] == b"{" and first[5:8] == b"\0\0\0":
        return "safetensors"
    if first[:1] == b"\x80" and first[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "pickle"
    return "json" if first[:1] == b"{" else None


def expect_ours(source: Source, names: Collection[str]) -> None:
    """Refuse a zip of something else, and name what it is."""
    foreign = None
    if "model.weights.h5" in names:
        foreign = _KINDS["keras"]
    elif any(name.endswith("data.pkl") for name in names):
        foreign = _KINDS["pytorch"]
    elif names and all(name.endswith(".npy") for name in names):
        foreign = _KINDS["npz"]
    if foreign is not None:
        raise source.wrong(None, f"this is not a saved model but {foreign.noun}", fix=foreign.fix)
    if "config.json" not in names:
        fix = "Name a file that model.save wrote"
        raise source.wrong(None, "this zip holds no config.json, so it is no saved model", show_names(names), fix)


def show_names(names: Collection[str]) -> str:
    """Word the entries of a zip, the first five of them."""
    shown = [show(name) for name in list(names)[:5]]
    return f"entries {', '.join(shown)}{', …' if len(names) > 5 else ''}" if shown else "no entries"
