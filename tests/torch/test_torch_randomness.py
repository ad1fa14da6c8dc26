"""The stream of first weights: the same seed, the same weights."""

from __future__ import annotations

import subprocess
import sys

import pytest

from convista.errors import ArgumentError
from convista.torch import manual_seed, nn


def test_the_same_seed_gives_the_same_weights():
    manual_seed(3)
    first, second = nn.Linear(5, 4), nn.Linear(5, 4)
    manual_seed(3)
    again = nn.Linear(5, 4)
    assert (first.weight == again.weight).all()
    assert (first.bias == again.bias).all()
    assert (first.weight != second.weight).any()
    manual_seed(4)
    assert (nn.Linear(5, 4).weight != first.weight).any()


def test_without_a_seed_it_begins_with_that_of_the_process():
    code = (
        "from convista.models import set_random_seed; set_random_seed(7)\n"
        "from convista.torch import manual_seed, nn; weight = nn.Linear(3, 2).weight\n"
        "manual_seed(7); print((weight == nn.Linear(3, 2).weight).all())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout == "True\n"


def test_a_seed_is_a_whole_number():
    with pytest.raises(ArgumentError) as error:
        manual_seed(-1)
    assert str(error.value) == "seed is a whole number of at least 0. Received seed=-1."
