"""The optimiser and its learning rate, composed of optax transformations."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32

from mnist_jax.config import Config

# Each entry converts a gradient into a direction, to which `optimizer` adds the weight decay.
DIRECTIONS = {
    "sgd": lambda config: optax.identity(),
    "momentum": lambda config: optax.trace(decay=config.momentum),
    "adam": lambda config: optax.scale_by_adam(config.b1, config.b2),
    "adamw": lambda config: optax.scale_by_adam(config.b1, config.b2),
}


def schedule(config: Config, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate at each step, counted from 0.

    During a warm-up of w steps, the rate is peak·(step + 1)/(w + 1). After the warm-up, it stays at
    the peak, or it falls to 0 at the end of the last epoch, linearly or as half a cosine.
    """
    peak, steps = config.learning_rate, config.epochs * steps_per_epoch
    warmup = round(config.warmup_epochs * steps_per_epoch)
    after = {
        "constant": optax.constant_schedule(peak),
        "cosine": optax.cosine_decay_schedule(peak, max(steps - warmup, 1)),
        "linear": optax.linear_schedule(peak, 0.0, max(steps - warmup, 1)),
    }[config.schedule]
    if warmup == 0:
        return after
    return optax.join_schedules(
        [optax.linear_schedule(peak / (warmup + 1), peak, warmup), after], [warmup]
    )


def learning_rates(
    config: Config, steps_per_epoch: int, steps: Int32[Array, " n"]
) -> Float[Array, " n"]:
    """The schedule's learning rate at each of `steps`."""
    with jax.numpy_dtype_promotion("standard"):  # optax mixes float and int32
        return jnp.broadcast_to(schedule(config, steps_per_epoch)(steps), steps.shape)


def optimizer(config: Config, steps_per_epoch: int) -> optax.GradientTransformation:
    """The update `θ ← θ − rate · (direction + decay · θ)` of weights. Biases have no decay.

    The decay is decoupled (Loshchilov and Hutter 2019): it does not enter the gradient's moments.
    """

    def is_weight(params):
        return jax.tree.map_with_path(lambda path, _: path[-1].key == "weight", params)

    return optax.chain(
        DIRECTIONS[config.optimizer](config),
        optax.add_decayed_weights(config.weight_decay, mask=is_weight),
        optax.scale_by_learning_rate(schedule(config, steps_per_epoch)),
    )
