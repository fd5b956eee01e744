"""A formula is a template whose places are filled; a mistake fills one or two of them differently.

`matches` tries the right filling first, then every filling that differs in one place, then in two. A
filling is an answer if one factor times its values gives the observed numbers of every example.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

Array = np.ndarray
MOST_ROWS = 40
"""The number of units of a wide layer that a filling is tried on before it is tried on all."""


class Choice(NamedTuple):
    """What can stand in one place: its text, its values, and the mistake that it is.

    The texts contain `{l}`, `{m}` and `{n}` for the layer, the one below and the one above.
    `is_linear` says whether the line is still proportional to δ; otherwise a batch, whose δ contains
    1/N, is not the mean of its examples, which is no mistake of its own.
    """

    text: str
    value: Array | Callable[..., Array]
    name: str = "formula"
    words: str = ""
    is_linear: bool = True


class Formula(NamedTuple):
    """A formula that gives the observed numbers. `cost` counts the places filled differently."""

    text: str
    factor: float
    cost: int
    name: str
    words: str
    values: Array
    is_linear: bool = True


def factor_between(observed: Array, values: Array, tolerance: float) -> float | None:
    """The k with observed = k · values, to within tolerance · the largest observed; else None."""
    size = np.vdot(values, values)
    if not 0 < size < np.inf:
        return None
    k = float(np.vdot(values, observed) / size)
    close = np.max(np.abs(observed - k * values)) <= tolerance * np.max(np.abs(observed))
    if not close or k == 0:
        return None
    return 1.0 if abs(k - 1) <= 10 * tolerance else k


def matches(
    observed: Array,
    places: Sequence[Sequence[Choice]],
    combine: Callable[..., Array],
    write: Callable[..., str],
    tolerance: float,
    most: int = 2,
) -> list[Formula]:
    """The fillings of the fewest differences that give the observed values; the first is right."""
    if not np.any(observed):
        return []
    rows = np.unique(np.linspace(0, len(observed) - 1, MOST_ROWS).astype(int))
    found: list[Formula] = []
    for differing in range(most + 1):
        for filling in _fillings(places, differing):
            with np.errstate(all="ignore"):
                values = combine(*(choice.value for choice in filling))
            if np.shape(values) != observed.shape:
                continue
            if factor_between(observed[rows], values[rows], tolerance) is None:
                continue
            k = factor_between(observed, values, tolerance)
            if k is None:
                continue
            changed = [one for one, slot in zip(filling, places, strict=True) if one is not slot[0]]
            name, words = _named(changed)
            text = write(*(choice.text for choice in filling))
            linear = all(choice.is_linear for choice in filling)
            found.append(Formula(text, k, differing + (k != 1), name, words, k * values, linear))
        if any(formula.cost <= differing + 1 for formula in found):
            break
    return cheapest(found)


def _fillings(places: Sequence[Sequence[Choice]], differing: int) -> Iterator[tuple[Choice, ...]]:
    """All fillings that differ from the right one, the first of each place, in so many places."""
    for changed in itertools.combinations(range(len(places)), differing):
        yield from itertools.product(
            *(slot[1:] if number in changed else slot[:1] for number, slot in enumerate(places))
        )


def _named(changed: Sequence[Choice]) -> tuple[str, str]:
    named = [choice for choice in changed if choice.name != "formula"]
    if len(changed) == 1 or len(named) == 1 == len(changed):
        return changed[0].name, changed[0].words
    return "formula", "; ".join(choice.words for choice in changed if choice.words)


def cheapest(found: Sequence[Formula]) -> list[Formula]:
    """The formula of the lowest cost. All give the same numbers; one with a name is preferred."""
    order = sorted(found, key=lambda one: (one.cost, one.name in ("formula", "other-loss")))
    return order[:1]


def combination(
    observed: Array, terms: Sequence[Array], tolerance: float
) -> tuple[float, ...] | None:
    """The coefficients with which the terms add up to the observed values, or None.

    A coefficient too small to matter is exactly 0.
    """
    columns = np.stack([np.ravel(term) for term in terms], axis=1)
    sizes = np.abs(columns).max(axis=0)
    if not np.all(np.isfinite(columns)) or not np.all(sizes > 0):
        return None
    seen = np.ravel(observed)
    coefficients = np.linalg.lstsq(columns / sizes, seen)[0]
    largest = np.max(np.abs(seen), initial=0.0)
    coefficients[np.abs(coefficients) <= 10 * tolerance * largest] = 0.0
    error = np.abs(columns / sizes @ coefficients - seen)
    if np.max(error) > tolerance * max(largest, np.abs(coefficients).max()):
        return None
    return tuple(
        float(np.round(one)) if abs(one - np.round(one)) <= 100 * tolerance else float(one)
        for one in coefficients / sizes
    )


def rounded(value: float) -> str:
    """A coefficient as text, with a typographic minus sign and common fractions."""
    for text, known in (("½", 0.5), ("¼", 0.25), ("⅓", 1 / 3)):
        if abs(abs(value) - known) < 1e-6:
            return ("−" if value < 0 else "") + text
    return f"{value:.6g}".replace("-", "−")
