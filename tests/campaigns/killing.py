"""Kills training at random moments, resumes it, and compares the final files bit for bit.

    python -m tests.campaigns.killing
    python -m tests.campaigns.killing --short

In each trial, one process after another trains the same run. All but the last get SIGKILL or
SIGTERM after a random part of the time that a complete run takes; the last completes the run. After
SIGTERM, no completed epoch may be lost. The parameters, `metrics.jsonl`, `result.json` and the
tensors of the last checkpoint must equal those of an uninterrupted run, except for times. The
results are written to `tests/campaigns/killing.json`. The exit status is 1 if a trial differs.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import safetensors.numpy
from rich.progress import track

from mnist_jax.runs import checkpoints
from tests import ROOT
from tests.campaigns import record, run
from tests.compiling import AS_XLA_FLAGS

TRAIN = [
    *(sys.executable, "-m", "mnist_jax.train", "--dataset=digits", "--layer_sizes=784,64,32,10"),
    *("--block_steps=1", "--batch_size=100", "--gradient=checked"),
]
STEPS = 15
"""Steps in an epoch. Each step is one block, the unit after which training can stop."""

SECONDS = {signal.SIGKILL: 0, signal.SIGTERM: 1e9}
"""`--checkpoint_every_seconds`: 0 writes all the time, 1e9 only at a stop and at the end."""

KILLS, STOPS, EPOCHS = 50, 10, 10


def bits(workdir: Path) -> dict[str, Any]:
    """The results of a run without times, for a comparison bit for bit."""
    result = json.loads((workdir / "result.json").read_text())
    metrics = [json.loads(line) for line in history(workdir)]
    for told in (result, *metrics):
        told.pop("seconds")
        told.pop("examples_per_second", None)
    newest = checkpoints.path_of(workdir / checkpoints.FOLDER, newest_step(workdir))
    leaves = safetensors.numpy.load_file(newest)
    return {
        "result": result,
        "metrics": metrics,
        "parameters": (workdir / "parameters.safetensors").read_bytes(),
        "checkpoint": {
            name: leaf.tobytes()
            for name, leaf in leaves.items()
            if not name.startswith(("seconds", "totals/seconds"))
        },
    }


def interrupted(
    workdir: Path, signal_number: signal.Signals, waits: list[float], epochs: int
) -> tuple[bool, list[int]]:
    """Trains and sends a signal after each wait, then trains to the end.

    Returns whether the run was completed and SIGTERM lost no epoch, and the exit statuses.
    """
    statuses, lost = [], False
    every = f"--checkpoint_every_seconds={SECONDS[signal_number]}"
    for wait in [*waits, None]:
        words = [*TRAIN, f"--epochs={epochs}", f"--workdir={workdir}", every]
        if (workdir / "config.json").exists():
            words.append("--resume")
        process = subprocess.Popen(
            words,
            cwd=ROOT,
            env={**os.environ, "XLA_FLAGS": AS_XLA_FLAGS},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _, errors = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            process.send_signal(signal_number)
            _, errors = process.communicate()
        statuses.append(process.returncode)
        if process.returncode == 128 + signal.SIGTERM:
            lost = lost or newest_step(workdir) // STEPS != len(history(workdir))
        elif process.returncode not in (0, -signal.SIGKILL):
            print(errors, file=sys.stderr)
    return statuses[-1] == 0 and not lost, statuses


def history(workdir: Path) -> list[str]:
    """The lines of `metrics.jsonl`, one for each epoch."""
    file = workdir / "metrics.jsonl"
    return file.read_text().splitlines() if file.exists() else []


def newest_step(workdir: Path) -> int:
    """The step of the newest checkpoint, or 0 if there is none."""
    return max(checkpoints.held(workdir / checkpoints.FOLDER), default=0)


def main(
    kills: int = KILLS, stops: int = STOPS, epochs: int = EPOCHS, publish: bool = False
) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    draw = random.Random(0)  # noqa: S311 - no secret
    folder = Path(tempfile.mkdtemp())
    try:
        started = time.perf_counter()
        interrupted(folder / "whole", signal.SIGKILL, [], epochs)
        whole, lasts = bits(folder / "whole"), time.perf_counter() - started

        def trial(number: int, signal_number: signal.Signals, parts: list[float]):
            workdir = folder / str(number)
            waits = [part * 1.1 * lasts for part in parts]
            good, statuses = interrupted(workdir, signal_number, waits, epochs)
            good = good and bits(workdir) == whole
            shutil.rmtree(workdir)
            return good, statuses

        with ThreadPoolExecutor(os.cpu_count()) as threads:
            signals = [signal.SIGKILL] * kills + [signal.SIGTERM] * stops
            trials = [
                threads.submit(
                    trial, number, each, [draw.random() for _ in range(draw.choice([1, 2, 3]))]
                )
                for number, each in enumerate(signals)
            ]
            done = [each.result() for each in track(trials, "killing and resuming")]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    same = Counter(each.name for each, (good, _) in zip(signals, done, strict=True) if good)
    statuses = Counter(str(status) for _, each in done for status in each)
    numbers = {
        "SIGKILL": {"trials": kills, "bit for bit": same["SIGKILL"]},
        "SIGTERM": {"trials": stops, "bit for bit": same["SIGTERM"]},
        "processes_that_a_signal_ended": statuses.total() - statuses["0"],
        "exit_statuses": statuses,
    }
    record("killing", numbers, publish)
    return 0 if same["SIGKILL"] == kills and same["SIGTERM"] == stops else 1


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, kills=1, stops=1, epochs=3))
