"""Tests how many times each example is counted in the gradient of a batch; once is right.

    M(batch) = r Σ_n w_n M(example n) + ρ θ

M is the user's gradient, so this test needs no formulas. Each w_n must be 1, and ρ must be 0. θ is
the parameter; r is the reduction's factor for the batch, divided by its factor for one example.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.measured import Batch
from manual_grads.check.formulas import Array, combination, rounded
from manual_grads.check.lines import Answer, Leaf


class Counted(NamedTuple):
    """The weights w_n of the examples in a leaf, and ρ as `decay`."""

    weights: Array
    decay: float = 0.0


class Counts(NamedTuple):
    """The result of `counts_of`."""

    answers: list[Answer]  # the wrong counts
    mixed: list[Leaf]  # the leaves that no weights w_n explain
    is_unusual: bool  # some w_n is not a multiple of ½

    @property
    def is_odd(self) -> bool:
        """Whether another explanation must be tried, such as exchanged labels."""
        return bool(self.mixed) or self.is_unusual

    @property
    def cost(self) -> int:
        """The number of answers, plus 100 for each leaf in `mixed`, plus 100 if `is_unusual`."""
        return len(self.answers) + 100 * (len(self.mixed) + self.is_unusual)


def counted(batch: Batch, leaf: Leaf, more: Sequence[Array] = ()) -> Counted | None:
    """The weights w_n and ρ of a leaf, or None. Common weights and `more` are tried first."""
    n, theta = len(batch.singles), np.ravel(batch.theta[leaf])
    # each example's gradient contains λ θ, but the batch's gradient must contain λ θ only once
    rate = batch.decays.get(leaf[1], 0.0) * (1 - batch.share * n) if leaf[0] == "weight" else 0.0
    whole = np.ravel(batch.whole[leaf]) - rate * theta
    singles = np.stack([np.ravel(one[leaf]) for one in batch.singles], axis=1) * batch.share
    largest = max(np.abs(whole).max(initial=0.0), np.abs(singles).max(initial=0.0) / 10)
    everywhere = max(np.abs(value).max(initial=0.0) for value in batch.whole.values())
    allowed = 10 * batch.tolerance * largest
    total, ones, one = singles.sum(axis=1), np.ones(n), np.eye(n)
    if largest <= 1e-13 * everywhere:  # the sum is 0 except for rounding
        return Counted(ones)
    usual = [ones, *([] if np.any(whole) else [0 * ones]), ones * n, ones / n]
    usual += [*(1 - one), *(1 + one), *one, *(n * one), *more]
    size = float(total @ total)
    usual += [ones * float(total @ whole) / size] if size > (100 * allowed) ** 2 else []
    for weights in usual:
        if np.max(np.abs(singles @ weights - whole), initial=0.0) <= allowed:
            return Counted(weights)
    for term in (theta, np.ones_like(theta)):
        found = combination(whole, [total, term], batch.tolerance) if len(whole) > 2 else None
        if found is not None and found[0]:
            return Counted(ones * found[0], found[1])
    solved = combination(whole, [*singles.T], 10 * batch.tolerance) if len(whole) > n + 1 else None
    return None if solved is None else Counted(np.array(solved))


def counts_of(batches: Sequence[Batch]) -> Counts:
    """Finds how many times each example is counted in each leaf of each batch.

    A small leaf cannot determine the weights w_n, so the weights of larger leaves are tried too.
    """
    found: dict[Leaf, dict[int, Counted | None]] = {leaf: {} for leaf in batches[0].whole}
    for number, batch in enumerate(batches):
        known: list[Array] = []
        for leaf in sorted(found, key=lambda leaf: -batch.whole[leaf].size):
            last = found[leaf][number] = counted(batch, leaf, known)
            known += [last.weights] if last is not None and np.ptp(last.weights) > 1e-9 else []
    loud = [leaf for leaf in found if any(np.any(one[leaf]) for b in batches for one in b.singles)]
    mixed = [leaf for leaf in loud if None in found[leaf].values()]
    groups: dict[Answer, list[Leaf]] = {}
    unusual = False
    for leaf in found:
        each = [(len(batches[k].singles), one) for k, one in found[leaf].items() if one is not None]
        said = said_of(each, batches[0].share != 1) if leaf in loud and leaf not in mixed else None
        if leaf not in loud and any(np.any(batch.whole[leaf]) for batch in batches):
            said = _answer("unwritten", "0 for one example, but not for several")
        if said is not None:
            groups.setdefault(said, []).append(leaf)
            doubled = [2 * w for _, one in each for w in one.weights]
            unusual |= said.name == "overwritten" and not np.allclose(doubled, np.round(doubled))
    answers = [a for said, where in groups.items() for a in placed(said, where, loud)]
    return Counts(answers, mixed, unusual)


def _answer(
    name: str, yours: str, words: str = "", number: float = 1.0, right: str = "each example once"
) -> Answer:
    return Answer("batch", 0, yours, right, name, words, 1.0, number)


def placed(said: Answer, where: Sequence[Leaf], leaves: Sequence[Leaf]) -> list[Answer]:
    """One answer if all leaves are wrong, one for δ^l if all up to layer l are, or one per leaf."""
    top = max(layer for _, layer in where)
    below = {leaf for leaf in leaves if leaf[1] <= top}
    if set(leaves) <= set(where):
        return [said]
    if len(below) > 1 and below <= set(where) and ("bias", top) in where:
        return [said._replace(kind="delta", layer=top)]
    name = "bias-scale" if said.name in ("sum-not-mean", "averaged-twice") else said.name
    return [said._replace(kind=kind, layer=layer, name=name) for kind, layer in where]


def said_of(each: Sequence[tuple[int, Counted]], is_mean: bool) -> Answer | None:
    """The answer about a leaf's weights w_n in all batches; None if they are right.

    `is_mean` is true if the loss is a mean over the examples, not a sum.
    """
    uneven = [(n, one.weights) for n, one in each if np.ptp(one.weights) > 1e-6]
    if uneven:
        return _uneven(*max(uneven, key=lambda pair: pair[0]))
    ratios = {n: float(one.weights[0]) for n, one in each}
    sums = [f"{factor}Σ over the examples" for factor in ("N ", "", "(1/N) ", "(1/N²) ")]
    more, right, less = sums[1:] if is_mean else sums[:3]
    summed = "it is summed over the batch; divide by the batch size" if is_mean else ""
    name, yours, words = next(
        (said for factor, *said in (
            (lambda n: n, "sum-not-mean", more, summed),
            (lambda n: 1, "", right, ""),
            (lambda n: 1 / n, "averaged-twice", less, ""),
            (lambda n: 0, "unwritten", "0 for several examples, but not for one", ""),
        ) if all(abs(k - factor(n)) <= 1e-6 * factor(n) + 1e-9 for n, k in ratios.items())),
        ("nominal-batch", "a factor that depends on N in another way", ""),
    )  # fmt: skip
    decays = {n: one.decay for n, one in each if one.decay}
    if decays and name != "sum-not-mean":
        text = ", ".join(f"{rounded(k)} for {n} examples" for n, k in decays.items())
        words = f"a batch has an added term ρ θ, where θ is the parameter and ρ is {text}"
        return _answer("regulariser", "Σ … + ρ θ", words)
    number = 1.0
    if name == "nominal-batch":
        text = ", ".join(f"{rounded(k)} for {n} examples" for n, k in sorted(ratios.items()))
        repair = "divide by the number of examples" if is_mean else "do not divide by any number"
        words = f"the ratio to the right value varies: {text}; {repair}"
        values = [*ratios.values()]
        number = float(f"{values[0]:.6g}") if np.ptp(values) < 1e-6 * abs(values[0]) else 1.0
    return _answer(name, yours, words, number, right) if name else None


def _uneven(n: int, weights: Array) -> Answer:
    """The answer for a batch of n examples whose weights w_n are not all equal."""
    odd, only = np.flatnonzero(np.abs(weights - 1) > 1e-6), np.flatnonzero(np.abs(weights) > 1e-9)
    counts = ", ".join(f"example {k} is counted {rounded(float(weights[k]))} times" for k in odd)
    counts += ", perhaps because of = instead of +=" if len(only) == 1 else ""
    text = ", ".join(rounded(float(k)) for k in np.round(weights, 9))
    words = f"in a batch of {n} examples, {counts}; count each example once"
    return _answer("overwritten", f"weights {text}", words)
