"""Who is measured, and with which settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

# Freed memory stays with the process instead of going back to the system and coming again as page faults. A step of the
# lecture convnet at batch 512 in PyTorch, glibc 2.36: 55 000 faults without, 11 000 with blocks up to 32 MiB, 300 so.
_KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 36),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
# XLA takes memory on threads of its own, whose arenas glibc keeps small, and in blocks beyond any threshold.
_KEEP_XLAS_MEMORY = _KEEP_MEMORY | {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0"}
_NO_YNN = {"XLA_FLAGS": "--xla_cpu_experimental_ynn_fusion_type="}
_LAST = {"channels_last": True}
_KERAS_JAX = {"KERAS_BACKEND": "jax"}


@dataclass(frozen=True)
class Configuration:
    """A library and how it runs.

    Args:
        engine: File in ``engines/``.
        environment: Variables of its process.
        options: What the engine does otherwise than usual.
        cores: How many processor cores it may use; 0 for all.
    """

    engine: str
    environment: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    cores: int = 0

    @property
    def ours(self) -> bool:
        """Whether it runs in Convista's environment; all others run in that of the peers."""
        return self.engine == "of_convista"


CONFIGURATIONS = {
    "convista": Configuration("of_convista"),
    "convista-malloc": Configuration("of_convista", _KEEP_XLAS_MEMORY),
    "convista-xla": Configuration("of_convista", {"CONVISTA_KERNELS": "xla"}),
    "convista-bf16": Configuration("of_convista", options={"policy": "mixed_bfloat16"}),
    "convista-apply": Configuration("of_convista", options={"apply": True}),
    "convista-1-thread": Configuration("of_convista", cores=1),
    "convista-2-threads": Configuration("of_convista", cores=2),
    "torch": Configuration("of_torch"),
    "torch-last": Configuration("of_torch", options=_LAST),
    "torch-last-malloc": Configuration("of_torch", _KEEP_MEMORY, _LAST),
    "torch-last-bf16": Configuration("of_torch", options=_LAST | {"autocast": True}),
    "torch-last-bf16-malloc": Configuration("of_torch", _KEEP_MEMORY, _LAST | {"autocast": True}),
    "torch-compile": Configuration("of_torch", _KEEP_MEMORY, _LAST | {"compile": True}),
    "keras-tensorflow": Configuration("of_keras", {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}),
    "keras-jax": Configuration("of_keras", _KERAS_JAX),
    "keras-jax-no-ynn": Configuration("of_keras", _KERAS_JAX | _NO_YNN),
    "jax": Configuration("of_jax"),
    "jax-no-ynn": Configuration("of_jax", _NO_YNN),
    "onnxruntime": Configuration("of_onnxruntime"),
}

SLOW_TO_PREPARE = ("torch-compile",)
"""Left out unless all are asked for: minutes of compilation."""

QUICK = (
    *("convista", "convista-bf16", "convista-apply", "convista-1-thread", "convista-2-threads"),
    *("torch-last", "torch-last-bf16"),
)
"""Those of a smoke run."""

QUICK_ON_SMALL = ("keras-jax", "jax-no-ynn", "onnxruntime")
"""More for a smoke run, of small networks and single convolutions: what else XLA compiles takes too long."""
