"""The formula of a weight or bias derivative that gives the observed numbers.

    ∂C/∂W^l = δ^l (a^{l−1})ᵀ        ∂C/∂b^l = δ^l        for single examples

δ and a are those that the user's code has.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from manual_grads.check.formulas import (
    Array,
    Formula,
    Outer,
    Scene,
    combination,
    factor_between,
    matches,
    names_of,
    rounded,
    share_of,
    tables,
    value_of,
    written,
)

NEARLY = 1e-3
"""A relative difference that rounding to few bits can explain."""


def leaf_columns(s: Scene, layer: int, deltas: Mapping[int, Array]) -> list[str]:
    """What can stand for δ^l in a derivative of the layer; the right formula first."""
    return ["d", *(f"d_{k}" for k in deltas if k != layer), *tables.COLUMNS]


def leaf_rows(s: Scene, layer: int) -> list[str]:
    """What can stand for a^{l−1} in a weight derivative; the right formula first."""
    layers = [k for k in range(s.depth + 1) if k != layer - 1]
    return ["am", *tables.ROWS, *(f"{v}_{k}" for k in layers for v in ("z", "a"))]


def weight_line(
    s: Scene,
    layer: int,
    deltas: Mapping[int, Array],
    seen: Outer,
    others: Mapping[str, Sequence[Array]],
    tolerance: float,
) -> Formula | None:
    """The formula of ∂C/∂W^l that gives what was seen, for the δ and a that the user's code has."""
    below, delta = s.a[layer - 1], deltas[layer]
    if seen.is_rank_one and any(map(np.any, seen.each)):
        found = _outer_product(s, layer, deltas, seen, tolerance)
        if found is not None:
            return found
        moved = None
        k = share_of(seen.row, below, tolerance)
        if k is not None:  # an example whose a is 0 says nothing about δ, and the reverse
            moved = reordered(seen.column * k, delta * np.any(below, axis=0), "rows", tolerance)
        k = share_of(seen.column, delta, tolerance)
        if k is not None and moved is None:
            moved = reordered(seen.row * k, below * np.any(delta, axis=0), "columns", tolerance)
        if moved is not None:
            return moved
    right = [np.outer(delta[:, n], below[:, n]) for n in range(len(seen.each))]
    return leaf_line(right, seen.each, s.theta(layer, "weight"), "d (am)ᵀ", others, tolerance)


def _outer_product(
    s: Scene,
    layer: int,
    deltas: Mapping[int, Array],
    seen: Outer,
    tolerance: float,
) -> Formula | None:
    """The product of one of the columns and one of the rows."""
    names, found = names_of(s, layer, deltas), list[Formula]()
    near = 100 * tolerance  # for what is left after a regulariser was subtracted
    columns, rows = leaf_columns(s, layer, deltas), leaf_rows(s, layer)
    tried = [
        [(text, value_of(text, names, of.shape)) for text in dict.fromkeys(texts)]
        for texts, of in ((columns, seen.column), (rows, seen.row))
    ]
    fitting = [
        [(t, v) for t, v in each if v is not None and share_of(of, v, near) is not None]
        for each, of in zip(tried, (seen.column, seen.row), strict=True)
    ]
    for column, of_column in fitting[0]:
        for row, of_row in fitting[1]:
            scale = share_of(seen.row, of_row, near)
            k = factor_between(seen.column * scale, of_column * np.any(of_row, axis=0), near)
            if k is None:
                continue
            changed = [t for t, right in ((column, "d"), (row, "am")) if t != right]
            name = "wrong-factor" if changed == [row] else "formula"
            words = "; ".join(
                f"{written(t)} stands in the place of {written(right)}"
                for t, right in ((column, "d"), (row, "am"))
                if t != right
            )
            linear = column[0] in "dV(b" or "d" in column
            cost = len(changed) + (k != 1)
            found.append(Formula(f"{column} ({row})ᵀ", (), k, cost, linear, name, words))
    is_one_number = np.max(np.abs(seen.row - seen.row[:1])) <= near * np.abs(seen.row).max()
    if not found and is_one_number and fitting[0][:1] and fitting[0][0][0] == "d":
        words = "every column is the same: one number stands in the place of a"
        found.append(Formula("d (one number)ᵀ", (), 1.0, 2.0, True, "formula", words))
    return min(found, key=lambda one: (one.cost, one.factor != 1), default=None)


def bias_line(
    s: Scene,
    layer: int,
    deltas: Mapping[int, Array],
    seen: Array,
    weight: Outer | None,
    others: Mapping[str, Sequence[Array]],
    tolerance: float,
) -> Formula | None:
    """The formula of ∂C/∂b^l that gives what was seen, for the δ that the user's code has."""
    delta, names = deltas[layer], names_of(s, layer, deltas)
    if np.any(seen) and np.max(np.abs(seen)) <= 1e-12 * np.max(np.abs(delta)):
        words = "it is 0 but for rounding, as is the sum over the units of a softmax's δ; sum over "
        words += "the examples only"
        return Formula("sum(d)", (), 1.0, 1.0, True, "wrong-axis", words)
    names |= {
        "rows": lambda each: np.stack([one.sum(axis=1) for one in each], axis=1),
        "columns": lambda each: np.stack([one.sum(axis=0) for one in each], axis=1),
        "all": lambda each: np.array([one.sum() for one in each]),
        "column": lambda each, k: np.stack([one[:, k] for one in each], axis=1),
        "width": lambda each: each[0].shape[1],
        "padded": lambda each: np.stack(
            [np.pad(v, (0, len(delta)))[: len(delta)] for v in each], 1
        ),
    }
    texts = [*leaf_columns(s, layer, deltas), *tables.BIASES]
    if weight is not None:
        names |= {"W": s.theta(layer, "weight"), "dW": weight.each}
    if f"∂C/∂b^{layer + 1}" in others:
        names["db"] = others[f"∂C/∂b^{layer + 1}"]
    for k in range(1, s.depth + 1):
        names |= {f"W_{k}": s.theta(k, "weight"), f"dW_{k}": others.get(f"∂C/∂W^{k}")}
        texts += [f"{of}({each}_{k})" for of in ("rows", "columns") for each in ("W", "dW")]
    half = names | names_of(s, layer, {k: v / 2 for k, v in deltas.items()})
    found = matches(seen, [texts], lambda text: text, names, tolerance, half)
    if found is not None:
        changed = found.changed[0][1] if found.changed else ""
        name = tables.NAMES.get(("bias", changed), "formula")
        words = tables.SENTENCES.get(name, f"{written(changed)} stands in the place of δ")
        return found._replace(name=name, words=words if changed else "")
    moved = reordered(seen, delta, "entries", tolerance)
    if moved is not None:
        return moved
    right, each = list(delta.T), list(seen.T)
    return leaf_line(right, each, s.theta(layer, "bias"), "d", others, tolerance)


def reordered(seen: Array, right: Array, what: str, tolerance: float) -> Formula | None:
    """Rows of `right` in another order, or some of them 0; each row is a unit in all examples."""
    if seen.shape != right.shape or not np.any(seen):
        return None
    distance = np.max(np.abs(seen[:, None] - right[None]), axis=2)
    order = np.where(np.any(seen, axis=1), np.argmin(distance, axis=1), -1)
    found = np.take_along_axis(distance, np.maximum(order, 0)[:, None], 1)[:, 0]
    if np.any(found[order >= 0] > tolerance * np.max(np.abs(right))):
        return None
    moved = np.flatnonzero((order != np.arange(len(order))) & (order >= 0))
    if len(moved) == 0 and np.all(order >= 0):
        return None
    if len(moved) == 0:
        zero = ", ".join(map(str, np.flatnonzero(order < 0)[:6]))
        words = f"the {what} {zero} are 0; compute all of them"
        return Formula("in part", (), 1.0, 2.0, True, "unwritten", words)
    words = f"{what} are in a wrong order: " + ", ".join(f"{order[i]} is at {i}" for i in moved[:4])
    return Formula("in another order", (), 1.0, 2.0, True, "permuted", words)


def leaf_line(
    right: Sequence[Array],
    seen: Sequence[Array],
    theta: Sequence[Array],
    text: str,
    others: Mapping[str, Sequence[Array]],
    tolerance: float,
) -> Formula | None:
    """What can happen to a finished derivative of any shape; one array for each example."""
    largest = max(float(np.max(np.abs(one), initial=0.0)) for one in seen)
    size = max(largest, *(float(np.max(np.abs(one), initial=0.0)) for one in right))

    def close(candidate, allowed=tolerance):
        return all(
            a.shape == b.shape and np.max(np.abs(a - b), initial=0.0) <= allowed * size
            for a, b in zip(seen, candidate, strict=True)
        )

    def formula(written, name, words, cost=1.0):
        return Formula(written, (), 1.0, cost, True, name, words)

    if largest == 0:
        return formula("0", "unwritten", "the leaf is zero everywhere; compute it")
    if close(theta):
        words = "the leaf is the parameter itself; compute its derivative"
        return formula("the parameter", "unwritten", words)
    if right[0].ndim == 2 and close([one.T.reshape(one.shape) for one in right]):
        words = "the leaf is transposed, or reshaped instead of transposed; compute δ aᵀ"
        return formula(f"transposed {text}", "transposed", words)
    for name, other in others.items():
        if len(other) == len(seen) and close(other):
            return formula(name, "permuted", f"this is {name}; compute the leaf's own derivative")
    terms = {
        "θ": theta,
        "sign θ": [np.sign(one) for one in theta],
        "Σθ²": [np.full_like(one, np.sum(one * one)) for one in theta],
        "1": [np.ones_like(one) for one in theta],
    }
    pick = np.random.default_rng(0).permutation(right[0].size)[: max(3000 // len(seen), 50)]
    parts = {n: np.concatenate([np.ravel(v)[pick] for v in each]) for n, each in terms.items()}
    first = np.concatenate([np.ravel(one)[pick] for one in right])
    observed = np.concatenate([np.ravel(one)[pick] for one in seen])
    for name, part in parts.items():
        found = combination(observed, [first, part], tolerance) if np.any(first) else None
        if found is None:
            continue
        if close([found[0] * a + found[1] * b for a, b in zip(right, terms[name], strict=True)],
                 100 * tolerance):  # fmt: skip
            k, rate = found
            shown = [text if k == 1 else f"{rounded(k)} * {text}"] * (k != 0)
            shown += [f"{rounded(rate)} {name}"] * (rate != 0)
            words = f"{rounded(rate)} times {'the parameter' if name == 'θ' else name} is added"
            cost = float((k != 1) + (rate != 0.0))
            kind = "regulariser" if rate else "sign" if k == -1 else "factor"
            return Formula(" + ".join(shown), (), k, cost, True, kind, words, (rate, name))
    if close([np.clip(one, -largest, largest) for one in right]):
        words = f"the gradient is clipped at ±{largest:.6g}; clip only in the optimiser"
        return formula(f"clip({text})", "clipped", words)
    if close(right, NEARLY) and any(
        np.array_equal(np.asarray(np.stack(seen), kind).astype(float), np.stack(seen))
        for kind in ("float32", "float16", "bfloat16")
    ):
        return formula(f"{text}, rounded", "low-precision", "it is rounded; compute in float64")
    errors = np.stack([a - b for a, b in zip(seen, right, strict=True)])
    wrong = np.any(np.abs(errors) > tolerance * size, axis=0)
    places = ", ".join(map(str, np.argwhere(wrong)[:4].tolist())) + "…" * int(wrong.sum() > 4)
    if 0 < wrong.sum() < wrong.size:
        part = np.stack(theta)[:, wrong]
        rate = float(np.sum(part * errors[:, wrong]) / np.sum(part * part))
        if np.max(np.abs(errors[:, wrong] - rate * part)) <= 10 * tolerance * size:
            words = f"{rounded(rate)} times the parameter is added at {places} only"
            return formula(f"{text} + {rounded(rate)} θ in part", "regulariser", words, 2.0)
        if not np.any(np.stack(seen)[:, wrong]):
            words = f"the entries {places} are 0; compute all of them"
            return formula(f"{text}, in part", "unwritten", words, 2.0)
    return None
