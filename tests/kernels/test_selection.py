"""Which kernels are chosen, what is said when there are none, and that the numbers do not depend on the threads."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from convista.errors import ArgumentError, ConvistaError
from convista.kernels import native, selection
from convista.kernels.geometry import ConvolutionGeometry, PoolingGeometry
from convista.ops import convolution, pooling

PLAIN = ConvolutionGeometry((1, 1), ((0, 0), (0, 0)), (1, 1))
BLOCKS = PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))
choosing_processors = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(autouse=True)
def _afresh(monkeypatch):
    monkeypatch.delenv(selection.VARIABLE, raising=False)
    selection._select.cache_clear()
    yield
    selection._select.cache_clear()


@pytest.fixture
def without_library(monkeypatch):
    monkeypatch.setattr(native, "library", lambda: "no library was built when it was installed")


def test_the_best_kernels_are_chosen(library) -> None:
    assert selection.describe() == selection.Selection(library.runnable()[-1], "the best that this processor has")


def test_the_environment_chooses(monkeypatch, library) -> None:
    best = library.chosen()
    monkeypatch.setenv(selection.VARIABLE, "portable")
    assert selection.describe() == selection.Selection("portable", "CONVISTA_KERNELS=portable")
    assert library.chosen() == "portable"
    library.choose(best)


def test_the_environment_can_ask_for_xla(monkeypatch) -> None:
    monkeypatch.setenv(selection.VARIABLE, "xla")
    program = str(jax.make_jaxpr(lambda x: pooling.max_pooling(x, BLOCKS))(jnp.zeros((1, 4, 4, 3))))
    assert "convista" not in program


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("avx51", "CONVISTA_KERNELS names kernels. Received CONVISTA_KERNELS=avx51. Did you mean 'avx512'?"),
        (
            "cuda",
            "CONVISTA_KERNELS names kernels. Received CONVISTA_KERNELS=cuda. "
            "Known: amx, avx2, avx512, avx512_bf16, portable, xla.",
        ),
    ],
)
def test_an_unknown_name(monkeypatch, value, message) -> None:
    monkeypatch.setenv(selection.VARIABLE, value)
    with pytest.raises(ArgumentError) as caught:
        convolution.convolution(jnp.zeros((1, 4, 4, 1)), jnp.zeros((2, 2, 1, 1)), PLAIN)
    assert str(caught.value) == message


def test_kernels_that_the_processor_lacks(monkeypatch) -> None:
    class Old:
        def choose(self, name):
            return False

        def runnable(self):
            return ["portable", "avx2"]

    monkeypatch.setattr(native, "library", lambda: Old())
    monkeypatch.setenv(selection.VARIABLE, "avx512")
    with pytest.raises(ConvistaError) as caught:
        selection.describe()
    assert str(caught.value) == (
        "this processor or this build cannot run the kernels 'avx512'. Received CONVISTA_KERNELS=avx512. "
        "Use one of portable, avx2, or unset CONVISTA_KERNELS."
    )


def test_without_a_library_everything_runs_through_xla_and_says_so_once(without_library, caplog) -> None:
    x, kernel = jnp.ones((1, 6, 6, 2)), jnp.ones((3, 3, 2, 4))
    with caplog.at_level(logging.WARNING, "convista"):
        for _ in range(2):
            y = pooling.max_pooling(convolution.convolution(x, kernel, PLAIN), BLOCKS)
            gradient = jax.grad(lambda x: jnp.sum(pooling.average_pooling(x, BLOCKS)))(x)
    np.testing.assert_array_equal(y, np.full((1, 2, 2, 4), 18))
    np.testing.assert_array_equal(gradient, np.full(x.shape, 0.25))
    assert [record.getMessage() for record in caplog.records] == [
        "Convista runs without its native CPU kernels (no library was built when it was installed): "
        "convolutional networks train through XLA, about 2.4 times slower. "
        "To have them: a C++20 compiler (Debian and Ubuntu: apt install g++), then install Convista again."
    ]


def test_asking_for_kernels_without_a_library_is_an_error(without_library, monkeypatch) -> None:
    monkeypatch.setenv(selection.VARIABLE, "avx2")
    with pytest.raises(ConvistaError) as caught:
        selection.describe()
    assert str(caught.value) == (
        "CONVISTA_KERNELS=avx2 needs the native kernels, and no library was built when it was installed. To have them: "
        "a C++20 compiler (Debian and Ubuntu: apt install g++), then install Convista again, or unset CONVISTA_KERNELS."
    )


def test_other_backends_are_told_nothing(caplog) -> None:
    chosen = selection._select(None, "gpu")
    assert chosen == selection.Selection("xla", "the native kernels are for CPUs, and this is gpu")
    assert not chosen.native
    assert not caplog.records


def run(code: str, processors: set[int], **environment: str) -> str:
    """Run Python on these processors only."""
    child = subprocess.run(
        [sys.executable, "-c", f"import os\nos.sched_setaffinity(0, {processors})\n{code}"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


FINGERPRINT = """
import hashlib, jax, numpy as np
from convista.kernels import native
from convista.kernels.geometry import ConvolutionGeometry, PoolingGeometry
from convista.ops.convolution import convolution
from convista.ops.pooling import average_pooling, max_pooling

pad = ((1, 1), (1, 1))
operations = [
    (lambda x, k: convolution(x, k, ConvolutionGeometry((1, 1), pad, (1, 1))), (3, 3, 33, 40)),
    (lambda x, k: convolution(x, k, ConvolutionGeometry((2, 2), pad, (1, 1))), (3, 3, 33, 40)),
    (lambda x, k: convolution(x, k, ConvolutionGeometry((1, 1), pad, (1, 1), 33)), (3, 3, 1, 33)),
    (lambda x, k: max_pooling(x, PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))), (1,)),
    (lambda x, k: average_pooling(x, PoolingGeometry((3, 3), (1, 1), pad)), (1,)),
]

def everything(x, kernels):
    results = []
    for (operation, _), kernel in zip(operations, kernels):
        for dtype in (x.dtype, jax.numpy.bfloat16):
            y, backward = jax.vjp(operation, x.astype(dtype), kernel)
            results += [y, *backward(y)]
    return results

random = np.random.default_rng(0)
x = random.standard_normal((13, 22, 21, 33), np.float32)
kernels = [random.standard_normal(shape, np.float32) for _, shape in operations]
library = native.library()
program = jax.jit(everything)
for name in library.runnable():
    library.choose(name)
    results = jax.device_get(program(x, kernels))
    print(name, hashlib.sha256(b"".join(a.tobytes() for a in results)).hexdigest())
print("threads", native.threads())
"""


@pytest.mark.slow
@choosing_processors
def test_numbers_do_not_depend_on_the_number_of_threads(library) -> None:
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        pytest.skip("one processor")
    *one, one_thread = run(FINGERPRINT, set(processors[:1])).splitlines()
    *two, two_threads = run(FINGERPRINT, set(processors[:2])).splitlines()
    assert (one_thread, two_threads) == ("threads 1", "threads 2")
    assert one == two
    assert len(one) == len(library.runnable())


TRAINING = """
import hashlib, sys, jax, numpy as np
from convista import Sequential
from convista.kernels import native
from convista.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D

random = np.random.default_rng(0)
x, y = random.random((320, 20, 20, 1), np.float32), random.integers(0, 10, 320)
for policy in ("float32", "mixed_bfloat16"):
    convolutions = [Conv2D(16, 3, activation="relu"), MaxPooling2D(), Conv2D(64, 3), BatchNormalization()]
    model = Sequential([Input((20, 20, 1)), *convolutions, Flatten(), Dense(64, "relu"), Dense(10, "softmax")], seed=1)
    model.compile("rmsprop", "sparse_categorical_crossentropy", policy=policy)
    model.fit(x, y, batch_size=64, epochs=2, verbose=0)
    weights = [*model.get_weights(), model.predict(x[:100], verbose=0)]
    print(policy, hashlib.sha256(b"".join(a.tobytes() for a in weights)).hexdigest())
print("threads", native.threads())
"""


@pytest.mark.slow
@choosing_processors
def test_training_and_prediction_do_not_depend_on_the_number_of_threads(library) -> None:
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) < 2:
        pytest.skip("one processor")
    *one, one_thread = run(TRAINING, set(processors[:1])).splitlines()
    *two, two_threads = run(TRAINING, set(processors[:2])).splitlines()
    assert (one_thread, two_threads) == ("threads 1", "threads 2")
    assert one == two


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import PartitionSpec as P
from convista.kernels.geometry import ConvolutionGeometry, PoolingGeometry
from convista.ops.convolution import convolution
from convista.ops.pooling import average_pooling, max_pooling

window = PoolingGeometry((2, 2), (2, 2), ((0, 0), (0, 0)))

def loss(x, kernel):
    y = convolution(x, kernel, ConvolutionGeometry((1, 1), ((1, 1), (1, 1)), (1, 1)))
    return jnp.sum(jnp.sin(average_pooling(max_pooling(y, window), window).astype(jnp.float32)))

mesh = jax.make_mesh((2,), ("images",), axis_types=(jax.sharding.AxisType.Auto,))
split = (P("images"), P())
total = jax.shard_map(lambda x, k: jax.lax.psum(loss(x, k), "images"), mesh=mesh, in_specs=split, out_specs=P())
each = jax.shard_map(jax.grad(loss, (0, 1)), mesh=mesh, in_specs=split, out_specs=split)
x, kernel = jax.random.normal(jax.random.key(0), (4, 8, 8, 3)), jax.random.normal(jax.random.key(1), (3, 3, 3, 5))
for x in (x, x.astype(jnp.bfloat16)):
    right = jax.grad(loss, (0, 1))(x, kernel)
    for function in (jax.jit(jax.grad(total, (0, 1))), jax.jit(each)):
        for a, b in zip(function(x, kernel), right):
            assert a.dtype == b.dtype
            a, b = (np.asarray(array, np.float32) for array in (a, b))
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
assert "convista_convolution" in str(jax.make_jaxpr(total)(x, kernel))
print("right")
"""


@pytest.mark.slow
@choosing_processors
def test_shard_map_splits_the_batch_and_sums_the_gradients(library) -> None:
    output = run(SHARDED, os.sched_getaffinity(0), XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert output == "right\n"


CROWD = """
import jax, jax.numpy as jnp, numpy as np
from convista.kernels.geometry import ConvolutionGeometry, PoolingGeometry
from convista.ops.convolution import convolution
from convista.ops.pooling import max_pooling

plain = ConvolutionGeometry((1, 1), ((1, 1), (1, 1)), (1, 1))
window = PoolingGeometry((2, 2), (1, 1), ((0, 1), (0, 1)))

def step(x, kernels):
    # independent branches: XLA runs them side by side on the threads that the kernels use too
    branches = [max_pooling(convolution(x, k, plain), window) for k in kernels]
    return jnp.tanh(sum(branches) / len(branches)), None

def loop(x, kernels):
    return jax.lax.scan(lambda x, _: step(x, kernels), x, length=200)[0]

kernels = jax.random.normal(jax.random.key(0), (12, 3, 3, 4, 4))
x = jax.random.normal(jax.random.key(1), (2, 9, 9, 4))
program = jax.jit(loop)
first = np.asarray(program(x, kernels))
pending = [program(x, kernels) for _ in range(6)]
assert all(np.array_equal(first, y) for y in pending)
print("right")
"""


@pytest.mark.slow
@choosing_processors
def test_many_small_kernels_side_by_side_neither_stop_nor_mix(library) -> None:
    assert run(CROWD, os.sched_getaffinity(0)) == "right\n"
