"""Compares a handwritten gradient with autodiff's and explains the differences.

The gradients are compared on the whole batch, on a smaller batch and on single examples, because
some mistakes change only some batches. Each entry can differ by the sum of both rounding bounds.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.check import diagnosis
from manual_grads.check.diagnosis import Diagnosis, Probe, instruments
from manual_grads.check.report import Leaf, Report
from manual_grads.check.returned import arrays_by_name, handwritten_leaves
from manual_grads.check.sample import require_batch, require_scalar, targets_of
from manual_grads.derivatives import gradient_bound

Tree = Any
Leaves = dict[str, np.ndarray]
MOST_SINGLES = 7


class Trial(NamedTuple):
    """A batch with both gradients, by leaf name, and the largest allowed difference per entry."""

    batch: tuple
    handwritten: Leaves
    autodiff: Leaves
    allowed: Leaves

    def bad(self) -> list[str]:
        """The leaves that disagree."""
        return [
            leaf
            for leaf, allowed in self.allowed.items()
            if not np.all(np.abs(self.handwritten[leaf] - self.autodiff[leaf]) <= allowed)
        ]


def check_gradient(
    gradient: Callable[..., Tree],
    loss: Callable[..., Any],
    params: Tree,
    batch: tuple,
    *,
    network: Architecture | None = None,
) -> Report:
    """Compares `gradient(params, *batch)` with autodiff's gradient of `loss(params, *batch)`.

    The loss is a scalar, `params` any pytree of arrays, and `batch` a tuple of arrays with one
    example per row. If `params` are those of a `network` and `batch` is `(images, labels)`, with
    integer classes or rows of targets as labels, mistakes in its activations and δ are found too.
    Raises `GradientError`, `LossError` or `InputsError`.

    >>> import jax.numpy as jnp, numpy as np
    >>> def loss(params, x):
    ...     return jnp.mean((x @ params["w"]) ** 2)
    >>> def gradient(params, x):  # the factor 2 is missing
    ...     return {"w": x.T @ (x @ params["w"]) / len(x)}
    >>> inputs = np.random.default_rng(0).normal(size=(7, 3))
    >>> print(check_gradient(gradient, loss, {"w": np.ones(3)}, (inputs,)).verdict())
    The gradient disagrees with autodiff, in float64: w.
      factor at every leaf: it is multiplied by 0.5; remove this factor
    """
    with jax.enable_x64(True):
        require_batch(network, params, batch)
        params, batch = _wide(params), tuple(_wide(batch))
        require_scalar(loss, params, batch)
        loss, differentiate = _compiled(loss)
        examples = len(batch[0])
        sizes = [slice(0, examples)]
        if examples > 2:
            sizes.append(slice(0, examples - 2))
        if examples > 1:
            sizes += [slice(n, n + 1) for n in range(min(examples, MOST_SINGLES))]
        precisions: list[str] = []
        trials = []
        for rows in sizes:
            part = tuple(array[rows] for array in batch)
            handwritten, precision = handwritten_leaves(gradient, params, part)
            precisions.append(precision)
            autodiff = arrays_by_name(jax.tree.map(np.asarray, differentiate(params, *part)))
            allowed = _allowed(network, params, part, autodiff, precision)
            trials.append(Trial(part, handwritten, autodiff, allowed))
        again, _ = handwritten_leaves(gradient, params, trials[0].batch)
        repeats = all(np.array_equal(again[leaf], trials[0].handwritten[leaf]) for leaf in again)
        worst = next((trial for trial in trials if trial.bad()), trials[0])
        bad = worst.bad()
        found: list[list[Diagnosis]] = []
        if not repeats:
            found = [[instruments.not_cleared()]]
        elif bad:
            found = _diagnose(network, params, trials, worst, precisions[0])
        conventions = bool(bad) and all(each.mistake == "kink" for cause in found for each in cause)
        errors = {
            leaf: np.abs(worst.handwritten[leaf] - worst.autodiff[leaf]) / worst.allowed[leaf]
            for leaf in worst.allowed
        }
        sides = {leaf: _arbiter(loss, params, worst, leaf) for leaf in bad}
    leaves = [_leaf_report(leaf, worst, sides.get(leaf)) for leaf in worst.allowed]
    agrees = repeats and (not bad or (conventions and bool(found)))
    return Report(agrees, precisions[0], leaves, found, errors)


@lru_cache(maxsize=8)
def _compiled(loss: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Tree]]:
    """The loss and its gradient, compiled; later checks of the same loss use them again."""
    return jax.jit(loss), jax.jit(jax.grad(loss))


def _wide(tree: Tree) -> Tree:
    """Converts floating-point leaves to float64; NumPy and JAX arrays keep their kind."""

    def wide(leaf):
        if not jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating):
            return leaf
        is_jax = isinstance(leaf, jax.Array)
        return jnp.asarray(leaf, "float64") if is_jax else np.asarray(leaf, "float64")

    return jax.tree.map(wide, tree)


def _allowed(
    architecture: Architecture | None, params: Tree, batch: tuple, autodiff: Leaves, precision: str
) -> Leaves:
    """The allowed difference: the bound of `precision` plus autodiff's bound in float64."""
    if architecture is None:
        return {leaf: instruments.allowed(value, precision) for leaf, value in autodiff.items()}
    images, labels = batch
    rows = _TARGETS(architecture, labels)
    of = {
        name: arrays_by_name(_BOUND(architecture, params, images, rows, precision=name))
        for name in {precision, "float64"}
    }
    return {leaf: of[precision][leaf] + of["float64"][leaf] for leaf in autodiff}


_TARGETS = jax.jit(targets_of, static_argnums=0)
_BOUND = jax.jit(gradient_bound, static_argnums=0, static_argnames="precision")


def _diagnose(
    architecture: Architecture | None,
    params: Tree,
    trials: Sequence[Trial],
    worst: Trial,
    precision: str,
) -> list[list[Diagnosis]]:
    """Searches for mistakes in the whole gradient, then in its parts; else returns "unknown"."""
    whole = instruments.of_the_whole(trials)
    if whole is not None:
        return [[whole]]
    if architecture is None:
        found = instruments.of_the_leaves(trials, arrays_by_name(params))
        return found or [[_unexplained(worst, list(reversed(worst.bad())))]]
    probes = [_probe(architecture, params, trial, precision) for trial in trials]
    explaining = diagnosis.causes(probes)
    if not explaining:
        from_the_output = sorted(worst.bad(), key=lambda leaf: -int(leaf.split("/")[0]))
        return [[_unexplained(worst, from_the_output)]]
    return [
        [Diagnosis(m.name, m.where, m.repair) for m in diagnosis.merged(cause)]
        for cause in explaining
    ]


def _probe(architecture: Architecture, params: Tree, trial: Trial, precision: str) -> Probe:
    images, labels = trial.batch
    at = diagnosis.point(architecture, params, images, _TARGETS(architecture, labels))
    plain = diagnosis.gradient(at, {})
    handwritten, tolerance = {}, {}
    for leaf, value in trial.handwritten.items():
        beyond = trial.autodiff[leaf] - plain[leaf]  # terms that only the user's loss has
        more = np.any(np.abs(beyond) > trial.allowed[leaf])
        handwritten[leaf] = value - beyond if more else value
        absolute = float(trial.allowed[leaf].max(initial=0.0))
        size = float(np.abs(plain[leaf]).max(initial=0.0))
        # If the correct leaf is 0, its bound does not limit the rounding error of a wrong leaf.
        default = instruments.allowed(np.ones(1), precision).item()
        tolerance[leaf] = diagnosis.Tolerance(absolute, absolute / size if size > 0 else default)
    return Probe(at, handwritten, tolerance)


def _unexplained(trial: Trial, bad: Sequence[str]) -> Diagnosis:
    return instruments.as_float32(trial) or Diagnosis(
        "unknown",
        bad[0],
        f"no mistake in the catalogue explains it; begin with {bad[0]}, which is the first wrong "
        "leaf from the output",
    )


def _arbiter(loss: Callable[..., Any], params: Tree, trial: Trial, leaf: str) -> str:
    """Which gradient a central difference of the loss supports: "autodiff" or "handwritten"."""
    # The difference is taken in the direction in which the two gradients of the leaf differ.
    error = trial.handwritten[leaf] - trial.autodiff[leaf]
    direction = error / np.linalg.norm(error)
    claims = {
        "autodiff": float(np.sum(trial.autodiff[leaf] * direction)),
        "handwritten": float(np.sum(trial.handwritten[leaf] * direction)),
    }
    flat, structure = jax.tree.flatten_with_path(params)
    place = list(arrays_by_name(params)).index(leaf)
    step = 1e-5

    def at(distance):
        moved = [value for _, value in flat]
        moved[place] = moved[place] + distance * direction
        return float(loss(jax.tree.unflatten(structure, moved), *trial.batch))

    slope = (at(step) - at(-step)) / (2 * step)
    return min(claims, key=lambda side: abs(claims[side] - slope))


def _leaf_report(leaf: str, trial: Trial, side: str | None) -> Leaf:
    error = np.abs(trial.handwritten[leaf] - trial.autodiff[leaf])
    share = error / trial.allowed[leaf]
    index = np.unravel_index(int(np.argmax(share)), share.shape)
    return Leaf(
        leaf,
        share.shape,
        float(error.max()),
        float(trial.allowed[leaf][index]),
        tuple(int(i) for i in index),
        float(trial.handwritten[leaf][index]),
        float(trial.autodiff[leaf][index]),
        side is None,
        side or "",
    )
