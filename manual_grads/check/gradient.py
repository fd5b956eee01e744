"""Compares a handwritten gradient with autodiff's and explains the differences.

The gradients are compared on the whole batch, on a smaller batch and on single examples, because
some mistakes change only some batches. Each entry can differ by the sum of both rounding bounds.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.check import diagnosis
from manual_grads.check.diagnosis import Cause
from manual_grads.check.formulas import Problem, loss_of, problem_of, targets_of
from manual_grads.check.report import Leaf, Report
from manual_grads.check.returned import arrays_by_name, handwritten_leaves
from manual_grads.check.sample import (
    LossError,
    draw_problem,
    require_batch,
    require_scalar,
)
from manual_grads.check.tolerance import allowed_difference

Tree = Any
Leaves = dict[str, np.ndarray]
MOST_SINGLES = 7
LARGE = 200_000
"""The number of parameters from which on fewer examples are drawn to explain a mistake."""


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
    integer classes or rows of targets as labels, the wrong line of the backward pass is named too;
    for this, the gradient is also called with other parameters and images of the same shapes.
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
    problem = None if network is None else problem_of(network)
    return check_problem(gradient, loss, params, batch, problem)


def check_problem(
    gradient: Callable[..., Tree],
    loss: Callable[..., Any],
    params: Tree,
    batch: tuple,
    problem: Problem | None,
) -> Report:
    """The same as `check_gradient`, for any of the losses that a `Problem` can have."""
    own = problem is None or loss is not loss_of(problem)
    with jax.enable_x64(True):
        require_batch(problem, params, batch)
        params, batch = _wide(params), tuple(_wide(batch))
        require_scalar(loss, params, batch)
        compiled, differentiate = _compiled(loss)

        def right(params, batch):
            return arrays_by_name(jax.tree.map(np.asarray, differentiate(params, *batch)))

        def yours(params, batch):
            return handwritten_leaves(gradient, params, batch)[0]

        trials, precision = _trials(gradient, right, params, batch, problem, own)
        again = yours(params, trials[0].batch)
        repeats = all(np.array_equal(again[leaf], trials[0].handwritten[leaf]) for leaf in again)
        worst = next((trial for trial in trials if trial.bad()), trials[0])
        bad = worst.bad()
        found: list[list[Cause]] = []
        if bad or not repeats:
            draws = [(params, batch)]
            if problem is not None:
                size = 3 if _parameters(params) > LARGE else MOST_SINGLES
                one_hot = np.ndim(batch[1]) == 2
                like = batch[1] if own else None
                draws += [draw_problem(problem, size, seed, like, one_hot) for seed in (1, 2)]
            question = diagnosis.Question(
                problem,
                own,
                yours,
                right,
                draws,
                lambda labels: np.asarray(targets_of(problem, labels)) if problem else labels,
                precision,
            )
            found = diagnosis.diagnose(question, trials, repeats)
        sides = {leaf: _arbiter(compiled, params, worst, leaf) for leaf in bad}
    conventions = bool(found) and all(each.is_convention for cause in found for each in cause)
    if bad and not conventions and set(sides.values()) == {"handwritten"}:
        raise _autodiff_is_wrong(worst, bad)
    leaves = [_leaf_report(leaf, worst, sides.get(leaf)) for leaf in worst.allowed]
    agrees = repeats and (not bad or conventions)
    errors = {
        leaf: np.abs(worst.handwritten[leaf] - worst.autodiff[leaf]) / worst.allowed[leaf]
        for leaf in worst.allowed
    }
    return Report(agrees, precision, leaves, found, errors)


def _parameters(params: Tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _trials(
    gradient: Callable[..., Tree],
    right: Callable[[Tree, tuple], Leaves],
    params: Tree,
    batch: tuple,
    problem: Problem | None,
    own: bool,
) -> tuple[list[Trial], str]:
    """Both gradients of the batch, of a smaller one and of single examples, and the precision."""
    examples = len(batch[0])
    sizes = [slice(0, examples)]
    if examples > 2:
        sizes.append(slice(0, examples - 2))
    if examples > 1:
        sizes += [slice(n, n + 1) for n in range(min(examples, MOST_SINGLES))]
    trials, first = [], ""
    for rows in sizes:
        part = tuple(array[rows] for array in batch)
        handwritten, precision = handwritten_leaves(gradient, params, part)
        first = first or precision
        autodiff = right(params, part)
        allowed = allowed_difference(problem, own, params, part, autodiff, precision)
        trials.append(Trial(part, handwritten, autodiff, allowed))
    return trials, first


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


def _arbiter(loss: Callable[..., Any], params: Tree, trial: Trial, leaf: str) -> str:
    """Which gradient a central difference of the loss supports: "autodiff" or "handwritten".

    It must be clearly nearer to the handwritten one, because a finite difference has errors too.
    """
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
    apart = abs(claims["autodiff"] - claims["handwritten"])
    return "handwritten" if abs(claims["handwritten"] - slope) < 0.1 * apart else "autodiff"


def _autodiff_is_wrong(trial: Trial, bad: list[str]) -> LossError:
    """The error if finite differences of the loss support the user's gradient, not autodiff's."""
    leaf = bad[0]
    error = np.abs(trial.handwritten[leaf] - trial.autodiff[leaf])
    index = np.unravel_index(int(np.argmax(error)), error.shape)
    place = f"{leaf}{[int(i) for i in index]}"
    return LossError(
        "autodiff's gradient of the loss must agree with finite differences of the loss",
        f"they disagree, and your gradient agrees with the differences: at {place}, autodiff "
        f"has {trial.autodiff[leaf][index]:.6g} and you have {trial.handwritten[leaf][index]:.6g}",
        "a loss without stop_gradient, custom derivatives or rounding to whole numbers",
    )


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
