"""Which mistakes of the catalogue turn the right gradient into the one that was handed over.

Line by line from the output down, as the backward pass runs: a line that gives what the code gave
is right, else each of its mistakes is tried, and every later line is judged given what the code
made of the earlier ones. That separates two mistakes in different layers. The fewest mistakes that
explain all leaves to within rounding are the cause; several such sets are a tie.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.delta_mistakes import hidden_mistakes, output_mistakes
from manual_grads.check.diagnosis.leaf_mistakes import leaf_mistakes
from manual_grads.check.diagnosis.mistakes import Mistake, miscounted, scaled
from manual_grads.check.diagnosis.reference import (
    Array,
    Columns,
    Leaves,
    Line,
    Point,
    correct_delta,
    correct_leaf,
    gradient,
)

MOST_MISTAKES = 3
MOST_PATHS = 40


class Probe(NamedTuple):
    """A batch: its point, the handwritten gradient, and what rounding may do to each leaf."""

    at: Point
    handwritten: Leaves
    tolerance: dict[str, "Tolerance"]


class Tolerance(NamedTuple):
    """Twice the largest bound of a leaf's entries; and that over the leaf's largest entry."""

    absolute: float
    relative: float


Cause = tuple[Mistake, ...]


def causes(probes: Sequence[Probe]) -> list[Cause]:
    """The smallest sets of mistakes that explain every leaf at every probe; none if none does.

    The first probe, the whole batch, is searched; the others must then agree.
    """
    found = _paths(probes[0])
    for size in sorted({_size(cause) for cause in found}):
        explaining = [
            cause
            for cause in found
            if _size(cause) == size and all(explains(cause, probe) for probe in probes)
        ]
        if explaining:
            return _different(explaining)
    return []


def fits(seen: Array, predicted: Array, tolerance: Tolerance) -> bool:
    """Whether the two are within the bound, which grows with the largest predicted entry.

    By a factor of 4, for a wrong line's rounding is not exactly the right one's.
    """
    if seen.shape != predicted.shape:
        return False
    size = float(np.max(np.abs(predicted), initial=0.0))
    allowed = 4 * max(tolerance.absolute, tolerance.relative * size)
    return bool(np.max(np.abs(seen - predicted), initial=0.0) <= allowed)


def explains(cause: Cause, probe: Probe) -> bool:
    """Whether the mistakes turn the right gradient into the handwritten one, in every leaf."""
    predicted = gradient(probe.at, {mistake.line: mistake.change for mistake in cause})
    return all(
        fits(seen, predicted[leaf], probe.tolerance[leaf])
        for leaf, seen in probe.handwritten.items()
    )


class Path(NamedTuple):
    """A way down the layers: the mistakes so far, and the δ that they left."""

    mistakes: Cause
    delta: Columns | None


def _paths(probe: Probe) -> list[Cause]:
    """Every way from the output down to the input that explains all leaves of the probe."""
    paths = [Path((), None)]
    for layer in reversed(range(len(probe.at.params))):
        paths = [longer for path in paths for longer in _one_layer_on(probe, layer, path)]
        paths = sorted(paths, key=lambda path: _size(path.mistakes))[:MOST_PATHS]
    return [path.mistakes for path in paths]


def _one_layer_on(probe: Probe, layer: int, path: Path) -> Iterator[Path]:
    at = probe.at
    correct = correct_delta(at, layer, path.delta)
    seen = {kind: probe.handwritten[f"{layer}/{kind}"] for kind in at.params[layer]}
    right = _leaves_on(probe, layer, correct, seen)
    for mistakes in right:
        yield Path(path.mistakes + mistakes, correct)
    if () in right or not seen or _size(path.mistakes) >= MOST_MISTAKES:
        return
    told = correct if path.delta is None else path.delta
    for mistake in _delta_mistakes(probe, layer, correct, seen):
        delta = mistake.change(at, layer, told, correct)
        if not _worth_it(probe, layer, delta, seen):
            continue
        for mistakes in _leaves_on(probe, layer, delta, seen):
            yield Path((*path.mistakes, mistake, *mistakes), delta)


def _worth_it(probe: Probe, layer: int, delta: Columns, seen: dict[str, Array]) -> bool:
    """Whether a leaf of the layer comes of this δ alone; or may show in a later layer's only."""
    return (len(seen) == 1 and layer > 0) or any(
        fits(leaf, correct_leaf(probe.at, kind, layer, delta), probe.tolerance[f"{layer}/{kind}"])
        for kind, leaf in seen.items()
    )


def _delta_mistakes(
    probe: Probe, layer: int, correct: Columns, seen: dict[str, Array]
) -> Iterator[Mistake]:
    at, line = probe.at, ("delta", layer)
    if layer == at.architecture.depth:
        yield from output_mistakes(at, correct)
    else:
        yield from hidden_mistakes(at, layer)
    for kind, leaf in seen.items():
        right = correct_leaf(at, kind, layer, correct)
        yield from _scales(probe, line, f"{layer}/{kind}", right, leaf)
    yield from miscounted(line, at.examples)


def _leaves_on(probe: Probe, layer: int, delta: Columns, seen: dict[str, Array]) -> list[Cause]:
    """The sets of mistakes of the layer's leaves that explain them, given its δ."""
    at, each = probe.at, []
    for kind, leaf in seen.items():
        line, name = (kind, layer), f"{layer}/{kind}"
        tolerance = probe.tolerance[name]
        right = correct_leaf(at, kind, layer, delta)
        if fits(leaf, right, tolerance):
            each.append([()])
            continue
        candidates = itertools.chain(
            _scales(probe, line, name, right, leaf),
            leaf_mistakes(at, line, delta, right, leaf),
            _leaks(probe, line, right, leaf),
        )
        each.append(
            [
                (mistake,)
                for mistake in candidates
                if fits(leaf, mistake.change(at, layer, delta, right), tolerance)
            ]
        )
    return [tuple(itertools.chain(*choice)) for choice in itertools.product(*each)]


def _scales(probe: Probe, line: Line, name: str, right: Array, leaf: Array) -> Iterator[Mistake]:
    """The factor that turns the right leaf into the one seen, if one does."""
    size = float(np.sum(right * right))
    factor = float(np.sum(leaf * right)) / size if size > 0 else 0.0
    tolerance = probe.tolerance[name]
    differs = not fits(right, factor * right, tolerance)
    if abs(factor) > 1e-12 and differs and fits(leaf, factor * right, tolerance):
        yield scaled(line, factor, probe.at.examples, probe.at.y.shape[0])


def _leaks(probe: Probe, line: Line, right: Array, leaf: Array) -> Iterator[Mistake]:
    """One entry of a bias that has the sum of other layers' bias derivatives in it."""
    kind, layer = line
    if kind != "bias":
        return
    error = leaf - right
    slot = int(np.argmax(np.abs(error)))
    if not fits(np.delete(leaf, slot), np.delete(right, slot), probe.tolerance[f"{layer}/bias"]):
        return
    biased = [at for at, leaves in enumerate(probe.at.params) if "bias" in leaves and at != layer]
    for count in range(1, len(biased) + 1):
        for owners in itertools.combinations(biased, count):
            yield leaked_slot(line, slot, owners)


def leaked_slot(line: Line, slot: int, owners: Sequence[int]) -> Mistake:
    """The bias derivatives of the layers `owners`, summed up in one slot of another's bias."""
    names = " and ".join(f"{owner}/bias" for owner in owners)

    def change(at, layer, delta, correct):
        right = gradient(at, {})
        leaf = correct.copy()
        leaf[slot] += sum(right[f"{owner}/bias"].sum() for owner in owners)
        return leaf

    repair = (
        f"the derivatives of {names} are added to slot {slot} of {line[1]}/bias, as by an index "
        f"left over from a loop; add each to its own slot"
    )
    return Mistake("leaked-slot", line, repair, change, owners=tuple(owners))


def merged(cause: Cause) -> Cause:
    """What is one mistake though it shows in several lines, said once.

    An owner that a leak left unwritten, and leaves that have the same mistake in the same amount.
    """
    owners = {owner for mistake in cause for owner in mistake.owners}
    said: dict[tuple, Mistake] = {}
    for mistake in cause:
        kind, layer = mistake.line
        if mistake.name == "unwritten" and kind == "bias" and layer in owners:
            continue
        own = f"{mistake.amount:.6g}" if mistake.amount is not None else mistake.line
        first = said.setdefault((mistake.name, own), mistake)
        if first is not mistake:
            said[mistake.name, own] = first._replace(also=(*first.also, mistake.line))
    return tuple(said.values())


def _size(cause: Cause) -> int:
    return len(merged(cause))


def _different(found: list[Cause]) -> list[Cause]:
    """Each tie once, by what it says."""
    said = {tuple((m.name, m.where) for m in merged(cause)): cause for cause in reversed(found)}
    return list(reversed(said.values()))
