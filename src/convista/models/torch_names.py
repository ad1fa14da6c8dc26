"""How torchvision calls the layers of the networks that Convista knows by the names of Keras Applications."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

Names = dict[str, str]


def families(layers: Iterable[str]) -> dict[str, Names]:
    """Return for each family of networks what torchvision calls these layers; those it has no name for are left out.

    Args:
        layers: Names of layers with weights, in the order in which they run.

    Returns:
        Family → layer → the module's path in torchvision. ``"own"`` is for networks whose modules have our names.

    Example:
        >>> families(["conv1_conv", "conv2_block1_1_bn"])["resnet"]
        {'conv1_conv': 'conv1', 'conv2_block1_1_bn': 'layer1.0.bn1'}
    """
    listed = list(layers)
    found = {family: _renamed(listed, rules) for family, rules in _RULES.items()}
    return found | {"vgg": _vgg(listed), "own": {name: name for name in listed}}


def _renamed(layers: list[str], rules: Mapping[str, Callable[[re.Match[str]], str]]) -> Names:
    names = {}
    for layer in layers:
        for pattern, rename in rules.items():
            if match := re.fullmatch(pattern, layer):
                names[layer] = rename(match)
                break
    return names


def _vgg(layers: list[str]) -> Names:
    """VGG's modules are counted through: a convolution and its relu take two places, a pooling one."""
    names = {"fc1": "classifier.0", "fc2": "classifier.3", "predictions": "classifier.6"}
    names = {layer: names[layer] for layer in layers if layer in names}
    place, before = 0, "1"
    for layer in layers:
        if match := re.fullmatch(r"block(\d)_conv\d", layer):
            place, before = place + (match[1] != before), match[1]
            names[layer] = f"features.{place}"
            place += 2
    return names


def _less(text: str, by: int = 1) -> int:
    return int(text) - by


_RESNET: dict[str, Callable[[re.Match[str]], str]] = {
    r"conv1_(conv|bn)": lambda m: f"{m[1]}1",
    r"conv(\d)_block(\d+)_0_(conv|bn)": lambda m: (
        f"layer{_less(m[1])}.{_less(m[2])}.downsample.{0 if m[3] == 'conv' else 1}"
    ),
    r"conv(\d)_block(\d+)_(\d)_(conv|bn)": lambda m: f"layer{_less(m[1])}.{_less(m[2])}.{m[4]}{m[3]}",
    r"predictions": lambda m: "fc",
}
_INVERTED = {"expand": "0.0", "expand_BN": "0.1", "depthwise": "1.0", "depthwise_BN": "1.1"}
_INVERTED |= {"project": "2", "project_BN": "3"}
_FIRST = {"depthwise": "0.0", "depthwise_BN": "0.1", "project": "1", "project_BN": "2"}
_MOBILENET_V2: dict[str, Callable[[re.Match[str]], str]] = {
    r"Conv1": lambda m: "features.0.0",
    r"bn_Conv1": lambda m: "features.0.1",
    r"expanded_conv_(\w+)": lambda m: f"features.1.conv.{_FIRST[m[1]]}",
    r"block_(\d+)_(\w+)": lambda m: f"features.{int(m[1]) + 1}.conv.{_INVERTED[m[2]]}",
    r"Conv_1": lambda m: "features.18.0",
    r"Conv_1_bn": lambda m: "features.18.1",
    r"predictions": lambda m: "classifier.1",
}
_PARTS = {"expand_conv": (0, "0"), "expand_bn": (0, "1"), "dwconv": (1, "0"), "bn": (1, "1")}
_PARTS |= {"se_reduce": (2, "fc1"), "se_expand": (2, "fc2"), "project_conv": (3, "0"), "project_bn": (3, "1")}


def _efficientnet_part(match: re.Match[str]) -> str:
    stage, block, part = match[1], ord(match[2]) - ord("a"), match[3]
    place, inner = _PARTS[part]
    # The first stage widens nothing, so that its parts come one place earlier.
    return f"features.{stage}.{block}.block.{place - (stage == '1')}.{inner}"


_EFFICIENTNET: dict[str, Callable[[re.Match[str]], str]] = {
    r"stem_(conv|bn)": lambda m: f"features.0.{0 if m[1] == 'conv' else 1}",
    r"block(\d)([a-z])_(\w+)": _efficientnet_part,
    r"top_(conv|bn)": lambda m: f"features.8.{0 if m[1] == 'conv' else 1}",
    r"predictions": lambda m: "classifier.1",
}
_BLOCK = {"depthwise_conv": ".block.0", "layernorm": ".block.2", "layer_scale": ""}
_BLOCK |= {"pointwise_conv_1": ".block.3", "pointwise_conv_2": ".block.5"}
_CONVNEXT: dict[str, Callable[[re.Match[str]], str]] = {
    r"\w+_stem_(conv|layernorm)": lambda m: f"features.0.{0 if m[1] == 'conv' else 1}",
    r"\w+_downsampling_(conv|layernorm)_(\d)": lambda m: f"features.{2 * int(m[2]) + 2}.{int(m[1] == 'conv')}",
    r"\w+_stage_(\d)_block_(\d)_(\w+)": lambda m: f"features.{2 * int(m[1]) + 1}.{m[2]}{_BLOCK[m[3]]}",
    r"\w+_head_layernorm": lambda m: "classifier.0",
    r"\w+_head_dense": lambda m: "classifier.2",
}
_RULES: dict[str, dict[str, Callable[[re.Match[str]], str]]] = {
    "resnet": _RESNET,
    "mobilenet-v2": _MOBILENET_V2,
    "efficientnet": _EFFICIENTNET,
    "convnext": _CONVNEXT,
}
