"""Training of a small network with both gradients: one activation, loss and precision at a time."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.common import intervals
from experiments.compare.gradient_error import BOTH
from experiments.compare.trajectories import relative_distance
from manual_grads import Architecture, targets
from manual_grads.derivatives import compare, gradient_bound
from mnist_jax import model
from mnist_jax.data import Dataset
from mnist_jax.training import MODES, Purpose, epoch_batches, key_for

HIDDEN, BATCH, LEARNING_RATE = 32, 64, 0.05
SMALL = Architecture(layer_sizes=(784, HIDDEN, 10), label_smoothing=0.0)


def row(loss: str, activation: str, precision: str, steps: int, dataset: Dataset) -> dict[str, Any]:
    """The results of gradient descent with each gradient, on the same parameters and batches.

    `of_bound_first` and `of_bound_last` are the largest |M − G| / 2B over all entries on the first
    batch, at the initial parameters and at the final ones of the autodiff run.
    """
    architecture = replace(SMALL, activation=activation, loss=loss)
    examples, order_key = len(dataset.train.labels), key_for(0, Purpose.ORDER)
    order = epoch_batches(order_key, jnp.int32(1), examples, BATCH)[: min(steps, examples // BATCH)]
    with jax.enable_x64(precision == "float64"):
        params = model.init(key_for(0, Purpose.INIT), architecture, dtype=precision)
        images, labels = (jnp.asarray(part) for part in dataset.train)
        train = jax.jit(partial(_train, architecture, precision))
        ends = train(params, images, labels, order)
        look = jax.jit(partial(_of_bound, architecture, precision))
        first = (images[order[0]], labels[order[0]])
        accuracy = {name: _accuracy(architecture, end, dataset) for name, end in ends.items()}
        return {
            "activation": activation,
            "loss": loss,
            "precision": precision,
            "of_bound_first": intervals.finite(look(params, *first)),
            "of_bound_last": intervals.finite(look(ends["autodiff"], *first)),
            "steps": len(order),
            "distance": relative_distance(ends["autodiff"], ends["manual"]),
            "test_accuracy": accuracy,
        }


def _train(architecture: Architecture, precision: str, params, images, labels, order):
    """The final parameters of gradient descent with each gradient."""

    def descend(value_and_grad):
        def step(params, batch):
            inputs = model.network_inputs(images[batch], precision)
            truth = targets(architecture, labels[batch], precision)
            _, gradient = value_and_grad(params, inputs, truth)
            return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, params, gradient), None

        return lax.scan(step, params, order)[0]

    return {name: descend(MODES[name](architecture).value_and_grad) for name in BOTH}


def _of_bound(architecture: Architecture, precision: str, params, images, labels):
    inputs = model.network_inputs(images, precision)
    truth = targets(architecture, labels, precision)
    handwritten, reference = (
        MODES[name](architecture).value_and_grad(params, inputs, truth)[1]
        for name in ("manual", "autodiff")
    )
    bound = gradient_bound(architecture, params, inputs, truth, precision=precision)
    worst = compare(handwritten, reference, bound).of_bound
    return jnp.max(jnp.stack(jax.tree.leaves(worst)))


def _accuracy(architecture: Architecture, params, dataset: Dataset) -> float:
    images = jnp.asarray(dataset.test.images)
    inputs = model.network_inputs(images, params[1]["weight"].dtype)
    outputs = model.forward(architecture, params, inputs)
    return float(np.mean(np.argmax(np.asarray(outputs), axis=-1) == dataset.test.labels))
