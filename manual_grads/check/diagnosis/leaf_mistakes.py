"""Mistakes in a leaf whose δ is correct: in its factors, its sum, its order or its regulariser.

Some mistakes have a number or an order that must be estimated. The estimate uses `observed`, which
is the leaf that the handwritten code returned.
"""

from collections.abc import Iterator

import numpy as np

from manual_grads.check.diagnosis.mistakes import Mistake, miscounted
from manual_grads.check.diagnosis.reference import Array, Columns, Line, Point


def leaf_mistakes(
    at: Point, line: Line, delta: Columns, correct: Array, observed: Array
) -> Iterator[Mistake]:
    """The mistakes that can turn the leaf `correct` into `observed`, except a wrong factor."""
    kind, layer = line
    theta = at.params[layer][kind]
    if line == ("bias", at.architecture.depth) and at.architecture.loss == "cross_entropy":
        words = "the leaf is zero; its values, whose sum is 0, may be added to another bias instead"
        yield Mistake("leaked-slot", line, words, lambda at, layer, d, c: 0 * c)
    words = "the leaf is zero everywhere; compute it"
    yield Mistake("unwritten", line, words, lambda at, layer, d, c: 0 * c)
    words = "the leaf is the parameter itself; compute its derivative"
    yield Mistake("unwritten", line, words, lambda at, layer, d, c: at.params[layer][kind])
    rate = _ratio(observed - correct, theta)
    if abs(rate) > 0:
        yield Mistake(
            "regulariser",
            line,
            f"{rate:.6g} times the parameter is added, unlike in the loss; remove this term",
            lambda at, layer, d, c: c + rate * at.params[layer][kind],
            amount=rate,
        )
    limit = float(np.abs(observed).max())
    if limit > 0:
        yield Mistake(
            "clipped",
            line,
            f"the gradient is clipped at ±{limit:.6g}; clip only in the optimiser",
            lambda at, layer, d, c: np.clip(c, -limit, limit),
            amount=limit,
        )
    yield from _permuted(line, correct, observed)
    yield from miscounted(line, at.examples)
    if kind == "bias":
        words = "δ is summed over the examples and the units; sum it over the examples only"
        yield Mistake("wrong-axis", line, words, lambda at, layer, d, c: np.full_like(c, d.sum()))
        if len(correct) == at.examples:
            yield Mistake(
                "wrong-axis",
                line,
                "δ is summed over the units; sum it over the examples",
                lambda at, layer, d, c: d.sum(axis=0) if at.examples == len(c) else c,
            )
        return
    if layer == 1 and "bias" in at.params[0]:
        words = "δ is multiplied by the image x; multiply it by a^0"
        yield Mistake("wrong-factor", line, words, lambda at, layer, d, c: d @ at.x.T)
    if layer == 1:
        words = "δ is multiplied by pixels from 0 to 255; multiply it by a^0"
        yield Mistake("wrong-factor", line, words, lambda at, layer, d, c: d @ (255 * at.x).T)
    if not isinstance(at.slope[layer - 1], float):
        words = f"δ is multiplied by z^{layer - 1}; multiply it by a^{layer - 1}"
        yield Mistake("wrong-factor", line, words, lambda at, layer, d, c: d @ at.z[layer - 1].T)
    if at.a[layer].shape == at.a[layer - 1].shape:
        words = f"δ is multiplied by a^{layer}; multiply it by a^{layer - 1}"
        yield Mistake("wrong-factor", line, words, lambda at, layer, d, c: d @ at.a[layer].T)
    words = "the leaf is transposed, or reshaped instead of transposed; compute δ aᵀ"
    yield Mistake("transposed", line, words, lambda at, layer, d, c: c.T.reshape(c.shape))


def _ratio(one: Array, other: Array) -> float:
    """The least-squares factor ⟨one, other⟩ / ‖other‖²."""
    size = float(np.sum(other * other))
    return float(np.sum(one * other)) / size if size > 0 else 0.0


def _permuted(line: Line, correct: Array, observed: Array) -> Iterator[Mistake]:
    """Finds rows or columns in a wrong order, by sorting those of both leaves by their sums."""
    for axis in range(correct.ndim):
        others = tuple(range(correct.ndim))[:axis] + tuple(range(correct.ndim))[axis + 1 :]
        order_seen = np.argsort(observed.sum(axis=others))
        order_right = np.argsort(correct.sum(axis=others))
        order = np.empty_like(order_seen)
        order[order_seen] = order_right
        if np.array_equal(order, np.arange(len(order))):
            continue
        moved = np.flatnonzero(order != np.arange(len(order)))
        words = f"{'rows' if axis == 0 else 'columns'} of the leaf are in a wrong order: "
        words += ", ".join(f"{order[i]} is at {i}" for i in moved[:4])
        yield Mistake(
            "permuted", line, words, lambda at, layer, d, c, o=order, x=axis: np.take(c, o, axis=x)
        )
