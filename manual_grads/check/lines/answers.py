"""What each line computes: the answers that a path through the lines consists of."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.formulas import Array, Formula, Scene, Seen, is_active, rounded, written
from manual_grads.check.lines.delta_lines import (
    hidden_template,
    output_formulas,
    output_template,
)
from manual_grads.check.lines.forward_lines import ForwardChange
from manual_grads.check.lines.leaf_lines import bias_line, weight_line

PLAIN_WEIGHT = "∂C/∂W{l} = δ{l} (a{m})ᵀ"
UNKNOWN = 6.0
"""The cost of a line that no formula explains."""


class Answer(NamedTuple):
    """What a line computes. `kind` is delta, weight, bias or forward, or batch for all of them."""

    kind: str
    layer: int
    yours: str
    right: str
    name: str
    words: str
    cost: float
    number: float = 1.0  # the wrong factor, or the rate of a regulariser
    is_linear: bool = True

    @property
    def alike(self) -> tuple[str, str, str]:
        """Answers that are alike are one mistake in several lines."""
        return self.kind if self.kind == "forward" else "", self.name, self.yours


class Known(NamedTuple):
    """The right formulas where they are not those of the network's own loss.

    `texts` are by kind and layer, `decays` by layer, and `delta` is δ^L of each example.
    """

    texts: Mapping[tuple[str, int], str]
    decays: Mapping[int, float]
    delta: Array | None


def right_text(scene: Scene, kind: str, layer: int) -> str:
    """The right formula of a line, as it is written in a report."""
    if kind == "weight":
        return PLAIN_WEIGHT
    if kind == "bias":
        return "∂C/∂b{l} = δ{l}"
    if layer == scene.depth:
        formula = output_template(*(place[0] for place in output_formulas(scene)))
    else:
        formula = hidden_template("V", "df(z)" if is_active(scene.problem, layer) else "1")
    return f"δ{{l}} = {written(formula)}"


def forward_answer(change: ForwardChange, layer: int) -> Answer:
    """The answer for a wrong forward line."""
    left = {"x": "x", "f(z)": "a{l}"}.get(change.right, "z{l}")
    yours, right = (f"{left} = {written(text)}" for text in (change.formula, change.right))
    words = f"the forward pass has {written(change.formula)} where it should have "
    words += written(change.right)
    if "," in change.formula and change.gains:
        words += ", as with a dropout mask; switch it off for the check"
    return Answer("forward", layer, yours, right, "forward", words, 1.0)


def answer_to(kind: str, layer: int, found: Formula | None, known: Known, scene: Scene) -> Answer:
    """The answer for a line; it is unknown if no formula was found."""
    right = known.texts.get((kind, layer), right_text(scene, kind, layer))
    if found is None:
        words = "no formula near the right one gives these numbers"
        return Answer(kind, layer, "?", right, "unknown", words, UNKNOWN)
    factor, name, words, cost = found.factor, found.name, found.words, found.cost
    text = written(found.text)
    left = right.partition(" = ")[0]
    if f"{left} = {text}" == known.texts.get((kind, layer)):
        name, words, cost = "formula", "", float(factor != 1)
    if factor != 1 and found.added is None:
        text = f"{rounded(factor)} · {text}"
        extra = f"it is multiplied by {rounded(factor)}; remove this factor"
        words = f"{words}; also {extra}" if words else extra
        if cost == 1 and name == "formula":
            name = "sign" if abs(factor + 1) < 1e-6 else "factor"
            words = "the sign is wrong; change it" if name == "sign" else extra
            outputs = len(scene.y)
            if (
                kind == "delta"
                and layer == scene.depth
                and abs(factor * outputs - 1) < 1e-6 < outputs - 1
            ):
                name, words = (
                    "averaged-twice",
                    "it is divided by the number of outputs; do not divide",
                )
            if kind == "weight" and layer == 1 and abs(factor - 255) < 1e-6:
                name, words = "wrong-factor", "the pixels are from 0 to 255; scale them to [0, 1]"
    yours = f"{left} = {text}"
    return Answer(kind, layer, yours, right, name, words, cost, factor, found.is_linear)


def leaf_answers(
    scene: Scene,
    seen: Seen,
    known: Known,
    tolerance: float,
    deltas: Mapping[int, Array],
    wrong: Sequence[tuple[str, int]],
) -> Iterator[tuple[Answer, ...]]:
    """The answers for wrong weight and bias lines; several if formulas tie."""
    each = [_leaf(scene, seen, known, tolerance, deltas, kind, layer) for kind, layer in wrong]
    for chosen in itertools.islice(itertools.product(*each), 8):
        leaks = " ".join(answer.yours for answer in chosen if answer.name == "leaked-slot")
        yield tuple(
            answer
            for answer in chosen
            if answer.cost and not (answer.name == "unwritten" and f"b^{answer.layer}" in leaks)
        )


def _leaf(
    scene: Scene,
    seen: Seen,
    known: Known,
    tolerance: float,
    deltas: Mapping[int, Array],
    kind: str,
    layer: int,
) -> list[Answer]:
    """The answers for one weight or bias line."""
    others = {f"∂C/∂W^{k}": weight.each for k, weight in seen.weights.items()}
    others |= {f"∂C/∂b^{k}": list(values.T) for k, values in seen.biases.items()}
    others.pop(f"∂C/∂{'W' if kind == 'weight' else 'b'}^{layer}")
    if kind == "weight":
        weight = seen.weights[layer]
        found = weight_line(scene, layer, deltas, weight, others, tolerance)
        return [_with_decay(answer_to(kind, layer, found, known, scene), found, seen, known)]
    values = seen.biases[layer]
    found = bias_line(scene, layer, deltas, values, seen.weights.get(layer), others, tolerance)
    answer = answer_to(kind, layer, found, known, scene)
    if found is None or found.name == "unwritten" or found.cost > 1:
        leak = _leaked(scene, deltas, layer, values, tolerance)
        if leak is not None:
            return [leak]
        is_softmax = scene.problem.loss == "cross_entropy" and layer == scene.depth
        if found is not None and not np.any(values) and is_softmax:
            words = "the leaf is zero; its values, whose sum is 0, may be added to another bias"
            return [answer._replace(name="leaked-slot", words=words), answer]
    return [answer]


def _with_decay(answer: Answer, found: Formula | None, seen: Seen, known: Known) -> Answer:
    """The answer for a weight derivative, with its regulariser compared with that of the loss."""
    layer, plain = answer.layer, PLAIN_WEIGHT
    text, rate = seen.decays.get(layer, ("W{l}", 0.0))
    if found is not None and found.added is not None and found.added[1] == "θ":
        rate = found.added[0]
    wanted = known.decays.get(layer, 0.0)
    right = f"{plain} + {rounded(wanted)} W{{l}}" if wanted else plain
    if text == "W{l}" and abs(rate - wanted) <= 1e-6 * max(abs(rate), abs(wanted)):
        cost = 0.0 if answer.name == "regulariser" and answer.cost <= 1 else answer.cost
        return answer._replace(right=right, cost=cost)
    words = f"{rounded(rate)} {written(text)} is added, unlike in the loss; remove this term"
    if text == "W{l}" and wanted:
        words = f"the regulariser is {rounded(rate / wanted)} times that of the loss"
        words = words if rate else "the regulariser of the loss is missing; add it"
    if answer.name == "unknown":
        return answer
    is_plain = (found is None or not found.changed) and answer.cost <= 1 and answer.number == 1
    if is_plain and answer.name in ("regulariser", "formula", "factor", ""):
        yours = f"{plain} + {rounded(rate)} {text}" if rate else plain
        return answer._replace(
            yours=yours, right=right, name="regulariser", words=words, cost=1.0, number=rate
        )
    words = f"{answer.words}; also {words}" if answer.words else words
    return answer._replace(right=right, words=words, cost=answer.cost + 1)


def _leaked(
    scene: Scene, deltas: Mapping[int, Array], layer: int, seen: Array, tolerance: float
) -> Answer | None:
    """Bias derivatives of other layers that are added to one entry of this bias."""
    error = seen - deltas[layer]
    slot = int(np.argmax(np.max(np.abs(error), axis=1)))
    allowed = tolerance * max(np.abs(seen).max(), np.abs(deltas[layer]).max())
    if np.max(np.abs(np.delete(error, slot, axis=0)), initial=0.0) > allowed:
        return None
    biased = sorted(k for k in deltas if k != layer and scene.has(k, "bias"))
    for owners in itertools.chain(
        *(itertools.combinations(biased, n + 1) for n in range(len(biased)))
    ):
        if np.max(np.abs(error[slot] - sum(deltas[k].sum(axis=0) for k in owners))) <= allowed:
            names = " and ".join(f"{owner}/bias" for owner in owners)
            terms = " + ".join(f"Σ ∂C/∂b^{owner}" for owner in owners)
            words = (
                f"the derivatives of {names} are added to slot {slot} of {layer}/bias, perhaps "
                "because an index is used after its loop; add each to its own slot"
            )
            text = f"∂C/∂b{{l}}[{slot}] = δ{{l}}[{slot}] + {terms}"
            return Answer("bias", layer, text, "∂C/∂b{l} = δ{l}", "leaked-slot", words, 1.0)
    return None
