"""The formula of a δ that gives the observed numbers, for the δ above that the user's code has.

δ^L = E(P, Y) f'(z^L)                  with the outputs P, the targets Y and their error E
δ^l = (W^{l+1}ᵀ δ^{l+1}) f'(z^l)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from manual_grads.check.formulas import (
    Array,
    Formula,
    Outer,
    Scene,
    combination,
    factor_between,
    is_active,
    matches,
    names_of,
    rounded,
    tables,
    value_of,
    written,
)
from manual_grads.check.lines.clipping import clipped

NEARLY = 1e-4
"""A relative difference up to which a line is called right but for a small constant or rounding."""


KINK = "where(z == 0, {}, df(z))"
"""The slope of a rectifier with another convention at 0."""


def output_formulas(s: Scene) -> list[list[str]]:
    """The formulas of outputs, targets, their error and the factor; the right one stands first."""
    loss, active = s.problem.loss, is_active(s.problem, s.depth)
    right = "2*(P - Y)" if loss == "squared_error" else "P - Y"
    slopes = [f"E * {slope}" if slope != "1" else "E" for slope in slopes_of(s, s.depth)]
    return [
        [tables.OUTPUTS.get(loss, "a"), *tables.OUTPUT_TABLE],
        ["y", *tables.TARGETS],
        [right, *tables.DERIVATIVES],
        ["E * df(z)" if active else "E", *slopes, *tables.FACTORS],
    ]


def slopes_of(s: Scene, layer: int) -> list[str]:
    """The formulas of the slope, with those at other layers."""
    kinks = [KINK.format(c) for c in (0, 0.5, 1, "s")] if np.any(s.z[layer] == 0) else []
    others = [k for k in range(s.depth + 1) if k != layer and s.z[k].shape == s.z[layer].shape]
    return (
        kinks
        + tables.SLOPES
        + [each.format(k=k) for k in others for each in tables.OF_OTHER_LAYERS]
    )


def output_template(p: str, y: str, error: str, factor: str) -> str:
    """The expression of δ^L."""
    inner = error.replace("Y", y if y == "y" else f"({y})").replace("P", p)
    return (
        factor.replace("E", inner if factor == "E" else f"({inner})")
        .replace("P", p)
        .replace("Y", f"({y})")
    )


def right_output(s: Scene) -> Array:
    """δ^L of the network's own loss, for single examples and the reduction to a mean or a sum."""
    expression = output_template(*(place[0] for place in output_formulas(s)))
    value = value_of(expression, names_of(s, s.depth, {}), s.a[-1].shape)
    assert value is not None
    return value * s.problem.factor(1)


def delta_line(
    s: Scene,
    layer: int,
    seen: Array,
    deltas: Mapping[int, Array],
    leaf_above: Outer | None,
    tolerance: float,
) -> Formula | None:
    """The formula of δ^l that gives what was seen, for the δ above that the user's code has."""
    names = names_of(s, layer, deltas, leaf_above)
    if layer == s.depth:
        seen = seen / s.problem.factor(1)
        places = output_formulas(s)
        found = matches(
            seen,
            places,
            output_template,
            names,
            tolerance,
            None,
            _combiner(names, seen.shape),
            [1, 3],
        )
        found = _of_another_loss(s, seen, names, tolerance) or found
        right = output_template(*(place[0] for place in places))
        mains = [right, output_template(places[0][0], places[1][0], places[2][0], "E")]
        added = ["df(z)", "1", "a", "z", f"{mains[1]} * a", places[0][0], "y"]
        sides = mains[1]
    else:
        right_slope = "df(z)" if is_active(s.problem, layer) else "1"
        columns = range(min(len(s.a[layer]), 12))
        chained = [_chained(error, s.depth, layer) for error in tables.ERRORS]
        omitted = [f"{how}({k})" for k in columns for how in ("without", "after")]
        higher = [f"d_{k}" for k in deltas if k > layer + 1]
        places = [
            ["V", *tables.OPERANDS, *chained, *omitted, *higher, *(f"back({k})" for k in higher)],
            [right_slope, *slopes_of(s, layer)],
        ]
        half = {k: v / 2 for k, v in deltas.items()}
        halved = names_of(s, layer, half, leaf_above)
        halved |= {"G": halved["G"] / 2} if "G" in halved else {}

        value = cache(lambda text: value_of(text, names, seen.shape))

        def combine(operand, slope):
            one, other = value(operand), value(slope)
            return None if one is None or other is None else one * other

        found = matches(seen, places, hidden_template, names, tolerance, halved, combine, [1])
        right, mains, added = f"V * {right_slope}", [f"V * {right_slope}", "V"], tables.ADDED
        mains.append("V * normal(z)")
        sides = "V"
    if found is not None and found.changed:
        found = _named(found, s, layer, places)
        if "sum(a" in found.text:  # written with a matrix product, which mixes examples
            found = found._replace(is_linear=False)
    sided = _two_sided(s, layer, sides, seen, names, tolerance)
    if found is not None and found.cost == 1 and found.name == "slope-of-other" and sided:
        found = found._replace(words=f"{sided.words} ({found.words})")
    if found is None or found.cost > 1:
        found = sided or found
    if found is None and layer == s.depth:
        found = _parts(s, seen, tolerance)
    if found is None:
        found = clipped(s, layer, seen, names, tolerance) if layer < s.depth else None
        found = found or _sum_of_terms(mains, added, seen, names, tolerance)
    return found or _nearly(value_of(right, names, seen.shape), seen, right)


def _chained(error: str, depth: int, layer: int) -> str:
    """An error of the outputs that is brought back through all weights above, without slopes."""
    for through in range(depth, layer, -1):
        error = f"T_{through}({error})"
    return error


def _of_another_loss(
    s: Scene, seen: Array, names: dict[str, Any], tolerance: float
) -> Formula | None:
    """δ^L of cross-entropy where the loss is a squared error."""
    for text in tables.WHOLE_OUTPUTS if "squared" in s.problem.loss else ():
        value = value_of(text, names, seen.shape)
        if value is not None and factor_between(seen, value, tolerance) == 1:
            words = "this is δ^L of cross-entropy; for squared error it is the error times f'(z)"
            return Formula(text, (), 1.0, 1.0, True, "other-loss", words)
    return None


def _combiner(names: dict[str, Any], shape: tuple[int, ...]) -> Callable[..., Array | None]:
    """Computes the values of the output line; the values of each of its places are kept."""

    @cache
    def plain(expression):
        return value_of(expression, names, shape)

    @cache
    def error_of(p, y, error):
        if plain(p) is None or plain(y) is None:
            return None
        return value_of(error, names | {"P": plain(p), "Y": plain(y)}, shape)

    def values(p, y, error, factor):
        inner = error_of(p, y, error)
        if inner is None:
            return None
        return value_of(factor, names | {"E": inner, "P": plain(p), "Y": plain(y)}, shape)

    return values


def hidden_template(operand: str, slope: str) -> str:
    """The expression of δ^l."""
    bare, factor = (
        each if re.fullmatch(r"\w+(\([^()]*\))?", each) else f"({each})"
        for each in (operand, slope)
    )
    return operand if slope == "1" else f"{bare} * {factor}"


def _named(found: Formula, s: Scene, layer: int, places: Sequence[Sequence[str]]) -> Formula:
    """The formula with its name in the catalogue and a sentence."""
    kinds = ("outputs", "targets", "error", "factor") if layer == s.depth else ("operand", "slope")
    where = [(kinds[place], each, places[place][0]) for place, each in found.changed]
    words = "; ".join(
        f"{written(each)} stands in the place of {written(of)}" for _, each, of in where
    )
    name = "formula"
    if len(found.changed) == 1:
        kind, each, _ = where[0]
        slope = each.removeprefix("E * ") if kind == "factor" else each
        is_slope = (
            kind == "slope"
            or slope.startswith(KINK.split("{")[0])
            or (kind == "factor" and slope in [*tables.SLOPES, "E"])
        )
        slope = "1" if slope == "E" else slope
        name = tables.NAMES.get(("slope" if is_slope else kind, slope), name)
        if slope.startswith(KINK.split("{")[0]):
            name, words = "kink", "f'(0) is another one, which is a valid convention too"
        elif is_slope and not is_active(s.problem, layer):
            name, words = "other-loss", "this layer has no activation; remove this factor"
        elif name == "formula" and is_slope:
            twice = layer == s.depth and slope == "df(z)**2"
            other = slope.startswith("df(z") and slope[4:5] in ("_", ")") and "**" not in slope
            name = "other-loss" if twice else "formula" if other else "slope-of-other"
        elif name == "formula" and kind in ("factor", "error"):
            name = "other-loss"
    if s.problem.loss == "cross_entropy" and found.changed in (
        ((2, "Y * (P - 1)"),),
        ((3, "E * Y"),),
    ):
        name = "softmax-diagonal"
    return found._replace(name=name, words=tables.SENTENCES.get(name, words))


def _two_sided(
    s: Scene, layer: int, side: str, seen: Array, names: dict[str, Any], tolerance: float
) -> Formula | None:
    """A slope that is one constant where z > 0 and another where z ≤ 0."""
    back = value_of(side, names, seen.shape)
    if back is None or not is_active(s.problem, layer):
        return None
    found = combination(seen, [back * (s.z[layer] > 0), back * (s.z[layer] <= 0)], tolerance)
    if found is None or found[0] == found[1]:
        return None
    above, below = map(rounded, found)
    words = f"the slope is {above} for z > 0 and {below} for z ≤ 0; use f'(z)"
    text = f"{side} * ({above} if z > 0, {below} if z <= 0)"
    return Formula(text, (), 1.0, 1.0, True, "slope-of-other", words)


def _sum_of_terms(
    mains: Sequence[str], added: Sequence[str], seen: Array, names: dict[str, Any], tolerance: float
) -> Formula | None:
    """The right formula, or a part of it, with something added to it."""
    for one in mains:
        for other in added:
            terms = [value_of(each, names, seen.shape) for each in (one, other)]
            if any(term is None or not np.all(np.isfinite(term)) for term in terms):
                continue
            found = combination(seen, [term for term in terms if term is not None], tolerance)
            if found is None or 0 in found:
                continue
            text = " + ".join(
                each if k == 1 else f"{rounded(k)} * {each}"
                for k, each in zip(found, (one, other), strict=True)
            )
            words = f"{rounded(found[1])} · {written(other)} is added"
            linear = any(letter in other for letter in ("V", "D", "P", "y"))
            return Formula(text, (), 1.0, 2.0, linear, "formula", words)
    return None


def _parts(s: Scene, seen: Array, tolerance: float) -> Formula | None:
    """Outputs, targets and a constant, each with its own coefficient."""
    slope = s.slope(s.depth) + 0 * s.y
    outputs = right_output(s._replace(y=0 * s.y)) / s.problem.factor(1)
    found = combination(seen, [outputs, s.y * slope, slope], tolerance)
    if found is None or 0 in found[:2]:
        return None
    p, y, one = map(rounded, found)
    words = f"outputs, targets and a constant have the coefficients {p}, {y} and {one}"
    return Formula(f"{p} * P + {y} * y + {one}", (), 1.0, 2.0, True, "formula", words)


def _nearly(right: Array | None, seen: Array, text: str) -> Formula | None:
    """The right formula, if the observed values differ from it only by a small constant."""
    largest = np.max(np.abs(seen), initial=0.0)
    if right is None or largest == 0:
        return None
    share = float(np.max(np.abs(right - seen)) / largest)
    if not share <= NEARLY:
        return None
    words = (
        f"it is right but for a part of {share:.0e}: look for a small constant, such as ε in a "
        "denominator or logarithm, or for a lower precision"
    )
    return Formula(f"{text}, but for a small part", (), 1.0, 2.0, True, "small-constant", words)
