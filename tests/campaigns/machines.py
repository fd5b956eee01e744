"""Kills, stops and misconfigures one of the two processes of a run, and resumes the run.

    python -m tests.campaigns.machines
    python -m tests.campaigns.machines --short

One process gets SIGKILL at a random moment. The other must then end with one error message, and the
resumed run must equal an undisturbed run bit for bit. So must a run whose processes take their
numbers from the variables of a cluster. The results are written to `tests/campaigns/machines.json`.
The exit status is 1 if a trial fails.
"""

import os
import random
import shutil
import signal
import socket
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import track

from mnist_jax.runs import checkpoints
from tests.campaigns import record, run
from tests.campaigns.killing import bits
from tests.campaigns.two_processes import both, ended, free_port, send, start

LENGTH = ("--epochs=40", "--process_timeout=15")
MESSAGE_LINES = 4
"""The lines of an error message: nothing else may be printed."""

LOST = "all 2 processes of the run must answer within --process_timeout="


def killed(workdir: Path, number: int, wait: float) -> dict[str, Any]:
    """Kills process `number` after `wait` seconds, and resumes the run with both processes."""
    processes = both(workdir, *LENGTH)
    time.sleep(wait)
    completed = processes[number].poll() is not None
    if not completed:
        send(processes[number], signal.SIGKILL)
    ends = ended(processes)
    told = all(
        status == 1 and LOST in errors and errors.count("\n") == MESSAGE_LINES
        for status, errors, _ in ends
    )
    seconds = max(taken for _, _, taken in ends)
    begun = bool(checkpoints.held(workdir / checkpoints.FOLDER))
    if not completed:
        ends = ended(both(workdir, *LENGTH, *(["--resume"] if begun else ["--overwrite"])))
    return {
        "completed_before": completed,
        "began": begun,
        "message": told or completed,
        "seconds": round(seconds, 1),
        "resumed": all(status == 0 for status, *_ in ends),
    }


def refused(processes: list, expected: str) -> dict[str, Any]:
    """Whether each process ended within a minute, with status 1 and the expected words."""
    ends = ended(processes)
    good = all(
        status == 1 and expected in errors and errors.count("\n") == MESSAGE_LINES
        for status, errors, _ in ends
    )
    return {"message": good, "seconds": round(max(seconds for *_, seconds in ends), 1)}


def hang(workdir: Path, number: int) -> dict[str, Any]:
    """Stops process `number` with SIGSTOP after the first epoch; returns how the processes end."""
    processes = both(workdir, "--epochs=100000", "--process_timeout=15")
    while not (workdir / "metrics.jsonl").exists() and processes[0].poll() is None:
        time.sleep(0.1)
    send(processes[number], signal.SIGSTOP)
    return refused(processes, LOST)


def misconfigured(folder: Path) -> dict[str, dict[str, Any]]:
    """Tries a wrong flag, another version, a port in use, and a coordinator that does not exist."""
    found = {}
    wrong = both(folder / "flag", *LENGTH, other=("--seed=1",))
    found["a wrong flag"] = refused(wrong, "process 1 has --seed=1")
    metadata = folder / "other" / "optax-99.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: optax\nVersion: 99\n")
    port = free_port()
    first = start(0, port, f"--workdir={folder / 'version'}", *LENGTH)
    second = start(1, port, *LENGTH, path=str(metadata.parents[1]))
    found["another version"] = refused([first, second], "process 1 has optax=99")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        taken = start(0, listening.getsockname()[1], *LENGTH)
        found["a port in use"] = refused([taken], "must be able to listen on --coordinator=")
    found["an unreachable coordinator"] = refused([start(1, free_port(), *LENGTH)], LOST)
    return found


def main(kills: int = 20, publish: bool = False) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    draw = random.Random(0)  # noqa: S311 - no secret
    folder = Path(tempfile.mkdtemp())
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "cache"))
    try:
        ended(both(folder / "warm", *LENGTH))  # compiles
        begun = time.monotonic()
        ended(both(folder / "whole", *LENGTH))
        lasts, whole = time.monotonic() - begun, bits(folder / "whole")
        ended(both(folder / "cluster", *LENGTH, in_cluster=True))
        in_cluster = bits(folder / "cluster") == whole
        trials = []
        for number in track(range(kills), "killing and resuming"):
            workdir = folder / str(number)
            trial = killed(workdir, number % 2, draw.random() * lasts)
            same = trial["resumed"] and bits(workdir) == whole
            trials.append({**trial, "bit_for_bit": same})
        hangs = [hang(folder / f"hang-{number}", number) for number in (0, 1)]
        others = misconfigured(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    numbers = {
        "kills": len(trials),
        **{name: sum(trial[name] for trial in trials) for name in trials[0] if name != "seconds"},
        "longest_seconds_to_the_message": max(trial["seconds"] for trial in trials),
        "hangs": hangs,
        "bits_of_a_run_in_a_cluster": in_cluster,
        **others,
    }
    record("machines", numbers, publish)
    good = all(trial["message"] and trial["bit_for_bit"] for trial in trials)
    good = good and in_cluster and all(each["message"] for each in (*hangs, *others.values()))
    return 0 if good else 1


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, kills=1))
