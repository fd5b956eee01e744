"""Rate of training compared with that of a bare matrix product, and seconds of compiling.

An epoch takes 2·examples·(2·n₀n₁ + 3·Σ_{l≥2} n_{l−1}n_l) operations: each layer has one product in
the forward pass and one for the weight gradient; from layer 2 on, a third one backpropagates δ. A
round times an epoch and a 2048×2048×2048 float32 product.
"""

import itertools
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from rich.progress import track

from experiments.speed.timing import timed
from manual_grads.cli import command
from mnist_jax import Config, data
from mnist_jax.training import compile_block, compile_training, start, train_epoch

FILE = "{name}_throughput.json"
ROUNDS = 9
SUMMARY = (
    "training runs at {ratio:.3f} of the product's rate (rounds from {ratio_smallest:.3f} to "
    "{ratio_largest:.3f}); the training block compiles in {compile_seconds_median:.2f} s"
)
SIDE = 2048
PRODUCTS_A_ROUND = 5
COMPILATIONS = 5


def measure(config: Config, rounds: int, _out: Path) -> dict[str, Any]:
    """Operations per second of epochs and products, their ratios, and seconds of compiling."""
    dataset = data.load(config, command.say)
    begun = start(config, dataset)
    compiling = partial(compile_block, config, begun, begun.batches(1)[0])
    compile_seconds = [
        timed(compiling)[1] for _ in track(range(COMPILATIONS), "compiling the training block")
    ]
    compiled, state = compile_training(config, dataset)
    state, _ = train_epoch(compiled, state, 1)
    product_rates, epoch_rates = [], []
    product = timed_product()
    of_epoch = operations(config.architecture.layer_sizes, len(dataset.train.labels))
    for number in track(range(rounds), "timing product and epoch in turn"):
        product_seconds = statistics.median(product() for _ in range(PRODUCTS_A_ROUND))
        product_rates.append(2 * SIDE**3 / product_seconds)
        (state, _), epoch_seconds = timed(partial(train_epoch, compiled, state, number + 2))
        epoch_rates.append(of_epoch / epoch_seconds)
    ratios = [epoch / product for epoch, product in zip(epoch_rates, product_rates, strict=True)]
    return {
        "dataset": dataset.name,
        "operations_per_second": epoch_rates,
        "product_operations_per_second": product_rates,
        "ratio": statistics.median(epoch_rates) / statistics.median(product_rates),
        "ratio_smallest": min(ratios),
        "ratio_largest": max(ratios),
        "compile_seconds": compile_seconds,
        "compile_seconds_median": statistics.median(compile_seconds),
    }


def operations(sizes: Sequence[int], examples: int) -> int:
    """Additions and multiplications in the matrix products of an epoch."""
    first, *others = (a * b for a, b in itertools.pairwise(sizes))
    return 2 * examples * (2 * first + 3 * sum(others))


def timed_product() -> Callable[[], float]:
    """A function that multiplies two matrices and returns the seconds that it took."""
    left, right = jax.random.normal(jax.random.key(0), (2, SIDE, SIDE))
    multiply = jax.jit(jnp.matmul)
    multiply(left, right).block_until_ready()
    return lambda: timed(lambda: multiply(left, right).block_until_ready())[1]
