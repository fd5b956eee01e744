"""Seconds of whole training processes, and examples per second, compared with other libraries.

Whole processes are timed in turn; every other round reverses the order. `cold` is the training
command without compiled programs from an earlier run, `warm` the same with them; both write all
files and figures. PyTorch, plain JAX and scikit-learn (from the pip extra `benchmark`) train the
same network with the same batch size, all but scikit-learn with the same recipe, and write nothing.

Then each library trains six networks (scikit-learn only the two small ones) on 20,480 images; the
fastest epoch of a process counts. `of_product` is our rate of operations, divided by that of the
fastest matrix product of XLA, PyTorch and NumPy at the largest layer.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.progress import track

from experiments.common import timing
from experiments.speed.programs import PROGRAMS
from experiments.speed.throughput import operations
from manual_grads.cli import InputError, command, options
from mnist_jax import Config, data

FILE = "{name}_peers.json"
ROUNDS = 5
SUMMARY = "seconds ÷ pytorch's: {start_ratios}; our rate ÷ the best other library's: {rate_ratios}"
LIBRARIES = ("ours", "pytorch", "plain_jax", "scikit_learn")
EXAMPLES = 20_480
NETWORKS = (
    ((784, 35, 35, 10), 32),
    ((784, 128, 10), 128),
    ((784, 800, 10), 512),
    ((784, 1024, 10), 256),
    ((784, 1024, 1024, 10), 128),
    ((784, 1024, 1024, 10), 1024),
)
"""Layer sizes and batch sizes whose rates are compared."""


class BenchmarkError(InputError):
    """The comparison lacks the MNIST files, or a program in it fails."""


def recipe(config: Config) -> dict[str, Any]:
    """The settings of the other libraries' programs."""
    names = ("epochs", "batch_size", "learning_rate", "b1", "b2", "warmup_epochs", "weight_decay")
    return {
        "sizes": config.architecture.layer_sizes,
        "label_smoothing": config.architecture.label_smoothing,
        "constant_rate": 1e-3,
        "seed": config.seed,
        **{name: getattr(config, name) for name in names},
    }


def measure(config: Config, rounds: int, out: Path) -> dict[str, Any]:
    """The seconds, accuracies and rates of every library, and their ratios."""
    dataset = data.load(config, command.say)
    folder = config.data_dir or os.environ.get("MNIST_DATA_DIR")
    if dataset.name != "mnist" or folder is None:
        raise BenchmarkError(
            "the programs must read MNIST from a folder", dataset.name, "--data_dir=FOLDER"
        )
    started = start_to_answer(config, folder, rounds, out)
    rates = {
        f"{options.text(sizes)} at {batch}": throughput(folder, sizes, batch, config, rounds)
        for sizes, batch in NETWORKS
    }
    medians = {name: statistics.median(taken) for name, taken in started["seconds"].items()}
    best = {
        of: {name: max(found, default=0.0) for name, found in each.items()}
        for of, each in rates.items()
    }
    of_example = {
        f"{options.text(sizes)} at {batch}": operations(sizes, 1) for sizes, batch in NETWORKS
    }
    return {
        "dataset": dataset.name,
        **processor(),
        "start_to_answer": started,
        "start_medians": medians,
        "start_ratios": {name: round(s / medians["pytorch"], 3) for name, s in medians.items()},
        "examples_a_second": rates,
        "rate_ratios": {
            of: round(each["ours"] / max(each[name] for name in LIBRARIES[1:]), 2)
            for of, each in best.items()
        },
        "of_product": {
            of: round(each["ours"] * of_example[of] / each["products"], 3)
            for of, each in best.items()
        },
    }


def processor() -> dict[str, Any]:
    """The processor's vector and matrix units, which affect the rate of a matrix product."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        flags = set()
    units = {"avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile"} & flags
    return {"vector_and_matrix_units": sorted(units)}


def start_to_answer(config: Config, folder: str, rounds: int, out: Path) -> dict[str, Any]:
    """Seconds of whole processes and the accuracies they reach, with another seed each round."""
    compiled = out / "compiled"
    commands = ("cold", "warm", *LIBRARIES[1:])
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    accuracies: dict[str, list[float]] = {name: [] for name in commands}
    whole(train(replace(config, data_dir=folder), out / "first", compiled))
    for number in track(range(rounds), "timing whole processes in turn"):
        seeded = replace(config, seed=number, data_dir=folder)
        for name in timing.in_turn(commands, number):
            if name in LIBRARIES:
                taken, printed = whole(program(name, folder, recipe(seeded)))
                accuracies[name].append(json.loads(printed)["accuracy"])
            else:
                workdir = out / f"{name}-{number}"
                cache = compiled if name == "warm" else out / f"compiled-{number}"
                taken, _ = whole(train(seeded, workdir, cache))
                result = json.loads((workdir / "result.json").read_text())
                accuracies[name].append(result["test_accuracy"])
            seconds[name].append(taken)
    return {"seconds": seconds, "accuracy": accuracies}


def throughput(
    folder: str, sizes: Sequence[int], batch: int, config: Config, rounds: int
) -> dict[str, list[float]]:
    """Examples a second of each library's fastest epoch, and operations a second of a product."""
    changed = {"sizes": sizes, "batch_size": batch, "epochs": 2, "train_examples": EXAMPLES}
    settings = recipe(config) | changed
    rates: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    programs = [name for name in PROGRAMS if name != "scikit_learn" or max(sizes[1:]) < 200]
    for number in track(range(rounds), f"training {options.text(sizes)} with each library"):
        for name in timing.in_turn(programs, number):
            printed = whole(program(name, folder, settings))[1]
            rates[name].append(max(json.loads(printed)["rates"]))
    return rates


def program(name: str, folder: str, settings: dict[str, Any]) -> list[str]:
    """The command line of a program."""
    return [
        *(sys.executable, "-m", "experiments.speed.programs"),
        *(name, folder, json.dumps(settings)),
    ]


def train(config: Config, workdir: Path, compiled: Path) -> list[str]:
    """The command line of the training command, with every option of the config."""
    changed = replace(config, workdir=str(workdir), overwrite=True)
    flags = [
        f"--{option.name}={options.text(value)}"
        for option in options.options_of(Config)
        for value in [
            getattr(changed, option.name, getattr(changed.architecture, option.name, None))
        ]
        if value not in (None, False)
    ]
    return [sys.executable, "-m", "mnist_jax.train", f"--compilation_cache={compiled}", *flags]


def whole(words: list[str]) -> tuple[float, str]:
    """The seconds of a process, and the last line that it printed. Raises `BenchmarkError`."""
    started = time.perf_counter()
    ended = subprocess.run(  # noqa: S603 - it runs this project's own programs
        words, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if ended.returncode != 0:
        raise BenchmarkError(
            "every program of the comparison must end without an error",
            (ended.stderr or ended.stdout).strip().splitlines()[-1],
            "pip install --editable '.[benchmark]'",
        )
    return seconds, ended.stdout.strip().splitlines()[-1]
