"""Weights from the Hugging Face hub, with a package that stands for huggingface_hub and never asks the network."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from convista import Sequential
from convista.errors import ArgumentError, DataError, MissingDependencyError
from convista.layers import Dense
from convista.models import hub
from convista.models.hub import hub_file

URL = "hf://somebody/small-net/nets/model.safetensors"


class RepositoryNotFoundError(OSError):
    """Called as huggingface_hub calls it."""


class GatedRepoError(RepositoryNotFoundError):
    """Called as huggingface_hub calls it."""


class LocalEntryNotFoundError(FileNotFoundError, ValueError):
    """Called as huggingface_hub calls it."""


def model(seed=0):
    return Sequential([Dense(2, input_shape=(3,))], seed=seed)


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """What the hub was asked for; it has one file."""
    monkeypatch.setenv("CONVISTA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CONVISTA_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    model(seed=7).save_weights(tmp_path / "model.safetensors")
    calls, package = [], types.ModuleType("huggingface_hub")

    def download(repo_id, filename, *, revision=None, cache_dir, local_files_only):
        calls.append((repo_id, filename, revision, Path(cache_dir), local_files_only))
        if package.error is not None:
            raise package.error
        return str(tmp_path / "model.safetensors")

    package.error, package.hf_hub_download = None, download
    monkeypatch.setitem(sys.modules, "huggingface_hub", package)
    return calls


def test_weights_of_the_hub_are_loaded_and_remembered(asked, tmp_path):
    ours = model()
    loaded = ours.load_weights(URL)
    for one, other in zip(ours.get_weights(), model(seed=7).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert asked == [("somebody/small-net", "nets/model.safetensors", None, tmp_path / "home" / "hub", False)]
    assert (loaded.provenance.source, loaded.provenance.format) == (URL, "convista")


def test_revision_and_offline(asked, monkeypatch):
    model().load_weights("hf://some-body/net.v2@refs-1.0/model.safetensors", offline=True)
    monkeypatch.setenv("CONVISTA_OFFLINE", "1")
    model().load_weights(URL)
    assert [call[0] for call in asked] == ["some-body/net.v2", "somebody/small-net"]
    assert [call[2] for call in asked] == ["refs-1.0", None]
    assert [call[4] for call in asked] == [True, True]


@pytest.mark.parametrize(
    ("error", "offline", "fix"),
    [
        (
            LocalEntryNotFoundError("Cannot find it.\nMore."),
            True,
            "Fetch it once with the network allowed, or give the path of a file on this machine.",
        ),
        (
            LocalEntryNotFoundError("Cannot find it.\nMore."),
            False,
            "Check the network, or download the file elsewhere and give its path.",
        ),
        (
            RepositoryNotFoundError("404"),
            False,
            "Check the names on the repository's page; a private one needs: hf auth login.",
        ),
        (GatedRepoError("403"), False, "Ask for access on its page, then log in with: hf auth login."),
    ],
)
def test_what_the_hub_cannot_give(asked, error, offline, fix):
    sys.modules["huggingface_hub"].error = error
    with pytest.raises(DataError) as caught:
        model().load_weights(URL, offline=offline)
    first = str(error).partition("\n")[0]
    assert str(caught.value) == (
        f"{URL}: the file is on the hub or in the cache. Received {type(error).__name__}: {first}. {fix}"
    ).replace("..", ".")


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependencyError) as caught:
        model().load_weights(URL)
    assert str(caught.value) == (
        f"{URL}: files on the Hugging Face hub are fetched by the package huggingface_hub. Received no "
        'huggingface_hub. pip install "convista[hub]", or download the file and give its path.'
    )


@pytest.mark.parametrize(
    "url", ["hf://model.safetensors", "hf://a/b", "hf://a/b/", "hf://a/b/../../x", "hf://a/b/.hidden", "hf://a/b@/x"]
)
def test_names_that_are_none(asked, url):
    with pytest.raises(ArgumentError) as caught:
        hub_file(url)
    assert str(caught.value) == (
        f"load_weights: a file on the hub is hf://OWNER/REPOSITORY/FILE. Received {url!r}. For example "
        "hf://timm/resnet18.a1_in1k/model.safetensors; @REVISION may follow the repository."
    )
    assert asked == []


def test_the_package_is_asked_for_such_names_only_and_its_telemetry_is_off(asked, monkeypatch, tmp_path):
    environment = {}
    monkeypatch.setattr(hub.os, "environ", environment | {"CONVISTA_HOME": str(tmp_path)})
    model().load_weights(tmp_path / "model.safetensors")
    assert asked == []
    assert "HF_HUB_DISABLE_TELEMETRY" not in hub.os.environ
    model().load_weights(URL)
    assert hub.os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
