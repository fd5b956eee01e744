"""What is compiled: a block of training steps, and the evaluation."""

import enum
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, Int32, Key, UInt8

from manual_grads import Architecture
from mnist_jax import gradients, network
from mnist_jax.config import Config
from mnist_jax.loss import LOSSES, network_inputs, targets
from mnist_jax.network import Params

DTYPE = "float32"
"""Of parameters, images, gradients and products."""

Images = UInt8[Array, "examples height width"]
Labels = UInt8[Array, " examples"]
Batches = Int32[Array, "steps batch"]


class TrainState(NamedTuple):
    """What a step changes."""

    params: Params
    optimizer: optax.OptState


class Steps(NamedTuple):
    """What each step saw: the batch's mean loss, how many of its examples the network had right
    before the step, and under `--gradient=checked` how far the two gradients disagreed.
    """

    losses: Float[Array, "*steps"]
    correct: Int32[Array, "*steps"]
    disagreement: gradients.Disagreement | None


class Purpose(enum.IntEnum):
    """What a random draw is for; the numbers stand in every run's bits, so they never change."""

    INIT = 0
    ORDER = 1


def key_for(seed: int, purpose: Purpose) -> Key[Array, ""]:
    """The key of a purpose, from which an epoch or a layer folds its own."""
    return jax.random.fold_in(jax.random.key(seed), purpose)


def init_state(config: Config, optimizer: optax.GradientTransformation) -> TrainState:
    """Initial parameters, and the optimiser's state for them."""
    key = key_for(config.seed, Purpose.INIT)
    params = network.init(key, config.architecture, config.init, config.init_scale, DTYPE)
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam mixes float and int32
        return TrainState(params, optimizer.init(params))


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


def make_block(
    config: Config, optimizer: optax.GradientTransformation
) -> Callable[[TrainState, Images, Labels, Batches], tuple[TrainState, Steps]]:
    """A function that takes one step a batch, and returns the state and what each step saw."""
    architecture = config.architecture
    value_and_grad = gradients.value_and_grad(config)
    checked = config.gradient == "checked"

    def block(state, images, labels, batches):
        def step(state, batch):
            inputs = network_inputs(images[batch], DTYPE)
            truth = labels[batch]
            arguments = (state.params, inputs, targets(architecture, truth, DTYPE))
            loss, gradient = value_and_grad(*arguments)
            disagreement = (
                gradients.disagreement(architecture, *arguments, gradient) if checked else None
            )
            outputs = gradients.outputs(config, state.params, inputs)
            with jax.numpy_dtype_promotion("standard"):
                updates, moments = optimizer.update(gradient, state.optimizer, state.params)
            params = jax.tree.map(jnp.add, state.params, updates)
            seen = Steps(loss, correct(outputs, truth), disagreement)
            return TrainState(params, moments), seen

        return lax.scan(step, state, batches)

    return block


def correct(
    outputs: Float[Array, "batch outputs"], labels: UInt8[Array, " batch"]
) -> Int32[Array, ""]:
    """How many examples have their largest output at their label."""
    return jnp.sum(jnp.argmax(outputs, axis=-1) == labels.astype(jnp.int32))


def first_step_in_float64(
    architecture: Architecture,
    params: Params,
    images: Images,
    labels: Labels,
    batch: Int32[Array, " batch"],
) -> gradients.Disagreement:
    """How far the two gradients of a step disagree if all is computed in float64.

    From the very float32 parameters, inputs and targets that the step uses. Is to be called under
    `jax.enable_x64(True)`.
    """
    inputs = network_inputs(images[batch], DTYPE)
    truth = targets(architecture, labels[batch], DTYPE)
    return gradients.disagreement_in_float64(architecture, params, inputs, truth)


def evaluate(
    architecture: Architecture, params: Params, images: Images, labels: Labels
) -> tuple[Float[Array, ""], Int32[Array, ""], Float[Array, "examples outputs"]]:
    """The loss that is trained on, the count of right answers, and the outputs, on all examples."""
    outputs = network.forward(architecture, params, network_inputs(images, DTYPE))
    losses = LOSSES[architecture.loss](outputs, targets(architecture, labels, DTYPE))
    return jnp.mean(losses), correct(outputs, labels), outputs
