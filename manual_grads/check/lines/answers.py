"""Answers about wrong lines: the user's formula, the right formula and the mistake's name."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.formulas import Array, Formula, Forward, rounded, tables, written
from manual_grads.check.lines.delta_lines import right_line
from manual_grads.check.lines.leaf_lines import leaf_line
from manual_grads.check.lines.observed_deltas import Leaf, Seen

PLAIN = {"weight": "∂C/∂W{l} = δ{l} (a{m})ᵀ", "bias": "∂C/∂b{l} = δ{l}"}
UNKNOWN = 6.0
"""The cost of a wrong line that no formula explains."""


class Answer(NamedTuple):
    """The user's formula and the right formula of a line, and the name of the mistake."""

    kind: str  # delta, weight, bias, forward, batch, or the name of a leaf
    layer: int
    yours: str
    right: str
    name: str
    words: str
    cost: float = 1.0
    number: float = 1.0  # the wrong factor, or the λ of a wrong regulariser
    is_linear: bool = True

    @property
    def place(self) -> tuple[str, int]:
        """The kind and the layer."""
        return self.kind, self.layer

    @property
    def alike(self) -> tuple[str, str, str]:
        """The key by which answers about the same mistake in several lines are grouped."""
        return self.kind if self.kind == "forward" else "", self.name, self.yours


def forward_answer(change: Forward, layer: int) -> Answer:
    """The answer for a wrong forward line."""
    left = {"x": "x", "f(z)": "a{l}"}.get(change.right, "z{l}")
    yours, right = written(change.formula), written(change.right)
    words = f"the forward pass has {yours} where it should have {right}"
    return Answer("forward", layer, f"{left} = {yours}", f"{left} = {right}", "forward", words)


def answer_to(seen: Seen, kind: str, layer: int, found: Formula | None) -> Answer:
    """The answer about a line. If no formula was found, the mistake's name is "unknown"."""
    scene, known = seen.scene, seen.known.texts.get((kind, layer))
    plain = PLAIN.get(kind) or f"δ{{l}} = {written(right_line(scene, layer))}"
    right = known or plain
    if found is None:
        words = "none of the known formulas gives these numbers"
        return Answer(kind, layer, "?", right, "unknown", words, UNKNOWN)
    k, name, words, cost = found.factor, found.name, found.words, found.cost
    left, text = right.partition(" = ")[0], written(found.text)
    if f"{left} = {text}" == known:
        name, words, cost = "formula", "", float(k != 1)
    if k not in (0, 1) and found.added is None:
        text = f"{rounded(k)} · {text}"
        extra = f"it is multiplied by {rounded(k)}; remove this factor"
        words = f"{words}; also {extra}" if words else extra
        if cost == 1 and name == "formula":
            outputs = len(scene.y) if (kind, layer) == ("delta", scene.depth) else 1
            factors = (
                (-1.0, "sign", tables.SENTENCES["sign"]),
                (255.0 if (kind, layer) == ("weight", 1) else np.nan, "wrong-factor",
                 "the pixels are from 0 to 255; scale them to [0, 1]"),
                (1 / outputs, "averaged-twice", "it is divided by the number of outputs"),
                (k, "factor", extra),
            )  # fmt: skip
            name, words = next(said for value, *said in factors if abs(k / value - 1) < 1e-6)
    yours = f"{left} = {text}"
    return Answer(kind, layer, yours, right, name, words, cost, k, found.is_linear)


def answers_to(seen: Seen, kind: str, layer: int, found: Formula | None) -> list[Answer]:
    """The answers that explain a line equally well."""
    answer = answer_to(seen, kind, layer, found)
    if kind == "weight":
        return [_with_decay(seen, answer, found)]
    if seen.scene.problem.loss == "cross_entropy" and layer == seen.scene.depth:
        if kind == "bias" and answer.number == 0:
            words = "the leaf is 0; perhaps its values, which sum to 0, are added to another bias"
            return [answer._replace(name="leaked-slot", words=words), answer]
        is_twice = answer.name == "factor" and abs(answer.number - 2) < 1e-6
        if kind == "delta" and is_twice and seen.known.delta is None:
            words = "δ is doubled, or a squared error's δ without the softmax's Jacobian"
            return [answer._replace(name="other-loss", words=words), answer]
    return [answer]


def leaf_answers(
    seen: Seen, deltas: Mapping[int, Array], wrong: Sequence[Leaf]
) -> Iterator[tuple[Answer, ...]]:
    """Yields a tuple with one answer for each wrong weight or bias line.

    Several tuples are yielded only if several answers explain a line equally well.
    """
    each = [answers_to(seen, *leaf, leaf_line(seen, *leaf, deltas)) for leaf in wrong]
    for chosen in itertools.islice(itertools.product(*each), 8):
        yield tuple(answer for answer in chosen if answer.cost)


def _with_decay(seen: Seen, answer: Answer, found: Formula | None) -> Answer:
    """Compares the L2 terms of the weight derivative and of the loss, and corrects the answer."""
    plain = PLAIN["weight"]
    rate, term = (found.added if found is not None else None) or (0.0, "")
    rate = rate if term == "θ" else seen.decays.get(answer.layer, 0.0)
    wanted = seen.known.decays.get(answer.layer, 0.0)
    answer = answer._replace(right=f"{plain} + {rounded(wanted)} W{{l}}" if wanted else plain)
    if abs(rate - wanted) <= 1e-6 * max(abs(rate), abs(wanted)):
        return answer._replace(cost=0.0 if term == "θ" and answer.cost <= 1 else answer.cost)
    if found is None:
        return answer
    words = f"{rounded(rate)} W{{l}} is added, but the loss has no such term; remove it"
    if wanted:
        words = f"the regulariser is {rounded(rate / wanted)} times that of the loss"
        words = words if rate else "the regulariser of the loss is missing; add it"
    if not found.changed and answer.cost <= 1 and answer.number == 1 and term in ("", "θ"):
        yours = f"{plain} + {rounded(rate)} W{{l}}" if rate else plain
        return answer._replace(yours=yours, name="regulariser", words=words, cost=1.0, number=rate)
    words = f"{answer.words}; also {words}" if answer.words else words
    return answer._replace(words=words, cost=answer.cost + 1)
