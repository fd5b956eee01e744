"""What goes wrong in a leaf whose δ is right: its factors, its sum, its slots, its regulariser.

Numbers that have to be estimated, such as the order of permuted rows, are taken from `observed`,
the leaf that the handwritten code gave.
"""

from collections.abc import Iterator

import numpy as np

from manual_grads.check.diagnosis.mistakes import Mistake, miscounted
from manual_grads.check.diagnosis.reference import Array, Columns, Line, Point


def leaf_mistakes(
    at: Point, line: Line, delta: Columns, correct: Array, observed: Array
) -> Iterator[Mistake]:
    """What a leaf can be instead, apart from its size, so that `observed` comes of it."""
    kind, layer = line
    theta = at.params[layer][kind]
    if line == ("bias", at.architecture.depth) and at.architecture.loss == "cross_entropy":
        repair = "all of it may be added to one slot elsewhere, unseen: under softmax its sum is 0"
        yield Mistake("leaked-slot", line, repair, lambda at, layer, d, c: 0 * c)
    yield Mistake(
        "unwritten", line, "the leaf is left at zero; write it", lambda at, layer, d, c: 0 * c
    )
    yield Mistake(
        "unwritten",
        line,
        "the leaf is the parameter itself; write its derivative",
        lambda at, layer, d, c: at.params[layer][kind],
    )
    rate = _ratio(observed - correct, theta)
    if abs(rate) > 0:
        words = f"the leaf has {rate:.6g} times the parameter in it, as of a regulariser"
        yield Mistake(
            "regulariser",
            line,
            f"{words}; the loss says otherwise",
            lambda at, layer, d, c: c + rate * at.params[layer][kind],
            amount=rate,
        )
    limit = float(np.abs(observed).max())
    if limit > 0:
        yield Mistake(
            "clipped",
            line,
            f"the gradient is clipped at ±{limit:.6g}; clip, if at all, in the optimiser",
            lambda at, layer, d, c: np.clip(c, -limit, limit),
            amount=limit,
        )
    yield from _permuted(line, correct, observed)
    yield from miscounted(line, at.examples)
    if kind == "bias":
        yield Mistake(
            "wrong-axis",
            line,
            "sum δ over the examples, not over the units",
            lambda at, layer, d, c: np.full_like(c, d.sum()),
        )
        if len(correct) == at.examples:
            yield Mistake(
                "wrong-axis",
                line,
                "sum δ over the examples, not over the units",
                lambda at, layer, d, c: d.sum(axis=0) if at.examples == len(c) else c,
            )
        return
    if layer == 1 and "bias" in at.params[0]:
        yield Mistake(
            "wrong-factor",
            line,
            "the right factor is the image x; take a^0",
            lambda at, layer, d, c: d @ at.x.T,
        )
    if layer == 1:
        yield Mistake(
            "wrong-factor",
            line,
            "the right factor is the image in pixels of 0 to 255; take a^0",
            lambda at, layer, d, c: d @ (255 * at.x).T,
        )
    if not isinstance(at.slope[layer - 1], float):
        yield Mistake(
            "wrong-factor",
            line,
            f"the right factor is z^{layer - 1}; take a^{layer - 1}",
            lambda at, layer, d, c: d @ at.z[layer - 1].T,
        )
    if at.a[layer].shape == at.a[layer - 1].shape:
        yield Mistake(
            "wrong-factor",
            line,
            f"the right factor is a^{layer}; take a^{layer - 1}",
            lambda at, layer, d, c: d @ at.a[layer].T,
        )
    yield Mistake(
        "transposed",
        line,
        "the gradient is transposed, or reshaped where it should be transposed",
        lambda at, layer, d, c: c.T.reshape(c.shape),
    )


def _ratio(one: Array, other: Array) -> float:
    """⟨one, other⟩ / ‖other‖²."""
    size = float(np.sum(other * other))
    return float(np.sum(one * other)) / size if size > 0 else 0.0


def _permuted(line: Line, correct: Array, observed: Array) -> Iterator[Mistake]:
    """Rows, or columns, in another order, found by sorting both by their sums."""
    for axis in range(correct.ndim):
        others = tuple(range(correct.ndim))[:axis] + tuple(range(correct.ndim))[axis + 1 :]
        order_seen = np.argsort(observed.sum(axis=others))
        order_right = np.argsort(correct.sum(axis=others))
        order = np.empty_like(order_seen)
        order[order_seen] = order_right
        if np.array_equal(order, np.arange(len(order))):
            continue
        moved = np.flatnonzero(order != np.arange(len(order)))
        words = f"{'rows' if axis == 0 else 'columns'} of the leaf are in another order: "
        words += ", ".join(f"{i} holds {order[i]}" for i in moved[:4])
        yield Mistake(
            "permuted", line, words, lambda at, layer, d, c, o=order, x=axis: np.take(c, o, axis=x)
        )
