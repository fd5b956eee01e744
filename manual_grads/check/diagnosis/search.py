"""Searches the catalogue for the mistakes that turn the correct gradient into the handwritten one.

The search goes from the output layer to the input layer, like the backward pass. If a line's result
matches the handwritten one, the line is correct; otherwise each of its mistakes is tried. Later
lines use the changed result, which separates mistakes in different layers. The smallest sets of
mistakes that explain all leaves to within rounding are the causes; if there are several, they tie.
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
    """A batch as a `Point`, the handwritten gradient, and the tolerance of each leaf."""

    at: Point
    handwritten: Leaves
    tolerance: dict[str, "Tolerance"]


class Tolerance(NamedTuple):
    """The largest allowed difference in a leaf: absolute, and relative to its largest entry."""

    absolute: float
    relative: float


Cause = tuple[Mistake, ...]


def causes(probes: Sequence[Probe]) -> list[Cause]:
    """The smallest sets of mistakes that explain every leaf of every probe, if there are any.

    The search uses only the first probe, the whole batch. The other probes must confirm it.
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
    """Whether both differ by at most 4 times the tolerance, relative to the largest prediction.

    The factor 4 is needed because a wrong line can round differently from the correct one.
    """
    if seen.shape != predicted.shape:
        return False
    size = float(np.max(np.abs(predicted), initial=0.0))
    allowed = 4 * max(tolerance.absolute, tolerance.relative * size)
    return bool(np.max(np.abs(seen - predicted), initial=0.0) <= allowed)


def explains(cause: Cause, probe: Probe) -> bool:
    """Whether the mistakes turn the correct gradient into the handwritten one, in every leaf."""
    predicted = gradient(probe.at, {mistake.line: mistake.change for mistake in cause})
    return all(
        fits(seen, predicted[leaf], probe.tolerance[leaf])
        for leaf, seen in probe.handwritten.items()
    )


class Path(NamedTuple):
    """The mistakes found from the output layer to some layer, and the resulting δ of that layer."""

    mistakes: Cause
    delta: Columns | None


def _paths(probe: Probe) -> list[Cause]:
    """The sets of mistakes that explain all leaves of the probe, found layer by layer."""
    paths = [Path((), None)]
    for layer in reversed(range(len(probe.at.params))):
        paths = [longer for path in paths for longer in _extended(probe, layer, path)]
        paths = sorted(paths, key=lambda path: _size(path.mistakes))[:MOST_PATHS]
    return [path.mistakes for path in paths]


def _extended(probe: Probe, layer: int, path: Path) -> Iterator[Path]:
    """Extends the path by the mistakes of one more layer."""
    at = probe.at
    correct = correct_delta(at, layer, path.delta)
    seen = {kind: probe.handwritten[f"{layer}/{kind}"] for kind in at.params[layer]}
    right = _leaves_on(probe, layer, correct, seen)
    for mistakes in right:
        yield Path(path.mistakes + mistakes, correct)
    if () in right or not seen or _size(path.mistakes) >= MOST_MISTAKES:
        return
    above = correct if path.delta is None else path.delta
    for mistake in _delta_mistakes(probe, layer, correct, seen):
        delta = mistake.change(at, layer, above, correct)
        if not _is_plausible(probe, layer, delta, seen):
            continue
        for mistakes in _leaves_on(probe, layer, delta, seen):
            yield Path((*path.mistakes, mistake, *mistakes), delta)


def _is_plausible(probe: Probe, layer: int, delta: Columns, seen: dict[str, Array]) -> bool:
    """Whether this δ alone explains a leaf of its layer, or whether only later layers can tell."""
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
    """The sets of mistakes that explain the leaves of the layer, given its δ."""
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
    """The wrong factor that turns the correct leaf into the handwritten one, if there is one."""
    size = float(np.sum(right * right))
    factor = float(np.sum(leaf * right)) / size if size > 0 else 0.0
    tolerance = probe.tolerance[name]
    differs = not fits(right, factor * right, tolerance)
    if abs(factor) > 1e-12 and differs and fits(leaf, factor * right, tolerance):
        yield scaled(line, factor, probe.at.examples, probe.at.y.shape[0])


def _leaks(probe: Probe, line: Line, right: Array, leaf: Array) -> Iterator[Mistake]:
    """The mistakes that add bias derivatives of other layers to one entry of this bias."""
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
    """The bias derivatives of the layers `owners` are added to one slot of another layer's bias."""
    names = " and ".join(f"{owner}/bias" for owner in owners)

    def change(at, layer, delta, correct):
        right = gradient(at, {})
        leaf = correct.copy()
        leaf[slot] += sum(right[f"{owner}/bias"].sum() for owner in owners)
        return leaf

    repair = (
        f"the derivatives of {names} are added to slot {slot} of {line[1]}/bias, perhaps "
        "because an index is used after its loop; add each to its own slot"
    )
    return Mistake("leaked-slot", line, repair, change, owners=tuple(owners))


def merged(cause: Cause) -> Cause:
    """Combines mistakes that are one mistake in several lines.

    If a bias derivative is added elsewhere, its own zero is not reported. Mistakes with the same
    name and amount are reported once.
    """
    owners = {owner for mistake in cause for owner in mistake.owners}
    kept: dict[tuple, Mistake] = {}
    for mistake in cause:
        kind, layer = mistake.line
        if mistake.name == "unwritten" and kind == "bias" and layer in owners:
            continue
        own = f"{mistake.amount:.6g}" if mistake.amount is not None else mistake.line
        first = kept.setdefault((mistake.name, own), mistake)
        if first is not mistake:
            kept[mistake.name, own] = first._replace(also=(*first.also, mistake.line))
    return tuple(kept.values())


def _size(cause: Cause) -> int:
    return len(merged(cause))


def _different(found: list[Cause]) -> list[Cause]:
    """The causes without repetitions; causes with the same names and places count as equal."""
    kept = {tuple((m.name, m.where) for m in merged(cause)): cause for cause in reversed(found)}
    return list(reversed(kept.values()))
