"""Trains the author's later network on MNIST with one of the `variants`, from many seeds.

The document's author wrote this network after the 1-5-1 network of `first_task`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Int32

from experiments.biases.variants import VARIANTS, Variant, architecture_of, seen, value_and_grad
from experiments.common import intervals
from manual_grads import targets
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.model import network_inputs
from mnist_jax.training import (
    DTYPE,
    Purpose,
    TrainState,
    epoch_batches,
    evaluate,
    example_weights,
    init_state,
    key_for,
    start,
)


def row(config: Config, dataset: Dataset, name: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The results of one variant: statistics of the final test accuracies, and the diverged seeds.

    A seed has diverged if its final test loss is not finite.
    """
    *_, (accuracies, losses) = train(config, dataset, VARIANTS[name], seeds)
    return {
        "variant": name,
        "test_accuracy": intervals.mean(accuracies),
        "best_seed": intervals.finite(accuracies.max()),
        "diverged": intervals.share(int(np.sum(~np.isfinite(losses))), len(seeds)),
    }


def train(
    config: Config, dataset: Dataset, variant: Variant, seeds: Sequence[int]
) -> Iterator[tuple[Float[np.ndarray, " seeds"], Float[np.ndarray, " seeds"]]]:
    """After each epoch, yields the test accuracies and the test losses of all seeds.

    Only the variant and rounding differ from `mnist_jax.train` with `config` and the same seed.
    """
    config = replace(config, architecture=architecture_of(config.architecture, variant))
    begun = start(config, dataset)
    states = jax.tree.map(
        lambda *leaves: jnp.stack(leaves),
        *(init_state(config, begun.optimizer, seed) for seed in seeds),
    )
    keys = jnp.stack([key_for(seed, Purpose.ORDER) for seed in seeds])
    test = jax.tree.map(jnp.asarray, dataset.test)
    train_epoch, test_all = _compiled(config, begun.optimizer, variant)
    for epoch in range(1, config.epochs + 1):
        states = train_epoch(states, keys, jnp.int32(epoch), *begun.train)
        losses, correct = test_all(states.params, *test)
        yield np.asarray(correct) / len(dataset.test.labels), np.asarray(losses)


def _compiled(
    config: Config, update: optax.GradientTransformation, variant: Variant
) -> tuple[Callable[..., TrainState], Callable[..., tuple[Array, Array]]]:
    """Two compiled functions: one trains all seeds for an epoch, and the other evaluates them."""
    architecture = config.architecture

    def epoch(state, key, number: Int32[Array, ""], images, labels):
        def step(state, batch):
            inputs = network_inputs(images[batch], DTYPE)
            truth = targets(architecture, labels[batch], DTYPE)
            weights = example_weights(batch)
            _, gradient = value_and_grad(
                architecture, variant, state.params, inputs, truth, weights
            )
            with jax.numpy_dtype_promotion("standard"):
                updates, moments = update.update(gradient, state.optimizer, state.params)
            return TrainState(jax.tree.map(jnp.add, state.params, updates), moments), None

        batches = epoch_batches(key, number, len(labels), config.batch_size)
        return lax.scan(step, state, batches)[0]

    def test(params, images, labels):
        loss, correct, _ = evaluate(architecture, seen(variant, params), images, labels)
        return loss, correct

    epochs = jax.vmap(epoch, in_axes=(0, 0, None, None, None))
    tests = jax.vmap(test, in_axes=(0, None, None))
    return jax.jit(epochs, donate_argnums=0), jax.jit(tests)
