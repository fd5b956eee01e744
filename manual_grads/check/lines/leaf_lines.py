"""Finds the formula by which the user's code computes a weight or bias derivative.

    ∂C/∂W^l = δ^l (a^{l−1})ᵀ        ∂C/∂b^l = δ^l        for single examples

Here δ and a are the values that the user's code computes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.formulas import Array, Formula, Scene, tables
from manual_grads.check.lines.observed_deltas import Seen, share_of

NEARLY = 1e-3
"""Relative differences up to this value are attributed to a lower precision."""


def leaf_columns(deltas: Mapping[int, Array], layer: int) -> list[str]:
    """The formulas that are tried for δ^l in a derivative of the layer; the first one is right."""
    return ["d", *(f"d_{k}" for k in deltas if k != layer), *tables.COLUMNS]


def leaf_rows(s: Scene, layer: int) -> list[str]:
    """The formulas that are tried for a^{l−1} in a weight derivative; the first one is right."""
    layers = [k for k in range(s.depth + 1) if k != layer - 1]
    return ["am", *tables.ROWS, *(f"{v}_{k}" for k in layers for v in ("z", "a"))]


def leaf_line(seen: Seen, kind: str, layer: int, deltas: Mapping[int, Array]) -> Formula | None:
    """The formula that gives the user's weight or bias derivative, or None."""
    s, delta, theta = seen.scene, deltas[layer], np.stack(seen.scene.theta(layer, kind), axis=-1)
    if kind == "bias":
        own = seen.biases[layer]
        found = _bias_formula(seen, layer, deltas, own)
        return found or finished_line(delta, own, theta, "d", seen.tolerance)
    own, right = np.stack(seen.weights[layer].each, axis=2), delta[:, None] * s.a[layer - 1]
    found = _outer_product(seen, layer, deltas)
    return found or finished_line(right, own, theta, "d (am)ᵀ", seen.tolerance)


def _outer_product(seen: Seen, layer: int, deltas: Mapping[int, Array]) -> Formula | None:
    """The formula "column times row" that gives the observed weight derivatives, or None."""
    s, weight = seen.scene, seen.weights[layer]
    # subtracting λ W adds rounding errors
    near = seen.tolerance * (100 if layer in seen.decays else 1)
    places = {"C": leaf_columns(deltas, layer), "L": ["C * used"]}
    names = formulas.names_of(s, layer, deltas)
    best: Formula | None = None
    for number, row in enumerate(leaf_rows(s, layer) if weight.is_rank_one else ()):
        value = formulas.value_of(row, names, weight.row.shape)
        share = None if value is None else share_of(weight.row, value, near)
        if value is None or share is None:
            continue
        used = {"used": np.any(value, axis=0)}  # if an example's row is 0, its column is unknown
        half = formulas.names_of(s, layer, deltas, times=0.5) | used
        found = formulas.matches(weight.column * share, places, names | used, near, half)
        if found is not None and (best is None or found.cost + (number > 0) < best.cost):
            column = found.changed[0][1] if found.changed else "d"
            changed, text = found.changed, f"outer({column}, {row})"
            said = [found.words] * bool(changed)
            if number > 0:
                changed += (("R", row),)
                said.append(formulas.instead(row, "am"))
            cost = found.cost + (number > 0)
            best = found._replace(text=text, words="; ".join(said), cost=cost, changed=changed)
    is_row = best is not None and [letter for letter, _ in best.changed] == ["R"]
    return best and _worded(best, "wrong-factor" if is_row else "formula")


def _bias_formula(
    seen: Seen, layer: int, deltas: Mapping[int, Array], own: Array
) -> Formula | None:
    s, delta = seen.scene, deltas[layer]
    if np.any(own) and np.max(np.abs(own)) <= 1e-12 * np.max(np.abs(delta)):
        words = "it is 0 up to rounding, like the sum of a softmax's δ over the units; sum over "
        words += "the examples only"
        return Formula("sum(d)", "wrong-axis", words)
    more: dict[str, Any] = {
        "rows": lambda each: each.sum(axis=1), "columns": lambda each: each.sum(axis=0),
        "width": lambda each: each.shape[1],
        "padded": lambda each: np.pad(each, ((0, len(delta)), (0, 0)))[: len(delta)],
    }  # fmt: skip
    if layer + 1 in seen.biases:
        more["db"] = seen.biases[layer + 1]
    if layer > 0:
        more["dW"] = np.stack(seen.weights[layer].each, axis=2)
    names = formulas.names_of(s, layer, deltas) | more
    half = names | formulas.names_of(s, layer, deltas, times=0.5)
    places = {"B": [*leaf_columns(deltas, layer), *tables.BIASES]}
    found = formulas.matches(own, places, names, seen.tolerance, half)
    return found and _worded(found, "formula")


def _worded(found: Formula, name: str) -> Formula:
    """Adds the name of the mistake and a message to the formula."""
    if len(found.changed) == 1:
        name = tables.NAMES.get(found.changed[0], name)
    return found._replace(name=name, words=tables.SENTENCES.get(name, found.words))


def _order(seen: Array, right: Array, tolerance: float) -> Array | None:
    """The index in `right` of each row of `seen`; None if `right` lacks one of these rows."""
    rows, wanted = seen.reshape(len(seen), -1), right.reshape(len(right), -1)
    some = np.unique(np.linspace(0, rows.shape[1] - 1, 20).astype(int))
    distance = np.max(np.abs(rows[:, None, some] - wanted[None, :, some]), axis=2)
    order = np.argmin(distance, axis=1)
    error = np.max(np.abs(rows - wanted[order]), initial=0.0)
    return order if error <= tolerance * np.max(np.abs(right)) else None


def finished_line(
    right: Array, seen: Array, theta: Array, text: str, tolerance: float
) -> Formula | None:
    """A formula that gives the wrong derivative `seen`, or None. Examples are on the last axis."""
    largest = float(np.max(np.abs(seen), initial=0.0))
    size = max(largest, float(np.max(np.abs(right), initial=0.0)))
    turned = np.swapaxes(right, 0, 1).reshape(right.shape) if right.ndim == 3 else np.nan
    is_rounded = any(np.array_equal(np.asarray(seen, kind).astype(float), seen)
                     for kind in ("float32", "float16", "bfloat16"))  # fmt: skip
    for yours, name, words, candidate, allowed in (
        ("0", "unwritten", "the leaf is zero everywhere; compute it", 0.0, tolerance),
        ("θ", "unwritten", "it is the parameter itself; compute the derivative", theta, tolerance),
        (f"transposed {text}", "transposed", "it is transposed or reshaped", turned, tolerance),
        (f"clip({text})", "clipped", f"it is clipped at ±{largest:.6g}; clip only in the optimiser",
         np.clip(right, -largest, largest), tolerance),
        (f"{text}, rounded", "low-precision", "it is rounded; compute in float64", right,
         NEARLY * is_rounded),
    ):  # fmt: skip
        if np.max(np.abs(seen - candidate), initial=0.0) <= allowed * size:
            return Formula(yours, name, words, factor=float(yours != "0"))
    for what, axis in (("rows" if right.ndim == 3 else "entries", 0), ("columns", 1)):
        if axis < right.ndim - 1 and np.any(right):
            order = _order(np.swapaxes(seen, 0, axis), np.swapaxes(right, 0, axis), tolerance)
            if order is not None and np.any(order != np.arange(len(order))):
                words = f"the {what} are in a wrong order: {', '.join(map(str, order[:8]))}"
                return Formula("in another order", "permuted", words, 2.0)
    return _with_something(right, seen, theta, text, tolerance)


def _with_something(
    right: Array, seen: Array, theta: Array, text: str, tolerance: float
) -> Formula | None:
    """Explains the observed derivative by a factor, an added term or some wrong entries."""
    size = max(np.abs(seen).max(), np.abs(right).max())
    pick = np.random.default_rng(0).permutation(right.size)[:3000]
    squares = np.sum(theta**2, axis=tuple(range(theta.ndim - 1)))
    for name, term in (
        ("θ", theta),
        ("sign θ", np.sign(theta)),
        ("Σθ²", np.broadcast_to(squares, theta.shape)),
        ("1", np.ones_like(theta)),
    ):
        sides = [side.ravel()[pick] for side in (right, term)]
        found = formulas.combination(seen.ravel()[pick], sides, tolerance)
        if found is None:
            continue
        k, rate = found
        if np.max(np.abs(k * right + rate * term - seen)) <= 100 * tolerance * size:
            shown = [text if k == 1 else f"{formulas.rounded(k)} * {text}"] * (k != 0)
            added = formulas.rounded(rate) + (f" {name}" if name != "1" else "")
            shown += [added] * (rate != 0)
            words = f"{added} is added" + (", where θ is the parameter" if "θ" in name else "")
            kind = "regulariser"
            if not rate:
                kind, words = "factor", f"it is multiplied by {k:.6g}; remove this factor"
                kind, words = ("sign", tables.SENTENCES["sign"]) if k == -1 else (kind, words)
            cost = float((k != 1) + (rate != 0))
            return Formula(" + ".join(shown), kind, words, cost, k, added=(rate, name))
    errors = seen - right
    wrong = np.any(np.abs(errors) > tolerance * size, axis=-1)
    places = ", ".join(map(str, np.argwhere(wrong)[:4].tolist())) + "…" * int(wrong.sum() > 4)
    if 0 < wrong.sum() < wrong.size:
        rate = float(np.sum(theta[wrong] * errors[wrong]) / np.sum(theta[wrong] ** 2))
        if np.max(np.abs(errors - rate * theta)[wrong]) <= 10 * tolerance * size:
            added = f"{formulas.rounded(rate)} θ"
            words = f"{added} is added at {places} only, where θ is the parameter"
            return Formula(f"{text} + {added} in some entries", "regulariser", words, 2.0)
        if not np.any(seen[wrong]):
            return Formula(f"{text}, but 0 at {places}", "unwritten", "", 2.0)
    return None
