"""`keras.activations`: the activation functions of Convista under Keras's names."""

from __future__ import annotations

from typing import Any

from convista.keras.names import absent
from convista.ops.activation import FUNCTIONS, get

elu = FUNCTIONS["elu"]
exponential = FUNCTIONS["exponential"]
gelu = FUNCTIONS["gelu"]
hard_sigmoid = FUNCTIONS["hard_sigmoid"]
leaky_relu = FUNCTIONS["leaky_relu"]
linear = FUNCTIONS["linear"]
log_softmax = FUNCTIONS["log_softmax"]
relu = FUNCTIONS["relu"]
relu6 = FUNCTIONS["relu6"]
selu = FUNCTIONS["selu"]
sigmoid = FUNCTIONS["sigmoid"]
silu = FUNCTIONS["silu"]
softmax = FUNCTIONS["softmax"]
softplus = FUNCTIONS["softplus"]
softsign = FUNCTIONS["softsign"]
swish = FUNCTIONS["swish"]
tanh = FUNCTIONS["tanh"]

__all__ = [
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "swish",
    "tanh",
]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
