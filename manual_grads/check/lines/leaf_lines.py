"""The formula of a weight or bias derivative that gives the observed numbers.

    ∂C/∂W^l = δ^l (a^{l−1})ᵀ        ∂C/∂b^l = δ^l        for single examples

δ and a are those that the user's code has.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.formulas import Array, Formula, Scene, tables
from manual_grads.check.lines.readings import Seen, share_of

NEARLY = 1e-3
"""A relative difference that rounding to few bits can explain."""
MOST_ENTRIES = 40
"""The number of rows and of columns of a large weight that formulas are tried on."""


def leaf_columns(deltas: Mapping[int, Array], layer: int) -> list[str]:
    """What can stand for δ^l in a derivative of the layer; the right formula first."""
    return ["d", *(f"d_{k}" for k in deltas if k != layer), *tables.COLUMNS]


def leaf_rows(s: Scene, layer: int) -> list[str]:
    """What can stand for a^{l−1} in a weight derivative; the right formula first."""
    layers = [k for k in range(s.depth + 1) if k != layer - 1]
    return ["am", *tables.ROWS, *(f"{v}_{k}" for k in layers for v in ("z", "a"))]


def leaf_line(seen: Seen, kind: str, layer: int, deltas: Mapping[int, Array]) -> Formula | None:
    """The formula of a weight or bias derivative that gives what was seen."""
    s = seen.scene
    each = {f"∂C/∂W^{k}": np.stack(one.each, axis=2) for k, one in seen.weights.items()}
    each |= {f"∂C/∂b^{k}": values for k, values in seen.biases.items()}
    own = each.pop(f"∂C/∂{'W' if kind == 'weight' else 'b'}^{layer}")
    delta, theta = deltas[layer], np.stack(s.theta(layer, kind), axis=-1)
    text = "d (am)ᵀ" if kind == "weight" else "d"
    right = delta[:, None] * s.a[layer - 1] if kind == "weight" else delta
    find = _outer_product if kind == "weight" else _bias_formula
    return find(seen, layer, deltas, own) or finished_line(
        right, own, theta, text, each, seen.tolerance
    )


def _outer_product(
    seen: Seen, layer: int, deltas: Mapping[int, Array], own: Array
) -> Formula | None:
    """The product of one of the columns and one of the rows."""
    s, (units, inputs, examples) = seen.scene, own.shape

    def products(some, others):
        """The function that computes these rows and columns of a weight derivative."""

        def outer(c, r):
            c, r = np.broadcast_to(c, (units, examples)), np.broadcast_to(r, (inputs, examples))
            return (c[some, None] * r[others]).reshape(-1, examples)

        return outer

    few = [np.unique(np.linspace(0, n - 1, MOST_ENTRIES).astype(int)) for n in (units, inputs)]
    near = seen.tolerance * (100 if layer in seen.decays else 1)  # a regulariser was subtracted
    places = {"C": leaf_columns(deltas, layer), "R": leaf_rows(s, layer), "L": ["outer(C, R)"]}
    names = formulas.names_of(s, layer, deltas) | {"outer": products(*few)}
    halved = names | formulas.names_of(s, layer, deltas, times=0.5)
    part = own[np.ix_(*few)].reshape(-1, examples)
    found = formulas.matches(part, places, names, near, halved)
    every = names | {"outer": products(np.arange(units), np.arange(inputs))}
    whole = own.reshape(-1, examples)
    value = found and formulas.value_of(found.text, every, whole.shape)
    if not found or value is None or formulas.factor_between(whole, value, near) is None:
        alike = np.broadcast_to(deltas[layer][:, None], own.shape).reshape(whole.shape)
        words = "every column is the same: one number stands in the place of a"
        is_one_number = np.any(own) and share_of(whole, alike, near) is not None
        return Formula("d (one number)ᵀ", "formula", words, 2.0) if is_one_number else None
    is_row = [change.letter for change in found.changed] == ["R"]
    return _worded(found, "wrong-factor" if is_row else "formula")


def _bias_formula(
    seen: Seen, layer: int, deltas: Mapping[int, Array], own: Array
) -> Formula | None:
    """One of the columns, or of what can be made of other derivatives."""
    s, delta = seen.scene, deltas[layer]
    if np.any(own) and np.max(np.abs(own)) <= 1e-12 * np.max(np.abs(delta)):
        words = "it is 0 but for rounding, as is the sum over the units of a softmax's δ; sum over "
        words += "the examples only"
        return Formula("sum(d)", "wrong-axis", words)
    more: dict[str, Any] = {
        "rows": lambda each: each.sum(axis=1), "columns": lambda each: each.sum(axis=0),
        "all": lambda each: each.sum(axis=(0, 1)), "column": lambda each, k: each[:, k],
        "width": lambda each: each.shape[1],
        "padded": lambda each: np.pad(each, ((0, len(delta)), (0, 0)))[: len(delta)],
    }  # fmt: skip
    more |= {f"W_{k}": np.stack(s.theta(k, "weight"), axis=2) for k in range(1, s.depth + 1)}
    more |= {f"dW_{k}": np.stack(one.each, axis=2) for k, one in seen.weights.items()}
    if layer + 1 in seen.biases:
        more["db"] = seen.biases[layer + 1]
    if layer > 0:
        more |= {"W": more[f"W_{layer}"], "dW": more[f"dW_{layer}"]}
    of_weights = [f"{of}({w}_{k})" for k in seen.weights for of in ("rows", "columns")
                  for w in ("W", "dW")]  # fmt: skip
    texts = [*leaf_columns(deltas, layer), *tables.BIASES, *of_weights]
    names = formulas.names_of(s, layer, deltas) | more
    halved = names | formulas.names_of(s, layer, deltas, times=0.5)
    found = formulas.matches(own, {"B": texts}, names, seen.tolerance, halved)
    return found and _worded(found, "formula")


def _worded(found: Formula, name: str) -> Formula:
    """The formula with its name in the catalogue and a sentence."""
    if len(found.changed) == 1:
        name = tables.NAMES.get(found.changed[0][:2], name)
    return found._replace(name=name, words=tables.SENTENCES.get(name, found.words))


def _order(seen: Array, right: Array, tolerance: float) -> Array | None:
    """The places of units, along the first axis, among the right ones; None if they differ."""
    rows, wanted = seen.reshape(len(seen), -1), right.reshape(len(right), -1)
    some = np.unique(np.linspace(0, rows.shape[1] - 1, 20).astype(int))
    distance = np.max(np.abs(rows[:, None, some] - wanted[None, :, some]), axis=2)
    order = np.argmin(distance, axis=1)
    error = np.max(np.abs(rows - wanted[order]), initial=0.0)
    return order if error <= tolerance * np.max(np.abs(right)) else None


def finished_line(
    right: Array,
    seen: Array,
    theta: Array,
    text: str,
    others: Mapping[str, Array],
    tolerance: float,
) -> Formula | None:
    """What can happen to a finished derivative of any shape; the last axis is the examples."""
    largest = float(np.max(np.abs(seen), initial=0.0))
    size = max(largest, float(np.max(np.abs(right), initial=0.0)))

    def close(candidate, allowed=tolerance):
        error = np.abs(seen - candidate) if seen.shape == candidate.shape else np.inf
        return bool(np.max(error, initial=0.0) <= allowed * size)

    turned = np.swapaxes(right, 0, 1).reshape(right.shape) if right.ndim == 3 else np.array(np.nan)
    is_rounded = any(np.array_equal(np.asarray(seen, kind).astype(float), seen)
                     for kind in ("float32", "float16", "bfloat16"))  # fmt: skip
    for yours, name, words, candidate in (
        ("0", "unwritten", "the leaf is zero everywhere; compute it", 0 * seen),
        ("the parameter", "unwritten", "the leaf is the parameter itself; compute its derivative",
         theta),
        (f"transposed {text}", "transposed",
         "the leaf is transposed, or reshaped instead of transposed; compute δ aᵀ", turned),
        *((name, "permuted", f"this is {name}; compute the leaf's own derivative", other)
          for name, other in others.items()),
        (f"clip({text})", "clipped",
         f"the gradient is clipped at ±{largest:.6g}; clip only in the optimiser",
         np.clip(right, -largest, largest)),
        (f"{text}, rounded", "low-precision", "it is rounded; compute in float64",
         right if is_rounded else turned),
    ):  # fmt: skip
        if close(candidate, NEARLY if name == "low-precision" else tolerance):
            return Formula(yours, name, words)
    for what, axis in (("rows" if right.ndim == 3 else "entries", 0), ("columns", 1)):
        if axis < right.ndim - 1 and np.any(right):
            order = _order(np.swapaxes(seen, 0, axis), np.swapaxes(right, 0, axis), tolerance)
            moved = [] if order is None else np.flatnonzero(order != np.arange(len(order)))
            if order is not None and len(moved):
                shown = ", ".join(f"{order[i]} is at {i}" for i in moved[:4])
                words = f"the {what} are in a wrong order: {shown}"
                return Formula("in another order", "permuted", words, 2.0)
    return _with_something(right, seen, theta, text, tolerance)


def _with_something(
    right: Array, seen: Array, theta: Array, text: str, tolerance: float
) -> Formula | None:
    """A derivative to which something is added, or of which a part is wrong."""
    size = max(np.abs(seen).max(), np.abs(right).max())
    pick = np.random.default_rng(0).permutation(right.size)[:3000]
    for name, term in (
        ("θ", theta),
        ("sign θ", np.sign(theta)),
        ("Σθ²", np.zeros_like(theta) + np.sum(theta**2, axis=tuple(range(theta.ndim - 1)))),
        ("1", np.ones_like(theta)),
    ):
        sides = [side.ravel()[pick] for side in (right, term)]
        found = formulas.combination(seen.ravel()[pick], sides, tolerance)
        if found is None:
            continue
        k, rate = found
        if np.max(np.abs(k * right + rate * term - seen)) <= 100 * tolerance * size:
            shown = [text if k == 1 else f"{formulas.rounded(k)} * {text}"] * (k != 0)
            shown += [f"{formulas.rounded(rate)} {name}"] * (rate != 0)
            added = "the parameter" if name == "θ" else name
            words = f"{formulas.rounded(rate)} times {added} is added"
            if not rate:
                words = f"it is multiplied by {k:.6g}; remove this factor"
                words = tables.SENTENCES["sign"] if k == -1 else words
            kind = "regulariser" if rate else "sign" if k == -1 else "factor"
            cost = float((k != 1) + (rate != 0))
            return Formula(" + ".join(shown), kind, words, cost, k, added=(rate, name))
    errors = seen - right
    wrong = np.any(np.abs(errors) > tolerance * size, axis=-1)
    places = ", ".join(map(str, np.argwhere(wrong)[:4].tolist())) + "…" * int(wrong.sum() > 4)
    if 0 < wrong.sum() < wrong.size:
        rate = float(np.sum(theta[wrong] * errors[wrong]) / np.sum(theta[wrong] ** 2))
        if np.max(np.abs(errors - rate * theta)[wrong]) <= 10 * tolerance * size:
            words = f"{formulas.rounded(rate)} times the parameter is added at {places} only"
            yours = f"{text} + {formulas.rounded(rate)} θ in part"
            return Formula(yours, "regulariser", words, 2.0)
        if not np.any(seen[wrong]):
            words = f"the entries {places} are 0; compute all of them"
            return Formula(f"{text}, in part", "unwritten", words, 2.0)
    return None
