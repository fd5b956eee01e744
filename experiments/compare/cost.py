"""The cost of each gradient: seconds of a step and of compiling, memory, and instructions."""

import statistics
from dataclasses import replace
from typing import Any

from jax.stages import Compiled

from experiments.common import timing
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.training import steps_per_epoch

BOTH = ("autodiff", "manual")
"""The values of `--gradient` that are compared."""


def cost(config: Config, dataset: Dataset, rounds: int) -> dict[str, Any]:
    """All costs. Each round measures each gradient once; the order alternates between rounds."""
    compilers = {name: timing.compiler(replace(config, gradient=name), dataset) for name in BOTH}
    seconds: dict[str, list[float]] = {name: [] for name in BOTH}
    compiled: dict[str, Compiled] = {}
    for number in range(rounds):
        for name in timing.in_turn(BOTH, number):
            compiled[name], taken = timing.timed(compilers[name])
            seconds[name].append(taken)
    steps = timing.epoch_seconds(config, dataset, rounds, BOTH)
    return {
        **timing.summary(steps, steps_per_epoch(config, dataset)),
        "compile_seconds": seconds,
        "compile_median": {name: statistics.median(taken) for name, taken in seconds.items()},
        "compile_ratio": statistics.median(
            manual / autodiff
            for autodiff, manual in zip(seconds["autodiff"], seconds["manual"], strict=True)
        ),
        "peak_bytes": {name: peak_bytes(each) for name, each in compiled.items()},
        "instructions": {name: instructions(each) for name, each in compiled.items()},
    }


def peak_bytes(compiled: Compiled) -> int:
    """The bytes of arguments, outputs and temporary arrays, as the compiler reports them."""
    sizes = compiled.memory_analysis()
    assert sizes is not None
    ends = sizes.argument_size_in_bytes + sizes.output_size_in_bytes - sizes.alias_size_in_bytes
    return ends + sizes.temp_size_in_bytes


def instructions(compiled: Compiled) -> int:
    """The number of instructions in the optimised HLO, including those inside fusions."""
    text = compiled.as_text()
    assert text is not None
    return sum(" = " in line for line in text.splitlines())
