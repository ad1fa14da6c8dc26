"""Names of torchvision, a few of each family written out by hand."""

from __future__ import annotations

import pytest

from convista import architectures
from convista.models.torch_names import families

KNOWN = {
    "resnet": {
        "conv1_bn": "bn1",
        "conv3_block1_0_conv": "layer2.0.downsample.0",
        "conv3_block1_0_bn": "layer2.0.downsample.1",
        "conv5_block2_2_bn": "layer4.1.bn2",
        "predictions": "fc",
    },
    "mobilenet-v2": {
        "bn_Conv1": "features.0.1",
        "expanded_conv_project": "features.1.conv.1",
        "block_16_project_BN": "features.17.conv.3",
        "Conv_1": "features.18.0",
    },
    "efficientnet": {
        "stem_bn": "features.0.1",
        "block1a_dwconv": "features.1.0.block.0.0",
        "block2b_se_expand": "features.2.1.block.2.fc2",
        "top_conv": "features.8.0",
    },
    "convnext": {
        "convnext_tiny_stem_layernorm": "features.0.1",
        "convnext_tiny_downsampling_conv_2": "features.6.1",
        "convnext_tiny_stage_2_block_8_layer_scale": "features.5.8",
        "convnext_tiny_head_dense": "classifier.2",
    },
}


@pytest.mark.parametrize("family", KNOWN)
def test_names(family):
    assert families(KNOWN[family])[family] == KNOWN[family]


def test_vgg_counts_activations_and_poolings():
    layers = [name for name, both in architectures.vgg16().graph.parameter_counts().items() if any(both)]
    found = families(layers)["vgg"]
    places = [int(found[name].split(".")[1]) for name in layers if name.startswith("block")]
    assert places == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert [found[name] for name in ("fc1", "fc2", "predictions")] == ["classifier.0", "classifier.3", "classifier.6"]


def test_other_names_belong_to_no_family():
    found = families(["mine"])
    assert found.pop("own") == {"mine": "mine"}
    assert not any(found.values())
