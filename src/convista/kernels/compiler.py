"""How XLA compiles Convista's programs on this machine."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import jax

from convista.folders import cache_folder

# XLA's YNN fusions are built for inference. Inside the training loop of the lecture convnet they cost a factor of 2
# (58.7 against 28.5 s an epoch, 2 cores of a Xeon at 2.6 GHz, jaxlib 0.10.2).
_CPU_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}

# Even the smallest program takes XLA 20–50 ms to compile and 1–2 ms to read back.
_CACHE_MINIMUM_SECONDS = 0.0


def compile_function(function: Callable, *, static: tuple[str, ...] = (), donate: tuple[str, ...] = ()) -> Callable:
    """Return ``jax.jit(function)`` with this machine's compiler options and the persistent compilation cache.

    Args:
        function: A pure function of arrays.
        static: Names of arguments that are constants of the program.
        donate: Names of arguments whose buffers the program may overwrite.

    Example:
        >>> compile_function(lambda x: x + 1)(2).item()
        3
    """
    use_cache()
    return jax.jit(function, static_argnames=static, donate_argnames=donate, compiler_options=_options())


@functools.cache
def _options() -> dict[str, str]:
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0, compiler_options=_CPU_OPTIONS)()
    except jax.errors.JaxRuntimeError:  # a jaxlib without this flag has no YNN fusions to turn off
        return {}
    return _CPU_OPTIONS


@functools.cache
def use_cache() -> None:
    """Keep compiled programs in Convista's cache folder, unless the user has chosen a folder or turned caching off."""
    if os.environ.get("CONVISTA_COMPILATION_CACHE", "1") == "0" or jax.config.values["jax_compilation_cache_dir"]:
        return
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "programs"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _CACHE_MINIMUM_SECONDS)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
