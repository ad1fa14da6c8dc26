"""Weight files on the Hugging Face hub, named as `hf://OWNER/REPOSITORY/FILE`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from convista import folders
from convista.errors import ArgumentError, DataError, MissingDependencyError

PREFIX = "hf://"
_NAME = r"[\w-][\w.-]*"
_URL = re.compile(rf"hf://(?P<repository>{_NAME}/{_NAME})(?:@(?P<revision>[\w.-]+))?/(?P<file>{_NAME}(?:/{_NAME})*)")
# The hub's classes of errors for names that it does not know.
_UNKNOWN = ("RepositoryNotFoundError", "EntryNotFoundError", "RemoteEntryNotFoundError", "RevisionNotFoundError")


def hub_file(url: str, *, offline: bool = False) -> Path:
    """Download a file from the Hugging Face hub into Convista's cache, or find it there, and return its path.

    Args:
        url: ``hf://OWNER/REPOSITORY/FILE``, or ``hf://OWNER/REPOSITORY@REVISION/FILE`` for a branch, a tag or a commit.
        offline: Never ask the network; ``CONVISTA_OFFLINE=1`` does the same.

    Returns:
        Its path in the cache.

    Raises:
        ArgumentError: The URL is none of these.
        MissingDependencyError: The package huggingface_hub is not installed.
        DataError: There is no such file, or the hub cannot be reached, or it may not be.

    Example:
        >>> hub_file("hf://resnet18.safetensors")
        Traceback (most recent call last):
        ...
        convista.errors.ArgumentError: load_weights: a file on the hub is hf://OWNER/REPOSITORY/FILE. Received...
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise ArgumentError(
            "a file on the hub is hf://OWNER/REPOSITORY/FILE",
            where="load_weights",
            received=f"{url!r:.200}",
            fix="For example hf://timm/resnet18.a1_in1k/model.safetensors; @REVISION may follow the repository",
        )
    # Read when the package is first imported. Convista tells nobody who uses what.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingDependencyError(
            "files on the Hugging Face hub are fetched by the package huggingface_hub",
            where=url,
            received="no huggingface_hub",
            fix='pip install "convista[hub]", or download the file and give its path',
        ) from error
    offline = offline or folders.must_stay_offline()
    try:
        found = hf_hub_download(
            parts["repository"],
            parts["file"],
            revision=parts["revision"],
            cache_dir=folders.cache_folder() / "hub",
            local_files_only=offline,
        )
    except (OSError, ValueError) as error:
        raise DataError(
            "the file is on the hub or in the cache",
            where=url,
            received=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}",
            fix=_fix(error, offline=offline),
        ) from error
    return Path(found)


def _fix(error: Exception, *, offline: bool) -> str:
    if offline:
        return "Fetch it once with the network allowed, or give the path of a file on this machine"
    if type(error).__name__ == "GatedRepoError":
        return "Ask for access on its page, then log in with: hf auth login"
    if type(error).__name__ in _UNKNOWN:
        return "Check the names on the repository's page; a private one needs: hf auth login"
    return "Check the network, or download the file elsewhere and give its path"
