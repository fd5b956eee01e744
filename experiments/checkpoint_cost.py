"""What checkpoints cost a run, beside the same run with one at its end alone.

    python -m experiments.checkpoint_cost --flagfile=experiments/base.flags

Whole runs are timed from compiled to the last file, in pairs: one that writes a checkpoint after
every block, and one that writes the last alone, every other pair in the opposite order. Their
difference over the number of additional checkpoints is the cost of one; over the seconds between
two, `--checkpoint_every_seconds` or the run's own if those are fewer, it is its share of the time.
"""

import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

from rich.progress import track

from experiments import results
from manual_grads.cli import A_PATH, ANY, AT_LEAST_1, command, options
from mnist_jax import claiming, data, training
from mnist_jax.checkpoints import FOLDER
from mnist_jax.config import Config
from mnist_jax.program import blocks_per_epoch

NEVER = 1e9


@dataclass(frozen=True)
class Options:
    """Which run, timed how often."""

    rounds: Annotated[int, "pairs of runs", AT_LEAST_1] = 5
    out: Annotated[
        str | None, "where to write; the next free runs/NAME-checkpoint_cost if not given", A_PATH
    ] = None
    publish: Annotated[bool, "replace the committed results too", ANY] = False
    config: Config = field(default_factory=Config)

    def __post_init__(self):
        options.check(self)
        results.require_own_folder(self.config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    return command.run(partial(measure, argv), Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times the runs, and writes and prints what a checkpoint costs."""
    config = chosen.config
    training.require_device()
    dataset = data.load(config, command.say)
    out = results.folder(chosen.out, f"{config.name}-checkpoint_cost")
    seconds: dict[str, list[float]] = {"always": [], "last": []}
    for number in track(range(chosen.rounds), "timing pairs of runs"):
        for name in list(seconds)[:: -1 if number % 2 else 1]:
            every = 0.0 if name == "always" else NEVER
            workdir = out / f"{number}-{name}"
            timed = replace(config, workdir=str(workdir), checkpoint_every_seconds=every)
            taken = training.fit(timed, dataset, claiming.create(timed))["seconds"]
            seconds[name].append(taken["total"] - taken["compile"])
    blocks = config.epochs * blocks_per_epoch(config, dataset)
    each = [
        (always - last) / max(blocks - 1, 1)
        for always, last in zip(seconds["always"], seconds["last"], strict=True)
    ]
    between = min(config.checkpoint_every_seconds, statistics.median(seconds["last"]))
    numbers = {
        "dataset": dataset.name,
        "checkpoints_of_a_run": blocks,
        "checkpoint_bytes": sum(
            path.stat().st_size for path in (out / "0-last" / FOLDER).rglob("*") if path.is_file()
        ),
        "run_seconds": seconds,
        "seconds_of_one": each,
        "share_median": statistics.median(each) / between,
    }
    results.save(out / "checkpoint_cost.json", "experiments.checkpoint_cost", argv, numbers)
    if chosen.publish:
        results.publish(out / "checkpoint_cost.json", "checkpoint_cost.json")
    command.say(
        f"a checkpoint costs {statistics.median(each):.3f} s, {numbers['share_median']:.2%} of the "
        f"time; all files in {out}"
    )


if __name__ == "__main__":
    command.leave(main())
