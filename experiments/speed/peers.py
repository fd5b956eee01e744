"""Seconds of whole training processes, and examples per second, compared with other libraries.

Whole processes are timed in turn; every other round reverses the order. `cold` is the training
command without the compiled functions of an earlier run, and `warm` is the same command with them.
Both write all files and figures. PyTorch, plain JAX and scikit-learn (from the pip extra
`benchmark`) train the same network and write no files. All have the same batch size and recipe,
except that scikit-learn has another recipe, and `pytorch_best` is PyTorch with `PYTORCHS_BEST`.

Then each library trains six networks (scikit-learn only the two small ones) on 20,480 images; the
fastest epoch of a process counts. `of_product` is the operations per second of `mnist_jax`, divided
by those of the fastest matrix product of XLA, PyTorch and NumPy at the largest layer.
"""

import json
import os
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from experiments.common import timing
from experiments.speed.peer_programs import PROGRAMS
from experiments.speed.start import BenchmarkError, training_command, whole
from manual_grads.cli import command, options
from mnist_jax import Config, data, training

FILE = "{name}_peers.json"
ROUNDS = 5
SUMMARY = "seconds ÷ PyTorch's: {start_ratios}; examples/s ÷ best other library's: {rate_ratios}"
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
"""The layer sizes and batch sizes for which examples per second are compared."""
PYTORCHS_BEST = {"batch_size": 192, "learning_rate": 0.012}
"""A good setting of `fast_recipes.json`. Its batches are large: a PyTorch step has a fixed cost."""

PROGRAM_NAMES = {
    "warm": "mnist_jax.train",
    "cold": "the same, nothing compiled",
    "pytorch": "PyTorch, fused AdamW",
    "pytorch_best": f"PyTorch, batch size {PYTORCHS_BEST['batch_size']}",
    "plain_jax": "JAX and Optax",
    "scikit_learn": "scikit-learn",
}


def measure(config: Config, rounds: int, out: Path) -> dict[str, Any]:
    """The seconds, accuracy and examples per second of every library, and their ratios."""
    dataset = data.load(config, command.say)
    folder = config.data_dir or os.environ.get("MNIST_DATA_DIR")
    if dataset.name != "mnist" or folder is None:
        raise BenchmarkError(
            "the programs must read MNIST from a folder",
            "no folder" if dataset.name == "mnist" else dataset.name,
            "--data_dir=FOLDER",
        )
    config = replace(config, data_dir=folder)
    started = start_to_answer(config, rounds, out)
    medians = {name: statistics.median(taken) for name, taken in started["seconds"].items()}
    rates, rate_ratios, of_product = {}, {}, {}
    for sizes, batch_size in NETWORKS:
        of = f"{options.text(sizes)} at {batch_size}"
        network = replace(config.architecture, layer_sizes=sizes)
        rates[of] = throughput(replace(config, architecture=network, batch_size=batch_size), rounds)
        best = {name: max(found, default=0.0) for name, found in rates[of].items()}
        rate_ratios[of] = round(best["ours"] / max(best[name] for name in LIBRARIES[1:]), 2)
        of_product[of] = round(best["ours"] * timing.operations(sizes, 1) / best["products"], 3)
    return {
        "dataset": dataset.name,
        "vector_and_matrix_units": training.processor_units(),
        "start_to_answer": started,
        "start_medians": medians,
        "start_ratios": {name: round(s / medians["pytorch"], 3) for name, s in medians.items()},
        "examples_a_second": rates,
        "rate_ratios": rate_ratios,
        "of_product": of_product,
    }


def start_to_answer(config: Config, rounds: int, out: Path) -> dict[str, Any]:
    """Seconds of whole processes and the accuracies they reach, with another seed each round."""
    compiled = out / "compiled"
    commands = [*PROGRAM_NAMES]
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    accuracies: dict[str, list[float]] = {name: [] for name in commands}
    whole(training_command(config, out / "first", compiled))
    for number, name in timing.in_turn(commands, rounds, "timing whole processes in turn"):
        seeded, workdir = replace(config, seed=number), out / f"{name}-{number}"
        if name not in ("warm", "cold"):
            changed = PYTORCHS_BEST if name == "pytorch_best" else {}
            words = program(name.removesuffix("_best"), replace(seeded, **changed))
            ended = whole(words)
            accuracies[name].append(json.loads(ended.line)["accuracy"])
        else:
            cache = compiled if name == "warm" else out / f"compiled-{number}"
            ended = whole(training_command(seeded, workdir, cache))
            result = json.loads((workdir / "result.json").read_text())
            accuracies[name].append(result["test_accuracy"])
        seconds[name].append(ended.seconds)
    return {"seconds": seconds, "accuracy": accuracies}


def throughput(config: Config, rounds: int) -> dict[str, list[float]]:
    """For each library, examples per second of the fastest epoch; operations, for `products`."""
    config = replace(config, epochs=2, train_examples=EXAMPLES)
    sizes = config.architecture.layer_sizes
    rates: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    programs = [name for name in PROGRAMS if name != "scikit_learn" or max(sizes[1:]) < 200]
    for _, name in timing.in_turn(
        programs, rounds, f"training {options.text(sizes)} with each library"
    ):
        rates[name].append(max(json.loads(whole(program(name, config)).line)["rates"]))
    return rates


def program(name: str, config: Config) -> list[str]:
    """The command line of a program; its settings are all options of the config."""
    settings = json.dumps(options.values(config))
    return [sys.executable, "-m", "experiments.speed.peer_programs", name, settings]


def figures(numbers: dict[str, Any]) -> dict[str, Figure]:
    """Bar charts: seconds of whole processes, and the ratios of examples per second."""
    drawn = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = drawn.subplots(1, 2, width_ratios=(3, 2))
    seconds = numbers["start_to_answer"]["seconds"]
    colors = ["tab:blue" if name in ("warm", "cold") else "tab:gray" for name in PROGRAM_NAMES]
    bars = left.barh(
        [*PROGRAM_NAMES.values()],
        [statistics.median(seconds[name]) for name in PROGRAM_NAMES],
        color=colors,
    )
    left.bar_label(bars, fmt="%.1f s", padding=3)
    left.margins(x=0.25)
    left.set(xlabel="seconds of the whole process, fast.flags")
    bars = right.barh([*numbers["rate_ratios"]], [*numbers["rate_ratios"].values()])
    right.bar_label(bars, fmt="%.2f", padding=3)
    right.axvline(1.0, color="tab:gray", linestyle="--")
    right.margins(x=0.35)
    right.set(xlabel="our examples per second ÷\nthe fastest other library's")
    for axes in (left, right):
        axes.invert_yaxis()
    return {"fast_peers.png": drawn}
