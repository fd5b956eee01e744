"""Formulas as text: each is evaluated with NumPy, and written as mathematics for the report.

A line is a template with places, such as `OPERAND * SLOPE`. A mistake fills one or two places with
another formula. A filling counts if one factor times its values gives the observed numbers of every
example; those that differ from the right one in one place are tried before those that do in two.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Names = Mapping[str, Any]
MOST_ROWS = 40
"""The number of units of a wide layer that a filling is tried on before it is tried on all."""

WRITTEN = [
    (r"\bthrough\(D\)", "W{n} δ{n}"), (r"\bthrough\(", "W{n} ("),
    (r"\breshaped\(D\)", "reshape(W{n}) δ{n}"), (r"\bpartial\(D\)", "partial sums of V"),
    (r"\b(first|last)\(D\)", r"D of the \1 unit"), (r"\braw\b", "(δ{n} without its slope)"),
    (r"\b(?:without|after)\((\d+)\)", r"(W{n} with b{n}, without column \1)ᵀ δ{n}"),
    (r"\bbelow\(d\)", "W{l}ᵀ δ{l}"), (r"\bo\b", "a^L"), (r"\blabel\(y\)", "the class number"),
    (r"\b(?:shifted|roll)\(y, 1(?:, 0)?\)", "y shifted by one class"),
    (r"\b(?:shifted|roll)\(y, -1(?:, 0)?\)", "y shifted back by one class"),
    (r"y\[::-1\]", "y in reverse order"), (r"\brows\(", "row sums of ("),
    (r"\bcolumns\(", "column sums of ("), (r"\ball\(", "the sum of ("),
    (r"\bcolumn\(dW, 0\)", "the first column of dW"), (r"\bpadded\(db\)", "∂C/∂b{n}"),
    (r"\bcolumn\(dW, -1\)", "the last column of dW"), (r"/width\(dW\)", "/inputs"),
    (r"\bd(W)_(\d+)", r"∂C/∂\1^\2"), (r"\bdW\b", "∂C/∂W{l}"), (r"\bT_(\d+)\(", r"W^\1ᵀ ("),
    (r"\bdf\(", "f'("), (r"\bd(sigmoid|tanh|relu|leaky_relu|gelu)\(", r"\1'("),
    (r"\bsigmoid\(", "σ("), (r"\bnormal\(", "Φ("), (r"\bdensity\(", "φ("), (r"\btop\(", "max("),
    (r"/len\(V\)", "/units"), (r"/len\(\w+\)", "/units"), (r"\blen\(\w+\)", "units"),
    (r"\bsum\(", "Σ("), (r"\bback\(D\)", "V"), (r"\bback\(", "W{n}ᵀ ("),
    (r"\bV(?=\*\*)|(?<=/)V\b", "(W{n}ᵀ δ{n})"), (r"\bV\b", "W{n}ᵀ δ{n}"), (r"\bD\b", "δ{n}"),
    (r"\bd\b", "δ{l}"), (r"\bG\b", "(∂C/∂W{n})ᵀ δ{n}"), (r"\b([zab])\b(?![\^{])", r"\1{l}"),
    (r"\b([zab])m\b", r"\1{m}"), (r"\b([zab])n\b", r"\1{n}"),
    (r"\bW\b(?![{^])", "W{l}"), (r"(?<!\w)([zabδ]\{[lmn]\})\*\*", r"(\1)**"),
    (r"\b([azdbW])_(\d+)", r"\1^\2"), (r"\bd\^", "δ^"), (r"\*\*2\b", "²"), (r"\*\*3\b", "³"),
    (r" ?(?<!\*)\*(?!\*) ?", " ⊙ "), (r"(?<![\^\w.])(\d[\d.]*) ⊙ ", r"\1 "),
    (r"(?<=[\w)}²³]) ?- ?", " − "), (r"-", "−"), (r"<=", "≤"),
]  # fmt: skip
"""Patterns, in their order, that turn a formula into mathematics and plain words."""


def written(expression: str) -> str:
    """The expression as mathematics, with `{l}`, `{m}`, `{n}` for the layers l, l − 1, l + 1."""
    for pattern, text in WRITTEN:
        expression = re.sub(pattern, text, expression)
    return expression


@cache
def _compiled(expression: str) -> Any:
    return compile(expression, "<formula>", "eval")


def value_of(expression: str, names: Names, shape: tuple[int, ...]) -> Array | None:
    """The values of an expression, broadcast to `shape`; None if it does not fit there."""
    try:
        value = eval(_compiled(expression), {"__builtins__": {}}, names)  # noqa: S307 - our tables
        return np.broadcast_to(np.asarray(value, np.float64), shape)
    except (NameError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None


class Formula(NamedTuple):
    """A formula that gives the observed numbers; `changed` are the places that are not right.

    `cost` is their number, and 1 more if there is a factor. `is_linear` says whether the formula is
    still proportional to δ. Otherwise a batch, whose δ contains 1/N, is not the mean of its
    examples, which is no mistake of its own.
    """

    text: str
    changed: tuple[tuple[int, str], ...]
    factor: float
    cost: float
    is_linear: bool = True
    name: str = "formula"
    words: str = ""
    added: tuple[float, str] | None = None  # the rate of what is added to a leaf, and what it is


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
    places: Sequence[Iterable[str]],
    template: Callable[..., str],
    names: Names,
    tolerance: float,
    halved: Names | None = None,
    combine: Callable[..., Array | None] | None = None,
    first: Sequence[int] = (),
) -> Formula | None:
    """The filling of the fewest differences that gives the observed values, if there is one.

    `template` writes the expression of a filling; the first formula of each place is right.
    `halved` are the names with half the δ, which tell whether a formula is proportional to it.
    `combine` computes the values of a filling faster than its expression does. Of formulas that
    are equal, one that differs in a place of `first` is taken.
    """
    if not np.any(observed):
        return None
    rows = np.unique(np.linspace(0, len(observed) - 1, MOST_ROWS).astype(int))
    order = np.argsort(np.abs(observed), axis=None)
    one, other = (np.unravel_index(int(k), observed.shape) for k in (order[-1], order[-2:][0]))
    tables = [list(dict.fromkeys(place)) for place in places]
    best: Formula | None = None
    for differing in range(3):
        if best is not None and best.cost <= differing:
            break
        for filling in _fillings(tables, differing, first):
            values = (
                combine(*filling)
                if combine
                else value_of(template(*filling), names, observed.shape)
            )
            if values is None:
                continue
            left, right = float(values[one] * observed[other]), float(values[other] * observed[one])
            if not abs(left - right) <= tolerance**0.5 * abs(left):  # the quickest test first
                continue
            expression = template(*filling)
            if factor_between(observed[rows], values[rows], tolerance) is None:
                continue
            k = factor_between(observed, values, tolerance)
            if k is None or (best is not None and differing + (k != 1) >= best.cost):
                continue
            changed = [
                (place, c)
                for place, (c, table) in enumerate(zip(filling, tables, strict=True))
                if c != table[0]
            ]
            half = None if halved is None else value_of(expression, halved, observed.shape)
            linear = half is None or bool(np.allclose(2 * half, values, 1e-9, 0.0))
            best = Formula(expression, tuple(changed), k, differing + (k != 1), linear)
    return best


def _fillings(
    tables: Sequence[Sequence[str]], differing: int, first: Sequence[int]
) -> Iterable[tuple[str, ...]]:
    """All fillings that differ from the right one, the first of each place, in so many places."""
    order = [*first, *(place for place in range(len(tables)) if place not in first)]
    for changed in itertools.combinations(order, differing):
        yield from itertools.product(
            *(t[1:] if number in changed else t[:1] for number, t in enumerate(tables))
        )


def combination(
    observed: Array, terms: Sequence[Array], tolerance: float
) -> tuple[float, ...] | None:
    """The coefficients with which the terms add up to the observed values, or None.

    A coefficient that is nearly a whole number is that number.
    """
    columns = np.stack([np.ravel(term) for term in terms], axis=1)
    sizes = np.abs(columns).max(axis=0)
    if not np.all(np.isfinite(columns)) or not np.all(sizes > 0):
        return None
    seen = np.ravel(observed)
    coefficients = np.linalg.lstsq(columns / sizes, seen)[0]
    largest = max(np.max(np.abs(seen), initial=0.0), np.abs(coefficients).max())
    if np.max(np.abs(columns / sizes @ coefficients - seen)) > tolerance * largest:
        return None
    near = 100 * tolerance * largest / sizes
    found = coefficients / sizes
    return tuple(np.where(np.abs(found - np.round(found)) <= near, np.round(found), found).tolist())


def rounded(value: float) -> str:
    """A coefficient as text, with a typographic minus sign and common fractions."""
    for text, known in (("½", 0.5), ("¼", 0.25), ("⅓", 1 / 3)):
        if abs(abs(value) - known) < 1e-6:
            return ("−" if value < 0 else "") + text
    return f"{value:.6g}".replace("-", "−")
