"""PyTorch: stock (NCHW), channels last, bfloat16 by autocast, compiled."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

import networks
import numpy as np
import torch
from networks import NETWORKS
from tasks import Convolution, Inference, Task, Training
from torch import nn

from engines.program import Program, offered, operands, pictures


def prepare(task: Task, options: dict[str, Any], folder: Path) -> Program:
    """Return the task as PyTorch does it.

    Args:
        task: What to do.
        options: ``channels_last``, ``autocast`` and ``compile``, each true or absent.
        folder: Where the pictures are.
    """
    engine = offered(task, training=_training, inference=_inference, convolution=_convolution)
    return engine(task, options, folder)


def describe() -> dict[str, Any]:
    """Return versions and threads."""
    return {"torch": torch.__version__, "threads": torch.get_num_threads()}


class Residual(nn.Module):
    """``body(x) + shortcut(x)``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module):
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.shortcut(x)


def build(nodes: tuple[networks.Node, ...], shape: networks.Shape) -> nn.Sequential:
    """Return the layers for pictures of a shape (channels last, as everywhere here)."""
    modules = []
    for node in nodes:
        modules.append(_module(node, shape))
        shape = networks.after((node,), shape)
    return nn.Sequential(*modules)


def _module(node: networks.Node, shape: networks.Shape) -> nn.Module:
    match node:
        case networks.Convolution(filters, kernel, stride, same, bias):
            groups = shape[-1] if filters is None else 1
            padding = kernel // 2 if same else 0
            return nn.Conv2d(shape[-1], filters or shape[-1], kernel, stride, padding, groups=groups, bias=bias)
        case networks.Normalization():
            return nn.BatchNorm2d(shape[-1], momentum=0.01, eps=1e-3)
        case networks.Relu():
            return nn.ReLU(inplace=True)
        case networks.MaxPooling(size):
            return nn.MaxPool2d(size)
        case networks.GlobalAverage():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case networks.Flatten():
            return nn.Flatten()
        case networks.Dense(units):
            return nn.Linear(shape[0], units)
        case networks.Residual(body, shortcut):
            return Residual(build(body, shape), build(shortcut, shape))


def _layout(options: dict[str, Any], rank: int = 4) -> torch.memory_format:
    by_rank = {3: torch.contiguous_format, 4: torch.channels_last, 5: torch.channels_last_3d}
    return by_rank[rank] if options.get("channels_last") else torch.contiguous_format


def _precision(options: dict[str, Any]) -> contextlib.AbstractContextManager[Any]:
    return torch.autocast("cpu", torch.bfloat16) if options.get("autocast") else contextlib.nullcontext()


def _network(name: str, options: dict[str, Any]) -> tuple[nn.Module, int]:
    torch.manual_seed(0)
    network = NETWORKS[name]
    module = build(network.nodes, network.shape).to(memory_format=_layout(options))
    count = sum(parameter.numel() for parameter in module.parameters())
    return (torch.compile(module) if options.get("compile") else module), count


def _training(task: Training, options: dict[str, Any], folder: Path) -> Program:
    network, count = _network(task.network, options)
    network.train()
    # foreach: one pass over all parameters, faster than the default of a CPU
    optimizer = torch.optim.RMSprop(network.parameters(), lr=0.001, alpha=0.9, eps=1e-7, foreach=True)
    x, y = pictures(task, folder)
    layout = _layout(options)
    inputs = torch.from_numpy(x.transpose(0, 3, 1, 2)).contiguous(memory_format=layout)
    labels = torch.from_numpy(y.astype(np.int64))

    def epoch() -> None:
        correct = torch.zeros((), dtype=torch.int64)
        for places in torch.randperm(len(inputs)).split(task.batch):
            optimizer.zero_grad(set_to_none=True)
            chosen = labels[places]
            with _precision(options):
                logits = network(inputs[places].contiguous(memory_format=layout))
                loss = nn.functional.cross_entropy(logits, chosen)
            loss.backward()
            optimizer.step()
            correct += (logits.detach().argmax(1) == chosen).sum()

    return Program(epoch, count)


def _inference(task: Inference, options: dict[str, Any], folder: Path) -> Program:
    network, count = _network(task.network, options)
    network.eval()
    inputs = np.ascontiguousarray(pictures(task, folder)[0].transpose(0, 3, 1, 2))

    def predict() -> np.ndarray:
        with torch.inference_mode(), _precision(options):
            x = torch.from_numpy(inputs).contiguous(memory_format=_layout(options))
            return network(x).float().softmax(1).numpy()

    return Program(predict, count)


def _convolution(task: Convolution, options: dict[str, Any], folder: Path) -> Program:
    rank = len(task.sizes)
    # There is no channels-last layout of (N, C, L); as a picture of height 1 there is.
    flat = rank == 1 and bool(options.get("channels_last"))
    geometry = [_per_axis(value, rank, flat) for value in ((task.stride, 1), (task.pad, 0), (task.dilation, 1))]
    arguments = (*geometry, task.transposed, _per_axis((_output_padding(task), 0), rank, flat), 1)
    x, weights, y = (_tensor(array, axes, options, flat) for array, axes in _channels_first(task, rank))
    given, towards = (y, x) if task.transposed else (x, y)
    forward = functools.partial(torch.ops.aten.convolution, given, weights, None, *arguments)
    mask = ["dx" in task.passes, "dw" in task.passes, False]
    backward = functools.partial(
        torch.ops.aten.convolution_backward, towards, given, weights, None, *arguments, output_mask=mask
    )
    found: list[torch.Tensor] = []

    def run() -> None:
        found.clear()
        with torch.no_grad():
            if "forward" in task.passes:
                found.append(forward())
            if any(mask):
                found.extend(tensor for tensor, wanted in zip(backward(), mask, strict=True) if wanted)

    return Program(run, task.parameters(), lambda: [tensor.float().numpy() for tensor in found])


def _per_axis(value: tuple[int, int], rank: int, flat: bool) -> list[int]:
    """Return a setting for each axis; the second number is for the axis that was added."""
    return [value[1], value[0]] if flat else [value[0]] * rank


def _channels_first(task: Convolution, rank: int) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """Return the operands and how to bring their axes into PyTorch's order.

    A transposed convolution's weights are (in, out, …), and those of the convolution it transposes (out, in, …): that
    is the same array.
    """
    large, kernel, small = operands(task)
    pictures_first = (0, rank + 1, *range(1, rank + 1))
    return [(large, pictures_first), (kernel, (rank + 1, rank, *range(rank))), (small, pictures_first)]


def _tensor(array: np.ndarray, axes: tuple[int, ...], options: dict[str, Any], flat: bool) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array.transpose(axes)))
    tensor = tensor.to(torch.bfloat16 if options.get("autocast") else torch.float32)
    tensor = tensor.unsqueeze(2) if flat else tensor
    return tensor.contiguous(memory_format=_layout(options, tensor.ndim))


def _output_padding(task: Convolution) -> int:
    if not task.transposed:
        return 0
    span = (task.kernel - 1) * task.dilation + 1
    return task.sizes[0] - ((task.outputs[0] - 1) * task.stride + span - 2 * task.pad)
