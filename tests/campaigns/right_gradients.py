"""Checks right gradients of random networks under every loss, reduction and layout.

    python -m tests.campaigns.right_gradients [NETWORKS DRAWS]

Each network has a random loss, output, reduction, regulariser, layout and batch size. Its gradient
is written here in NumPy, without code of the check. For every second network, the loss is passed
as a user's function. Then 10,000 gradients of `mnist_jax`'s losses follow, in float64 and in
float32. Each must agree. The results are written to `tests/campaigns/right_gradients.json`.
"""

import json
import multiprocessing
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy.special import expit, softmax

from experiments.mistakes import handwritten
from experiments.mistakes.gradient import F
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture, check_gradient
from manual_grads.check import (
    Problem,
    draw,
    loss_of,
    network_loss,
    problem_of,
)
from manual_grads.check.layouts import LAYOUTS, REDUCTIONS, in_layout
from tests.campaigns import asked

RESULT = Path(__file__).with_suffix(".json")
LOSSES = ("cross_entropy", "binary_cross_entropy", "squared_error", "half_squared_error")


def error(problem: Problem, outputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The derivative of each example's cost with respect to the outputs. Examples are rows."""
    if problem.loss == "cross_entropy":
        return softmax(outputs, axis=1) - np.eye(outputs.shape[1])[labels]
    if problem.loss == "binary_cross_entropy":
        return expit(outputs) - labels
    return (2 if problem.loss == "squared_error" else 1) * (outputs - labels)


def _taken(layout: str, params: Any, place: int, layer: int, kind: str) -> np.ndarray:
    """One leaf of `params`, which have this layout. A weight is returned as [inputs, outputs]."""
    if layout == "layers":
        leaf = params[layer][kind]
        return leaf.T if kind == "weight" else leaf
    return params[place if layout == "numpy" else f"{'W' if kind == 'weight' else 'b'}{layer}"]


def right_gradient(problem: Problem, layout: str, params: Any, images: Any, labels: Any) -> Any:
    """The gradient for parameters in one of the layouts, in the same layout."""
    network = problem.network
    f, slope = F[network.activation]
    names = [(k, kind) for k, shapes in enumerate(network.leaf_shapes()) for kind in shapes]
    arrays = [_taken(layout, params, place, *name) for place, name in enumerate(names)]
    leaves = dict(zip(names, arrays, strict=True))
    z, a = [], []
    for k in range(network.depth + 1):
        z.append((a[-1] @ leaves[k, "weight"] if k else images) + leaves.get((k, "bias"), 0.0))
        active = network.input_layer == "active" if k == 0 else k < network.depth
        a.append(f(z[-1]) if active or (k and network.loss == "squared_error") else z[-1])
    delta = error(problem, a[-1], labels)
    delta = delta * slope(z[-1]) if network.loss == "squared_error" else delta
    counts = {"mean": len(images), "sum": 1, "mean_over_all": delta.size}
    delta, result = delta / counts[problem.reduction], {}
    for k in reversed(range(network.depth + 1)):
        if (k, "bias") in leaves:
            result[k, "bias"] = delta.sum(axis=0)
        if k > 0:
            weight = leaves[k, "weight"]
            result[k, "weight"] = a[k - 1].T @ delta + problem.l2 * weight
            active = k > 1 or network.input_layer == "active"
            delta = delta @ weight.T * (slope(z[k - 1]) if active else 1.0)
    if layout == "layers":
        turned = {key: value.T if key[1] == "weight" else value for key, value in result.items()}
        return [{kind: turned[j, kind] for j, kind in names if j == k} for k in range(len(z))]
    return [result[name] for name in names]


def random_network(random: np.random.Generator) -> tuple[Architecture, int]:
    """A network of depth 1–4, widths 1–20 and a bias in every layer, and a batch size of 1–9."""
    depth = int(random.integers(1, 5))
    network = Architecture(
        layer_sizes=tuple(int(units) for units in random.integers(1, 21, depth + 1)),
        activation=str(random.choice(ACTIVATION_NAMES)),
        loss=str(random.choice(LOSS_NAMES)),
        input_layer=str(random.choice(["plain", "active"])),
        biases=("input", "hidden", "output") if depth > 1 else ("input", "output"),
        label_smoothing=0.0,
    )
    return network, int(random.integers(1, 10))


def alarms_in(precision: str, draws: int, number: int) -> int:
    """How often the check calls right gradients of network `number` wrong, in this precision."""
    network, batch_size = random_network(np.random.default_rng(number))
    right = handwritten(network, [])

    def gradient(*given):
        return right(*jax.tree.map(lambda x: x.astype(precision) if x.dtype == float else x, given))

    count = 0
    for seed in range(draws):
        params, batch = draw(network, batch_size, seed)
        report = check_gradient(gradient, network_loss(network), params, batch, network=network)
        count += not report.agrees
    jax.clear_caches()  # compiled functions hold memory maps; Linux allows a process 65,530
    return count


def alarms(draws: int, number: int) -> tuple[str, int]:
    """The kind of network `number`, and how often the check calls its right gradient wrong."""
    random = np.random.default_rng(number)
    network, size = random_network(random)
    loss, output = str(random.choice(LOSSES)), str(random.choice(["activation", "linear"]))
    reduction, layout = str(random.choice(REDUCTIONS)), str(random.choice(LAYOUTS))
    problem = problem_of(network, loss, output, reduction, float(random.choice([0.0, 0.1])))
    gradient = in_layout(network, layout, partial(right_gradient, problem, layout))
    own, count = partial(lambda of, *arguments: of(*arguments), loss_of(problem)), 0
    for seed in range(draws):
        params, batch = draw(problem, size, seed)
        with np.errstate(all="ignore"):
            measure = own if number % 2 else loss_of(problem)
            count += not check_gradient(gradient, measure, params, batch, network=problem).agrees
    jax.clear_caches()  # compiled functions hold memory maps; Linux allows a process 65,530
    return f"{loss}, {output}, {reduction}, {layout}", count


def main(words: list[str]) -> int:
    """Checks all networks, and returns 1 if the check calls a right gradient wrong."""
    networks, draws = map(int, words) if words else (500, 10)
    plain, plain_draws = networks * 2 // 5, draws * 5
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as workers:
        for number, (what, count) in enumerate(
            workers.map(partial(alarms, draws), range(networks))
        ):
            counts["called wrong"] += count
            if count:
                print(f"network {number}: {what}: {count} of {draws}", flush=True)
        in_precision = {
            precision: sum(workers.map(partial(alarms_in, precision, plain_draws), range(plain)))
            for precision in ("float64", "float32")
        }
    result = {
        "networks": networks,
        "checks": networks * draws,
        **counts,
        "checks in a precision": plain * plain_draws,
        "called wrong in": in_precision,
    }
    print(json.dumps(result))
    if not words:
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if counts["called wrong"] or any(in_precision.values()) else 0


if __name__ == "__main__":
    sys.exit(main(asked(__doc__)))
