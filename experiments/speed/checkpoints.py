"""What checkpoints cost a run, beside the same run with one at its end alone.

    python -m experiments.speed.checkpoints --flagfile=experiments/base.flags

Whole runs are timed from compiled to the last file, in pairs: one that writes a checkpoint after
every block, and one that writes the last alone, every other pair in the opposite order. Their
difference over the number of additional checkpoints is the cost of one; over the seconds between
two, `--checkpoint_every_seconds` or the run's own if those are fewer, it is its share of the time.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from rich.progress import track

from experiments.common import record, timing
from manual_grads.cli import AT_LEAST_1, command
from mnist_jax import Config, data, runs, training

NEVER = 1e9


@dataclass(frozen=True)
class Options(record.Output):
    """Which run, timed how often."""

    rounds: Annotated[int, "pairs of runs", AT_LEAST_1] = 5
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times the runs, and writes and prints what a checkpoint costs."""
    config = chosen.config
    training.require_device()
    dataset = data.load(config, command.say)
    out = record.folder(chosen.out, f"{config.name}-checkpoint_cost")
    seconds: dict[str, list[float]] = {"always": [], "last": []}
    for number in track(range(chosen.rounds), "timing pairs of runs"):
        for name in timing.in_turn([*seconds], number):
            every = 0.0 if name == "always" else NEVER
            workdir = out / f"{number}-{name}"
            timed = replace(config, workdir=str(workdir), checkpoint_every_seconds=every)
            with runs.claimed(timed) as folder:
                taken = training.train_and_save(timed, dataset, folder)["seconds"]
            seconds[name].append(taken["total"] - taken["compile"])
    blocks = config.epochs * training.blocks_per_epoch(config, dataset)
    each = [
        (always - last) / max(blocks - 1, 1)
        for always, last in zip(seconds["always"], seconds["last"], strict=True)
    ]
    between = min(config.checkpoint_every_seconds, statistics.median(seconds["last"]))
    numbers = {
        "dataset": dataset.name,
        "checkpoints_of_a_run": blocks,
        "checkpoint_bytes": max(
            path.stat().st_size for path in (out / "0-last" / runs.checkpoints.FOLDER).iterdir()
        ),
        "run_seconds": seconds,
        "seconds_of_one": each,
        "share_median": statistics.median(each) / between,
    }
    record.save(out / "checkpoint_cost.json", "experiments.speed.checkpoints", argv, numbers)
    record.publish(chosen, out / "checkpoint_cost.json")
    command.say(
        f"a checkpoint costs {statistics.median(each):.3f} s, {numbers['share_median']:.2%} of the "
        f"time; all files in {out}"
    )


if __name__ == "__main__":
    command.leave(main())
