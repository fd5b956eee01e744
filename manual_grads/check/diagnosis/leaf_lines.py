"""The formulas that can stand in a line that computes the derivative of a weight or a bias.

    ∂C/∂W^l = δ^l (a^{l−1})ᵀ        ∂C/∂b^l = δ^l        for a single example

A regulariser adds λ W. Weight derivatives of single examples have rank one; their column and row
are read off and identified one by one.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.formulas import (
    Choice,
    Formula,
    combination,
    factor_between,
    matches,
    rounded,
)
from manual_grads.check.diagnosis.scene import Array, Scene

ENTRIES = 3000
"""The number of entries of a large leaf that coefficients are fitted to before all are compared."""


class Outer(NamedTuple):
    """Weight derivatives of single examples: each is `column rowᵀ`, if `is_rank_one`."""

    each: Sequence[Array]
    column: Array
    row: Array
    is_rank_one: bool


def outer(each: Sequence[Array], tolerance: float) -> Outer:
    """Reads the column and the row of each weight derivative off its largest entry."""
    columns, rows, rank_one = [], [], True
    for leaf in each:
        i, j = np.unravel_index(int(np.argmax(np.abs(leaf))), leaf.shape)
        top = leaf[i, j]
        column, row = leaf[:, j], leaf[i] / (top if top != 0 else 1.0)
        columns.append(column)
        rows.append(row)
        error = np.max(np.abs(leaf - np.outer(column, row)), initial=0.0)
        rank_one = rank_one and bool(error <= tolerance * abs(top))
    return Outer(each, np.stack(columns, axis=1), np.stack(rows, axis=1), rank_one)


def same_direction(one: Array, other: Array, tolerance: float) -> bool:
    """Whether each column of `one` is a multiple of the same column of `other`."""
    if one.shape != other.shape:
        return False
    size = np.sum(other * other, axis=0)
    if np.any(size == 0):
        return not np.any(one[:, size == 0]) and same_direction(
            one[:, size > 0], other[:, size > 0], tolerance
        )
    k = np.sum(one * other, axis=0) / size
    return bool(np.all(np.abs(one - k * other) <= tolerance * np.max(np.abs(one), axis=0)))


def rows_of(s: Scene, layer: int) -> list[Choice]:
    """What can stand for a^{l−1} in the weight derivative; the right one first."""
    shape = s.a[layer - 1].shape
    choices = [Choice("a{m}", s.a[layer - 1])]

    def add(text, value, words, name="wrong-factor"):
        if np.shape(value) == shape:
            choices.append(Choice(text, value, name, words))

    for other in range(s.depth + 1):
        if s.is_active(other):
            words = f"δ is multiplied by z^{other}; multiply it by a^{layer - 1}"
            add(f"z^{other}", s.z[other], words)
        if other != layer - 1:
            words = f"δ is multiplied by a^{other}; multiply it by a^{layer - 1}"
            add(f"a^{other}", s.a[other], words)
    add("x", s.x, "δ is multiplied by the image x; multiply it by a^0")
    pixels = "δ is multiplied by pixels from 0 to 255; multiply it by a^0"
    if layer == 1:
        add("255 x", 255 * s.x, pixels)
    below = s.z[layer - 1]
    add("f'(z{m})", s.slope(below), "δ is multiplied by f'(z); multiply it by a", "formula")
    add("f(a{m})", s.f(s.a[layer - 1]), "the activation is applied twice", "formula")
    add("1", np.ones(shape), "δ is multiplied by 1 instead of a", "formula")
    add("a{m}²", s.a[layer - 1] ** 2, "a is squared", "formula")
    add("(1 − a{m})", 1 - s.a[layer - 1], "1 − a is used; use a", "formula")
    add("[a{m} > 0]", (s.a[layer - 1] > 0) * 1.0, "[a > 0] is used; use a", "formula")
    add("|a{m}|", np.abs(s.a[layer - 1]), "|a| is used; use a", "formula")
    add("a{m} ⊙ f'(z{m})", s.a[layer - 1] * s.slope(below), "a ⊙ f'(z) is used", "formula")
    add("y", s.y, "δ is multiplied by the targets; multiply it by a", "formula")
    return choices


def columns_of(
    s: Scene, layer: int, delta: Array, deltas: Mapping[int, Array], extra: Mapping[str, Array]
) -> list[Choice]:
    """What can stand for δ^l in a derivative of the layer; the right one first."""
    choices = [Choice("δ{l}", delta)]
    slope = s.slope(s.z[layer])

    def add(text, value, words):
        if np.shape(value) == delta.shape:
            choices.append(Choice(text, value, words=words))

    for other, value in deltas.items():
        if other != layer:
            add(f"δ^{other}", value, f"δ of layer {other} is used; use δ^{layer}")
    if layer + 1 in deltas and layer < s.depth:
        back = s.back(layer + 1, deltas[layer + 1])
        add("W{n}ᵀ δ{n}", back, "Wᵀδ is used without the slope; use δ of this layer")
    if layer > 0:
        below = s.back(layer, delta)
        add(
            "W{l}ᵀ δ{l}",
            below,
            "Wᵀδ of this layer is used; use its δ",
        )
        a = s.a[layer - 1]
        for text, factor in (
            ("f'(z{m})", s.slope(s.z[layer - 1])),
            ("f'(a{m})", s.slope(a)),
            ("a{m} (1 − a{m})", a * (1 - a)),
            ("(1 − a{m}²)", 1 - a * a),
        ):
            add(f"{text} ⊙ W{{l}}ᵀ δ{{l}}", below * factor, "the δ of the layer below is used")
    for text, value in extra.items():
        add(text, value, f"{text} is used instead of δ")
    for text, value in {
        "δ{l} ⊙ f'(z{l})": delta * slope,
        "δ{l} / f'(z{l})": delta / np.where(slope == 0, np.inf, slope),
        "δ{l} ⊙ a{l}": delta * s.a[layer],
        "δ{l} ⊙ z{l}": delta * s.z[layer],
        "δ{l} ⊙ (1 − a{l})": delta * (1 - s.a[layer]),
        "δ{l}²": delta * delta,
        "|δ{l}|": np.abs(delta),
        "f(δ{l})": s.f(delta),
        "f'(δ{l})": s.slope(delta),
        "relu(δ{l})": np.maximum(delta, 0),
        "sign(δ{l})": np.sign(delta),
        "[δ{l} > 0]": (delta > 0) * 1.0,
        "a{l}": s.a[layer],
        "z{l}": s.z[layer],
        "f'(z{l})": slope,
        "1": np.ones_like(delta),
        "Σ δ{l}": np.ones_like(delta) * delta.sum(axis=0),
        "mean δ{l}": np.ones_like(delta) * delta.mean(axis=0),
    }.items():
        add(text, value, f"{text} is used instead of δ")
    return choices


def weight_line(
    s: Scene,
    layer: int,
    columns: Sequence[Choice],
    rows: Sequence[Choice],
    seen: Outer,
    others: Mapping[str, Array],
    tolerance: float,
) -> list[Formula]:
    """The formulas of ∂C/∂W^l that give what was seen, for δ and a that the user's code has."""
    if seen.is_rank_one:
        found = _outer_products(columns, rows, seen, tolerance)
        if found:
            return found
        found = _reordered_outer(columns[0], rows[0], seen, tolerance)
        if found:
            return found
    right = [np.outer(columns[0].value[:, n], rows[0].value[:, n]) for n in range(len(seen.each))]
    return leaf_line(right, seen.each, s.theta(layer, "weight"), "δ{l} (a{m})ᵀ", others, tolerance)


def _outer_products(
    columns: Sequence[Choice], rows: Sequence[Choice], seen: Outer, tolerance: float
) -> list[Formula]:
    """The products of one of the columns and one of the rows."""
    fits_column = [c for c in columns if same_direction(seen.column, c.value, tolerance)]
    fits_row = [r for r in rows if same_direction(seen.row, r.value, tolerance)]
    found = []
    for column in fits_column:
        for row in fits_row:
            norms = np.sum(row.value * row.value, axis=0)
            scale = np.where(norms > 0, np.sum(seen.row * row.value, axis=0) / norms, 0.0)
            k = factor_between(seen.column * scale, column.value, tolerance)
            if k is None:
                continue
            changed = [one for one, of in ((column, columns), (row, rows)) if one is not of[0]]
            name = changed[0].name if len(changed) == 1 else "formula"
            words = "; ".join(one.words for one in changed)
            text = f"∂C/∂W{{l}} = {column.text} ({row.text})ᵀ"
            found.append(Formula(text, k, len(changed) + (k != 1), name, words, seen.column))
    if not found and fits_column[:1] == [columns[0]]:
        spread = np.max(np.abs(seen.row - seen.row[:1]))
        if spread <= tolerance * np.abs(seen.row).max():
            words = "every column is the same: one number stands in the place of a"
            text = "∂C/∂W{l} = δ{l} (one number)ᵀ"
            return [Formula(text, 1.0, 2, "formula", words, seen.column)]
    found.sort(key=lambda one: (one.cost, one.factor != 1))
    return found[:1]


def _reordered_outer(column: Choice, row: Choice, seen: Outer, tolerance: float) -> list[Formula]:
    """Rows or columns of the right derivative in another order, or only some of them."""
    scale = np.sum(seen.row * row.value, axis=0) / np.maximum(
        np.sum(row.value * row.value, axis=0), 1e-300
    )
    if same_direction(seen.row, row.value, tolerance):
        words = reordered(seen.column * scale, column.value, "rows", tolerance)
    elif same_direction(seen.column, column.value, tolerance):
        size = np.sum(seen.column * column.value, axis=0) / np.sum(column.value**2, axis=0)
        words = reordered(seen.row * size, row.value, "columns", tolerance)
    else:
        return []
    return [_moved(words, "∂C/∂W{l}", seen.column)] if words else []


def _moved(words: tuple[str, str], leaf: str, values: Array) -> Formula:
    return Formula(f"{leaf} with {words[1]}", 1.0, 2, words[0], words[1], values)


def reordered(seen: Array, right: Array, what: str, tolerance: float) -> tuple[str, str] | None:
    """Name and words, if each row of `seen` is 0 or one of the rows of `right`."""
    if seen.shape != right.shape or not np.any(seen):
        return None
    allowed = tolerance * np.max(np.abs(right))
    places = []
    for values in seen:
        if not np.any(values):
            places.append(-1)
            continue
        distance = np.max(np.abs(right - values), axis=1)
        place = int(np.argmin(distance))
        if distance[place] > allowed:
            return None
        places.append(place)
    own = np.arange(len(places))
    order = np.array(places)
    written = order >= 0
    if np.all(order[written] == own[written]):
        kept = ", ".join(map(str, own[written][:6])) + ("…" if written.sum() > 6 else "")
        return "unwritten", f"only the {what} {kept} written; compute all of them"
    moved = own[order != own]
    words = ", ".join(f"{order[i]} is at {i}" for i in moved[:4])
    return "permuted", f"the {what} in a wrong order: {words}"


def leaf_line(
    right: Sequence[Array],
    seen: Sequence[Array],
    theta: Sequence[Array],
    text: str,
    others: Mapping[str, Sequence[Array]],
    tolerance: float,
) -> list[Formula]:
    """What can happen to a finished derivative of any shape; one array for each example."""
    largest = max(float(np.max(np.abs(one), initial=0.0)) for one in seen)
    allowed = tolerance * max(largest, *(float(np.max(np.abs(one), initial=0.0)) for one in right))
    values = np.zeros(0)

    def close(candidate):
        return all(
            one.shape == other.shape and np.max(np.abs(one - other), initial=0.0) <= allowed
            for one, other in zip(seen, candidate, strict=True)
        )

    def formula(written, name, words, cost=1):
        return [Formula(written, 1.0, cost, name, words, values)]

    if largest == 0:
        return formula("0", "unwritten", "the leaf is zero everywhere; compute it")
    if close(theta):
        words = "the leaf is the parameter itself; compute its derivative"
        return formula("the parameter", "unwritten", words)
    if right[0].ndim == 2:
        if close([one.T.reshape(one.shape) for one in right]):
            words = "the leaf is transposed, or reshaped instead of transposed; compute δ aᵀ"
            return formula(f"reshape(({text})ᵀ)", "transposed", words)
        for axis, of in ((0, "rows"), (1, "columns")):
            sums = [np.ones_like(one) * one.sum(axis=1 - axis, keepdims=True) for one in right]
            if close(sums):
                return formula(
                    f"sums over the {of} of {text}", "formula", "it is a sum; do not sum"
                )
    for name, other in others.items():
        if len(other) == len(seen) and close(other):
            words = f"this is {name}; compute the leaf's own derivative"
            return formula(name, "permuted" if "∂C" in name else "formula", words)
    found = _added(right, seen, theta, text, tolerance)
    if found:
        return found
    if close([np.clip(one, -largest, largest) for one in right]):
        words = f"the gradient is clipped at ±{largest:.6g}; clip only in the optimiser"
        return formula(f"clip({text})", "clipped", words)
    nearly = max(np.max(np.abs(a - b)) for a, b in zip(right, seen, strict=True))
    if nearly <= 1e-3 * largest:
        share = nearly / largest
        words = f"it is right but for a part of {share:.0e}; compute all of it in float64"
        return formula(f"{text}, rounded", "low-precision", words)
    partly = _partly(right, seen, theta, text, allowed)
    if partly is not None:
        return [partly]
    mask = [one != 0 for one in seen]
    if close([one * kept for one, kept in zip(right, mask, strict=True)]):
        return formula(f"{text}, in part", "unwritten", _missing(mask), 2)
    return []


def _partly(
    right: Sequence[Array], seen: Sequence[Array], theta: Sequence[Array], text: str, allowed: float
) -> Formula | None:
    """A multiple of the parameter that is added in some rows or columns only."""
    errors = [one - of for one, of in zip(seen, right, strict=True)]
    wrong = np.any(np.stack([np.abs(error) > allowed for error in errors]), axis=0)
    if np.all(wrong) or not np.any(wrong):
        return None
    terms = np.concatenate([one[wrong] for one in theta])
    error = np.concatenate([one[wrong] for one in errors])
    rate = float(terms @ error / (terms @ terms))
    if np.max(np.abs(error - rate * terms)) > 10 * allowed:
        return None
    places = ", ".join(map(str, np.argwhere(wrong)[:4].tolist())) + ("…" if wrong.sum() > 4 else "")
    words = f"{rounded(rate)} times the parameter is added at {places} only"
    return Formula(
        f"{text} + {rounded(rate)} · θ in part", 1.0, 2, "regulariser", words, np.zeros(0)
    )


def _missing(mask: Sequence[Array]) -> str:
    """Words for the entries that are 0 in every example."""
    written = np.any(np.stack(mask), axis=0)
    if written.ndim == 2:
        for words, kept in (
            ("above the diagonal", np.tril(np.ones_like(written))),
            ("below the diagonal", np.triu(np.ones_like(written))),
        ):
            if np.array_equal(written, written & kept) and np.any(~written):
                if not np.any(written & ~kept):
                    return f"the entries {words} are 0; compute all of them"
        for what, axis in (("rows", 1), ("columns", 0)):
            kept = np.any(written, axis=axis)
            if np.array_equal(
                written, np.broadcast_to(kept[:, None] if axis == 1 else kept[None], written.shape)
            ):
                places = ", ".join(map(str, np.flatnonzero(~kept)[:6]))
                return f"the {what} {places} are 0; compute all of them"
    places = ", ".join(map(str, np.argwhere(~written)[:4].tolist()))
    return f"the entries {places} are 0; compute all of them"


def _added(
    right: Sequence[Array],
    seen: Sequence[Array],
    theta: Sequence[Array],
    text: str,
    tolerance: float,
) -> list[Formula]:
    """The right derivative times a factor, plus multiples of the parameter, its sign, and 1."""
    entries = np.random.default_rng(0).permutation(right[0].size)
    entries = entries[: max(ENTRIES // len(seen), 50)]

    def part(each):
        return np.concatenate([np.ravel(one)[entries] for one in each])

    terms = {
        text: list(right),
        "θ": list(theta),
        "sign θ": [np.sign(one) for one in theta],
        "1": [np.ones_like(one) for one in theta],
        "Σθ²": [np.full_like(one, np.sum(one * one)) for one in theta],
    }
    for names in ((text, "θ"), (text, "sign θ"), (text, "Σθ²"), (text, "1"), tuple(terms)[:3]):
        chosen = [terms[name] for name in names]
        found = combination(part(seen), [part(each) for each in chosen], tolerance)
        if found is None:
            continue
        values = [sum(k * one for k, one in zip(found, of, strict=True)) for of in zip(*chosen)]
        largest = max(float(np.max(np.abs(one))) for one in seen)
        if any(
            np.max(np.abs(value - one)) > 10 * tolerance * largest
            for value, one in zip(values, seen, strict=True)
        ):
            continue
        written = " + ".join(
            name if k == 1 else f"{rounded(k)} · {name}"
            for name, k in zip(names, found, strict=True)
            if k
        )
        extra = [f"{rounded(k)} · {n}" for n, k in zip(names[1:], found[1:], strict=True) if k]
        names_of = {
            "θ": "the parameter",
            "1": "1",
            "sign θ": "its sign",
            "Σθ²": "the sum of squares",
        }
        words = " and ".join(
            f"{rounded(k)} times {names_of[n]} is added"
            for n, k in zip(names[1:], found[1:], strict=True)
            if k
        )
        name = "regulariser" if extra else "factor"
        cost = (abs(found[0] - 1) > 10 * tolerance) + len(extra)
        return [Formula(written, 1.0, max(cost, 1), name, words, np.array([*found]))]
    return []


def bias_line(
    s: Scene,
    layer: int,
    columns: Sequence[Choice],
    seen: Array,
    weight: Outer | None,
    others: Mapping[str, Sequence[Array]],
    tolerance: float,
) -> list[Formula]:
    """The formulas of ∂C/∂b^l that give what was seen, for the δ that the user's code has."""
    delta = columns[0].value
    theta = np.stack(s.theta(layer, "bias"), axis=1)
    choices = list(columns)
    wrong_axis = "δ is summed over the examples and the units; sum it over the examples only"
    for number, choice in enumerate(choices):
        if choice.text == "Σ δ{l}":
            choices[number] = choice._replace(name="wrong-axis", words=wrong_axis)

    def add(text, value, words, name="formula"):
        if np.shape(value) == seen.shape:
            choices.append(Choice(text, value, name, words))

    for other in range(1, s.depth + 1):
        weights = s.theta(other, "weight")
        for axis in (0, 1):
            sums = np.stack([one.sum(axis=axis) for one in weights], axis=1)
            words = "it is a sum of weights; sum δ over the examples"
            add(f"sums of W^{other}", sums, words)
        leaf = others.get(f"∂C/∂W^{other}")
        if leaf is not None:
            for axis in (0, 1):
                sums = np.stack([one.sum(axis=axis) for one in leaf], axis=1)
                words = "it is made of another layer's weight derivative; sum δ over the examples"
                add(f"sums of ∂C/∂W^{other}", sums, words)
    if weight is not None:
        each = np.stack(weight.each)
        row_sums = "it is made of the weight derivative; sum δ over the examples"
        add("row sums of ∂C/∂W{l}", each.sum(axis=2).T, row_sums)
        add("row means of ∂C/∂W{l}", each.mean(axis=2).T, row_sums)
        add("column sums of ∂C/∂W{l}", each.sum(axis=1).T, row_sums)
        add("the first column of ∂C/∂W{l}", each[:, :, 0].T, row_sums)
        add("the last column of ∂C/∂W{l}", each[:, :, -1].T, row_sums)
        total = each.sum(axis=(1, 2))
        add("the sum of ∂C/∂W{l}", np.ones_like(seen) * total, row_sums)
    add("δ{l} ⊙ b{l}", delta * theta, "δ is multiplied by the bias; remove this factor")
    add("δ{l} ⊙ b{l} ⊙ f'(z{l})", delta * theta * s.slope(s.z[layer]), "remove b ⊙ f'(z)")
    for unit, of in ((0, "first"), (-1, "last")):
        words = f"every entry has the value of the {of} unit"
        add(f"δ{{l}} of the {of} unit", np.ones_like(delta) * delta[unit], words)
    if layer < s.depth and s.has(layer + 1, "bias") and "∂C/∂b^" + str(layer + 1) in others:
        above = np.stack(
            [
                np.resize(np.pad(one, (0, max(0, len(delta) - len(one)))), len(delta))
                for one in others["∂C/∂b^" + str(layer + 1)]
            ],
            axis=1,
        )
        add(
            "δ{l} + ∂C/∂b{n}",
            delta + above,
            "an array keeps what another layer has left in it; set it to zero for each layer",
        )
    if np.max(np.abs(seen)) <= 1e-12 * np.max(np.abs(delta)) and np.any(seen):
        words = "it is 0 but for rounding, as is the sum over the units of a softmax's δ; sum over "
        words += "the examples only"
        return [Formula("∂C/∂b{l} = Σ δ{l}", 1.0, 1, "wrong-axis", words, seen)]
    found = matches(
        seen, [choices], lambda value: value, lambda text: f"∂C/∂b{{l}} = {text}", tolerance
    )
    if found:
        return found
    words = reordered(seen, delta, "entries", tolerance)
    if words:
        return [_moved(words, "∂C/∂b{l}", seen)]
    examples = seen.shape[1]
    return leaf_line(
        [delta[:, n] for n in range(examples)],
        [seen[:, n] for n in range(examples)],
        [theta[:, n] for n in range(examples)],
        "δ{l}",
        others,
        tolerance,
    )
