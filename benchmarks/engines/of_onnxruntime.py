"""ONNX Runtime: inference of a network that is written as an ONNX file here, NCHW as its kernels want it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import networks
import numpy as np
import onnx
import onnxruntime
from networks import NETWORKS
from onnx import helper, numpy_helper
from tasks import Inference, Task

from engines.program import NotOffered, Program, offered, pictures

_OPSET, _IR = 17, 9
"""Old enough for every ONNX Runtime of the last years."""


def prepare(task: Task, options: dict[str, Any], folder: Path) -> Program:
    """Return the task as ONNX Runtime does it.

    Args:
        task: What to do.
        options: None.
        folder: Where the pictures are.
    """
    return offered(task, inference=_inference)(task, folder)


def describe() -> dict[str, Any]:
    """Return versions and threads."""
    return {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__, "threads": "its default: all cores"}


def _inference(task: Inference, folder: Path) -> Program:
    network = NETWORKS[task.network]
    model = _model(network)
    count = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "network.onnx"
        onnx.save(model, path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = np.ascontiguousarray(pictures(task, folder)[0].transpose(0, 3, 1, 2))
    return Program(lambda: session.run(None, {"x": x})[0], count)


def _model(network: networks.Network) -> onnx.ModelProto:
    random = np.random.default_rng(0)
    nodes, weights = [], []
    shape, name = network.shape, "x"
    for number, node in enumerate(network.nodes):
        arrays = _weights(node, shape, random)
        tensors = [numpy_helper.from_array(array, f"{number}_{at}") for at, array in enumerate(arrays)]
        kind, attributes = _operator(node)
        result = f"after_{number}"
        nodes.append(helper.make_node(kind, [name, *(tensor.name for tensor in tensors)], [result], **attributes))
        weights += tensors
        shape, name = networks.after((node,), shape), result
    nodes.append(helper.make_node("Softmax", [name], ["y"], axis=1))
    height, width, channels = network.shape
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", channels, height, width])
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["N", network.classes])
    graph = helper.make_graph(nodes, "network", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    onnx.checker.check_model(model)
    return model


def _weights(node: networks.Node, shape: networks.Shape, random: np.random.Generator) -> list[np.ndarray]:
    match node:
        case networks.Convolution(int(filters), kernel):
            sizes = (filters, shape[-1], kernel, kernel)
        case networks.Dense(units):
            sizes = (shape[0], units)
            filters = units
        case _:
            return []
    small = random.normal(0, 0.05, sizes).astype(np.float32)
    return [small, np.zeros(filters, np.float32)]


def _operator(node: networks.Node) -> tuple[str, dict[str, Any]]:
    match node:
        case networks.Convolution(int(), kernel, stride, False, True):
            return "Conv", {"kernel_shape": [kernel] * 2, "strides": [stride] * 2}
        case networks.Relu():
            return "Relu", {}
        case networks.MaxPooling(size):
            return "MaxPool", {"kernel_shape": [size] * 2, "strides": [size] * 2}
        case networks.Flatten():
            return "Flatten", {}
        case networks.Dense():
            return "Gemm", {}
        case _:
            raise NotOffered(f"no ONNX is written here for {node}")
