"""What the door says about a name that is not there: a misspelling, or something PyTorch has and Convista has not."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from convista.errors import missing_name, suggest

# The public names of torch.nn 2.13 that Convista does not have; an optional test compares them with PyTorch.
_IN_NN = """
    AdaptiveLogSoftmaxWithLoss AdaptiveMaxPool1d AdaptiveMaxPool2d AdaptiveMaxPool3d AlphaDropout BCELoss
    BCEWithLogitsLoss Bilinear Buffer CELU CTCLoss ChannelShuffle CircularPad1d CircularPad2d CircularPad3d
    ConstantPad1d ConstantPad2d ConstantPad3d Container CosineEmbeddingLoss CosineSimilarity CrossEntropyLoss
    CrossMapLRN2d DataParallel Embedding EmbeddingBag FeatureAlphaDropout Fold FractionalMaxPool2d FractionalMaxPool3d
    GLU GRU GRUCell GaussianNLLLoss GroupNorm Hardshrink Hardsigmoid Hardswish Hardtanh HingeEmbeddingLoss HuberLoss
    InstanceNorm1d InstanceNorm2d InstanceNorm3d KLDivLoss L1Loss LPPool1d LPPool2d LPPool3d LSTM LSTMCell LayerNorm
    LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d LazyConvTranspose1d
    LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear
    LinearCrossEntropyLoss LinearCrossEntropyOptions LocalResponseNorm LogSigmoid LogSoftmax MSELoss MarginRankingLoss
    MaxUnpool1d MaxUnpool2d MaxUnpool3d Mish ModuleDict ModuleList MultiLabelMarginLoss MultiLabelSoftMarginLoss
    MultiMarginLoss MultiheadAttention NLLLoss NLLLoss2d PReLU PairwiseDistance Parameter ParameterDict ParameterList
    PixelShuffle PixelUnshuffle PoissonNLLLoss RMSNorm RNN RNNBase RNNCell RNNCellBase RReLU ReflectionPad1d
    ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d SELU SmoothL1Loss
    SoftMarginLoss Softmax2d Softmin Softplus Softshrink Softsign SyncBatchNorm Tanhshrink Threshold Transformer
    TransformerDecoder TransformerDecoderLayer TransformerEncoder TransformerEncoderLayer TripletMarginLoss
    TripletMarginWithDistanceLoss Unflatten Unfold UninitializedBuffer UninitializedParameter Upsample
    UpsamplingBilinear2d UpsamplingNearest2d attention common_types factory_kwargs functional grad init intrinsic
    modules parallel parameter qat quantizable quantized utils
"""

_LOSS = "Give the loss to compile: to_model(net, (1, 28, 28)).compile(loss={!r})"
_TENSOR = "Modules take and return NumPy and JAX arrays: write numpy.asarray(…)"

# What takes the place of the names that code for PyTorch uses most.
_INSTEAD = {
    "nn.CrossEntropyLoss": "End the network with nn.Softmax(dim=1). " + _LOSS.format("sparse_categorical_crossentropy"),
    "nn.BCELoss": "End the network with nn.Sigmoid(). " + _LOSS.format("binary_crossentropy"),
    "nn.MSELoss": _LOSS.format("mean_squared_error"),
    "nn.L1Loss": _LOSS.format("mean_absolute_error"),
    "nn.LogSoftmax": "Write nn.Softmax(dim=1)",
    "nn.ModuleList": "Write nn.Sequential, or give each module an attribute of its own",
    "nn.Parameter": "The weights of a module are NumPy arrays: conv.weight = array",
    "nn.functional": "Each function of it that Convista has is a module: nn.ReLU()(x)",
    "nn.init": "Weights are NumPy arrays: conv.weight = array",
    "Tensor": _TENSOR,
    "tensor": _TENSOR,
    "from_numpy": _TENSOR,
    "cuda": "JAX chooses the device: jax.devices() names it",
    "device": "JAX chooses the device: jax.devices() names it",
    "no_grad": "A module keeps no gradients: leave it out",
    "optim": "Give the optimizer to compile: to_model(net, (1, 28, 28)).compile('adam', …)",
    "utils": "fit takes arrays, or any iterable of batches (x, y)",
}


def in_torch() -> frozenset[str]:
    """Return the names that ``torch.nn`` has and Convista has not.

    Example:
        >>> "LSTM" in in_torch()
        True
    """
    return frozenset(_IN_NN.split())


def absent(module: str, name: str, known: Iterable[str]) -> AttributeError | ImportError:
    """Return what to raise for a name that a module of the door has not; for that module's ``__getattr__`` alone.

    Args:
        module: The module's ``__name__``.
        name: The name that was asked for.
        known: The names that it has.

    Returns:
        An AttributeError; for ``from module import name`` an ImportError of the same message.

    Example:
        >>> print(absent("convista.torch.nn", "Conv2D", ["Conv2d", "Linear"]))
        convista.torch.nn has no 'Conv2D'. Did you mean 'Conv2d'?
        >>> print(absent("convista.torch.nn", "init", ["Conv2d", "Linear"]))
        PyTorch has nn.init, Convista has not. Weights are NumPy arrays: conv.weight = array.
    """
    inside = module.removeprefix("convista.torch").lstrip(".")
    full = f"{inside}.{name}" if inside else name
    if full in _INSTEAD:
        message = f"PyTorch has {full}, Convista has not. {_INSTEAD[full]}."
    elif inside == "nn" and name in in_torch():
        message = f"PyTorch has {full}, but Convista does not have it yet. {module} has: {', '.join(sorted(known))}."
    else:
        message = f"{module} has no {name!r}. {suggest(name, known)}"
    return missing_name(message, module=module, name=name, asked_by=sys._getframe(2))
