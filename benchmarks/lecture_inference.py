"""Row 6: inference of the lecture convnet from Python, NumPy in and NumPy out."""

from __future__ import annotations

from goals import Faster
from rows import Case, Row, Size
from tasks import Inference

PEERS = ("onnxruntime", "torch", "torch-last", "torch-compile", "keras-tensorflow", "keras-jax", "jax-no-ynn")
BATCHES = (1, 128)


def row(size: Size) -> Row:
    everyone = ("convista", "convista-apply", "convista-xla", *PEERS)
    cases = tuple(Case(f"batch {batch}", Inference("lecture", batch), everyone) for batch in BATCHES)
    onnx = ("onnxruntime",)
    goals = (
        Faster("batch 128: model.predict ≥ onnxruntime's throughput", 1.0, ("batch 128",), onnx),
        Faster("batch 128: jax.jit(model.apply) ≥ onnxruntime's", 1.0, ("batch 128",), onnx, "convista-apply"),
        Faster("batch 1: model.predict, reported against onnxruntime", None, ("batch 1",), onnx),
        Faster(
            "batch 1: jax.jit(model.apply), reported against onnxruntime", None, ("batch 1",), onnx, "convista-apply"
        ),
    )
    return Row(6, "Inference of the lecture convnet from Python", cases, goals)
