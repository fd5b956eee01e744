"""The classes `Mistake` and `Diagnosis`; also two mistakes: wrong factors, miscounted examples."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.reference import Array, Change, Columns, Line, Point


class Mistake(NamedTuple):
    """A mistake of the catalogue, its line, and a sentence that explains it and its repair."""

    name: str
    line: Line
    repair: str
    change: Change
    amount: float | None = None  # mistakes with the same name and amount are reported once
    owners: tuple[int, ...] = ()  # for leaked-slot: the layers whose bias derivatives are added
    also: tuple[Line, ...] = ()  # the other lines with the same mistake and amount

    @property
    def where(self) -> str:
        """The leaf or the δ that the line computes; several are separated by commas."""
        return ", ".join(
            f"delta {layer}" if kind == "delta" else f"{layer}/{kind}"
            for kind, layer in (self.line, *self.also)
        )


class Diagnosis(NamedTuple):
    """A mistake, where it is, and a sentence that explains it and its repair."""

    mistake: str
    where: str
    message: str


def scaled(line: Line, factor: float, examples: int, outputs: int) -> Mistake:
    """A line that is multiplied by a wrong factor; the factor decides the name of the mistake."""
    kind, _ = line
    names = {
        -1.0: ("sign", "the sign is wrong; change it"),
        float(examples): ("sum-not-mean", "it is summed over the batch; divide by the batch size"),
        1 / examples: ("averaged-twice", "it is divided by the batch size twice; divide once"),
        1 / outputs: ("averaged-twice", "it is divided by the number of outputs; do not divide"),
        255.0: ("wrong-factor", "the pixels are from 0 to 255; scale them to [0, 1]"),
    }
    near = [value for value in names if abs(factor - value) <= 1e-6 * abs(value)]
    stray = "factor", f"it is multiplied by {factor:.6g}; remove this factor"
    name, repair = names[near[0]] if near else stray
    if name == "sum-not-mean" and kind != "delta":
        name, repair = "bias-scale", "divide by the batch size here too, as elsewhere"
    if name == "averaged-twice" and kind != "delta" and near[0] == 1 / examples:
        name = "bias-scale"
    if name == "wrong-factor" and line != ("weight", 1):
        name, repair = stray
    per_batch = name in ("sum-not-mean", "bias-scale") or near[:1] == [1 / examples]

    def change(at, layer, delta, correct):
        if not per_batch:
            return factor * correct
        return correct * at.examples if factor > 1 else correct / at.examples

    return Mistake(name, line, repair, change, amount=factor if name == "bias-scale" else None)


def miscounted(line: Line, examples: int) -> Iterator[Mistake]:
    """One example is dropped, counted twice, or the only one kept, as if `=` stood for `+=`."""
    for place in range(examples):
        for words, others, own in (
            (f"example {place} is left out", 1, 0),
            (f"example {place} counts twice", 1, 2),
            (f"only example {place} counts, perhaps because of = instead of +=", 0, 1),
            (f"only example {place} counts, and it is not averaged", 0, examples),
        ):
            for from_the_end in (True, False):
                used = place - examples if from_the_end else place
                change = partial(_weighted, line, used, others, own)
                yield Mistake("overwritten", line, f"{words}; count each example once", change)


def _weighted(
    line: Line,
    place: int,
    others: int,
    own: int,
    at: Point,
    layer: int,
    delta: Columns,
    correct: Array,
) -> Array:
    there = -at.examples <= place < at.examples
    most = min(own, at.examples) if others == 0 else own
    if line[0] == "delta":
        weights = np.full(at.examples, float(others))
        if there:
            weights[place] = most
        return correct * weights
    if not there:
        return others * correct
    one = slice(place % at.examples, place % at.examples + 1)
    below = at.a[layer - 1][:, one].T
    alone = delta[:, one] @ below if line[0] == "weight" else delta[:, place]
    return others * correct + (most - others) * alone
