"""The loss, the random parameters and the random batch on which a network is checked."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.cli import InputError
from manual_grads.derivatives import LOSS_RULES, InputsError, check_inputs, forward
from manual_grads.targets import targets


@lru_cache(maxsize=8)
def network_loss(architecture: Architecture) -> Callable[..., Any]:
    """The function `(params, images, labels)` that computes the mean loss of a batch of rows."""

    def loss(params, images, labels):
        y = targets_of(architecture, labels).T
        outputs = forward(architecture, params, images.T).a[-1]
        return jnp.mean(LOSS_RULES[architecture.loss].cost(outputs, y))

    return loss


def targets_of(architecture: Architecture, labels):
    """The targets of the labels, if these are integer classes; rows of targets are returned."""
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
            "the loss must be computed by JAX, so that it can be differentiated",
            "a loss that is computed in NumPy",
            "import jax.numpy as jnp, and jnp instead of np in the loss",
        ) from None
    found = getattr(value, "dtype", None)
    if found not in ("float32", "float64") or value.shape != ():
        given = type(value).__name__ if found is None else f"{found}{[*value.shape]}"
        raise LossError(
            "the loss must be a scalar, float32[] or float64[]",
            given,
            "the mean over the batch, such as jnp.mean(losses)",
        )


def require_batch(network: Architecture | None, params: Any, batch: tuple) -> None:
    """Raises `InputsError` unless each array of the batch has one example in each row."""
    rows = {np.shape(array)[:1] for array in batch}
    if len(rows) != 1 or rows <= {(), (0,)}:
        raise InputsError(
            "batch must be a tuple of arrays that all have one example in each row",
            f"arrays of the shapes {', '.join(str(np.shape(array)) for array in batch) or 'none'}",
            "array[None] for a single example",
        )
    if network is not None:
        images, labels = batch
        check_inputs(network, params, images, targets_of(network, jnp.asarray(labels)))


def draw(architecture: Architecture, batch_size: int, seed: int) -> tuple[list, tuple]:
    """Random parameters and a random batch, such that mistakes have different effects.

    Weights ~ N(0, 1/inputs), biases ~ ±U(0.1, 1), images and targets ~ U(−1, 1). At least two
    labels are equal. The values are float64, rounded to float32.
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
