"""The first task of the document's author: a 1-5-1 network fits a function by gradient descent.

Each step uses 1,000 points in (0, 2) and the learning rate 0.1. Initial weights and biases are from
U(−1, 1). All layers apply the activation. The cost is the mean of (y − output)². All seeds are
trained in one computation. The initial weights depend on the seed, but not on the variant.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Key

from experiments.biases.variants import VARIANTS, Variant, architecture_of, seen, value_and_grad
from experiments.common import intervals
from manual_grads import Architecture, derivatives
from manual_grads.derivatives import Params

POINTS = 1000
LEARNING_RATE = 0.1
HIDDEN = 5
TASK_ACTIVATIONS = ("leaky_relu", "sigmoid")
SHARE_LEFT = 0.1
"""A seed reaches the target if its final cost is ≤ this fraction of the function's variance."""

DIVERGED = 1.0
"""A seed diverges if its final cost is not finite or above this; a constant output 0 costs less."""

TARGETS: dict[str, Callable[[Any], Any]] = {
    "line": lambda x: x / 2,
    "step": lambda x: 1 / (1 + jnp.exp(-10 * (x - 1))),
    "sine": lambda x: (1 + jnp.sin(jnp.pi * x)) / 2,
}
"""The functions to learn, all between 0 and 1: x/2, σ(10(x − 1)) and (1 + sin πx)/2."""

Points = Float[Array, "points 1"]


def points(number: int = POINTS) -> Points:
    """Evenly spaced inputs between 0 and 2, without 0 and 2 themselves."""
    return 2 * (jnp.arange(number, dtype="float32")[:, None] + 0.5) / number


def task_architecture(activation: str) -> Architecture:
    """The 1-5-1 network, with the activation and a bias in every layer."""
    return Architecture(
        layer_sizes=(1, HIDDEN, 1),
        activation=activation,
        negative_slope=0.1,
        loss="squared_error",
        label_smoothing=0.0,
        input_layer="active",
        biases=("input", "hidden", "output"),
    )


def initial(key: Key[Array, ""], biased: bool) -> Params:
    """Initial parameters from U(−1, 1). The weights do not depend on `biased`."""

    def uniform(number, *shape):
        return jax.random.uniform(jax.random.fold_in(key, number), shape, minval=-1, maxval=1)

    weights = [{}, {"weight": uniform(0, HIDDEN, 1)}, {"weight": uniform(1, 1, HIDDEN)}]
    biases = [{"bias": uniform(2, 1)}, {"bias": uniform(3, HIDDEN)}, {"bias": uniform(4, 1)}]
    return [weights[layer] | biases[layer] for layer in range(3)] if biased else weights


def train(
    activation: str, target: str, variant: Variant, seeds: int, steps: int
) -> tuple[Float[np.ndarray, "_ seeds"], Float[np.ndarray, "seeds _"]]:
    """The cost of each seed before every step and after the last step, and its final outputs."""
    architecture = architecture_of(task_architecture(activation), variant)
    x = points()
    y = TARGETS[target](x)

    def cost_and_gradient(params):
        return value_and_grad(architecture, variant, params, x, y)

    def step(params, _):
        cost, gradient = jax.vmap(cost_and_gradient)(params)
        return jax.tree.map(lambda p, g: p - LEARNING_RATE * g, params, gradient), cost

    @jax.jit
    def descend(keys):
        params = jax.vmap(partial(initial, biased=variant.biased))(keys)
        params, costs = lax.scan(step, params, length=steps)
        last, _ = jax.vmap(cost_and_gradient)(params)
        units = jax.vmap(lambda p: derivatives.forward(architecture, seen(variant, p), x.T))(params)
        return jnp.concatenate([costs, last[None]]), units.a[-1][:, 0]

    costs, outputs = descend(jax.random.split(jax.random.key(0), seeds))
    return np.asarray(costs, np.float64), np.asarray(outputs)


def marks(steps: int) -> list[int]:
    """The steps at which costs are reported: 0, steps that grow by about 17 %, and the last."""
    rising = np.unique(np.round(1.17 ** np.arange(200)).astype(int))
    return [0, *(int(step) for step in rising if step < steps), steps]


def row(target: str, activation: str, name: str, seeds: int, steps: int) -> dict[str, Any]:
    """The results of one variant: its costs, and how many seeds diverged or reached the target.

    A cost that is not finite counts as ∞, and is reported as `None`.
    """
    costs, outputs = train(activation, target, VARIANTS[name], seeds, steps)
    costs = np.where(np.isfinite(costs), costs, np.inf)
    final = costs[-1]
    target_cost = float(np.var(np.asarray(TARGETS[target](points())))) * SHARE_LEFT
    median_seed = int(np.argsort(final)[(seeds - 1) // 2])
    at = marks(steps)
    return {
        "activation": activation,
        "target": target,
        "variant": name,
        "final_cost": intervals.median(final),
        "final_range": [intervals.quantile(final, q) for q in (0.1, 0.9)],
        "diverged": intervals.share(int(np.sum(final > DIVERGED)), seeds),
        "target_cost": target_cost,
        "reached": intervals.share(int(np.sum(final <= target_cost)), seeds),
        "steps": at,
        **{
            part: [intervals.quantile(costs[step], q) for step in at]
            for part, q in (("low", 0.1), ("median", 0.5), ("high", 0.9))
        },
        "outputs_of_median_seed": [
            intervals.finite(value) for value in outputs[median_seed, :: POINTS // 100]
        ],
    }
