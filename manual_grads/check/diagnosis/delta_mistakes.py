"""Mistakes in δ: in the derivative of the loss, the slope, or the product with the weights.

Each mistake replaces the one line that computes the δ of a layer.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from manual_grads.check.diagnosis.mistakes import Mistake
from manual_grads.check.diagnosis.reference import Array, Change, Columns, Line, Point, backprop


def sigmoid(z: Array) -> Array:
    """σ(z) = 1 / (1 + e^−z)."""
    return 1 / (1 + np.exp(-z))


def softmax(a: Columns) -> Columns:
    """The softmax of each column."""
    shifted = np.exp(a - a.max(axis=0))
    return shifted / shifted.sum(axis=0)


def gelu_slope(z: Array) -> Array:
    """Φ(z) + z φ(z), with the normal distribution Φ and its density φ."""
    distribution = np.vectorize(math.erfc, otypes=[float])(-z / 2**0.5) / 2
    return distribution + z * np.exp(-z * z / 2) / (2 * math.pi) ** 0.5


SLOPES: dict[str, Callable[[Point, Array, Array], Array]] = {
    "sigmoid's slope": lambda at, z, a: sigmoid(z) * (1 - sigmoid(z)),
    "tanh's slope": lambda at, z, a: 1 - np.tanh(z) ** 2,
    "relu's slope": lambda at, z, a: (z > 0) * 1.0,
    "leaky relu's slope": lambda at, z, a: np.where(z > 0, 1.0, at.architecture.negative_slope),
    "gelu's slope": lambda at, z, a: gelu_slope(z),
    "the activation itself": lambda at, z, a: a,
    "tanh itself": lambda at, z, a: np.tanh(z),
    "sigmoid itself": lambda at, z, a: sigmoid(z),
    "1 − a": lambda at, z, a: 1 - a,
    "a (1 − a)": lambda at, z, a: a * (1 - a),
    "1 − a²": lambda at, z, a: 1 - a * a,
    "z itself": lambda at, z, a: z,
}
"""The expressions that can be written for f'(z): one is correct, the others are mistakes."""

OWN_SLOPE = {
    "sigmoid": "sigmoid's slope",
    "tanh": "tanh's slope",
    "relu": "relu's slope",
    "leaky_relu": "leaky relu's slope",
    "gelu": "gelu's slope",
}


def output_mistakes(at: Point, correct: Columns) -> Iterator[Mistake]:
    """The mistakes in δ^L, except a wrong factor."""
    line = ("delta", at.architecture.depth)
    for shift in range(1, at.examples):
        words = f"the labels are shifted by {shift} examples; use each image with its own label"
        yield Mistake("labels-shifted", line, words, _with_targets(shift))
    words = "the labels are in reverse order; use each image with its own label"
    yield Mistake("labels-shifted", line, words, _with_targets(0))
    words = "the targets y are not subtracted; subtract them"
    yield Mistake("one-hot-missing", line, words, _without_targets)
    if at.architecture.loss == "cross_entropy":
        yield Mistake(
            "softmax-diagonal",
            line,
            "only the diagonal of the softmax's Jacobian is used; with all its entries, δ is p − y",
            lambda at, layer, d, c: -at.y * (1 - softmax(at.a[-1])) / at.examples,
        )
        for words, rule in OTHER_LOSSES.items():
            repair = f"δ^L is the derivative of {words}; for this loss it is (p − y) / batch size"
            yield Mistake("other-loss", line, repair, _other(rule))
    else:
        yield Mistake(
            "slope-missing",
            line,
            "f'(z) is missing in the output layer; multiply by it",
            lambda at, layer, d, c: 2 * (at.a[-1] - at.y) / at.examples,
        )
        for name, rule in SLOPES.items():
            yield _wrong_slope(name, line, rule, at)
        words = "the output layer's slope is f'(a); use f'(z)"
        yield Mistake("slope-at-a", line, words, _slope_at_a)
        yield Mistake(
            "other-loss",
            line,
            "δ^L is the derivative of cross-entropy; for squared error it is 2 (a − y) f'(z)",
            lambda at, layer, d, c: (softmax(at.z[-1]) - at.y) / at.examples,
        )
        yield Mistake(
            "other-loss",
            line,
            "δ^L is multiplied by f'(z) twice; multiply once",
            lambda at, layer, d, c: c * at.slope[-1],
        )


def _other(rule: Callable[[Columns, Columns], Columns]) -> Change:
    return lambda at, layer, d, c: rule(softmax(at.a[-1]), at.y) / at.examples


OTHER_LOSSES: dict[str, Callable[[Columns, Columns], Columns]] = {
    "squared error, without the softmax's Jacobian": lambda p, y: 2 * (p - y),
    "squared error, with the Jacobian's diagonal": lambda p, y: 2 * (p - y) * p * (1 - p),
    "half the squared error, with the Jacobian's diagonal": lambda p, y: (p - y) * p * (1 - p),
    "squared error": lambda p, y: 2 * p * ((p - y) - np.sum(p * (p - y), axis=0)),
    "binary cross-entropy, without the Jacobian": lambda p, y: (p - y) / (p * (1 - p)),
}


def _with_targets(shift: int) -> Change:
    def change(at, layer, delta, correct):
        y = np.roll(at.y, shift, axis=1) if shift else at.y[:, ::-1]
        if at.architecture.loss == "cross_entropy":
            return (softmax(at.a[-1]) * y.sum(axis=0) - y) / at.examples
        return 2 * (at.a[-1] - y) * at.slope[-1] / at.examples

    return change


def _without_targets(at: Point, layer: int, delta: Columns, correct: Columns) -> Columns:
    if at.architecture.loss == "cross_entropy":
        return softmax(at.a[-1]) * at.y.sum(axis=0) / at.examples
    return 2 * at.a[-1] * at.slope[-1] / at.examples


def _without_slope(at: Point, layer: int, above: Columns) -> Columns:
    """δ without the factor f'(z): ∂C/∂a of the layer, averaged over the batch."""
    if layer == at.architecture.depth:
        return 2 * (at.a[-1] - at.y) / at.examples
    return backprop(at, layer, above)


def _slope_at_a(at: Point, layer: int, above: Columns, correct: Columns) -> Columns:
    slope = SLOPES[OWN_SLOPE[at.architecture.activation]]
    return _without_slope(at, layer, above) * slope(at, at.a[layer], at.a[layer])


def _wrong_slope(name: str, line: Line, rule, at: Point) -> Mistake:
    def change(at, layer, above, correct):
        return _without_slope(at, layer, above) * rule(at, at.z[layer], at.a[layer])

    repair = f"{name} is used as f'(z); use {OWN_SLOPE[at.architecture.activation]}"
    return Mistake("slope-of-other", line, repair, change)


def hidden_mistakes(at: Point, layer: int) -> Iterator[Mistake]:
    """The mistakes in the δ of a layer below the output layer, except a wrong factor."""
    line = ("delta", layer)
    weight = at.params[layer + 1]["weight"]
    if not isinstance(at.slope[layer], float):
        yield Mistake(
            "slope-missing",
            line,
            "f'(z) is missing; multiply the backpropagated Wᵀδ by f'(z)",
            lambda at, layer, above, c: backprop(at, layer, above),
        )
        yield Mistake("slope-at-a", line, "the slope is f'(a); use f'(z)", _slope_at_a)
        for name, rule in SLOPES.items():
            yield _wrong_slope(name, line, rule, at)
        yield Mistake(
            "slope-of-other",
            line,
            "δ is multiplied by f'(z) twice; multiply once",
            lambda at, layer, above, c: c * at.slope[layer],
        )
        for slope in (0.0, 0.5, 1.0, at.architecture.negative_slope):
            if np.any(at.z[layer] == 0):
                yield Mistake(
                    "kink",
                    line,
                    f"f'(0) is taken as {slope:g}, which is a valid convention, but another one",
                    _slope_at_kink(slope),
                )
    if weight.shape[0] == weight.shape[1]:
        yield Mistake(
            "weights-not-transposed",
            line,
            f"δ is multiplied by the weights of layer {layer + 1}; multiply by their transpose",
            lambda at, layer, above, c: (at.params[layer + 1]["weight"] @ above) * at.slope[layer],
        )


def _slope_at_kink(slope: float) -> Change:
    return lambda at, layer, above, c: np.where(
        at.z[layer] == 0, slope * backprop(at, layer, above), c
    )
