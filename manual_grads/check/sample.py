"""Checks of the loss and the batch, and random parameters and batches."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.check.formulas import Problem, problem_of, targets_of
from manual_grads.cli import InputError
from manual_grads.derivatives import InputsError, check_inputs


class LossError(InputError):
    """A loss that JAX cannot differentiate correctly."""


def require_scalar(loss: Callable[..., Any], params: Any, batch: tuple) -> None:
    """Raises `LossError` unless `loss(params, *batch)` is a real scalar computed by JAX."""
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


def require_batch(problem: Problem | None, params: Any, batch: tuple) -> None:
    """Raises `InputsError` unless all arrays fit `problem` and have the same number ≥ 1 of rows."""
    rows = {np.shape(array)[:1] for array in batch}
    if len(rows) != 1 or rows <= {(), (0,)}:
        raise InputsError(
            "batch must be a tuple of arrays that all have one example in each row",
            f"arrays of the shapes {', '.join(str(np.shape(array)) for array in batch) or 'none'}",
            "array[None] for a single example",
        )
    if problem is not None:
        images, labels = batch
        rows = targets_of(problem, jnp.asarray(labels))
        check_inputs(problem.network, params, images, rows)


def draw(
    network: Architecture | Problem,
    batch_size: int,
    seed: int,
    like: Any = None,
    one_hot: bool = False,
) -> tuple[list, tuple]:
    """Random parameters and a random batch, on which different mistakes give different gradients.

    Weights ~ N(0, 1/inputs), biases ~ ±U(0.1, 1), images and targets ~ U(−1, 1). Targets of binary
    cross-entropy are 0 or 1. The first and the last example have the same class. If `like` is
    given, the labels are the rows of `like` in random order. Random values are exact in float32.
    """
    problem = problem_of(network) if isinstance(network, Architecture) else network
    random = np.random.default_rng(seed)
    sizes = problem.network.layer_sizes
    params: list[dict[str, np.ndarray]] = [{} for _ in sizes]
    for leaves, shapes in zip(params, problem.network.leaf_shapes(), strict=True):
        if "weight" in shapes:
            inputs = shapes["weight"][1]
            leaves["weight"] = random.normal(0, inputs**-0.5, shapes["weight"])
        if "bias" in shapes:
            signs = random.choice([-1.0, 1.0], shapes["bias"])
            leaves["bias"] = signs * random.uniform(0.1, 1, shapes["bias"])
    images = random.uniform(-1, 1, (batch_size, sizes[0]))
    if like is not None:
        labels = np.asarray(like)[random.permutation(np.resize(np.arange(len(like)), batch_size))]
    elif problem.loss == "cross_entropy":
        labels = random.integers(0, sizes[-1], batch_size)
        labels[-1] = labels[0]
        labels = np.eye(sizes[-1])[labels] if one_hot else labels
    elif problem.loss == "binary_cross_entropy":
        labels = random.integers(0, 2, (batch_size, sizes[-1])).astype(float)
    else:
        labels = random.uniform(-1, 1, (batch_size, sizes[-1])).astype(np.float32).astype(float)
    params, images = jax.tree.map(
        lambda leaf: leaf.astype(np.float32).astype(np.float64), (params, images)
    )
    return params, (images, labels)
