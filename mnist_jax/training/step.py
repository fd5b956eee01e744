"""A training step and the evaluation, as pure functions that `compiled` compiles."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, Int32, Key, UInt8

from manual_grads import Architecture, targets
from mnist_jax import model
from mnist_jax.config import Config
from mnist_jax.training.gradients import Inspected, mode
from mnist_jax.training.state import DTYPE, TrainState

Images = UInt8[Array, "examples height width"]
Labels = UInt8[Array, " examples"]
Batches = Int32[Array, "steps batch"]


class Steps(NamedTuple):
    """Of each step: mean loss and correct answers before the update, and the inspected gradient."""

    losses: Float[Array, "*steps"]
    correct: Int32[Array, "*steps"]
    inspected: Inspected


def epoch_batches(
    key: Key[Array, ""], epoch: Int32[Array, ""], examples: int, batch_size: int
) -> list[Batches]:
    """Shuffles the indices of the examples for an epoch and divides them into batches.

    Returns the full batches `[steps, batch_size]` and the rest `[1, rest]`, unless empty.
    """
    order = jax.random.permutation(jax.random.fold_in(key, epoch), examples)
    whole = examples - examples % batch_size
    parts = [order[:whole].reshape(-1, batch_size), order[whole:].reshape(1, -1)]
    return [part for part in parts if part.size > 0]


def epoch_blocks(
    key: Key[Array, ""], epoch: Int32[Array, ""], examples: int, batch_size: int, block_steps: int
) -> list[Batches]:
    """The batches of an epoch, divided into blocks of at most `block_steps` batches."""
    return [
        batches[at : at + block_steps]
        for batches in epoch_batches(key, epoch, examples, batch_size)
        for at in range(0, len(batches), block_steps)
    ]


def make_block(
    config: Config, optimizer: optax.GradientTransformation
) -> Callable[[TrainState, Images, Labels, Batches], tuple[TrainState, Steps]]:
    """A function that takes one step for each batch, and returns the new state and the `Steps`."""
    gradient_mode = mode(config)

    def block(state, images, labels, batches):
        def step(state, batch):
            inputs, truth = _inputs(config.architecture, images, labels, batch)
            loss, gradient = gradient_mode.value_and_grad(state.params, inputs, truth)
            inspected = gradient_mode.inspect(state.params, inputs, truth, gradient)
            outputs = gradient_mode.outputs(state.params, inputs)
            with jax.numpy_dtype_promotion("standard"):
                updates, moments = optimizer.update(gradient, state.optimizer, state.params)
            params = jax.tree.map(jnp.add, state.params, updates)
            seen = Steps(loss, correct(outputs, labels[batch]), inspected)
            return TrainState(params, moments), seen

        return lax.scan(step, state, batches)

    return block


def inspect_step(
    config: Config,
    params: model.Params,
    images: Images,
    labels: Labels,
    batch: Int32[Array, " batch"],
) -> Inspected:
    """Inspects the gradient in float64 at the float32 values that the training step uses.

    Call it inside `jax.enable_x64(True)`.
    """
    inspect = mode(config).inspect_in_float64
    return inspect and inspect(params, *_inputs(config.architecture, images, labels, batch))


def _inputs(architecture: Architecture, images, labels, batch):
    """The network inputs and the targets of a batch."""
    truth = targets(architecture, labels[batch], DTYPE)
    return model.network_inputs(images[batch], DTYPE), truth


def correct(
    outputs: Float[Array, "batch outputs"], labels: UInt8[Array, " batch"]
) -> Int32[Array, ""]:
    """The number of examples whose largest output is that of their label."""
    return jnp.sum(jnp.argmax(outputs, axis=-1) == labels.astype(jnp.int32))


def evaluate(
    architecture: Architecture, params: model.Params, images: Images, labels: Labels
) -> tuple[Float[Array, ""], Int32[Array, ""], Float[Array, "examples outputs"]]:
    """The mean loss, the number of correct answers, and the outputs, on all examples."""
    outputs = model.forward(architecture, params, model.network_inputs(images, DTYPE))
    losses = model.LOSSES[architecture.loss](outputs, targets(architecture, labels, DTYPE))
    return jnp.mean(losses), correct(outputs, labels), outputs
