"""The author's first task: 1-5-1, the whole of 1,000 points of (0, 2) at each step, rate 0.1.

Weights and biases are drawn from U(−1, 1); every layer has the activation, and C = (y − a²)² is
averaged over the points. Many seeds are trained at once, the same initial weights in each variant.
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
"""The stated target: a cost of at most this share of the best constant's, 90 % explained."""

DIVERGED = 1.0
"""A cost above it, or not finite, at the end; the answer 0 costs less than this everywhere."""

TARGETS: dict[str, Callable[[Any], Any]] = {
    "line": lambda x: x / 2,
    "step": lambda x: 1 / (1 + jnp.exp(-10 * (x - 1))),
    "sine": lambda x: (1 + jnp.sin(jnp.pi * x)) / 2,
}
"""x/2, σ(10(x − 1)) and (1 + sin πx)/2, all between 0 and 1."""

Points = Float[Array, "points 1"]


def points(number: int = POINTS) -> Points:
    """The inputs, evenly between 0 and 2, without the ends."""
    return 2 * (jnp.arange(number, dtype="float32")[:, None] + 0.5) / number


def task_architecture(activation: str) -> Architecture:
    """1-5-1, every layer active."""
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
    """All from U(−1, 1); the weights are the same whether there are biases or not."""

    def uniform(number, *shape):
        return jax.random.uniform(jax.random.fold_in(key, number), shape, minval=-1, maxval=1)

    weights = [None, uniform(0, HIDDEN, 1), uniform(1, 1, HIDDEN)]
    biases = [uniform(2, 1), uniform(3, HIDDEN), uniform(4, 1)]
    return [
        ({} if weight is None else {"weight": weight}) | ({"bias": bias} if biased else {})
        for weight, bias in zip(weights, biases, strict=True)
    ]


def train(
    activation: str, target: str, variant: Variant, seeds: int, steps: int
) -> tuple[Float[np.ndarray, "_ seeds"], Float[np.ndarray, "seeds _"]]:
    """The cost of each seed before each step and at the end, and its function in the end."""
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
    """The steps before which the cost is told: 0, then rising by a sixth each time, and the end."""
    rising = np.unique(np.round(1.17 ** np.arange(200)).astype(int))
    return [0, *(int(step) for step in rising if step < steps), steps]


def row(activation: str, target: str, name: str, seeds: int, steps: int) -> dict[str, Any]:
    """What came of a variant: costs over steps, final costs, how many diverged or got there.

    Costs that are not finite count as the largest, and are `None`.
    """
    costs, outputs = train(activation, target, VARIANTS[name], seeds, steps)
    costs = np.where(np.isfinite(costs), costs, np.inf)
    final = costs[-1]
    there = float(np.var(np.asarray(TARGETS[target](points())))) * SHARE_LEFT
    median_seed = int(np.argsort(final)[(seeds - 1) // 2])
    at = marks(steps)
    return {
        "activation": activation,
        "target": target,
        "variant": name,
        "final_cost": intervals.median(final),
        "final_range": [intervals.quantile(final, q) for q in (0.1, 0.9)],
        "final_costs": [intervals.finite(cost) for cost in final],
        "diverged": intervals.share(int(np.sum(final > DIVERGED)), seeds),
        "target_cost": there,
        "reached": intervals.share(int(np.sum(final <= there)), seeds),
        "steps": at,
        **{
            part: [intervals.quantile(costs[step], q) for step in at]
            for part, q in (("low", 0.1), ("median", 0.5), ("high", 0.9))
        },
        "outputs_of_median_seed": [
            intervals.finite(value) for value in outputs[median_seed, :: POINTS // 100]
        ],
    }
