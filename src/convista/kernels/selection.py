"""Which kernels run: the best the processor has, or what the environment variable CONVISTA_KERNELS names."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass

import jax

from convista.errors import ArgumentError, ConvistaError, suggest
from convista.kernels import native

VARIABLE = "CONVISTA_KERNELS"

# One epoch of the lecture convnet, batch 128, two cores: 11.3 against 4.7 s with AVX-512, 3.3 with tiles besides
# (benchmarks/README.md).
_COST = "convolutional networks train through XLA, about 2.4 times slower"
_MEND = "To have them: a C++20 compiler (Debian and Ubuntu: apt install g++), then install Convista again"


@dataclass(frozen=True)
class Selection:
    """What convolutions and poolings run through on this machine.

    Args:
        kernels: ``"amx"``, ``"avx512_bf16"``, ``"avx512"``, ``"avx2"``, ``"portable"`` or ``"xla"``. The first two are
            AVX-512 for float32, and for bfloat16 tiles or ``vdpbf16ps``; tiles serve float32 too, in three parts
            (docs/kernels.md). The next three widen bfloat16 to float32 in registers.
        reason: Why these.
    """

    kernels: str
    reason: str

    @property
    def native(self) -> bool:
        """Whether these are Convista's own kernels."""
        return self.kernels != "xla"


def describe() -> Selection:
    """Return what convolutions and poolings of float32 and bfloat16 run through, and why.

    Raises:
        ArgumentError: CONVISTA_KERNELS names no kernels.
        ConvistaError: It names kernels that this installation or this processor does not have.

    Example:
        >>> describe().kernels in ("amx", "avx512_bf16", "avx512", "avx2", "portable", "xla")
        True
    """
    return _select(native.environment(VARIABLE), jax.default_backend())


@functools.cache
def _select(wanted: str | None, backend: str) -> Selection:
    known = ("xla", *native.INSTRUCTION_SETS)
    if wanted is not None and wanted not in known:
        raise ArgumentError(f"{VARIABLE} names kernels", received=f"{VARIABLE}={wanted}", fix=suggest(wanted, known))
    if wanted == "xla":
        return Selection("xla", f"{VARIABLE}=xla")
    if backend != "cpu":
        return Selection("xla", f"the native kernels are for CPUs, and this is {backend}")
    library = native.library()
    if isinstance(library, str):
        if wanted is not None:
            raise ConvistaError(
                f"{VARIABLE}={wanted} needs the native kernels, and {library}", fix=f"{_MEND}, or unset {VARIABLE}"
            )
        return _without(library)
    if wanted is None:
        return Selection(library.chosen(), "the best that this processor has")
    if not library.choose(wanted):
        raise ConvistaError(
            f"this processor or this build cannot run the kernels {wanted!r}",
            received=f"{VARIABLE}={wanted}",
            fix=f"Use one of {', '.join(library.runnable())}, or unset {VARIABLE}",
        )
    return Selection(wanted, f"{VARIABLE}={wanted}")


def _without(reason: str) -> Selection:
    # Through logging: one line on stderr by default, and programs that embed Convista can turn it off.
    notice = "Convista runs without its native CPU kernels (%s): %s. %s."
    logging.getLogger("convista").warning(notice, reason, _COST, _MEND)
    return Selection("xla", reason)
