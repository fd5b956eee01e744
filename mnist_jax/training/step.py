"""One step of training and the evaluation, as pure functions; nothing is compiled here."""

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
    """What each step saw: the batch's mean loss, how many of its examples the network had right
    before the step, and what the gradient's mode inspected.
    """

    losses: Float[Array, "*steps"]
    correct: Int32[Array, "*steps"]
    inspected: Inspected


def epoch_batches(
    key: Key[Array, ""], epoch: Int32[Array, ""], examples: int, batch_size: int
) -> list[Batches]:
    """An epoch's order of the examples, cut into batches: the whole ones, then what is left.

    Returns `[steps, batch_size]` and `[1, rest]`, without the one that has no examples.
    """
    order = jax.random.permutation(jax.random.fold_in(key, epoch), examples)
    whole = examples - examples % batch_size
    parts = [order[:whole].reshape(-1, batch_size), order[whole:].reshape(1, -1)]
    return [part for part in parts if part.size > 0]


def epoch_blocks(
    key: Key[Array, ""], epoch: Int32[Array, ""], examples: int, batch_size: int, block_steps: int
) -> list[Batches]:
    """The batches of an epoch, in blocks of at most `block_steps`."""
    return [
        batches[at : at + block_steps]
        for batches in epoch_batches(key, epoch, examples, batch_size)
        for at in range(0, len(batches), block_steps)
    ]


def make_block(
    config: Config, optimizer: optax.GradientTransformation
) -> Callable[[TrainState, Images, Labels, Batches], tuple[TrainState, Steps]]:
    """A function that takes one step a batch, and returns the state and what each step saw."""
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
    """What the mode inspects in float64, from the float32 numbers that the step uses.

    Is to be called under `jax.enable_x64(True)`.
    """
    inspect = mode(config).inspect_in_float64
    return inspect and inspect(params, *_inputs(config.architecture, images, labels, batch))


def _inputs(architecture: Architecture, images, labels, batch):
    """The images of a batch as the network takes them, and their targets."""
    truth = targets(architecture, labels[batch], DTYPE)
    return model.network_inputs(images[batch], DTYPE), truth


def correct(
    outputs: Float[Array, "batch outputs"], labels: UInt8[Array, " batch"]
) -> Int32[Array, ""]:
    """How many examples have their largest output at their label."""
    return jnp.sum(jnp.argmax(outputs, axis=-1) == labels.astype(jnp.int32))


def evaluate(
    architecture: Architecture, params: model.Params, images: Images, labels: Labels
) -> tuple[Float[Array, ""], Int32[Array, ""], Float[Array, "examples outputs"]]:
    """The loss that is trained on, the count of right answers, and the outputs, on all examples."""
    outputs = model.forward(architecture, params, model.network_inputs(images, DTYPE))
    losses = model.LOSSES[architecture.loss](outputs, targets(architecture, labels, DTYPE))
    return jnp.mean(losses), correct(outputs, labels), outputs
