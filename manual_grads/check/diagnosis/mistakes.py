"""What a mistake is, in formulas and in a report; and a wrong factor, or examples miscounted."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.reference import Array, Change, Columns, Line, Point


class Mistake(NamedTuple):
    """A mistake of the catalogue, the line that has it, and the repair as a sentence."""

    name: str
    line: Line
    repair: str
    change: Change
    amount: float | None = None  # leaves that have a mistake in the same amount have it once
    owners: tuple[int, ...] = ()  # of a leaked slot: the layers whose biases are in it
    also: tuple[Line, ...] = ()  # the other leaves that have it in this amount

    @property
    def where(self) -> str:
        """The leaf, or the δ, that the line computes; with a comma between several."""
        return ", ".join(
            f"delta {layer}" if kind == "delta" else f"{layer}/{kind}"
            for kind, layer in (self.line, *self.also)
        )


class Diagnosis(NamedTuple):
    """A mistake, the leaf or δ that has it, the part of the disagreement it removes, the repair."""

    mistake: str
    where: str
    explains: float
    message: str


def scaled(line: Line, factor: float, examples: int, outputs: int) -> Mistake:
    """A factor on a line; what the number says decides its name."""
    kind, _ = line
    top = "the loss is a mean over the batch"
    names = {
        -1.0: ("sign", "flip the sign"),
        float(examples): ("sum-not-mean", f"divide by the batch size: {top}"),
        1 / examples: ("averaged-twice", f"divide by the batch size once: {top}"),
        1 / outputs: ("averaged-twice", "do not divide by the number of outputs"),
        255.0: ("wrong-factor", "scale the pixels to [0, 1] as the forward pass does"),
    }
    near = [value for value in names if abs(factor - value) <= 1e-6 * abs(value)]
    name, repair = names[near[0]] if near else ("factor", f"a stray factor {factor:.6g}; remove it")
    if name == "sum-not-mean" and kind != "delta":
        name, repair = "bias-scale", "divide by the batch size here too, as elsewhere"
    if name == "averaged-twice" and kind != "delta" and near[0] == 1 / examples:
        name = "bias-scale"
    if name == "wrong-factor" and line != ("weight", 1):
        name, repair = "factor", "a stray factor 255; remove it"
    per_batch = name in ("sum-not-mean", "bias-scale") or near[:1] == [1 / examples]

    def change(at, layer, delta, correct):
        if not per_batch:
            return factor * correct
        return correct * at.examples if factor > 1 else correct / at.examples

    return Mistake(name, line, repair, change, amount=factor if name == "bias-scale" else None)


def miscounted(line: Line, examples: int) -> Iterator[Mistake]:
    """An example dropped or counted twice, or one alone kept, as when `=` stands for `+=`."""
    for place in range(examples):
        for words, others, own in (
            (f"example {place} is left out", 1, 0),
            (f"example {place} counts twice", 1, 2),
            (f"example {place} alone is kept, as by = for +=", 0, 1),
            (f"example {place} alone is kept, and not averaged", 0, examples),
        ):
            for from_the_end in (True, False):
                used = place - examples if from_the_end else place
                change = partial(_weighted, line, used, others, own)
                yield Mistake("overwritten", line, f"{words}; each must count once", change)


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
