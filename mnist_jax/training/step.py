"""A training step and the evaluation, as pure functions that `compiled` compiles."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int32, Key, UInt8

from manual_grads import Architecture, targets
from mnist_jax import model
from mnist_jax.config import Config
from mnist_jax.training.devices import on_parts, summed_over_parts
from mnist_jax.training.gradients import Inspected, Mode, mode
from mnist_jax.training.state import DTYPE, TrainState

Images = UInt8[Array, "examples height width"]
Labels = UInt8[Array, " examples"]
Batches = Int32[Array, "steps batch"]
EVALUATED = 1000
PADDING = -1
"""Marks an empty place in a batch. As an index, it selects the last example, with weight 0."""


class Steps(NamedTuple):
    """Each step's loss and correct answers before the update, and the result of `Mode.inspect`."""

    losses: Float[Array, "*steps"]
    correct: Int32[Array, "*steps"]
    inspected: Inspected


def epoch_batches(
    key: Key[Array, ""], epoch: Int32[Array, ""], examples: int, batch_size: int
) -> Batches:
    """Shuffles the indices of the examples for an epoch and divides them into batches.

    A shorter last batch is filled with `PADDING`, so that one compiled function fits all batches.
    """
    batch_size = min(batch_size, examples)
    order = jax.random.permutation(jax.random.fold_in(key, epoch), examples)
    missing = -examples % batch_size
    return jnp.pad(order, (0, missing), constant_values=PADDING).reshape(-1, batch_size)


def example_weights(batch: Int32[Array, " batch"]) -> Float[Array, " batch"]:
    """The weight of each example in the mean over its batch: 1/N for N examples, 0 for padding."""
    return jnp.where(batch == PADDING, 0, 1 / jnp.sum(batch != PADDING, dtype=DTYPE))


def make_block(
    config: Config,
    optimizer: optax.GradientTransformation,
    gradient_mode: Mode | None = None,
    mesh: Mesh | None = None,
) -> Callable[[TrainState, Images, Labels, Batches], tuple[TrainState, Steps]]:
    """A function that takes one step for each batch, and returns the new state and the `Steps`.

    `gradient_mode` defaults to the mode of `--gradient`. With a mesh, each device computes the
    gradient of its part of the batch.
    """
    gradient_mode = gradient_mode or mode(config)

    def on_part(params, inputs, truth, weights, answers, counted):
        loss, gradient = gradient_mode.value_and_grad(params, inputs, truth, weights)
        return loss, gradient, correct(gradient_mode.outputs(params, inputs), answers, counted)

    several = mesh if mesh and mesh.size > 1 else None
    on_batch = summed_over_parts(on_part, several) if several else on_part

    def block(state, images, labels, batches):
        def step(state, batch_and_weights):
            batch, weights = batch_and_weights
            weights = example_weights(batch) if weights is None else weights
            inputs, truth = _inputs(config.architecture, images, labels, batch)
            loss, gradient, right = on_batch(
                state.params, inputs, truth, weights, labels[batch], batch != PADDING
            )
            inspected = gradient_mode.inspect(state.params, inputs, truth, weights, gradient)
            with jax.numpy_dtype_promotion("standard"):
                updates, moments = optimizer.update(gradient, state.optimizer, state.params)
            params = jax.tree.map(jnp.add, state.params, updates)
            return TrainState(params, moments), Steps(loss, right, inspected)

        # outside the scan, so that the devices exchange one message for all steps, not one for each
        weights = jax.vmap(example_weights)(batches) if several else None
        return lax.scan(step, state, (batches, weights))

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
    inputs = _inputs(config.architecture, images, labels, batch)
    return inspect and inspect(params, *inputs, example_weights(batch))


def _inputs(architecture: Architecture, images, labels, batch):
    """The network inputs and the targets of a batch."""
    truth = targets(architecture, labels[batch], DTYPE)
    return model.network_inputs(images[batch], DTYPE), truth


def correct(
    outputs: Float[Array, "batch outputs"],
    labels: UInt8[Array, " batch"],
    counted: Bool[Array, " batch"] | bool = True,
) -> Int32[Array, ""]:
    """The number of `counted` examples for which the output of the label is the largest."""
    return jnp.sum((jnp.argmax(outputs, axis=-1) == labels.astype(jnp.int32)) & counted)


def evaluate(
    architecture: Architecture,
    params: model.Params,
    images: Images,
    labels: Labels,
    mesh: Mesh | None = None,
) -> tuple[Float[Array, ""], Int32[Array, ""], Float[Array, "examples outputs"]]:
    """The mean loss, the number of correct answers, and the outputs, on all examples.

    The outputs are computed for `EVALUATED` examples at a time, which takes much less memory. With
    a mesh, each device computes the outputs for its part of the examples.
    """

    def outputs_of(params, images):
        def output(image):
            return model.forward(architecture, params, model.network_inputs(image[None], DTYPE))[0]

        return lax.map(output, images, batch_size=EVALUATED)

    outputs = (on_parts(outputs_of, mesh) if mesh else outputs_of)(params, images)
    losses = model.LOSSES[architecture.loss](outputs, targets(architecture, labels, DTYPE))
    return jnp.mean(losses), correct(outputs, labels), outputs
