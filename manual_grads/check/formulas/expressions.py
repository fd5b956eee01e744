"""Formulas as text: each is evaluated with NumPy, and written as mathematics for the report.

A line of the backward pass has places. A place is a letter, such as E, with several possible
formulas. A formula can contain the letters of earlier places. The last place is the whole line, for
example `E * df(z)`. A filling is a choice of one formula for each place. A filling matches if the
observed values are a constant times its values. Fillings with fewer wrong formulas are tried first.
"""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray
Names = Mapping[str, Any]

WRITTEN = [
    (r"\bouter\((.*?), ([^,]*(?:\([^()]*\))?)\)$", r"\1 (\2)ᵀ"),
    (r"\bthrough\(D\)", "W{n} δ{n}"), (r"\bthrough\(", "W{n} ("),
    (r"\breshaped\(D\)", "reshape(W{n}) δ{n}"), (r"\bpartial\(D\)", "partial sums of V"),
    (r"\b(first|last)\(D\)", r"D of the \1 unit"), (r"\braw\b", "(δ{n} without its slope)"),
    (r"\bbelow\(d\)", "W{l}ᵀ δ{l}"), (r"\bo\b", "a^L"), (r"\blabel\(y\)", "the class number"),
    (r"\b(?:shifted|roll)\(y, 1(?:, 0)?\)", "y shifted by one class"),
    (r"\b(?:shifted|roll)\(y, -1(?:, 0)?\)", "y shifted back by one class"),
    (r"y\[::-1\]", "y in reverse order"), (r"\brows\(", "row sums of ("),
    (r"\bcolumns\(", "column sums of ("),
    (r"\bpadded\(db\)", "∂C/∂b{n}"),
    (r"/width\(dW\)", "/inputs"),
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
"""Replacements, applied in order, that turn a formula into mathematics and plain words."""


@cache
def written(expression: str) -> str:
    """The expression as mathematics, with `{l}`, `{m}`, `{n}` for the layers l, l − 1, l + 1."""
    for pattern, text in WRITTEN:
        expression = re.sub(pattern, text, expression)
    return expression


@cache
def _compiled(expression: str) -> Any:
    return compile(expression, "<formula>", "eval")


def value_of(expression: str, names: Names, shape: tuple[int, ...] | None = None) -> Array | None:
    """The values of an expression, broadcast to `shape`; None if this raises an error."""
    try:
        value = eval(_compiled(expression), {"__builtins__": {}}, names)  # noqa: S307 - our tables
        value = np.asarray(value, np.float64)
        return value if shape in (None, value.shape) else np.broadcast_to(value, shape)
    except (NameError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
        return None


class Formula(NamedTuple):
    """A formula that gives the observed values, and its differences from the right one.

    `changed` has the letter and formula of each wrong place. `cost` is the number of mistakes.
    `is_linear` is true if the formula is proportional to δ. For other formulas, the gradient of a
    batch is not the mean over its examples, because δ contains 1/N. This difference does not count
    as a second mistake.
    """

    text: str
    name: str = "formula"
    words: str = ""
    cost: float = 1.0
    factor: float = 1.0
    is_linear: bool = True
    changed: tuple[tuple[str, str], ...] = ()
    added: tuple[float, str] | None = None  # coefficient and name of an added term


def factor_between(observed: Array, values: Array, tolerance: float) -> float | None:
    """The k with |observed − k · values| ≤ tolerance · max |observed|; None if there is none."""
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
    places: Mapping[str, Iterable[str]],
    names: Names,
    tolerance: float,
    halved: Names | None = None,
    first: str = "",
) -> Formula | None:
    """The formula that gives the observed values with at most two wrong places, or None.

    In the list of each place, the first formula is right, and the others are wrong. If several
    formulas match, the one with the fewest mistakes is returned; a constant other than 1 is a
    mistake too. In a tie, a formula whose wrong places are in `first` is preferred. `halved` is
    `names` with every δ halved; it shows whether the formula is proportional to δ.
    """
    if not np.any(observed):
        return None
    order = np.argsort(np.abs(observed), axis=None)
    one, other = (np.unravel_index(int(k), observed.shape) for k in (order[-1], order[-2:][0]))
    tables = {letter: list(dict.fromkeys(place)) for letter, place in places.items()}
    letters = [*tables]

    @cache
    def inner(*filling):
        """The values of these formulas, by the letters of their places."""
        before = inner(*filling[:-1]) if filling else {}
        if before is None or not filling:
            return before
        value = value_of(filling[-1], {**names, **before})
        return None if value is None else before | {letters[len(filling) - 1]: value}

    def values_of(filling):
        within, shape = inner(*filling[:-1]), observed.shape
        return None if within is None else value_of(filling[-1], {**names, **within}, shape)

    best: tuple[int, float, tuple[str, ...], Array] | None = None
    for differing in range(3):
        if best is not None and best[0] <= differing:
            break
        for filling in _fillings(tables, differing, first):
            values = values_of(filling)
            if values is None:
                continue
            left, right = float(values[one] * observed[other]), float(values[other] * observed[one])
            if not abs(left - right) <= tolerance**0.5 * abs(left):  # a quick test first
                continue
            k = factor_between(observed, values, tolerance)
            if k is not None and (best is None or differing + (k != 1) < best[0]):
                best = differing + (k != 1), k, filling, values
    if best is None:
        return None
    cost, k, filling, values = best
    pairs = [*zip(letters, filling, tables.values(), strict=True)]
    said = [_said(formula, table[0]) for _, formula, table in pairs if formula != table[0]]
    changed = tuple((letter, formula) for letter, formula, table in pairs if formula != table[0])
    text = filled(letters, filling)
    half = None if halved is None else value_of(text, halved, observed.shape)
    linear = half is None or bool(np.allclose(2 * half, values, 1e-9, 0.0))
    return Formula(text, "formula", "; ".join(said) * all(said), cost, k, linear, changed)


def _said(formula: str, right: str) -> str:
    """The message about a wrong formula; empty if one of the two formulas contains E, P or Y."""
    pair = (formula, right)
    if all(each.startswith("E * ") for each in pair):  # both have the factor E
        pair = (formula[4:], right[4:])
    if any(re.search(r"\b[EPY]\b", each) for each in pair):
        return ""
    return instead(*pair)


def instead(formula: str, right: str) -> str:
    """The message that `formula` is used instead of `right`."""
    return f"{written(formula)} is used instead of {written(right)}"


def filled(letters: Iterable[str], filling: Iterable[str]) -> str:
    """The formula of a line, with each of `letters` replaced by its formula in `filling`."""
    texts: dict[str, str] = {}
    text = ""
    for letter, formula in zip(letters, filling, strict=True):
        inner = {k: v if formula == k else bracketed(v) for k, v in texts.items()}
        parts = re.split(r"\b([A-Z])\b", formula)
        texts[letter] = text = "".join(inner.get(part, part) for part in parts)
    return text


def bracketed(text: str) -> str:
    """The expression in parentheses, unless it is a name or a call."""
    return text if re.fullmatch(r"\w+(\((?:[^()]|\([^()]*\))*\))?", text) else f"({text})"


def _fillings(
    tables: Mapping[str, Sequence[str]], differing: int, first: str
) -> Iterable[tuple[str, ...]]:
    """All fillings that differ from the right one in exactly `differing` places."""
    order = sorted(tables, key=lambda letter: letter not in first)
    for changed in itertools.combinations(order, differing):
        yield from itertools.product(*(t[1:] if k in changed else t[:1] for k, t in tables.items()))


def combination(
    observed: Array, terms: Sequence[Array], tolerance: float
) -> tuple[float, ...] | None:
    """The coefficients of a weighted sum of `terms` that gives the observed values, or None.

    A coefficient that is nearly a whole number is rounded to it.
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
