"""Cost of a checkpoint: a run that writes many, compared with the same run that writes few.

Whole runs are timed in pairs, without compilation. One run writes a checkpoint after every block,
the other only at its start and end; the order alternates from pair to pair. The difference, divided
by the number of additional checkpoints, is the cost of one. Its share of time is this cost divided
by `--checkpoint_every_seconds`, or by the seconds of the run if the run is shorter.
"""

import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

from experiments.speed.timing import in_turn
from manual_grads.cli import command
from mnist_jax import Config, data, runs, training

FILE = "checkpoint_cost.json"
ROUNDS = 5
SUMMARY = "a checkpoint has {checkpoint_bytes:,} bytes and costs {share_median:.2%} of the time"
EVERY_SECONDS = {"always": 0.0, "last": 1e9}


def measure(config: Config, rounds: int, out: Path) -> dict[str, Any]:
    """The seconds of the runs, whose files stay in `out`, and the cost of a checkpoint."""
    dataset = data.load(config, command.say)
    seconds: dict[str, list[float]] = {name: [] for name in EVERY_SECONDS}
    for number, name in in_turn([*EVERY_SECONDS], rounds, "timing pairs of runs"):
        timed = replace(
            config,
            workdir=str(out / f"{number}-{name}"),
            overwrite=True,
            checkpoint_every_seconds=EVERY_SECONDS[name],
        )
        with runs.claimed(timed) as folder:
            taken = training.train_and_save(timed, dataset, folder)["seconds"]
        seconds[name].append(taken["total"] - taken["compile"])
    blocks = config.epochs * training.blocks_per_epoch(config, dataset)
    each = [
        (always - last) / max(blocks - 1, 1)
        for always, last in zip(seconds["always"], seconds["last"], strict=True)
    ]
    between = min(config.checkpoint_every_seconds, statistics.median(seconds["last"]))
    written = (out / "0-last" / runs.checkpoints.FOLDER).iterdir()
    return {
        "dataset": dataset.name,
        "checkpoints_of_a_run": blocks,
        "checkpoint_bytes": max(path.stat().st_size for path in written),
        "run_seconds": seconds,
        "seconds_of_one": each,
        "share_median": statistics.median(each) / between,
    }
