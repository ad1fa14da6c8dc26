"""The table of datasets is complete and consistent."""

from __future__ import annotations

import re

import pytest

from convista.data.entries import ENTRIES


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=list(ENTRIES))
def test_every_entry_is_complete(entry):
    assert len(entry.classes) == len(set(entry.classes)) == (100 if entry.name == "cifar100" else 10)
    assert entry.licence
    assert entry.citation
    assert entry.title
    assert len(entry.downloads) == {"embedded": 0, "idx": 4, "cifar": 1}[entry.family]
    for download in entry.downloads:
        assert re.fullmatch("[0-9a-f]{64}", download.sha256)
        assert download.urls
        assert all(url.endswith(f"/{download.file}") for url in download.urls)
        assert download.size > 1000


def test_digests_are_all_different():
    digests = [download.sha256 for entry in ENTRIES.values() for download in entry.downloads]
    assert len(set(digests)) == len(digests) == 14


def test_classes_of_cifar100_are_in_alphabetical_order():
    assert list(ENTRIES["cifar100"].classes) == sorted(ENTRIES["cifar100"].classes)
