"""Trains a small network with both gradients, for one activation and one loss."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from experiments.common import intervals
from experiments.compare.gradient_error import BOTH
from experiments.compare.trajectories import parameters_after, relative_distance
from manual_grads import Architecture, targets
from manual_grads.derivatives import compare, gradient_bound
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.model import network_inputs
from mnist_jax.training import DTYPE, MODES, evaluate, start

SMALL = Config(
    architecture=Architecture(layer_sizes=(784, 32, 10), label_smoothing=0.0),
    optimizer="sgd", schedule="constant", learning_rate=0.05, weight_decay=0.0,
    warmup_epochs=0.0, batch_size=64,
)  # fmt: skip


def row(loss: str, activation: str, steps: int, dataset: Dataset) -> dict[str, Any]:
    """The results of gradient descent with each gradient, on the same parameters and batches.

    `of_bound_first` and `of_bound_last` are the largest |manual − autodiff| / 2B of all entries on
    the first batch, at the initial parameters and at the final parameters of the autodiff run. B is
    the bound on an entry's rounding error.
    """
    architecture = replace(SMALL.architecture, activation=activation, loss=loss)
    config = replace(SMALL, architecture=architecture)
    begun, test = start(config, dataset), jax.tree.map(jnp.asarray, dataset.test)
    first, batch = begun.state.params, begun.batches(1)[0][0]
    images, labels = (jnp.asarray(part)[batch] for part in dataset.train)
    look, score = (
        jax.jit(partial(_of_bound, architecture)),
        jax.jit(partial(evaluate, architecture)),
    )
    ends = {
        name: next(parameters_after(replace(config, gradient=name), dataset, [steps]))
        for name in BOTH
    }
    return {
        "activation": activation,
        "loss": loss,
        "of_bound_first": intervals.finite(look(first, images, labels)),
        "of_bound_last": intervals.finite(look(ends["autodiff"], images, labels)),
        "steps": steps,
        "distance": relative_distance(ends["autodiff"], ends["manual"]),
        "test_accuracy": {
            name: int(score(end, *test)[1]) / len(dataset.test.labels) for name, end in ends.items()
        },
    }


def _of_bound(architecture: Architecture, params, images, labels):
    inputs, truth = network_inputs(images, DTYPE), targets(architecture, labels, DTYPE)
    handwritten, reference = (
        MODES[name](architecture).value_and_grad(params, inputs, truth)[1]
        for name in ("manual", "autodiff")
    )
    bound = gradient_bound(architecture, params, inputs, truth, precision=DTYPE)
    worst = compare(handwritten, reference, bound).of_bound
    return jnp.max(jnp.stack(jax.tree.leaves(worst)))
