"""The native library: found beside this file, loaded with ctypes, registered with XLA."""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

# Each has all that those before it have. The last two differ from "avx512" in bfloat16 alone.
INSTRUCTION_SETS = ("portable", "avx2", "avx512", "avx512_bf16", "amx")

# For pictures of float32 under these names, of bfloat16 under these names with "_bfloat16" behind them.
_BOTH = (
    "convolution_forward",
    "convolution_input_gradient",
    "convolution_kernel_gradient",
    "max_pooling_forward",
    "max_pooling_gradient",
    "sum_pooling_forward",
    "sum_pooling_gradient",
    "block_forward",
    "block_gradient",
)
_NORMALIZATION = ("normalization_forward", "normalization_gradient")
HANDLERS = (*_BOTH, *(f"{name}_bfloat16" for name in _BOTH), *_NORMALIZATION, "threads")

# What handlers take and return. It is part of their names in compiled programs, which are kept on disk: handlers that
# an old program was compiled for are then not found, instead of called wrongly. native/ffi.cc has the same number.
INTERFACE = 5

_FILE = Path(__file__).with_name("_native.so")


def target(handler: str) -> str:
    """Return the name that a handler is registered under.

    Example:
        >>> target("threads")
        'convista_threads_5'
    """
    return f"convista_{handler}_{INTERFACE}"


class Library:
    """The loaded library. Choosing an instruction set changes what all handlers run from then on.

    Args:
        handle: What ctypes loaded.
    """

    def __init__(self, handle: ctypes.CDLL):
        self._handle = handle
        handle.convista_chosen.restype = ctypes.c_char_p
        for name in ("convista_choose", "convista_runs"):
            getattr(handle, name).argtypes = [ctypes.c_char_p]
            getattr(handle, name).restype = ctypes.c_bool

    def chosen(self) -> str:
        """Return the instruction set in use."""
        return self._handle.convista_chosen().decode()

    def choose(self, name: str) -> bool:
        """Use an instruction set; return whether the processor and this build have it."""
        return self._handle.convista_choose(name.encode())

    def runnable(self) -> list[str]:
        """Return the instruction sets that the processor and this build have."""
        return [name for name in INSTRUCTION_SETS if self._handle.convista_runs(name.encode())]

    def register(self) -> None:
        """Make the handlers known to XLA's CPU backend."""
        for name in HANDLERS:
            function = getattr(self._handle, f"convista_{name}")
            jax.ffi.register_ffi_target(target(name), jax.ffi.pycapsule(function), platform="cpu")


@functools.cache
def library() -> Library | str:
    """Return the library, loaded and registered once, or a clause that says why there is none."""
    if not _FILE.exists():
        return "no library was built when it was installed"
    try:
        handle = ctypes.CDLL(str(_FILE))
    except OSError as error:
        return f"the library cannot be loaded: {error}"
    if not hasattr(handle, "convista_interface") or handle.convista_interface() != INTERFACE:
        return "the library was built from another version of the sources"
    loaded = Library(handle)
    loaded.register()
    return loaded


def call(handler: str, results: Any, *arrays: jax.Array, **attributes: Any) -> Any:
    """Call a handler inside a program that is traced; the library must be there.

    Args:
        handler: One of ``HANDLERS``.
        results: Shapes and dtypes of what it returns, one or a list.
        arrays: Its operands.
        attributes: NumPy arrays of int64, NumPy numbers and booleans.
    """
    library()  # programs that are traced without a choice of kernels need it registered too
    return jax.ffi.ffi_call(target(handler), results)(*arrays, **attributes)


def pictures(handler: str, dtype: Any) -> str:
    """Return the name of a handler for pictures of a dtype.

    Example:
        >>> pictures("max_pooling_forward", jax.numpy.bfloat16)
        'max_pooling_forward_bfloat16'
    """
    return f"{handler}_bfloat16" if dtype == jax.numpy.bfloat16 else handler


def threads() -> int:
    """Return how many threads XLA gives to native kernels; the library must be there."""
    return int(jax.jit(lambda: call("threads", jax.ShapeDtypeStruct((), np.int32)))())


def environment(name: str) -> str | None:
    """Return an environment variable, None where it is unset or empty."""
    return os.environ.get(name) or None
