"""`keras.initializers`: how weights begin, by the names of Keras's classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convista.errors import ArgumentError
from convista.keras.names import absent
from convista.layers.initializers import get


def _named(kind: str, name: str, **fixed: float) -> Callable[..., str]:
    """Return a stand-in for a class of Keras: called with Keras's defaults, it gives the name that layers know."""

    def make(*given: Any, seed: None = None, **options: Any) -> str:
        if seed is not None:
            raise ArgumentError(
                "all weights of a model are drawn from the model's one seed",
                where=kind,
                received=f"seed={seed!r}",
                fix="Leave seed out and call convista.keras.utils.set_random_seed(0), or give the model seed=0",
            )
        named = dict(zip(fixed, given, strict=False)) | options
        wrong = [f"{option}={value!r}" for option, value in named.items() if fixed.get(option) != value]
        if len(given) > len(fixed):
            wrong.append(f"{len(given)} argument{'' if len(given) == 1 else 's'}")
        if wrong:
            known = ", ".join(f"{option}={value!r}" for option, value in fixed.items()) or "no arguments"
            raise ArgumentError(
                f"Convista has {kind} with {known}",
                where=kind,
                received=wrong[0],
                fix="Give the layer a function (key, shape) -> array instead, made with jax.random",
            )
        return name

    make.__name__ = make.__qualname__ = kind
    make.__doc__ = f"Return {name!r}, as which layers know it."
    return make


GlorotNormal = glorot_normal = _named("GlorotNormal", "glorot_normal")
GlorotUniform = glorot_uniform = _named("GlorotUniform", "glorot_uniform")
HeNormal = he_normal = _named("HeNormal", "he_normal")
HeUniform = he_uniform = _named("HeUniform", "he_uniform")
LecunNormal = lecun_normal = _named("LecunNormal", "lecun_normal")
LecunUniform = lecun_uniform = _named("LecunUniform", "lecun_uniform")
Ones = ones = _named("Ones", "ones")
Orthogonal = OrthogonalInitializer = orthogonal = _named("Orthogonal", "orthogonal", gain=1.0)
RandomNormal = random_normal = _named("RandomNormal", "random_normal", mean=0.0, stddev=0.05)
RandomUniform = random_uniform = _named("RandomUniform", "random_uniform", minval=-0.05, maxval=0.05)
TruncatedNormal = truncated_normal = _named("TruncatedNormal", "truncated_normal", mean=0.0, stddev=0.05)
Zeros = zeros = _named("Zeros", "zeros")

__all__ = [
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "Zeros",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "zeros",
]


def __getattr__(name: str) -> Any:
    raise absent(__name__, name, __all__)
