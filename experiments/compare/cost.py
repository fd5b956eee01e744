"""What each gradient costs: step time, compile time, memory, and the size of what is compiled."""

import statistics
from dataclasses import replace
from typing import Any

from jax.stages import Compiled

from experiments.common import timing
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.training import steps_per_epoch

BOTH = ("autodiff", "manual")
"""The gradients that are compared, by their names as modes of training."""


def cost(config: Config, dataset: Dataset, rounds: int) -> dict[str, Any]:
    """All of them, in rounds that take each gradient once, every other round in opposite order."""
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
        "peak_bytes": {name: peak_bytes(program) for name, program in compiled.items()},
        "instructions": {name: instructions(program) for name, program in compiled.items()},
    }


def peak_bytes(program: Compiled) -> int:
    """What the program holds at once, by its compiler's account: data, state, and between them."""
    of = program.memory_analysis()
    assert of is not None
    shared = of.alias_size_in_bytes
    return of.argument_size_in_bytes + of.output_size_in_bytes - shared + of.temp_size_in_bytes


def instructions(program: Compiled) -> int:
    """How many instructions the optimised program has, those of its fusions included."""
    text = program.as_text()
    assert text is not None
    return sum(" = " in line for line in text.splitlines())
