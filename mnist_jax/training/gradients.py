"""The ways to compute the gradient: one `Mode` for each value of `--gradient`.

No other file of `mnist_jax.training` imports the handwritten derivatives or the gradient check.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

import manual_grads
from manual_grads import Architecture, derivatives, named_leaves
from mnist_jax.config import Config
from mnist_jax.model import Params, forward, mean_loss

Images = Float[Array, "batch inputs"]
Targets = Float[Array, "batch outputs"]
Weights = Float[Array, " batch"]
Inspected = derivatives.Disagreement | None
Record = dict[str, dict[str, dict[str, float]]]

# (params, images, targets, weights) -> (loss, gradient). The loss is the scalar Σ weight · C over
# the batch, for the example losses C. Each of N examples has weight 1/N, and padding has weight 0.
# By default, all weights are 1/N. The gradient has the structure, shapes and dtype of params.
ValueAndGrad = Callable[..., tuple[Float[Array, ""], Params]]


class Mode(NamedTuple):
    """How the gradient is computed, and how it is inspected during training.

    `outputs` repeats the forward pass of `value_and_grad`; XLA merges both into one computation.
    `inspect(params, images, targets, weights, gradient)` runs in every step, and
    `inspect_in_float64(params, images, targets, weights)` runs in the first step of an epoch,
    unless it is None. `record` converts a block's inspections into metrics. The maximum over an
    epoch is reported, starting from `no_record(params)`. `explain(params, images, targets)`
    describes the mistake in the gradient.
    """

    value_and_grad: ValueAndGrad
    outputs: Callable[[Params, Images], Targets]
    inspect: Callable[[Params, Images, Targets, Weights, Params], Inspected] = lambda *_: None
    inspect_in_float64: Callable[[Params, Images, Targets, Weights], Inspected] | None = None
    no_record: Callable[[Params], Record] = lambda _: {}
    record: Callable[[Inspected], Record] = lambda _: {}
    explain: Callable[[Params, Images, Targets], str] = lambda *_: ""


def autodiff(architecture: Architecture, factors: str | None = None) -> Mode:
    """The mode that differentiates the loss with `jax.value_and_grad`.

    In every mode, the factors of matrix products are rounded to the format `factors`, if given.
    """
    return Mode(
        jax.value_and_grad(partial(mean_loss, architecture, factors=factors)),
        partial(forward, architecture, factors=factors),
    )


def manual(architecture: Architecture, factors: str | None = None) -> Mode:
    """The mode that uses the handwritten backward pass."""
    by_hand = partial(derivatives.forward, architecture, factors=factors)
    return Mode(
        partial(derivatives.value_and_grad, architecture, factors=factors),
        lambda params, images: by_hand(params, images.T).a[-1].T,
    )


def checked(architecture: Architecture, factors: str | None = None) -> Mode:
    """The mode that trains with autodiff and compares both gradients at every step."""
    return autodiff(architecture, factors)._replace(
        inspect=partial(disagreement, architecture, factors),
        inspect_in_float64=partial(disagreement_in_float64, architecture, factors),
        no_record=_no_record,
        record=_record,
        explain=partial(explanation, architecture, factors),
    )


MODES: dict[str, Callable[..., Mode]] = {
    "autodiff": autodiff,
    "manual": manual,
    "checked": checked,
}


def mode(config: Config) -> Mode:
    """The mode that `--gradient` names, for the config's architecture and `--precision`."""
    factors = None if config.precision == "float32" else config.precision
    return MODES[config.gradient](config.architecture, factors)


def disagreement(
    architecture: Architecture,
    factors: str | None,
    params: Params,
    images: Images,
    targets: Targets,
    weights: Weights,
    reference: Params,
) -> derivatives.Disagreement:
    """Compares the handwritten gradient with `reference`, in the dtype of the arguments."""
    point = params, images, targets, weights, factors
    _, handwritten = derivatives.value_and_grad(architecture, *point)
    bound = derivatives.gradient_bound(architecture, *point, precision=images.dtype.name)
    return derivatives.compare(handwritten, reference, bound)


def disagreement_in_float64(
    architecture: Architecture, factors: str | None, *point: Any
) -> derivatives.Disagreement:
    """Compares the handwritten gradient with autodiff's, both computed in float64.

    `point` has the params, images, targets and weights. Call it inside `jax.enable_x64(True)`.
    """
    wide = jax.tree.map(lambda leaf: leaf.astype("float64"), point)
    _, reference = autodiff(architecture, factors).value_and_grad(*wide)
    return disagreement(architecture, factors, *wide, reference=reference)


def explanation(
    architecture: Architecture,
    factors: str | None,
    params: Params,
    images: Images,
    targets: Targets,
) -> str:
    """The verdict of the gradient check on the handwritten gradient at these parameters.

    The check rounds no factors. If it finds no mistake, the text suggests what else to look for.
    """

    @jax.jit  # the check calls it with many batch sizes; compiling each operation alone is slower
    def handwritten(params, images, targets):
        return derivatives.value_and_grad(architecture, params, images, targets)[1]

    loss = partial(mean_loss, architecture)
    check = manual_grads.check_gradient  # imported here: the import is slow and rarely needed
    report = check(handwritten, loss, params, (images, targets), network=architecture)
    if not report.agrees:
        return report.verdict()
    wrong = "code that is wrong only for some batches"
    if factors is not None:
        wrong = f"a matrix product whose inputs are not all rounded to {factors}, or {wrong}"
    return f"the check finds no mistake with a few examples and unrounded factors; look for {wrong}"


def _no_record(params: Params) -> Record:
    return {
        "disagreement": {leaf: {"largest": 0.0, "of_bound": 0.0} for leaf in named_leaves(params)}
    }


def _record(inspected: Inspected) -> Record:
    """The maximum of each leaf's difference over all steps, absolute and relative to the bound."""
    worst: Any = jax.tree.map(lambda steps: float(np.max(steps)), inspected)
    of_bound = named_leaves(worst.of_bound)
    return {
        "disagreement": {
            leaf: {"largest": largest, "of_bound": of_bound[leaf]}
            for leaf, largest in named_leaves(worst.largest).items()
        }
    }
