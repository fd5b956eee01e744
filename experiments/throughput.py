"""How fast training runs beside the machine's own matrix product, and how fast it compiles.

    python -m experiments.throughput --flagfile=experiments/base.flags

An epoch takes 2·examples·(2·n₀n₁ + 3·Σ_{l≥2} n_{l−1}n_l) operations: each layer's product
forward, its weight gradient, and from layer 2 on the derivative handed down. Their rate is held
against that of a 2048×2048×2048 float32 product, timed in turn with the epochs.
"""

import itertools
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
from rich.progress import track

from experiments import results
from experiments.timing import ready, timed
from manual_grads.cli import A_PATH, ANY, AT_LEAST_1, command, options
from mnist_jax import data, training
from mnist_jax.config import Config
from mnist_jax.optimizer import optimizer
from mnist_jax.program import compile_block, steps_per_epoch, train_epoch
from mnist_jax.step import epoch_batches, init_state

SIDE = 2048
PRODUCTS_A_PAIR = 5


@dataclass(frozen=True)
class Options:
    """Which run, timed how often."""

    pairs: Annotated[int, "pairs of an epoch and the product", AT_LEAST_1] = 9
    compilations: Annotated[int, "compilations of the training block", AT_LEAST_1] = 5
    out: Annotated[
        str | None, "where to write; the next free runs/NAME-throughput if not given", A_PATH
    ] = None
    publish: Annotated[bool, "replace the committed results of NAME too", ANY] = False
    config: Config = field(default_factory=Config)

    def __post_init__(self):
        options.check(self)
        results.require_own_folder(self.config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    return command.run(partial(measure, argv), Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times compilations, then epochs and products in turn, and writes and prints the ratios."""
    config = chosen.config
    training.require_device()
    dataset = data.load(config, command.say)
    out = results.folder(chosen.out, f"{config.name}-throughput")
    examples = len(dataset.train.labels)
    update = optimizer(config, steps_per_epoch(config, dataset))
    state = init_state(config, update)
    train = jax.tree.map(jnp.asarray, dataset.train)
    batches, *_ = epoch_batches(jax.random.key(0), jnp.int32(1), examples, config.batch_size)
    compile_seconds = [
        timed(lambda: compile_block(config, update, state, train, batches))[1]
        for _ in track(range(chosen.compilations), "compiling the training block")
    ]

    program, state = ready(config, dataset)
    state, _ = train_epoch(program, state, 1)
    product_rates, epoch_rates = [], []
    product = timed_product()
    for pair in track(range(chosen.pairs), "timing product and epoch in turn"):
        product_seconds = statistics.median(product() for _ in range(PRODUCTS_A_PAIR))
        product_rates.append(2 * SIDE**3 / product_seconds)
        (state, _), epoch_seconds = timed(partial(train_epoch, program, state, pair + 2))
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
    results.save(out / name, "experiments.throughput", argv, numbers)
    if chosen.publish:
        results.publish(out / name, name)
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
    return lambda: timed(lambda: multiply(left, right).block_until_ready())[1]


if __name__ == "__main__":
    command.leave(main())
