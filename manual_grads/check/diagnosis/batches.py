"""How the gradient of a batch is made of those of its single examples: each should count once.

    M(batch) = r Σ_n w_n M(example n) + ρ θ

M is the user's own gradient, so this is a question apart from all formulas. Right are w_n = 1 and
ρ = 0, with the factor r of the reduction.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from manual_grads.check.formulas import Array, Params, combination, rounded
from manual_grads.check.lines import Answer

Leaf = tuple[str, int]
REDUCED: dict[str, Callable[[Array], Array]] = {
    "maximum": lambda each: each.max(axis=1),
    "minimum": lambda each: each.min(axis=1),
    "product": lambda each: each.prod(axis=1),
    "norm": lambda each: np.sqrt(np.sum(each**2, axis=1)),
}
"""What could be taken over the examples instead of the sum."""


class Batch(NamedTuple):
    """A batch with target rows, the user's gradient of it, and of each of its examples alone."""

    params: Params
    images: Array
    rows: Array
    whole: Mapping[Leaf, Array]
    singles: Sequence[Mapping[Leaf, Array]]
    decays: Mapping[int, float] = MappingProxyType({})  # λ of the right weight derivatives

    @property
    def examples(self) -> int:
        """N, the number of examples."""
        return len(self.images)

    def columns(self, leaf: Leaf) -> Array:
        """The leaf of each single example in a column."""
        return np.stack([np.ravel(one[leaf]) for one in self.singles], axis=1)


class Counted(NamedTuple):
    """How the examples count in a leaf: weights w, ρ, or what is taken instead of the sum."""

    weights: Array
    decay: float = 0.0
    reduced: str = ""


class Said(NamedTuple):
    """The name, formula and sentence for the way in which examples count, and a number in it."""

    name: str
    yours: str
    words: str
    number: float = 1.0


def counted(
    batch: Batch, leaf: Leaf, reduction: float, tolerance: float, more: Sequence[Array] = ()
) -> Counted | None:
    """How the examples count in a leaf, or None. Ways in which people miscount are tried first."""
    n, theta = batch.examples, np.ravel(batch.params[leaf[1]][leaf[0]])
    # λ θ is in each single example, but only once in the batch
    rate = batch.decays.get(leaf[1], 0.0) * (1 - reduction * n) if leaf[0] == "weight" else 0.0
    whole = np.ravel(batch.whole[leaf]) - rate * theta
    singles = batch.columns(leaf) * reduction
    largest = max(np.abs(whole).max(initial=0.0), np.abs(singles).max(initial=0.0) / 10)
    everywhere = max(np.abs(value).max(initial=0.0) for value in batch.whole.values())
    allowed = 10 * tolerance * largest

    def fits(weights):
        return np.max(np.abs(singles @ weights - whole), initial=0.0) <= allowed

    if fits(np.ones(n)) or largest <= 1e-13 * everywhere:  # the sum is 0 but for rounding
        return Counted(np.ones(n))
    if not np.any(whole):
        return Counted(np.zeros(n))
    total, one = singles.sum(axis=1), np.eye(n)
    tried = [np.full(n, float(n)), np.full(n, 1 / n)]
    tried += [*(1 - one), *(1 + one), *one, *(n * one), *more]
    for kept in range(2, n - 1):
        first, last = (np.arange(n) < kept) * 1.0, (np.arange(n) >= n - kept) * 1.0
        tried += [first, last, first * n / kept, last * n / kept]
    tried += [(-1.0) ** (n - np.arange(n)), (-1.0) ** (n - 1 - np.arange(n))]
    size = float(total @ total)
    tried += [np.full(n, float(total @ whole) / size)] if size > (100 * allowed) ** 2 else []
    for weights in tried:
        if fits(weights):
            return Counted(weights)
    for term in (theta, np.ones_like(theta)):
        found = combination(whole, [total, term], tolerance) if len(whole) > 2 else None
        if found is not None and found[0]:
            return Counted(np.full(n, found[0]), found[1])
    for name, reduce in REDUCED.items():
        if np.max(np.abs(reduce(singles) - whole)) <= allowed:
            return Counted(np.ones(n), 0.0, name)
    if len(whole) > n + 1:
        found = combination(whole, list(singles.T), 10 * tolerance)
        if found is not None:
            return Counted(np.array(found))
    return None


def batch_answers(
    batches: Sequence[Batch], reduction: Callable[[int], float], tolerance: float
) -> tuple[list[Answer], list[Leaf], bool]:
    """The answers on how examples count, the leaves without any, and whether a count is unusual.

    A leaf too small to tell the weights is given those of another leaf, if they explain it.
    """
    found: dict[Leaf, list[Counted | None]] = {leaf: [] for leaf in batches[0].whole}
    for batch in batches:
        r, known = reduction(batch.examples), []
        for leaf in sorted(found, key=lambda leaf: -batch.whole[leaf].size):
            found[leaf].append(counted(batch, leaf, r, tolerance, known))
            last = found[leaf][-1]
            known += [last.weights] if last is not None and np.ptp(last.weights) > 1e-9 else []
    loud = [leaf for leaf in found if any(np.any(one[leaf]) for b in batches for one in b.singles)]
    mixed = [leaf for leaf in loud if None in found[leaf]]
    sizes = [batch.examples for batch in batches]
    groups: dict[Said, list[Leaf]] = {}
    unusual = False
    for leaf, each in found.items():
        known = [one for one in each if one is not None]
        if leaf in mixed:
            continue
        if leaf not in loud:
            if any(np.any(batch.whole[leaf]) for batch in batches):
                words = "it is 0 for one example, but not for several"
                groups.setdefault(Said("unwritten", "0 for one example", words), []).append(leaf)
            continue
        said = _said(list(zip(sizes, known, strict=True)))
        if said is not None:
            groups.setdefault(said, []).append(leaf)
            doubled = [2 * w for one in known for w in one.weights]
            unusual |= said.name == "overwritten" and not np.allclose(doubled, np.round(doubled))
    answers = [answer for said, where in groups.items() for answer in _placed(said, where, loud)]
    return answers, mixed, unusual


def _placed(said: Said, where: list[Leaf], loud: list[Leaf]) -> list[Answer]:
    """One answer for all leaves, or for the δ of the layer from which on all are concerned."""
    whole = "sum-not-mean" if "summed" in said.words else "averaged-twice"
    name = whole if said.name == "bias-scale" else said.name
    right, top = "each example once", max(layer for _, layer in where)
    below = {leaf for leaf in loud if leaf[1] <= top}
    if set(loud) <= set(where):
        return [Answer("batch", 0, said.yours, right, name, said.words, 1.0, said.number)]
    if len(below) > 1 and below <= set(where) and ("bias", top) in where:
        return [Answer("delta", top, said.yours, right, name, said.words, 1.0, said.number)]
    return [
        Answer(kind, layer, said.yours, right, said.name, said.words, 1.0, said.number)
        for kind, layer in where
    ]


def _said(each: Sequence[tuple[int, Counted]]) -> Said | None:
    """What is said of the counts of a leaf in all batches; None if they are right."""
    reduced = {one.reduced for _, one in each}
    if reduced != {""}:
        what = " or ".join(sorted(reduced - {""}))
        words = f"the {what} over the examples is taken; take the sum"
        return Said("wrong-axis", f"{what} over the examples", words)
    uneven = [(n, one.weights) for n, one in each if np.ptp(one.weights) > 1e-6]
    if uneven:
        return _uneven(*max(uneven, key=lambda pair: pair[0]))
    ratios = {n: float(one.weights[0]) for n, one in each}
    decays = {n: one.decay for n, one in each if one.decay}
    if all(abs(k - n) < 1e-6 * n for n, k in ratios.items()):
        words = "it is summed over the batch; divide by the batch size"
        if decays:
            words = "the part without the regulariser is summed over the batch; divide by its size"
        return Said("bias-scale", "Σ over the examples", words)
    if decays:
        text = ", ".join(f"{rounded(k)} θ for {n} examples" for n, k in decays.items())
        words = f"the regulariser depends on the batch: beyond that of one example there is {text}"
        return Said("regulariser", "Σ … + ρ θ", words)
    if all(abs(k - 1) < 1e-6 for k in ratios.values()):
        return None
    if all(abs(k - 1 / n) < 1e-6 / n for n, k in ratios.items()):
        words = "it is divided by the batch size twice; divide once"
        return Said("bias-scale", "(1/N) mean over the examples", words)
    if all(abs(k) < 1e-9 for k in ratios.values()):
        words = "it is 0 for several examples, but not for one; compute it for all"
        return Said("unwritten", "0 for several examples", words)
    text = ", ".join(f"{rounded(k)} times for {n}" for n, k in sorted(ratios.items()))
    values = [*ratios.values()]
    number = float(f"{values[0]:.6g}") if np.ptp(values) < 1e-6 * abs(values[0]) else 1.0
    words = f"the factor depends on the number of examples: {text}; divide by their number"
    return Said("nominal-batch", "a factor that depends on N in another way", words, number)


def _uneven(n: int, weights: Array) -> Said:
    """What is said of examples that count differently."""
    odd, only = np.flatnonzero(np.abs(weights - 1) > 1e-6), np.flatnonzero(np.abs(weights) > 1e-9)
    counts = ", ".join(f"example {k} counts {rounded(float(weights[k]))} times" for k in odd)
    if len(only) == 1:
        place = {0: "the first", n - 1: "the last"}.get(int(only[0]), "one")
        counts = f"only {place} example counts, perhaps because of = instead of +="
        counts += ", and it is not averaged" * bool(abs(weights[only[0]] - n) < 1e-6)
    text = ", ".join(rounded(float(k)) for k in np.round(weights, 9))
    return Said("overwritten", f"weights {text}", f"of {n} examples: {counts}; count each once")
