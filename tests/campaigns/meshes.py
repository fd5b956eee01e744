"""Trains base.flags on several meshes: with 1, 2 and 4 devices, and in two processes.

    python -m tests.campaigns.meshes
    python -m tests.campaigns.meshes --short

On every mesh, the first seed is trained twice, and both runs must have the same bits. The mean
accuracies over the seeds are written to `tests/campaigns/meshes.json`. The exit status is 1 if bits
differ, or if the mean of a mesh differs by more than 0.1 percentage points from that of one device.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import track

from tests import ROOT
from tests.campaigns import record, run
from tests.campaigns.killing import bits
from tests.campaigns.two_processes import free_port

MESHES = {"1 device": 1, "2 devices": 2, "4 devices": 4, "2 processes": 2}
TRAIN = [sys.executable, "-m", "mnist_jax.train", f"--flagfile={ROOT}/experiments/base.flags"]


def train(mesh: str, workdir: Path, seed: int, flags: Sequence[str]) -> None:
    """Trains on a mesh; two processes run at the same time."""
    words = [*TRAIN, *flags, f"--seed={seed}", f"--workdir={workdir}"]
    if mesh == "2 processes":
        address = [f"--coordinator=127.0.0.1:{free_port()}", "--processes=2"]
        both = [[*words, *address, f"--process_id={number}"] for number in range(MESHES[mesh])]
    else:
        both = [[*words, f"--devices={MESHES[mesh]}"]]
    started = [subprocess.Popen(each, cwd=ROOT, stdout=subprocess.DEVNULL) for each in both]
    assert [process.wait() for process in started] == [0] * len(started), words


def main(
    seeds: int = 5, flags: Sequence[str] = (), allowed: float = 0.001, publish: bool = False
) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    numbers: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        every = [(mesh, seed) for mesh in MESHES for seed in range(seeds)]
        for mesh, seed in track(every, "training on every mesh"):
            workdir = Path(folder, f"{mesh}-{seed}")
            train(mesh, workdir, seed, flags)
            found = numbers.setdefault(mesh, {"test_accuracy": []})
            result = json.loads((workdir / "result.json").read_text())
            found["test_accuracy"].append(result["test_accuracy"])
            if seed == 0:
                train(mesh, Path(folder, f"{mesh}-again"), seed, flags)
                found["same_bits"] = bits(workdir) == bits(Path(folder, f"{mesh}-again"))
    for found in numbers.values():
        found["mean"] = statistics.mean(found["test_accuracy"])
    record("meshes", {"seeds": seeds, "meshes": numbers}, publish)
    first = numbers["1 device"]["mean"]
    near = all(abs(found["mean"] - first) <= allowed for found in numbers.values())
    return 0 if near and all(found["same_bits"] for found in numbers.values()) else 1


if __name__ == "__main__":
    short = ["--dataset=digits", "--epochs=1", "--layer_sizes=784,16,10"]
    run(__doc__, partial(main, publish=True), short=partial(main, 1, short, allowed=1.0))
