"""The formula of a δ that gives the observed numbers, for the δ above that the user's code has.

δ^L = E(P, Y) f'(z^L)                  with the outputs P, the targets Y and their error E
δ^l = (W^{l+1}ᵀ δ^{l+1}) f'(z^l)       with E = W^{l+1}ᵀ δ^{l+1}
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.formulas import Array, Formula, Scene, tables
from manual_grads.check.lines.readings import Leaf, Seen, share_of

NEARLY = 1e-4
"""A relative difference up to which a line is called right but for a small constant or rounding."""
KINK = "E * where(z == 0"
"""The beginning of a rectifier's slope with another convention at 0."""


def places_of(s: Scene, layer: int, above: Sequence[int] = ()) -> dict[str, list[str]]:
    """The formulas of each place of the line of δ; the right one stands first."""
    loss = s.problem.loss
    kinks = [f"where(z == 0, {c}, df(z))" for c in (0, 0.5, 1, "s")]
    alike = [k for k in range(s.depth + 1) if k != layer and s.z[k].shape == s.z[layer].shape]
    slopes = kinks if np.any(s.z[layer] == 0) else []
    slopes += tables.SLOPES + [text.format(k=k) for k in alike for text in tables.OF_OTHER_LAYERS]
    right = "E * df(z)" if formulas.is_active(s.problem, layer) else "E"
    lines = [right, "E", *(f"E * {formulas.bracketed(slope)}" for slope in slopes)]
    if layer == s.depth:
        return {
            "P": [tables.OUTPUTS.get(loss, "a"), *tables.OUTPUT_TABLE],
            "Y": ["y", *tables.TARGETS],
            "E": ["2*(P - Y)" if loss == "squared_error" else "P - Y", *tables.DERIVATIVES],
            "S": lines + tables.FACTORS,
        }
    omitted = [f"{of}({k})" for k in range(min(len(s.a[layer]), 12)) for of in ("without", "after")]
    through = "".join(f"T_{k}(" for k in range(layer + 1, s.depth + 1))
    chained = [f"{through}{error}{')' * (s.depth - layer)}" for error in tables.ERRORS]
    higher = [text for k in above if k > layer + 1 for text in (f"d_{k}", f"back(d_{k})")]
    return {"E": ["V", *tables.OPERANDS, *chained, *omitted, *higher], "S": lines}


def right_line(s: Scene, layer: int) -> str:
    """The right formula of δ."""
    places = places_of(s, layer)
    return formulas.filled(places, [place[0] for place in places.values()])


def right_output(s: Scene) -> Array:
    """δ^L of the network's own loss, for single examples and the reduction to a mean or a sum."""
    names = formulas.names_of(s, s.depth, {})
    value = formulas.value_of(right_line(s, s.depth), names, s.a[-1].shape)
    assert value is not None
    return value * s.problem.factor(1)


def right_deltas(s: Scene, output: Array) -> dict[int, Array]:
    """δ of every layer by the right formulas, for this δ^L."""
    deltas = {s.depth: output}
    for layer in reversed(range(s.depth)):
        deltas[layer] = s.back(layer + 1, deltas[layer + 1]) * s.slope(layer)
    return deltas


def leaves_of(
    s: Scene, deltas: Mapping[int, Array], leaves: Sequence[Leaf], decays: Mapping[int, float]
) -> list[dict[Leaf, Array]]:
    """The right weight and bias derivatives of each example, from the δ of each layer."""

    def value(kind, layer, n):
        if kind == "bias":
            return deltas[layer][:, n]
        product = np.outer(deltas[layer][:, n], s.a[layer - 1][:, n])
        rate = decays.get(layer, 0.0)
        return product + rate * s.theta(layer, "weight")[n] if rate else product

    return [{leaf: value(*leaf, n) for leaf in leaves} for n in range(s.x.shape[1])]


def delta_line(seen: Seen, layer: int, delta: Array, deltas: Mapping[int, Array]) -> Formula | None:
    """The formula of δ^l that gives what was seen, for the δ above that the user's code has."""
    s, tolerance = seen.scene, seen.tolerance
    above = seen.weights[layer + 1].each if layer + 1 in seen.weights else ()
    names = formulas.names_of(s, layer, deltas, above)
    is_top = layer == s.depth
    halved = None if is_top else formulas.names_of(s, layer, deltas, above, 0.5)
    delta = delta / s.problem.factor(1) if is_top else delta
    places, first = places_of(s, layer, [*deltas]), "PS" if is_top else "S"
    found = formulas.matches(delta, places, names, tolerance, halved, first)
    found = found and _named(found, s, layer)
    if found is None or found.cost > 1 or found.name == "slope-of-other":
        sums = [each for each in _sums(s, layer) if found is None or each.cost <= 1]
        tried = (_sum_found(each, delta, names, tolerance) for each in sums)
        found = next(filter(None, tried), found)
    if found is None and layer < s.depth:
        found = clipped(s, layer, delta, names, tolerance)
    return found or _nearly(right_line(s, layer), delta, names)


def _named(found: Formula, s: Scene, layer: int) -> Formula:
    """The formula with its name in the catalogue and a sentence."""
    if "sum(a" in found.text:  # written with a matrix product, which mixes examples
        found = found._replace(is_linear=False)
    if len(found.changed) != 1:
        return found
    letter, formula, _ = found.changed[0]
    is_slope, words = letter == "S" and formula not in tables.FACTORS, found.words
    name = tables.NAMES.get((letter, formula), "formula")
    if formula.startswith(KINK):
        name, words = "kink", "f'(0) is another one, which is a valid convention too"
    elif is_slope and not formulas.is_active(s.problem, layer):
        name, words = "other-loss", "this layer has no activation; remove this factor"
    elif name == "softmax-diagonal" and s.problem.loss != "cross_entropy":
        name = "other-loss"
    elif name == "formula" and is_slope and "df(z_" not in formula:
        is_twice = layer == s.depth and formula == "E * (df(z)**2)"
        name = "other-loss" if is_twice else "slope-of-other"
    elif name == "formula" and layer == s.depth and letter in "ES" and not is_slope:
        name = "other-loss"
    return found._replace(name=name, words=tables.SENTENCES.get(name, words))


class Sum(NamedTuple):
    """Formulas that are added with coefficients, which stand in the sentence if it has places."""

    terms: tuple[str, ...]
    words: str = ""
    name: str = "formula"
    cost: float = 2.0


def _sums(s: Scene, layer: int) -> Iterator[Sum]:
    """The sums that the line of δ can be."""
    places, right = places_of(s, layer), right_line(s, layer)
    first = [place[0] for place in places.values()]
    side = formulas.bracketed(formulas.filled(places, [*first[:-1], "E"]))
    slope = "df(z)" if formulas.is_active(s.problem, layer) else "1"
    if formulas.is_active(s.problem, layer):
        words = "the slope is {} for z > 0 and {} for z ≤ 0; use f'(z)"
        yield Sum((f"{side} * (z > 0)", f"{side} * (z <= 0)"), words, "slope-of-other", 1.0)
    mains, added = [right, side, "V * normal(z)"], tables.ADDED
    if layer == s.depth:
        words = "this is δ^L of cross-entropy; for squared error it is the error times f'(z)"
        for text in tables.WHOLE_OUTPUTS if "squared" in s.problem.loss else ():
            yield Sum((text,), words, "other-loss", 1.0)
        words = "outputs, targets and a constant have the coefficients {}, {} and {}"
        outputs = formulas.filled(places, [first[0], "0*y", *first[2:]])
        yield Sum((outputs, f"y * {slope}", slope), words)
        mains, added = mains[:2], ["df(z)", "1", "a", "z", f"{side} * a", first[0], "y"]
    yield from map(Sum, itertools.product(mains, added))


def _sum_found(one: Sum, delta: Array, names: dict[str, Any], tolerance: float) -> Formula | None:
    """The sum with the coefficients that give what was seen, if there are any."""
    values = [formulas.value_of(term, names, delta.shape) for term in one.terms]
    terms = [value for value in values if value is not None]
    found = formulas.combination(delta, terms, tolerance) if len(terms) == len(values) else None
    is_right = {"slope-of-other": lambda k: k[0] != k[1], "other-loss": lambda k: k == (1.0,)}
    if found is None or not is_right.get(one.name, all)(found):
        return None
    coefficients = [formulas.rounded(k) for k in found]
    text = " + ".join(
        term if k == "1" else f"{k} * {term}"
        for k, term in zip(coefficients, one.terms, strict=True)
    )
    words = one.words.format(*coefficients)
    last = one.terms[-1]
    words = words or f"{coefficients[-1]} · {formulas.written(last)} is added"
    linear = bool(one.words) or any(letter in last for letter in "VDy")
    return Formula(text, one.name, words, one.cost, is_linear=linear)


def clipped(
    s: Scene, layer: int, seen: Array, names: dict[str, Any], tolerance: float
) -> Formula | None:
    """Values that are clipped on their way back, each or by their norm."""
    back, slope, largest = names["V"], s.slope(layer), np.max(np.abs(seen))
    right = back * slope
    words = "the derivative is clipped {}; clip only in the optimiser"
    limit = float(np.max(np.abs(seen / np.where(slope == 0, np.inf, slope))))
    for k, values in (
        (limit, np.clip(back, -limit, limit) * slope),
        (largest, np.clip(right, -largest, largest)),
    ):
        if np.max(np.abs(values - seen)) <= tolerance * largest:
            said = words.format(f"at ±{formulas.rounded(float(k))}")
            return Formula("clip(V)", "clipped", said, is_linear=False)
    shares = share_of(seen, right, tolerance)
    if shares is None or np.any(shares > 1 + 1e-6):
        return None
    for values in (back, right):
        norms = (shares * np.sqrt(np.sum(values**2, axis=0)))[np.abs(shares - 1) > 1e-6]
        if len(norms) > 1 and np.ptp(norms) <= 1e-6 * norms[0]:
            said = words.format(f"to norm {formulas.rounded(float(norms[0]))}")
            return Formula("clip(V) by its norm", "clipped", said, is_linear=False)
    return None


def _nearly(text: str, seen: Array, names: dict[str, Any]) -> Formula | None:
    """The right formula, if the observed values differ from it only by a small constant."""
    right, largest = formulas.value_of(text, names, seen.shape), np.max(np.abs(seen), initial=0.0)
    if right is None or not np.max(np.abs(right - seen)) <= NEARLY * largest or not largest:
        return None
    share = float(np.max(np.abs(right - seen)) / largest)
    words = (
        f"it is right but for a part of {share:.0e}: look for a small constant, such as ε in a "
        "denominator or logarithm, or for a lower precision"
    )
    return Formula(f"{text}, but for a small part", "small-constant", words, 2.0)
