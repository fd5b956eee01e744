"""Measures how much faster two devices train than one, and models this for more devices.

Each process of `mnist_jax.train` is pinned to one CPU core. One process trains 784-w-w-10 with
batches of 1,024 examples. Two processes share one such batch (`strong`), or have one each
(`weak`). The model of a step on n devices is

    seconds = overhead + operations / n / rate
              + latency · log₂ n + 2 (n − 1) / n · bytes / bandwidth

To add the gradients of n devices, at least log₂ n rounds of messages are needed, and each device
must send at least 2 (n − 1) / n times the bytes of a gradient. The overhead, 1/rate, latency and
1/bandwidth are fitted to the measured seconds by non-negative least squares of the relative errors.
"""

import itertools
import json
import math
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich.progress import track
from scipy.optimize import nnls

from experiments.common import timing
from experiments.speed.start import BenchmarkError, training_command
from manual_grads.cli import command
from mnist_jax import Config, data

FILE = "scaling.json"
ROUNDS = 3
SUMMARY = "examples per second, two processes ÷ one process, by width: {gains}"
ARRANGEMENTS = {"one": (1, 1024), "strong": (2, 1024), "weak": (2, 2048)}
"""The number of processes, and the number of examples in a batch of all processes together."""

WIDTHS = (64, 256, 512, 1024)
STEPS, EPOCHS = 20, 4
DEVICES = (8, 64, 1024)
MODELLED = [2**k for k in range(4, 15)]
"""The widths for which the model is evaluated."""

PIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.execv(sys.argv[2], sys.argv[2:])
"""
"""A program that pins itself to the core in its first argument, then executes the others."""

COEFFICIENTS = ("overhead", "seconds_per_operation", "latency", "seconds_per_byte")


def measure(config: Config, rounds: int, out: Path) -> dict[str, Any]:
    """The seconds of a step of each network and arrangement, their ratios, and the model."""
    dataset = data.load(config, command.say)
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        raise BenchmarkError(
            "each of two processes must have a CPU core",
            "a machine with one core, or without Linux",
            "another machine",
        )
    places = [(name, width) for name in ARRANGEMENTS for width in WIDTHS]
    seconds: dict[tuple[str, int], list[float]] = {place: [] for place in places}
    for number in track(range(rounds), "timing one process and two"):
        for name, width in places[:: -1 if number % 2 else 1]:
            workdir = out / f"{name}-{width}-{number}"
            seconds[name, width].append(step_seconds(config, name, width, workdir))
    medians = {place: statistics.median(each) for place, each in seconds.items()}
    model = fitted(medians)
    return {
        "dataset": dataset.name,
        "measured": [
            {"arrangement": name, "width": width, "seconds": seconds[name, width],
             "modelled": modelled(model, width, *ARRANGEMENTS[name])}
            for name, width in places
        ],
        "gains": {
            name: {str(width): round(gain(name, medians[name, width], medians["one", width]), 2)
                   for width in WIDTHS}
            for name in ARRANGEMENTS if name != "one"
        },
        "model": model,
        "worth": {
            kind: {str(devices): worth_from(model, devices, per_device) for devices in DEVICES}
            for kind, per_device in (("strong", False), ("weak", True))
        },
    }  # fmt: skip


def step_seconds(config: Config, arrangement: str, width: int, workdir: Path) -> float:
    """The seconds of a training step in an arrangement, with each process on a different core."""
    processes, batch = ARRANGEMENTS[arrangement]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    architecture = replace(config.architecture, layer_sizes=sizes(width))
    changed = replace(
        config,
        architecture=architecture,
        batch_size=batch,
        epochs=EPOCHS,
        train_examples=STEPS * batch,
        processes=processes,
        coordinator=address if processes > 1 else None,
    )
    started = []
    for number, core in zip(range(processes), sorted(os.sched_getaffinity(0)), strict=False):
        words = training_command(
            replace(changed, process_id=number), workdir, workdir.parent / "compiled"
        )
        pinned = [sys.executable, "-S", "-c", PIN, str(core), *words]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(pinned, **streams))  # noqa: S603 - our own
    errors = [process.communicate()[1] for process in started]
    if any(process.returncode for process in started):
        raise BenchmarkError("every process must end without an error", errors[0], "trying again")
    result = json.loads((workdir / "result.json").read_text())
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    epochs = [json.loads(line)["seconds"] for line in lines]
    return seconds_of_a_step(epochs, result["seconds"]["evaluate"])


def seconds_of_a_step(epochs: Sequence[float], evaluating: float) -> float:
    """The seconds of a training step, without evaluations.

    `epochs` has the seconds of each epoch with its evaluation, and `evaluating` is the seconds of
    all evaluations together. The first epoch is left out, because the processes connect in it.
    """
    return (statistics.median(epochs[1:]) - evaluating / len(epochs)) / STEPS


def sizes(width: int) -> tuple[int, ...]:
    """The layer sizes of a network with two hidden layers."""
    return 784, width, width, 10


def gain(arrangement: str, seconds: float, of_one: float) -> float:
    """The examples per second of an arrangement, divided by those of one process."""
    return ARRANGEMENTS[arrangement][1] / seconds / (ARRANGEMENTS["one"][1] / of_one)


def terms(width: int, devices: int, batch: int) -> list[float]:
    """The numbers that multiply the coefficients. `batch` counts the examples of all devices."""
    layers = sizes(width)
    parameters = sum((m + 1) * n for m, n in itertools.pairwise(layers))
    sent = 2 * (devices - 1) / devices * 4 * parameters
    return [1.0, timing.operations(layers, batch) / devices, math.log2(devices), sent]


def fitted(medians: dict[tuple[str, int], float]) -> dict[str, float]:
    """The coefficients that fit the measured seconds of a step best."""
    rows = [
        np.array(terms(width, *ARRANGEMENTS[name])) / seconds
        for (name, width), seconds in medians.items()
    ]
    scale = np.max(rows, axis=0)
    found, _ = nnls(np.array(rows) / scale, np.ones(len(rows)))
    return dict(zip(COEFFICIENTS, map(float, found / scale), strict=True))


def modelled(model: dict[str, float], width: int, devices: int, batch: int) -> float:
    """The seconds of a step according to the model."""
    return float(np.dot([*model.values()], terms(width, devices, batch)))


def efficiency(model: dict[str, float], width: int, devices: int, per_device: bool) -> float:
    """The modelled examples per second of n devices, divided by n times those of one device.

    The batch has 1,024 examples for each device if `per_device`, else 1,024 for all together.
    """
    _, batch = ARRANGEMENTS["one"]
    one = modelled(model, width, 1, batch) / batch
    whole = batch * devices if per_device else batch
    return one / (devices * modelled(model, width, devices, whole) / whole)


def worth_from(model: dict[str, float], devices: int, per_device: bool) -> int | None:
    """The smallest width in `MODELLED` with an efficiency of at least 1/2, or None."""
    found = (width for width in MODELLED if efficiency(model, width, devices, per_device) >= 0.5)
    return next(found, None)


def figures(numbers: dict[str, Any]) -> dict[str, Figure]:
    """Left: the gain of a second process, measured and modelled. Right: the modelled efficiency."""
    drawn = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = drawn.subplots(1, 2)
    model = numbers["model"]
    for name, color in (("weak", "tab:blue"), ("strong", "tab:orange")):
        of_one, of_two = ARRANGEMENTS["one"], ARRANGEMENTS[name]
        line = [
            gain(name, modelled(model, width, *of_two), modelled(model, width, *of_one))
            for width in MODELLED
        ]
        points = numbers["gains"][name]
        batch = f"{of_two[1] // of_two[0]:,} examples each"
        left.plot([*map(int, points)], [*points.values()], "o", color=color, label=batch)
        left.plot(MODELLED, line, "-", color=color, alpha=0.5)
    left.set(ylabel="examples per second,\ntwo processes ÷ one", title="measured (dots) and model")
    for devices, color in zip(DEVICES, ("tab:green", "tab:red", "tab:purple"), strict=True):
        for per_device, style in ((True, "-"), (False, "--")):
            line = [100 * efficiency(model, width, devices, per_device) for width in MODELLED]
            label = f"{devices:,} devices" if per_device else None
            right.plot(MODELLED, line, style, color=color, label=label)
    right.plot([], [], "k-", label="1,024 examples each")
    right.plot([], [], "k--", label="1,024 examples together")
    right.set(ylabel="% of n times one device", ylim=(0, 105), title="model only")
    for axes in (left, right):
        axes.set(xlabel="width w of 784-w-w-10", xscale="log")
        axes.set_xticks(MODELLED[1::3], [f"{width:,}" for width in MODELLED[1::3]])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    return {"scaling.png": drawn}
