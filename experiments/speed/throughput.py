"""How fast training runs beside the machine's own matrix product, and how fast it compiles.

    python -m experiments.speed.throughput --flagfile=experiments/base.flags

An epoch takes 2·examples·(2·n₀n₁ + 3·Σ_{l≥2} n_{l−1}n_l) operations: each layer's product
forward, its weight gradient, and from layer 2 on the derivative handed down. Their rate is held
against that of a 2048×2048×2048 float32 product, timed in turn with the epochs.
"""

import itertools
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
from rich.progress import track

from experiments.common import record, timing
from manual_grads.cli import AT_LEAST_1, command
from mnist_jax import Config, data, training
from mnist_jax.training import compile_block, compile_training, start, train_epoch

SIDE = 2048
PRODUCTS_A_PAIR = 5


@dataclass(frozen=True)
class Options(record.Output):
    """Which run, timed how often."""

    pairs: Annotated[int, "pairs of an epoch and the product", AT_LEAST_1] = 9
    compilations: Annotated[int, "compilations of the training block", AT_LEAST_1] = 5
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times compilations, then epochs and products in turn, and writes and prints the ratios."""
    config = chosen.config
    training.require_device()
    dataset = data.load(config, command.say)
    out = record.folder(chosen.out, f"{config.name}-throughput")
    examples = len(dataset.train.labels)
    begun = start(config, dataset)
    compile_block_anew = partial(compile_block, config, begun, begun.batches(1)[0])
    compile_seconds = [
        timing.timed(compile_block_anew)[1]
        for _ in track(range(chosen.compilations), "compiling the training block")
    ]

    compiled, state = compile_training(config, dataset)
    state, _ = train_epoch(compiled, state, 1)
    product_rates, epoch_rates = [], []
    product = timed_product()
    for pair in track(range(chosen.pairs), "timing product and epoch in turn"):
        product_seconds = statistics.median(product() for _ in range(PRODUCTS_A_PAIR))
        product_rates.append(2 * SIDE**3 / product_seconds)
        (state, _), epoch_seconds = timing.timed(partial(train_epoch, compiled, state, pair + 2))
        epoch_rates.append(operations(config, examples) / epoch_seconds)
    ratios = [epoch / product for epoch, product in zip(epoch_rates, product_rates, strict=True)]

    numbers = {
        "dataset": dataset.name,
        "operations_per_second": epoch_rates,
        "product_operations_per_second": product_rates,
        "ratio": statistics.median(epoch_rates) / statistics.median(product_rates),
        "ratio_smallest": min(ratios),
        "ratio_largest": max(ratios),
        "compile_seconds": compile_seconds,
        "compile_seconds_median": statistics.median(compile_seconds),
    }
    name = f"{config.name}_throughput.json"
    record.save(out / name, "experiments.speed.throughput", argv, numbers)
    record.publish(chosen, out / name)
    command.say(
        f"training runs at {numbers['ratio']:.3f} of the product's rate (pairs from "
        f"{min(ratios):.3f} to {max(ratios):.3f}); the training block compiles in "
        f"{numbers['compile_seconds_median']:.2f} s, the median of {len(compile_seconds)}; "
        f"all files in {out}"
    )


def operations(config: Config, examples: int) -> int:
    """Additions and multiplications in the matrix products of an epoch."""
    sizes = config.architecture.layer_sizes
    first, *others = (a * b for a, b in itertools.pairwise(sizes))
    return 2 * examples * (2 * first + 3 * sum(others))


def timed_product() -> Callable[[], float]:
    """A function that multiplies two matrices and returns the seconds that it took."""
    left, right = jax.random.normal(jax.random.key(0), (2, SIDE, SIDE))
    multiply = jax.jit(jnp.matmul)
    multiply(left, right).block_until_ready()
    return lambda: timing.timed(lambda: multiply(left, right).block_until_ready())[1]


if __name__ == "__main__":
    command.leave(main())
