"""Times the whole training command and its parts, and measures its memory.

Each round has another seed, and runs these commands one after another as separate processes, with
the compiled functions of an earlier run:

- `whole` is the training command. Its parts are those that `--timings` prints.
- `checkpoints` trains with a checkpoint at the start and after each of many short blocks.
  `one checkpoint` trains with the same blocks, but writes checkpoints only at the start and the
  end. Their difference in seconds ÷ the number of additional checkpoints is a checkpoint's cost.
- `imports` only imports what the training command imports before it trains. `jax and optax` only
  imports jax and optax.
"""

import json
import math
import statistics
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any, NamedTuple

from experiments.common import timing
from manual_grads.cli import InputError, command, options
from mnist_jax import Config, data, training

FILE = "{name}_start.json"
ROUNDS = 5
SUMMARY = (
    "the whole command takes {median_seconds[whole]:.1f} s and at most {mebibytes:.0f} MiB; its "
    "imports take {imports_ratio:.2f} times as long as those of jax and optax; checkpoints take "
    "{checkpoint_share:.2%} of the time"
)
BLOCKS = 10
"""Blocks in an epoch of the runs whose checkpoints are timed."""

NEVER = 1e9
IMPORTS = {
    "imports": "import mnist_jax.train; from mnist_jax import training; training.train_and_save",
    "jax and optax": "import jax, optax",
}


PARENT = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""
"""A small process that runs a program, and prints the program's maximum memory in KiB. On Linux,
this maximum is at least the memory of the parent process, so the parent must be small."""


class BenchmarkError(InputError):
    """A timed program fails, or cannot run."""


class Ended(NamedTuple):
    """The seconds that a process took, its maximum memory, and the last line that it printed."""

    seconds: float
    mebibytes: float
    line: str


def measure(config: Config, rounds: int, out: Path) -> dict[str, Any]:
    """Times the processes of every round. Returns the seconds, their medians and the ratios."""
    dataset = data.load(config, command.say)
    steps = training.steps_per_epoch(config, dataset)
    blocks = replace(config, block_steps=math.ceil(steps / BLOCKS))
    additional = config.epochs * training.blocks_per_epoch(blocks, dataset) - 1
    trained = {
        "whole": config,
        "checkpoints": replace(blocks, checkpoint_every_seconds=0.0),
        "one checkpoint": replace(blocks, checkpoint_every_seconds=NEVER),
    }
    for name, changed in trained.items():  # to compile
        whole(training_command(changed, out / f"{name}-first", out / "compiled"))
    seconds: list[dict[str, float]] = [{} for _ in range(rounds)]
    accuracies, peaks = [], []
    for number, name in timing.in_turn([*trained, *IMPORTS], rounds, "timing whole processes"):
        if name in IMPORTS:
            seconds[number][name] = whole([sys.executable, "-c", IMPORTS[name]]).seconds
            continue
        workdir = out / f"{name}-{number}"
        ended = whole(
            training_command(replace(trained[name], seed=number), workdir, out / "compiled")
        )
        result = json.loads((workdir / "result.json").read_text())
        seconds[number][name] = ended.seconds
        if name == "whole":
            parts = result["seconds"]
            seconds[number] |= {f"{part} in it": taken for part, taken in parts.items()}
            accuracies.append(result["test_accuracy"])
            peaks.append(ended.mebibytes)
    medians = {name: statistics.median(each[name] for each in seconds) for name in seconds[0]}
    differences = [each["checkpoints"] - each["one checkpoint"] for each in seconds]
    between = min(config.checkpoint_every_seconds, medians["whole"])
    return {
        "dataset": dataset.name,
        "layer_sizes": config.architecture.layer_sizes,
        "test_accuracy": accuracies,
        "seconds": seconds,
        "median_seconds": medians,
        "imports_ratio": medians["imports"] / medians["jax and optax"],
        "mebibytes": max(peaks),
        "additional_checkpoints": additional,
        "checkpoint_share": statistics.median(differences) / additional / between,
    }


def training_command(config: Config, workdir: Path, compiled: Path) -> list[str]:
    """The command line of the training command, with every option of the config."""
    changed = options.values(replace(config, workdir=str(workdir), overwrite=True))
    flags = [
        f"--{name}={options.text(value)}" for name, value in changed.items() if value is not None
    ]
    return [sys.executable, "-m", "mnist_jax.train", f"--compilation_cache={compiled}", *flags]


def whole(words: list[str]) -> Ended:
    """Runs a program in a separate process. Raises `BenchmarkError` if it fails."""
    run = partial(subprocess.run, [sys.executable, "-S", "-c", PARENT, *words], check=False)
    ended, seconds = timing.timed(partial(run, stdout=PIPE, stderr=STDOUT, text=True))
    *lines, kibibytes = ended.stdout.strip().splitlines()
    if ended.returncode != 0:
        raise BenchmarkError(
            "every timed program must end without an error",
            lines[-1] if lines else f"status {ended.returncode}",
            "pip install --editable '.[benchmark]'",
        )
    return Ended(seconds, int(kibibytes) / 1024, lines[-1] if lines else "")
