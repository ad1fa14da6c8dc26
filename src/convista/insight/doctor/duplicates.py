"""Examples that are there twice: within the data, with other labels, and on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convista.insight.doctor.findings import Evidence, Finding, Fix, NotChecked
from convista.insight.doctor.likeness import Neighbours, digests, neighbours, thumbs
from convista.insight.doctor.material import Material
from convista.insight.doctor.patient import Patient

_LISTED = 50
_LEAK = 0.01
_POOL = 20_000
_FEWEST = 3


@dataclass(frozen=True)
class _Twins:
    """Groups of examples that are equal, by their places."""

    groups: list[list[int]]

    @property
    def extra(self) -> int:
        return sum(len(group) - 1 for group in self.groups)


def duplicates(patient: Patient) -> Iterator[Finding]:
    """Find examples that are there twice: exactly in all of the data, nearly in a sample of it."""
    if patient.data is None:
        raise NotChecked("needs data")
    data = patient.data
    x, places = _readable(data, patient)
    known = digests(x)
    yield from _twice(patient, known, places)
    if len(x) < _FEWEST:
        return
    pool = _Pool.of(patient, x, places)
    yield from _near(patient, pool)
    if patient.validation is not None and patient.validation.x is not data.x:
        yield from _leaks(patient, patient.validation, dict(zip(known, places.tolist(), strict=True)), pool)


@dataclass(frozen=True, eq=False)
class _Pool:
    """The training examples that others are compared with: all of them, or as many as are drawn.

    Args:
        places: Where each is in the data.
        small: Their thumbs.
        own: Which of them were compared with the rest.
        groups: The classes of those.
        found: Their nearest neighbours.
        shape: Of one example.
    """

    places: np.ndarray
    small: np.ndarray
    own: np.ndarray
    groups: np.ndarray
    found: Neighbours
    shape: tuple[int, ...]

    @classmethod
    def of(cls, patient: Patient, x: np.ndarray, places: np.ndarray) -> _Pool:
        chosen = _numbers(len(x), _POOL, patient)
        own = _numbers(len(chosen), patient.limits.examples, patient)
        small = thumbs(x[chosen])
        groups = _groups(patient.data, places[chosen[own]])
        return cls(places[chosen], small, own, groups, neighbours(small[own], small, own), x.shape[1:])


def _readable(data: Material, patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    """Return all examples that are in memory, or else the sample."""
    if isinstance(data.x, np.ndarray) and data.x.nbytes <= patient.limits.memory:
        return data.x, np.arange(data.size)
    sample = patient.sample if data is patient.data else patient.held_out
    return sample.x, sample.places


def _twice(patient: Patient, known: list[bytes], places: np.ndarray) -> Iterator[Finding]:
    groups: dict[bytes, list[int]] = {}
    for place, digest in zip(places.tolist(), known, strict=True):
        groups.setdefault(digest, []).append(place)
    same = _Twins([group for group in groups.values() if len(group) > 1])
    labels = patient.data.labels if patient.data is not None else None
    torn = [group for group in same.groups if labels is not None and len(set(labels[group].tolist())) > 1]
    share = same.extra / len(known)
    if torn:
        yield Finding(
            "equal examples with different labels",
            "error",
            None,
            Evidence(
                f"{len(torn)} examples are there more than once, with different labels; the first at "
                f"{_shown(torn[0])}.",
                {"groups": torn[:_LISTED], "count": len(torn)},
            ),
            "No network can be right on all of them, and what it learns from them is wrong.",
            Fix(
                "Look at them, keep the right label and delete the others.",
                f"without them {len(known) - sum(map(len, torn)):,} examples remain and none contradicts another.",
            ),
        )
    if share > patient.limits.duplicate_share:
        yield Finding(
            "duplicates",
            "warning",
            None,
            Evidence(
                f"{same.extra:,} of {len(known):,} examples ({share:.1%}) are copies of others; the first at "
                f"{_shown(same.groups[0])}.",
                {"groups": same.groups[:_LISTED], "copies": same.extra, "examples": len(known)},
            ),
            "They count several times in the loss, and a random split puts copies on both sides.",
            Fix(
                "Keep one of each: x[np.sort(np.unique(x.reshape(len(x), -1), axis=0, return_index=True)[1])].",
                f"{len(known) - same.extra:,} examples remain, and none is there twice.",
            ),
        )


def _leaks(patient: Patient, validation: Material, learned: dict[bytes, int], pool: _Pool) -> Iterator[Finding]:
    others, other_places = _readable(validation, patient)
    if others.shape[1:] != pool.shape:
        return
    pairs = [
        (learned[digest], place)
        for place, digest in zip(other_places.tolist(), digests(others), strict=True)
        if digest in learned
    ]
    if pairs:
        share = len(pairs) / len(others)
        yield Finding(
            "duplicates across training and validation",
            "error" if share >= _LEAK else "warning",
            None,
            Evidence(
                f"{len(pairs):,} of {len(others):,} validation examples ({share:.1%}) are also in the training data; "
                f"the first is validation example {pairs[0][1]}, training example {pairs[0][0]}.",
                {"pairs": pairs[:_LISTED], "count": len(pairs), "examples": len(others)},
            ),
            "The network is judged by what it has learned by heart: the score is too good.",
            Fix(
                "Delete them from the training data, or split by groups: convista.data.stratified_folds keeps equal "
                "examples together.",
                f"without them {len(others) - len(pairs):,} validation examples remain, none of them in the training "
                "data.",
            ),
        )
    chosen = _numbers(len(others), patient.limits.examples, patient)
    groups = _groups(validation, other_places[chosen])
    usual = pool.found.usual(pool.groups)
    near = neighbours(thumbs(others[chosen]), pool.small).near(usual, groups, patient.limits.likeness)
    exact = {place for _, place in pairs}
    found = [(int(pool.places[two]), int(other_places[chosen[one]])) for one, two in near]
    found = [pair for pair in found if pair[1] not in exact]
    if found:
        yield _alike(found, len(chosen), len(pool.small), "near duplicates across training and validation")


def _near(patient: Patient, pool: _Pool) -> Iterator[Finding]:
    pairs = pool.found.near(pool.found.usual(pool.groups), pool.groups, patient.limits.likeness)
    alike = {tuple(sorted((int(pool.places[pool.own[one]]), int(pool.places[two])))) for one, two in pairs}
    if len(alike) / len(pool.own) > patient.limits.duplicate_share:
        yield _alike(sorted(alike), len(pool.own), len(pool.small), "near duplicates")


def _groups(source: Material | None, places: np.ndarray) -> np.ndarray:
    """Return the classes of examples, or one class for all where there are none."""
    labels = None if source is None else source.labels
    return np.zeros(len(places), np.int64) if labels is None else labels[places]


def _numbers(size: int, most: int, patient: Patient) -> np.ndarray:
    if size <= most:
        return np.arange(size)
    return np.sort(np.random.default_rng(patient.seed).choice(size, most, replace=False))


def _alike(found: Sequence[tuple[int, ...]], looked: int, pool: int, name: str) -> Finding:
    across = "across" in name
    some, others = ("validation examples", "training examples") if across else ("examples", "others")
    first = f"training {found[0][0]} and validation {found[0][1]}" if across else _shown(list(found[0]))
    return Finding(
        name,
        "warning" if len(found) >= _LEAK * looked else "note",
        None,
        Evidence(
            f"{len(found):,} of {looked:,} {some} look nearly the same as one of {pool:,} {others}: they lie far "
            f"closer than is usual in their class; the first is {first}.",
            {"pairs": [list(pair) for pair in found[:_LISTED]], "count": len(found), "compared": looked, "with": pool},
        ),
        "The network is judged by what it has nearly seen: the score is too good."
        if across
        else "They bring little new, and a random split puts them on both sides.",
        Fix("Look at some of the pairs; keep pictures of one source together when you split."),
    )


def _shown(group: list[int]) -> str:
    return ", ".join(map(str, group[:4])) + ("…" if len(group) > 4 else "")
