"""Trains with handwritten and with differentiated gradients, everything else equal.

    python -m experiments.compare --flagfile=experiments/base.flags

From each seed, one whole run with either: the test accuracies side by side. From the first seed,
besides, how far the parameters of the two have come apart after 1, 10, 100, … steps. The two
gradients differ by rounding alone, and training magnifies that.
"""

import itertools
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from experiments import accuracy, results
from experiments.accuracy import SEEDS
from manual_grads import command, options
from manual_grads.options import A_PATH, ANY, Rule
from mnist_jax import data, training
from mnist_jax.config import Config
from mnist_jax.network import Params
from mnist_jax.optimizer import optimizer
from mnist_jax.program import steps_per_epoch
from mnist_jax.step import Purpose, epoch_batches, init_state, key_for, make_block

BOTH = ("autodiff", "manual")

RISING = Rule(
    "be at least one step, each after the one before",
    lambda steps: len(steps) >= 1 and list(steps) == sorted(set(steps)) and steps[0] >= 1,
)


@dataclass(frozen=True)
class Options:
    """Which run, with which seeds, and where on the way the parameters are compared."""

    seeds: Annotated[tuple[int, ...], "train twice with each; --seed is not looked at", SEEDS] = (
        *range(5),
    )
    distance_after: Annotated[
        tuple[int, ...], "compare parameters after these steps, of those that a run has", RISING
    ] = (1, 10, 100, 1000)
    out: Annotated[
        str | None, "where to write; the next free runs/NAME-compare if not given", A_PATH
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
    """Trains with either gradient, and writes and prints what differs."""
    training.require_device()
    dataset = data.load(chosen.config, command.say)
    out = results.folder(chosen.out, f"{chosen.config.name}-compare")
    config = {name: replace(chosen.config, gradient=name) for name in BOTH}
    seen = {
        name: [
            accuracy.run(config[name], dataset, seed, out / f"{name}-{seed}")["test_accuracy"]
            for seed in chosen.seeds
        ]
        for name in BOTH
    }
    total = config["manual"].epochs * steps_per_epoch(config["manual"], dataset)
    marks = [step for step in chosen.distance_after if step <= total]
    first = [replace(config[name], seed=chosen.seeds[0]) for name in BOTH]
    apart = distances(first, dataset, marks)
    means = {name: statistics.mean(accuracies) for name, accuracies in seen.items()}
    numbers = {
        "dataset": dataset.name,
        "seeds": chosen.seeds,
        "test_accuracy": seen,
        "mean_test_accuracy": means,
        "mean_difference": means["manual"] - means["autodiff"],
        "relative_distance_of_parameters": apart,
    }
    name = f"{chosen.config.name}_compare.json"
    results.save(out / name, "experiments.compare", argv, numbers)
    if chosen.publish:
        results.publish(out / name, name)
    command.say(
        f"mean test accuracy: autodiff {means['autodiff']:.3%}, manual {means['manual']:.3%}; "
        f"parameters apart: {', '.join(f'{d:.1e} after {step}' for step, d in apart.items())}; "
        f"all files in {out}"
    )


def distances(
    pair: Sequence[Config], dataset: data.Dataset, marks: Sequence[int]
) -> dict[int, float]:
    """‖θ − θ'‖₂ / ‖θ‖₂ over all parameters, after each step of `marks`, of two configs' runs."""
    apart = {}
    pairs = zip(*(parameters_after(config, dataset, marks) for config in pair), strict=True)
    for step, (params, others) in zip(marks, pairs, strict=True):
        flat, other_flat = (
            np.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)], dtype=np.float64)
            for tree in (params, others)
        )
        apart[step] = float(np.linalg.norm(flat - other_flat) / np.linalg.norm(flat))
    return apart


def parameters_after(
    config: Config, dataset: data.Dataset, marks: Sequence[int]
) -> Iterator[Params]:
    """The parameters after each step of `marks`, which rise, of the run that `config` says."""
    update = optimizer(config, steps_per_epoch(config, dataset))
    block = jax.jit(make_block(config, update), donate_argnums=0)
    state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
    train = jax.tree.map(jnp.asarray, dataset.train)
    order_key, examples = key_for(config.seed, Purpose.ORDER), len(dataset.train.labels)
    taken = 0
    for epoch in itertools.count(1):
        for batches in epoch_batches(order_key, jnp.int32(epoch), examples, config.batch_size):
            if taken >= max(marks, default=0):
                return
            inside = [step - taken for step in marks if taken < step < taken + len(batches)]
            for piece in jnp.split(batches, inside):
                state, _ = block(state, *train, piece)
                taken += len(piece)
                if taken in marks:
                    yield jax.tree.map(np.asarray, state.params)


if __name__ == "__main__":
    command.leave(main())
