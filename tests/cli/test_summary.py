"""`convista summary` of saved models and the user's own."""

from __future__ import annotations

import pytest

from convista.models import load_model


def test_saved_model_knows_its_size(place, convista):
    done = convista("summary", "my run")
    model = load_model("my run/model.convista")
    assert done.out == f"{model.summary(print_to=None)}\n"
    document = convista("summary", "my run/model.convista", "--json").document
    assert document["total_parameters"] == model.count_params()


def test_detail(place, convista):
    assert "Receptive field" in convista("summary", "my run", "--detail").out
    assert "Receptive field" not in convista("summary", "my run").out


@pytest.mark.parametrize("size", ["8,8,1", "8x8x1", "8×8×1", " 8, 8, 1"])
def test_own_file_with_a_size(models, convista, size):
    done = convista("summary", f"{models}:small", "--input", size, "--classes", 3)
    assert done.code == 0, done.err
    assert "(None, 3)" in done.out


def test_a_size_is_asked_for(models, convista):
    done = convista("summary", f"{models}:small")
    assert done.code == 2
    assert done.err.startswith("Error: --input: this model is built for a size of picture. Received none. Add height,")
    assert convista("summary", f"{models}:ready").code == 0


@pytest.mark.parametrize("size", ["28,x", "0,8,1", "a,b,c", "8,8,-1", "8,,1", "8,8,99999999999"])
def test_sizes_that_cannot_be(convista, size):
    done = convista("summary", "lecture-dense", "--input", size)
    assert done.code in (1, 2)
    assert "Traceback" not in done.err
    assert "Error inside" not in done.err
