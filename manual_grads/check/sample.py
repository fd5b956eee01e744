"""What a network is checked on: its loss, random parameters and a random batch."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.cli import InputError
from manual_grads.derivatives import LOSS_RULES, forward
from manual_grads.targets import targets


@lru_cache(maxsize=8)
def network_loss(architecture: Architecture) -> Callable[..., Any]:
    """The mean of the cost over the batch, `(params, images, labels)`, of rows of examples."""

    def loss(params, images, labels):
        y = targets_of(architecture, labels).T
        outputs = forward(architecture, params, images.T).a[-1]
        return jnp.mean(LOSS_RULES[architecture.loss].cost(outputs, y))

    return loss


def targets_of(architecture: Architecture, labels):
    """Rows of targets: `targets` of labels that are classes, else the labels as they are."""
    if jnp.ndim(labels) == 2:
        return labels
    return targets(architecture, labels, "float64")


class LossError(InputError):
    """A loss that cannot be differentiated."""


def require_scalar(loss: Callable[..., Any], params: Any, batch: tuple) -> None:
    """Raises `LossError` unless `loss(params, *batch)` is one real number, computed by JAX."""
    try:
        value = jax.eval_shape(loss, params, *batch)
    except jax.errors.TracerArrayConversionError:
        raise LossError(
            "the loss must be computed by JAX, which differentiates it",
            "it computes in NumPy",
            "import jax.numpy as jnp, and jnp for np in the loss",
        ) from None
    found = getattr(value, "dtype", None)
    if found not in ("float32", "float64") or value.shape != ():
        given = type(value).__name__ if found is None else f"{found}{[*value.shape]}"
        raise LossError(
            "the loss must be a number, float32[] or float64[]",
            given,
            "the mean over the batch, such as jnp.mean(losses)",
        )


def draw(architecture: Architecture, batch_size: int, seed: int) -> tuple[list, tuple]:
    """Parameters and a batch, float32 numbers in float64, at which mistakes can be told apart.

    Weights ~ N(0, 1/inputs), biases of size 0.1 to 1, images U(−1, 1), labels of which two are
    alike at least, targets U(−1, 1).
    """
    random = np.random.default_rng(seed)
    params: list[dict[str, np.ndarray]] = [{} for _ in architecture.layer_sizes]
    for leaves, shapes in zip(params, architecture.leaf_shapes(), strict=True):
        if "weight" in shapes:
            inputs = shapes["weight"][1]
            leaves["weight"] = random.normal(0, inputs**-0.5, shapes["weight"])
        if "bias" in shapes:
            signs = random.choice([-1.0, 1.0], shapes["bias"])
            leaves["bias"] = signs * random.uniform(0.1, 1, shapes["bias"])
    images = random.uniform(-1, 1, (batch_size, architecture.layer_sizes[0]))
    if architecture.loss == "cross_entropy":
        labels = random.integers(0, architecture.layer_sizes[-1], batch_size)
        labels[-1] = labels[0]
    else:
        labels = (
            random.uniform(-1, 1, (batch_size, architecture.layer_sizes[-1]))
            .astype(np.float32)
            .astype(float)
        )
    params, images = jax.tree.map(
        lambda leaf: leaf.astype(np.float32).astype(np.float64), (params, images)
    )
    return params, (images, labels)
