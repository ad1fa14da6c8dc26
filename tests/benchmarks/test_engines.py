"""The engines of this environment do what a task says; the driver compares the others' results with these."""

from __future__ import annotations

import numpy as np
import pytest
from engines import jax_steps, of_convista, of_jax
from engines.program import NotOffered, offered, operands, pictures
from tasks import Convolution, Inference, Training

STRIDED = {"stride": 2, "pad": 1, "passes": ("forward", "dx", "dw")}


def loop(task: Convolution) -> list[np.ndarray]:
    """Forward and both gradients of a convolution along one axis, product by product."""
    x, kernel, dy = (array.astype(np.float64) for array in operands(task))
    y, dx, dw = np.zeros_like(dy), np.zeros_like(x), np.zeros_like(kernel)
    for at in range(dy.shape[1]):
        for tap in range(task.kernel):
            place = at * task.stride + tap * task.dilation - task.pad
            if 0 <= place < x.shape[1]:
                y[:, at] += x[:, place] @ kernel[tap]
                dx[:, place] += dy[:, at] @ kernel[tap].T
                dw[tap] += x[:, place].T @ dy[:, at]
    return [y, dx, dw]


@pytest.mark.parametrize("engine", [of_convista, of_jax])
def test_the_passes_of_a_convolution(engine, tmp_path):
    task = Convolution(2, (9,), 3, 4, 3, **STRIDED)
    program = engine.prepare(task, {}, tmp_path)
    program.run()
    for found, expected in zip(program.result(), loop(task), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(program.result()[1], loop(Convolution(2, (9,), 3, 4, 3, stride=2, pad=2))[1][:, :9])


@pytest.mark.parametrize("engine", [of_convista, of_jax])
def test_a_transposed_convolution_goes_the_other_way(engine, tmp_path):
    straight = Convolution(2, (10,), 3, 4, 4, **STRIDED)
    task = Convolution(2, (10,), 3, 4, 4, **STRIDED, transposed=True)
    program = engine.prepare(task, {}, tmp_path)
    program.run()
    y, dx, dw = loop(straight)
    for found, expected in zip(program.result(), (dx, y, dw), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("engine", "form"), [(of_convista, "fit"), (of_jax, "loop")])
def test_training_has_the_parameters_of_the_network(engine, form, tmp_path):
    task = Training("lecture", 4, 4, form=form)
    program = engine.prepare(task, {}, tmp_path)
    program.run()
    assert program.parameters == task.parameters()


def step(carry, x, y):
    return carry * 0.5 + x.sum() + y.sum()


def test_the_last_batch_may_be_smaller():
    assert Training("lecture", 4, 6).steps == 2
    x, y = np.arange(6, dtype=np.float32), np.ones(6, np.float32)
    run = jax_steps.epoch(step, np.float32(0), x, y, 4, "loop")
    assert float(run()) == (6 + 4) * 0.5 + 9 + 2
    assert float(jax_steps.epoch(step, np.float32(0), x, y, 6, "fit")()) == 15 + 6


def test_scan_and_loop_make_the_same_steps():
    x, y = np.arange(6, dtype=np.float32), np.ones(6, np.float32)
    found = {form: float(jax_steps.epoch(step, np.float32(0), x, y, 2, form)()) for form in ("loop", "scan")}
    # sums of the pictures 0+1, 2+3, 4+5, and of two ones each
    assert found == dict.fromkeys(("loop", "scan"), (3 * 0.5 + 7) * 0.5 + 11)


@pytest.mark.parametrize("options", [{}, {"apply": True}])
def test_predictions_are_probabilities(options, tmp_path):
    task = Inference("lecture", 3)
    y = of_convista.prepare(task, options, tmp_path).run()
    assert y.shape == (3, 10)
    np.testing.assert_allclose(y.sum(1), 1, rtol=1e-5)


def test_what_is_not_offered_says_so(tmp_path):
    with pytest.raises(NotOffered, match=r"^a policy is a model's; the operation takes the precision of its operands$"):
        of_convista.prepare(Convolution(1, (9,), 1, 1, 3), {"policy": "no_such"}, tmp_path)
    with pytest.raises(NotOffered, match=r"^does no inference$"):
        offered(Inference("lecture", 1), training=of_jax.prepare)


def test_mnist_is_read_from_where_the_driver_put_it(tmp_path):
    np.save(tmp_path / "x.npy", np.full((9, 28, 28, 1), 0.5, np.float32))
    np.save(tmp_path / "y.npy", np.arange(9, dtype=np.uint8))
    x, y = pictures(Training("lecture", 2, 5, pictures="mnist"), tmp_path)
    assert (x.shape, x.mean(), y.tolist(), y.dtype) == ((5, 28, 28, 1), 0.5, [0, 1, 2, 3, 4], np.int32)
