"""Measures the training time per example by width, depth, batch size and number of examples.

Each line of the figure varies one of these four and keeps the others as in 784-1024-10 with batch
size 256, except that networks of different depths have 512 units in each hidden layer. A cost is
the time of the fastest of several epochs, divided by the number of examples. The limit is the time
of the matrix products alone, at the faster of the rates that XLA and NumPy reach for the product of
a batch and the largest weight matrix.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from rich.progress import track

from experiments.common import timing
from manual_grads.cli import command
from mnist_jax import Config, data
from mnist_jax.training import compile_training, train_epoch

FILE = "curves.json"
ROUNDS, PRODUCTS = 7, 25
"""How often an epoch and a matrix product are timed; the shortest time counts."""

SUMMARY = "timed {points} points on the {lines} lines of the figure curves.png"
SIZES, BATCH = (784, 1024, 10), 256
AN_EPOCH = 3e10
"""Operations in an epoch. This number determines the number of examples, so that an epoch takes
about half a second; but an epoch has at least four steps, and the line `examples` sets its own."""

LINES = {
    "width": {width: ((784, width, 10), BATCH) for width in (2**k for k in range(5, 13))},
    "depth": {depth: ((784, *depth * [512], 10), BATCH) for depth in (1, 2, 3, 4, 6, 8)},
    "batch size": {batch: (SIZES, batch) for batch in (2**k for k in range(3, 14))},
    "examples": dict.fromkeys((256, 512, 1024, 2048, 4096, 16384, 60000), (SIZES, BATCH)),
}
"""The points of each line: the value that varies, the layer sizes and the batch size."""


def measure(config: Config, rounds: int, _out: Path) -> dict[str, Any]:
    """The microseconds per example of each network in `LINES`, and of its matrix products alone."""
    dataset = data.load(config, command.say)
    every = [(line, value) for line, points in LINES.items() for value in points]
    rows = []
    for line, value in track(every, "timing an epoch at every point"):
        sizes, batch = LINES[line][value]
        examples = max(int(AN_EPOCH / timing.operations(sizes, 1)), 4 * batch)
        examples = min(value if line == "examples" else examples, len(dataset.train.labels))
        seconds = epoch_seconds(config, dataset, sizes, batch, examples, rounds)
        limit = timing.operations(sizes, examples) / product_rate(sizes, min(batch, examples))
        row = {"line": line, "value": value, "examples": examples}
        rows.append(row | {"cost": 1e6 * seconds / examples, "limit": 1e6 * limit / examples})
    return {"dataset": dataset.name, "lines": len(LINES), "points": len(rows), "rows": rows}


def epoch_seconds(
    config: Config,
    dataset: data.Dataset,
    sizes: Sequence[int],
    batch: int,
    examples: int,
    rounds: int,
) -> float:
    """The seconds of the fastest of `rounds` epochs of a network."""
    architecture = replace(config.architecture, layer_sizes=tuple(sizes))
    config = replace(config, architecture=architecture, batch_size=batch, epochs=rounds + 1)
    train = data.Examples(*(part[:examples] for part in dataset.train))
    compiled, state = compile_training(config, dataset._replace(train=train))
    state, _ = train_epoch(compiled, state, 1)
    fastest = math.inf
    for epoch in range(2, rounds + 2):
        (state, _), seconds = timing.timed(partial(train_epoch, compiled, state, epoch))
        fastest = min(fastest, seconds)
    return fastest


def product_rate(sizes: Sequence[int], batch: int) -> float:
    """The operations per second of the product of a batch and the largest weight matrix."""
    inputs, outputs = max(itertools.pairwise(sizes), key=math.prod)
    a, b = (np.ones(shape, np.float32) for shape in ((batch, inputs), (inputs, outputs)))
    multiply, on_device = jax.jit(jax.numpy.matmul), [*map(jax.device_put, (a, b))]
    multiply(*on_device).block_until_ready()
    calls = max(int(1e9 / (batch * inputs * outputs)), 1)
    seconds = min(
        timing.timed(lambda product=product: [product() for _ in range(calls)])[1]
        for _ in range(PRODUCTS)
        for product in (lambda: multiply(*on_device).block_until_ready(), lambda: np.matmul(a, b))
    )
    return 2 * batch * inputs * outputs * calls / seconds


def figures(numbers: dict[str, Any]) -> dict[str, Figure]:
    """One panel for each line: the cost of an example, and the limit."""
    drawn = Figure(figsize=(8, 5.6), layout="constrained")
    for axes, line in zip(drawn.subplots(2, 2, sharey=True).flat, LINES, strict=True):
        rows = [row for row in numbers["rows"] if row["line"] == line]
        values = [row["value"] for row in rows]
        axes.plot(values, [row["cost"] for row in rows], "o-", ms=4, label="training")
        axes.plot(values, [row["limit"] for row in rows], "k--", label="matrix products alone")
        axes.set(xlabel=line, ylabel="µs for an example", yscale="log")
        axes.set_xscale("linear" if line == "depth" else "log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3, which="both")
    drawn.axes[0].legend()
    return {"curves.png": drawn}
