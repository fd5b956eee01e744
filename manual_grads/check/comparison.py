"""Compares a handwritten gradient with autodiff's and explains the differences.

The gradients are compared on the whole batch, a smaller batch and single examples, because some
mistakes affect only some batches. An entry is wrong if rounding cannot explain its error.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.check import diagnosis
from manual_grads.check.diagnosis import MOST_SINGLES, Cause
from manual_grads.check.formulas import Problem, loss_of, problem_of
from manual_grads.check.report import Leaf, Report
from manual_grads.check.returned import arrays_by_name, handwritten_leaves
from manual_grads.check.sample import LossError, draw, require_batch, require_scalar
from manual_grads.check.tolerance import allowed_difference

Tree = Any
Leaves = dict[str, np.ndarray]
LARGE = 200_000
"""Networks with more parameters than this are diagnosed on random batches of only 3 examples."""


class Trial(NamedTuple):
    """A batch, its handwritten and autodiff gradients, and the allowed difference of each entry."""

    batch: tuple
    handwritten: Leaves
    autodiff: Leaves
    allowed: Leaves

    def errors(self, leaf: str) -> np.ndarray:
        """|handwritten − autodiff| for each entry of a leaf."""
        return np.asarray(np.abs(self.handwritten[leaf] - self.autodiff[leaf]))

    def bad(self) -> list[str]:
        """The names of the leaves in which the gradients disagree."""
        return [k for k, allowed in self.allowed.items() if not np.all(self.errors(k) <= allowed)]


def check_gradient(
    gradient: Callable[..., Tree],
    loss: Callable[..., Any],
    params: Tree,
    batch: tuple,
    *,
    network: Architecture | Problem | None = None,
) -> Report:
    """Compares `gradient(params, *batch)` with autodiff's gradient of `loss(params, *batch)`.

    The loss is a scalar, `params` is any pytree of arrays, and `batch` is a tuple of arrays with
    one example per row. If `network` is given, the report also names the wrong line of the backward
    pass. `params` must then be the parameters of this network, and `batch` must be `(images,
    labels)`; labels are integer classes or rows of targets. A `Problem` is a network with its loss.
    The check also calls `gradient` on parts of the batch and, if `network` is given, on random
    parameters and batches. Raises `GradientError`, `LossError` or `InputsError`.

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
    problem = problem_of(network) if isinstance(network, Architecture) else network
    own = problem is None or loss is not loss_of(problem)
    with jax.enable_x64(True):
        require_batch(problem, params, batch)
        params, batch = _wide(params), tuple(_wide(batch))
        require_scalar(loss, params, batch)
        compiled = _compiled(loss)

        def right(params, batch):
            return arrays_by_name(compiled(params, *batch)[1])

        def yours(params, batch):
            return handwritten_leaves(gradient, params, batch)[0]

        n = len(batch[0])
        sizes = [slice(0, n)] + [slice(0, n - 2)] * (n > 2)
        sizes += [slice(k, k + 1) for k in range(min(n, MOST_SINGLES))] * (n > 1)
        trials, precision = [], ""
        for rows in sizes:
            part = tuple(array[rows] for array in batch)
            handwritten, found = handwritten_leaves(gradient, params, part)
            autodiff, precision = right(params, part), precision or found
            allowed = allowed_difference(problem, own, params, part, autodiff, found)
            trials.append(Trial(part, handwritten, autodiff, allowed))
        again = yours(params, batch)
        repeats = all(np.array_equal(again[leaf], trials[0].handwritten[leaf]) for leaf in again)
        worst = next((trial for trial in trials if trial.bad()), trials[0])
        bad = worst.bad()
        causes: list[list[Cause]] = []
        if bad or not repeats:
            draws = [(params, batch)]
            if problem is not None:
                parameters = sum(leaf.size for leaf in jax.tree.leaves(params))
                size, like = 3 if parameters > LARGE else MOST_SINGLES, batch[1] if own else None
                one_hot = np.ndim(batch[1]) == 2
                draws += [draw(problem, size, seed, like, one_hot) for seed in (1, 2)]
            question = diagnosis.Question(problem, own, yours, right, draws, precision)
            causes = diagnosis.diagnose(question, trials, repeats)
        side = _arbiter(compiled, params, worst) if bad else ""
    conventions = bool(causes) and all(each.is_convention for cause in causes for each in cause)
    if side == "handwritten" and not conventions:
        raise _autodiff_is_wrong(worst, bad[0])
    leaves = [_leaf_report(leaf, worst, side if leaf in bad else "") for leaf in worst.allowed]
    errors = {leaf: worst.errors(leaf) / allowed for leaf, allowed in worst.allowed.items()}
    return Report(repeats and (not bad or conventions), precision, leaves, causes, errors)


@lru_cache(maxsize=8)
def _compiled(loss: Callable[..., Any]) -> Callable[..., tuple[Any, Tree]]:
    """The compiled `jax.value_and_grad(loss)`; later checks of this loss reuse it."""
    return jax.jit(jax.value_and_grad(loss))


def _wide(tree: Tree) -> Tree:
    """Converts floating-point leaves to float64; JAX arrays stay JAX arrays."""

    def wide(leaf):
        if not jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating):
            return leaf
        return (jnp if isinstance(leaf, jax.Array) else np).asarray(leaf, "float64")

    return jax.tree.map(wide, tree)


def _arbiter(compiled: Callable[..., Any], params: Tree, trial: Trial) -> str:
    """Which gradient a central difference of the loss supports: "autodiff" or "handwritten".

    Central differences are inexact, so the result is "handwritten" only if that gradient is much
    nearer to the central difference.
    """
    # The loss is differentiated along the difference of the two gradients.
    errors = [trial.handwritten[leaf] - right for leaf, right in trial.autodiff.items()]
    apart = float(np.sqrt(sum(np.sum(error**2) for error in errors)))
    flat, structure = jax.tree.flatten(params)
    step = 1e-5

    def at(distance):
        moved = [x + distance * error / apart for x, error in zip(flat, errors, strict=True)]
        return float(compiled(jax.tree.unflatten(structure, moved), *trial.batch)[0])

    pairs = zip(trial.handwritten.values(), errors, strict=True)
    claimed = sum(float(np.sum(yours * error)) for yours, error in pairs) / apart
    slope = (at(step) - at(-step)) / (2 * step)
    return "handwritten" if abs(claimed - slope) < 0.1 * apart else "autodiff"


def _autodiff_is_wrong(trial: Trial, leaf: str) -> LossError:
    """The error for a loss whose finite differences match the user's gradient, not autodiff's."""
    error = trial.errors(leaf)
    index = np.unravel_index(int(np.argmax(error)), error.shape)
    return LossError(
        "autodiff's gradient of the loss must agree with finite differences of the loss",
        "they disagree, and your gradient agrees with finite differences: at "
        f"{leaf}{[int(i) for i in index]}, autodiff has {trial.autodiff[leaf][index]:.6g} and you "
        f"have {trial.handwritten[leaf][index]:.6g}",
        "a loss without stop_gradient, custom derivatives or rounding to whole numbers",
    )


def _leaf_report(leaf: str, trial: Trial, side: str) -> Leaf:
    error = trial.errors(leaf)
    place = np.unravel_index(int(np.argmax(error / trial.allowed[leaf])), error.shape)
    sides = trial.allowed, trial.handwritten, trial.autodiff
    values, index = (float(leaves[leaf][place]) for leaves in sides), tuple(map(int, place))
    allowed, yours, right = values
    return Leaf(leaf, error.shape, float(error.max()), allowed, index, yours, right, not side, side)
