"""Finds the formula by which the user's code computes δ^l, given the user's δ^{l+1}.

δ^L = E(P, Y) f'(z^L)                  with the outputs P, the targets Y and the error E
δ^l = (W^{l+1}ᵀ δ^{l+1}) f'(z^l)       with E = W^{l+1}ᵀ δ^{l+1}
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.formulas import Array, Formula, Scene, tables
from manual_grads.check.lines.observed_deltas import Leaf, Seen

NEARLY = 1e-4
"""Relative differences up to this value are attributed to a small constant or to rounding."""
KINK = "E * where(z == 0"
"""Formulas that begin so have another value of f'(0) for a ReLU: a convention, not a mistake."""


def right_places(s: Scene, layer: int) -> dict[str, str]:
    """The right formula of each place: outputs P, targets Y, error E, and the whole line S."""
    line = "E * df(z)" if formulas.is_active(s.problem, layer) else "E"
    if layer < s.depth:
        return {"E": "V", "S": line}
    loss = s.problem.loss
    error = "2*(P - Y)" if loss == "squared_error" else "P - Y"
    return {"P": tables.OUTPUTS.get(loss, "a"), "Y": "y", "E": error, "S": line}


def places_of(s: Scene, layer: int, above: Sequence[int] = ()) -> dict[str, list[str]]:
    """The formulas that are tried for each letter of `right_places`; the first one is right."""
    kinks = [f"where(z == 0, {c}, df(z))" for c in (0, 0.5, 1, "s")]
    alike = [k for k in range(s.depth + 1) if k != layer and s.z[k].shape == s.z[layer].shape]
    slopes = kinks if np.any(s.z[layer] == 0) else []
    slopes += tables.SLOPES + [text.format(k=k) for k in alike for text in tables.OF_OTHER_LAYERS]
    lines = ["E", *(f"E * {formulas.bracketed(slope)}" for slope in slopes)]
    others = {"P": tables.OUTPUT_TABLE, "Y": tables.TARGETS, "E": tables.DERIVATIVES}
    if layer == s.depth:
        lines += tables.FACTORS
    else:
        through = "".join(f"T_{k}(" for k in range(layer + 1, s.depth + 1))
        chained = [f"{through}{error}{')' * (s.depth - layer)}" for error in tables.ERRORS]
        higher = [text for k in above if k > layer + 1 for text in (f"d_{k}", f"back(d_{k})")]
        others = {"E": [*tables.OPERANDS, *chained, *higher]}
    right = right_places(s, layer)
    return {letter: [right[letter], *table] for letter, table in (others | {"S": lines}).items()}


def right_line(s: Scene, layer: int) -> str:
    """The right formula for δ of a layer."""
    places = right_places(s, layer)
    return formulas.filled(places, places.values())


def right_output(s: Scene) -> Array:
    """The right δ^L of each example, as in a batch that has only this example."""
    names = formulas.names_of(s, s.depth, {})
    value = formulas.value_of(right_line(s, s.depth), names, s.a[-1].shape)
    assert value is not None
    return value * s.problem.factor(1)


def right_deltas(s: Scene, output: Array) -> dict[int, Array]:
    """δ of every layer, backpropagated by the right formulas from `output`, which is δ^L."""
    deltas = {s.depth: output}
    for layer in reversed(range(s.depth)):
        deltas[layer] = s.back(layer + 1, deltas[layer + 1]) * s.slope(layer)
    return deltas


def leaves_of(
    s: Scene, deltas: Mapping[int, Array], leaves: Sequence[Leaf], decays: Mapping[int, float]
) -> list[dict[Leaf, Array]]:
    """For each example, the weight and bias derivatives that follow from the δ in `deltas`."""

    def value(kind, layer, n):
        if kind == "bias":
            return deltas[layer][:, n]
        product = np.outer(deltas[layer][:, n], s.a[layer - 1][:, n])
        rate = decays.get(layer, 0.0)
        return product + rate * s.theta(layer, "weight")[n] if rate else product

    return [{leaf: value(*leaf, n) for leaf in leaves} for n in range(s.x.shape[1])]


def delta_line(seen: Seen, layer: int, delta: Array, deltas: Mapping[int, Array]) -> Formula | None:
    """The formula that gives `delta`, the user's δ^l, from the user's δ in `deltas`, or None."""
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
        sums = [each for each in _sums(s, layer) if found is None or each[0] != "formula"]
        tried = (_sum_found(*each, delta, names, tolerance) for each in sums)
        found = next(filter(None, tried), found)
    return found or _nearly(right_line(s, layer), delta, names)


def _named(found: Formula, s: Scene, layer: int) -> Formula:
    """Adds the name of the mistake and a message to the formula."""
    if "sum(a" in found.text:  # the user's code can have a matrix product that mixes examples
        found = found._replace(is_linear=False)
    if len(found.changed) != 1:
        return found
    letter, formula = found.changed[0]
    is_slope, words = letter == "S" and formula not in tables.FACTORS, found.words
    name = tables.NAMES.get((letter, formula), "formula")
    if formula.startswith(KINK):
        name, words = "kink", "f'(0) has another value, which is a valid convention too"
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


def _sums(s: Scene, layer: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields names of mistakes that make δ a weighted sum of terms, each name with these terms."""
    places, right = right_places(s, layer), right_line(s, layer)
    first = [*places.values()]
    side = formulas.bracketed(formulas.filled(places, [*first[:-1], "E"]))
    is_active, added = formulas.is_active(s.problem, layer), tables.ADDED
    if is_active:
        yield "slope-of-other", (f"{side} * (z > 0)", f"{side} * (z <= 0)")
    if layer == s.depth:
        for text in tables.WHOLE_OUTPUTS if "squared" in s.problem.loss else ():
            yield "other-loss", (text,)
        outputs = formulas.filled(places, [first[0], "0", *first[2:]])
        yield "formula", (outputs, *(("y * df(z)", "df(z)") if is_active else ("y", "1")))
        added = ["df(z)", "1", "a", "z", f"{side} * a", first[0], "y"]
    for pair in itertools.product([right, side, "V * normal(z)"], added):
        yield "formula", pair


def _sum_found(
    name: str, terms: tuple[str, ...], delta: Array, names: dict[str, Any], tolerance: float
) -> Formula | None:
    """The weighted sum of `terms` that gives the observed values, or None."""
    values = [formulas.value_of(term, names, delta.shape) for term in terms]
    some = [value for value in values if value is not None]
    found = formulas.combination(delta, some, tolerance) if len(some) == len(terms) else None
    if found is None:
        return None
    shown = [formulas.rounded(k) for k in found]
    pairs = zip(shown, terms, strict=True)
    text = " + ".join(term if k == "1" else f"{k} * {term}" for k, term in pairs)
    text = text.replace("+ −", "− ")
    if name != "formula":
        words = "the slope is {} for z > 0 and {} for z ≤ 0; use f'(z)".format(*shown, "")
        return Formula(text, name, words if len(terms) == 2 else "")
    *_, last = terms
    is_linear = len(terms) > 2 or any(letter in last for letter in "VDy")
    return Formula(text, name, "", 2.0, is_linear=is_linear)


def _nearly(text: str, seen: Array, names: dict[str, Any]) -> Formula | None:
    """The right formula `text` if its values differ from `seen` by at most `NEARLY`; else None."""
    right, largest = formulas.value_of(text, names, seen.shape), np.max(np.abs(seen), initial=0.0)
    share = np.inf if right is None else float(np.max(np.abs(right - seen)) / (largest or 1.0))
    if not share <= NEARLY or not largest:
        return None
    words = f"its relative error is {share:.0e}: look for a small constant, such as ε in a "
    words += "denominator or logarithm, or for a lower precision"
    return Formula(f"{text}, with a small error", "small-constant", words, 2.0)
