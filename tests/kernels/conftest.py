"""The native library, and each instruction set that this machine runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convista.kernels import native

LIBRARY = native.library()
RUNNABLE = [] if isinstance(LIBRARY, str) else LIBRARY.runnable()


@pytest.fixture(scope="session")
def library() -> native.Library:
    if isinstance(LIBRARY, str):
        pytest.skip(f"no native kernels: {LIBRARY}")
    return LIBRARY


@pytest.fixture(params=[name for name in native.INSTRUCTION_SETS if name != "avx512_bf16"])
def instruction_set(request: pytest.FixtureRequest, library: native.Library) -> Iterator[str]:
    """Run the test once with each of the float32 kernels."""
    yield from _chosen(request, library)


@pytest.fixture(params=native.INSTRUCTION_SETS)
def bfloat16_instruction_set(request: pytest.FixtureRequest, library: native.Library) -> Iterator[str]:
    """Run the test once with each of the bfloat16 kernels."""
    yield from _chosen(request, library)


def _chosen(request: pytest.FixtureRequest, library: native.Library) -> Iterator[str]:
    if request.param not in RUNNABLE:
        pytest.skip(f"this processor does not run the kernels {request.param}")
    before = library.chosen()
    assert library.choose(request.param)
    yield request.param
    library.choose(before)
