"""Measures the times of a new user's first steps: install, train, test and compare.

    MNIST_DATA_DIR=FOLDER python -m tests.campaigns.first_use

The steps run in a fresh clone of the committed state, with an empty virtual environment. The times
are written to `first_use.json` beside this file.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax

from tests import ROOT
from tests.campaigns import asked, record

TRAIN = ["python", "-m", "mnist_jax.train", "--flagfile=experiments/base.flags"]
AGREEMENT = ["python", "-m", "pytest", "tests/manual_grads/derivatives/test_agreement.py"]


def seconds(words: list[str], folder: Path) -> float:
    """Runs a command, which must succeed, and returns the seconds that it takes."""
    started = time.perf_counter()
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def seconds_to_first_line(words: list[str], folder: Path) -> float:
    """Runs a command until it prints a line, and returns the seconds until then."""
    started = time.perf_counter()
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        taken = time.perf_counter() - started
        process.kill()
    return taken


def main() -> None:
    """Measures, and writes and prints the seconds."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "clone"
        subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
        python = [".venv/bin/python", "-m"]

        def installed(what: str) -> float:
            made = seconds([sys.executable, "-m", "venv", "--clear", ".venv"], folder)
            return made + seconds([*python, "pip", "install", "--editable", what], folder)

        def ran(words: list[str]) -> float:
            return seconds([f".venv/bin/{words[0]}", *words[1:]], folder)

        taken = {"installation": installed(".")}
        train = [f".venv/bin/{TRAIN[0]}", *TRAIN[1:]]
        taken["first line of training"] = seconds_to_first_line(train, folder)
        taken["training"] = ran(TRAIN)
        taken["quick comparison"] = ran(["python", "-m", "experiments.compare", "--quick"])
        taken["installation with tests"] = installed(".[test]")
        taken["agreement tests"] = ran(AGREEMENT)
        taken["tests"] = ran(["python", "-m", "pytest"])
    machine = {"device": jax.devices()[0].device_kind, "cores": os.cpu_count()}
    record("first_use", {**machine, "seconds": taken}, publish=True)


if __name__ == "__main__":
    asked(__doc__)
    main()
