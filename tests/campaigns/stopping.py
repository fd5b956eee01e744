"""Stops commands with Ctrl-C and SIGTERM at random moments from 0.2 to 5 s after their start.

    python -m tests.campaigns.stopping
    python -m tests.campaigns.stopping --short

`mnist_jax.train` is stopped 100 times, two processes at a time, and then each of four other
commands 25 times. Each must end with status 130 or 143 and print one line. Training must leave an
undamaged checkpoint of the last epoch that its metrics list. The other commands may also end before
the signal is sent. The results are written to `stopping.json` beside this file, except by the short
form. The exit status is 1 if a command ends in another way.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rich.progress import track
from safetensors import safe_open

from mnist_jax.runs import checkpoints
from tests import ROOT
from tests.campaigns import record, run
from tests.campaigns.killing import history, newest_step

STOPS, OTHERS, FIRST, LAST = 100, 25, 0.2, 5.0
STEPS = 3
"""Steps in an epoch."""

SMALL = ["--dataset=digits", "--layer_sizes=784,64,10", "--batch_size=500"]
TRAIN = ["mnist_jax.train", *SMALL, "--epochs=100000", "--workdir={here}/run"]
OTHER = {
    "mnist_jax.evaluate": ["mnist_jax.evaluate", "--workdir={run}"],
    "manual_grads.check": ["manual_grads.check", "{mine}:gradient", "--layer_sizes=9,9,9,5"],
    "experiments.accuracy": ["experiments.accuracy", *SMALL, "--seeds=1,2,3", "--out={here}"],
    "experiments.mistakes": ["experiments.mistakes", "--out={here}"],
}
MINE = "def gradient(params, images, labels):\n    return params\n"


def lost(run: Path) -> bool:
    """Whether the newest checkpoint is damaged, or not from the last epoch in the metrics."""
    newest = checkpoints.path_of(run / checkpoints.FOLDER, newest_step(run))
    if newest.exists():
        with safe_open(newest, "numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
            if file.metadata() != checkpoints._metadata(tensors):
                return True
    return newest_step(run) // STEPS != len(history(run))


def stopped(words: list[str], wait: float, number: signal.Signals, **places: Path) -> str:
    """Runs a command, sends a signal after `wait` seconds, and returns the outcome."""
    with tempfile.TemporaryDirectory() as here:
        process = subprocess.Popen(
            [sys.executable, "-m", *(word.format(here=here, **places) for word in words)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(wait)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        if words is TRAIN and lost(Path(here) / "run"):
            return f"something lost: {words[0]} {wait:.3f} s {number.name}\n{errors}"
    if process.returncode == 128 + number and errors.startswith("stopped"):
        if errors.count("\n") == 1:
            return "stopped"
    elif process.returncode in (0, 1) and words is not TRAIN and "Traceback" not in errors:
        return "ended before"
    return f"status {process.returncode}: {words[0]} {wait:.3f} s {number.name}\n{errors}"


def main(stops: int = STOPS, others: int = OTHERS, publish: bool = False) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    draw = random.Random(0)  # noqa: S311 - no secret
    signals = (signal.SIGINT, signal.SIGTERM)
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(os.cpu_count()) as threads:
        mine, run = Path(place) / "mine.py", Path(place) / "run"
        mine.write_text(MINE)
        ended = [sys.executable, "-m", TRAIN[0], *SMALL, "--epochs=1", f"--workdir={run}"]
        subprocess.run(ended, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

        def trial(words: list[str]):
            wait, number = draw.uniform(FIRST, LAST), draw.choice(signals)
            return threads.submit(stopped, words, wait, number, mine=mine, run=run)

        trials = {TRAIN[0]: [trial(TRAIN) for _ in range(stops)]}
        trials |= {name: [trial(words) for _ in range(others)] for name, words in OTHER.items()}
        came = {
            name: [each.result() for each in track(some, f"stops of {name}")]
            for name, some in trials.items()
        }
    wrong = [what for each in came.values() for what in each if "\n" in what]
    outcomes = {
        name: Counter(what.partition(":")[0] for what in each) for name, each in came.items()
    }
    numbers = {"outcomes": outcomes}
    record("stopping", numbers, publish)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, stops=8, others=2))
