"""What goes wrong in a δ: the loss's derivative, the slope, the way down from the layer above.

Each mistake is a change of the one line that computes it, in the place of what is right.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from manual_grads.check.diagnosis.mistakes import Mistake
from manual_grads.check.diagnosis.reference import Array, Change, Columns, Line, Point, handed_down


def sigmoid(z: Array) -> Array:
    """σ(z)."""
    return 1 / (1 + np.exp(-z))


def softmax(a: Columns) -> Columns:
    """Of each column."""
    shifted = np.exp(a - a.max(axis=0))
    return shifted / shifted.sum(axis=0)


def gelu_slope(z: Array) -> Array:
    """Φ(z) + z φ(z), of the normal distribution and its density."""
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
"""Of an activation's value and of other functions, what is coded where f'(z) belongs."""

OWN_SLOPE = {
    "sigmoid": "sigmoid's slope",
    "tanh": "tanh's slope",
    "relu": "relu's slope",
    "leaky_relu": "leaky relu's slope",
    "gelu": "gelu's slope",
}


def output_mistakes(at: Point, correct: Columns) -> Iterator[Mistake]:
    """What δ^L can be instead, apart from its size."""
    line = ("delta", at.architecture.depth)
    for shift in range(1, at.examples):
        words = f"the labels are rolled by {shift} against the images; pair each with its own"
        yield Mistake("labels-shifted", line, words, _with_targets(shift))
    yield Mistake(
        "labels-shifted",
        line,
        "the labels run backwards; pair each with its image",
        _with_targets(0),
    )
    yield Mistake("one-hot-missing", line, "subtract the target from the output", _without_targets)
    if at.architecture.loss == "cross_entropy":
        yield Mistake(
            "softmax-diagonal",
            line,
            "the softmax's Jacobian has entries off its diagonal too: δ is p − y",
            lambda at, layer, d, c: -at.y * (1 - softmax(at.a[-1])) / at.examples,
        )
        for words, rule in OTHER_LOSSES.items():
            repair = f"δ^L is that of {words}; of this loss it is p − y over the batch size"
            yield Mistake("other-loss", line, repair, _other(rule))
    else:
        yield Mistake(
            "slope-missing",
            line,
            "multiply by f'(z) at the output too",
            lambda at, layer, d, c: 2 * (at.a[-1] - at.y) / at.examples,
        )
        for name, rule in SLOPES.items():
            yield _wrong_slope(name, line, rule, at)
        yield Mistake("slope-at-a", line, "take the output's slope at z, not at a", _slope_at_a)
        yield Mistake(
            "other-loss",
            line,
            "δ^L is that of cross-entropy; squared error's is 2 (a − y) f'(z)",
            lambda at, layer, d, c: (softmax(at.z[-1]) - at.y) / at.examples,
        )
        yield Mistake(
            "other-loss",
            line,
            "the output's slope is there twice",
            lambda at, layer, d, c: c * at.slope[-1],
        )


def _other(rule: Callable[[Columns, Columns], Columns]) -> Change:
    return lambda at, layer, d, c: rule(softmax(at.a[-1]), at.y) / at.examples


OTHER_LOSSES: dict[str, Callable[[Columns, Columns], Columns]] = {
    "squared error of p without the softmax's slope": lambda p, y: 2 * (p - y),
    "squared error of p with the diagonal of its slope": lambda p, y: 2 * (p - y) * p * (1 - p),
    "half the squared error of p, with the diagonal": lambda p, y: (p - y) * p * (1 - p),
    "squared error of p": lambda p, y: 2 * p * ((p - y) - np.sum(p * (p - y), axis=0)),
    "cross-entropy over its own slope": lambda p, y: (p - y) / (p * (1 - p)),
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


def _handed(at: Point, layer: int, told: Columns) -> Columns:
    """What the slope of `layer` is multiplied with."""
    if layer == at.architecture.depth:
        return 2 * (at.a[-1] - at.y) / at.examples
    return handed_down(at, layer, told)


def _slope_at_a(at: Point, layer: int, told: Columns, correct: Columns) -> Columns:
    slope = SLOPES[OWN_SLOPE[at.architecture.activation]]
    return _handed(at, layer, told) * slope(at, at.a[layer], at.a[layer])


def _wrong_slope(name: str, line: Line, rule, at: Point) -> Mistake:
    own = OWN_SLOPE[at.architecture.activation]
    repair = f"{name} stands where f'(z), {own}, belongs"
    return Mistake(
        "slope-of-other",
        line,
        repair,
        lambda at, layer, told, c: _handed(at, layer, told) * rule(at, at.z[layer], at.a[layer]),
    )


def hidden_mistakes(at: Point, layer: int) -> Iterator[Mistake]:
    """What δ^l can be instead, apart from its size, where an activation lies before it."""
    line = ("delta", layer)
    weight = at.params[layer + 1]["weight"]
    if not isinstance(at.slope[layer], float):
        yield Mistake(
            "slope-missing",
            line,
            "multiply what the layer above hands down by f'(z)",
            lambda at, layer, told, c: handed_down(at, layer, told),
        )
        yield Mistake("slope-at-a", line, "take the slope at z, not at a", _slope_at_a)
        for name, rule in SLOPES.items():
            yield _wrong_slope(name, line, rule, at)
        yield Mistake(
            "slope-of-other",
            line,
            "the slope is there twice",
            lambda at, layer, told, c: c * at.slope[layer],
        )
        for slope in (0.0, 0.5, 1.0, at.architecture.negative_slope):
            if np.any(at.z[layer] == 0):
                yield Mistake(
                    "kink",
                    line,
                    f"where z is exactly 0 the slope is taken as {slope:g}: another convention",
                    _slope_at_kink(slope),
                )
    if weight.shape[0] == weight.shape[1]:
        yield Mistake(
            "weights-not-transposed",
            line,
            f"hand δ down through the transpose of the weights of layer {layer + 1}",
            lambda at, layer, told, c: (at.params[layer + 1]["weight"] @ told) * at.slope[layer],
        )


def _slope_at_kink(slope: float) -> Change:
    return lambda at, layer, told, c: np.where(
        at.z[layer] == 0, slope * handed_down(at, layer, told), c
    )
