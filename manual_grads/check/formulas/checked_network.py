"""The network and the loss whose gradient is checked.

    C = r Σ_examples c(a^L, y) + (λ/2) Σ W²

The cost c of one example is one of `COSTS`, and λ is `l2`. Biases are not regularised. For N
examples and K outputs, the factor r is 1/N for the reduction `mean`, 1 for `sum`, and 1/(N K) for
`mean_over_all`.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from manual_grads.architecture import Architecture
from manual_grads.derivatives import forward
from manual_grads.targets import targets

COSTS: dict[str, Callable[[Any, Any], Any]] = {
    "cross_entropy": lambda a, y: -jnp.sum(y * jax.nn.log_softmax(a, axis=0), axis=0),
    "squared_error": lambda a, y: jnp.sum((y - a) ** 2, axis=0),
    "half_squared_error": lambda a, y: jnp.sum((y - a) ** 2, axis=0) / 2,
    "binary_cross_entropy": lambda a, y: jnp.sum(jax.nn.softplus(a) - y * a, axis=0),
}
"""The cost of each example; outputs and targets have one example per column. For binary
cross-entropy, the probability is the sigmoid of the output."""


class Problem(NamedTuple):
    """A network and its loss. The loss is `loss`, not `network.loss`.

    `network.loss` is `squared_error` if the output layer has an activation, else `cross_entropy`.
    """

    network: Architecture
    loss: str
    smoothing: float
    reduction: str = "mean"
    l2: float = 0.0

    def factor(self, examples: int) -> float:
        """The factor r of the reduction."""
        every = examples * self.network.layer_sizes[-1]
        return 1 / {"mean": examples, "sum": 1, "mean_over_all": every}[self.reduction]

    def share(self, examples: int) -> float:
        """The factor r for this number of examples, divided by the factor for one example."""
        return self.factor(examples) / self.factor(1)


def problem_of(
    network: Architecture,
    loss: str | None = None,
    output: str = "auto",
    reduction: str = "mean",
    l2: float = 0.0,
) -> Problem:
    """The problem with this network. `loss` is a key of `COSTS`; its default is `network.loss`.

    The output layer has the activation if `output` is `activation`, and none if it is `linear`;
    `auto` means `activation` for the squared errors, and `linear` for the other losses.
    """
    loss = loss or network.loss
    active = output == "activation" or (output == "auto" and "squared" in loss)
    plain = {field.name: getattr(network, field.name) for field in fields(Architecture)}
    plain |= {"loss": "squared_error" if active else "cross_entropy", "label_smoothing": 0.0}
    return Problem(Architecture(**plain), loss, network.label_smoothing, reduction, l2)


@lru_cache(maxsize=8)
def loss_of(problem: Problem) -> Callable[..., Any]:
    """The function `(params, images, labels)` that computes the loss of a batch."""

    def loss(params, images, labels):
        y = targets_of(problem, labels).T
        outputs = forward(problem.network, params, images.T).a[-1]
        total = jnp.sum(COSTS[problem.loss](outputs, y)) * problem.factor(len(images))
        if problem.l2:
            total += problem.l2 / 2 * sum(jnp.sum(one["weight"] ** 2) for one in params[1:])
        return total

    return loss


def network_loss(network: Architecture) -> Callable[..., Any]:
    """The function `(params, images, labels)` that computes the mean loss of a batch."""
    return loss_of(problem_of(network))


def targets_of(problem: Problem, labels):
    """Converts integer classes to targets; rows of targets are returned unchanged."""
    if jnp.ndim(labels) == 2:
        return labels
    smoothed = replace(problem.network, loss="cross_entropy", label_smoothing=problem.smoothing)
    return targets(smoothed, jnp.asarray(labels), "float64")
