"""Measures how long the parts of the product take, and writes a JSON file for each part.

    python -m experiments.speed --flagfile=experiments/base.flags
    python -m experiments.speed --parts=steps,throughput --flagfile=experiments/base.flags

steps         a training step with each gradient, compared with autodiff's
throughput    training, compared with the rate of a matrix product; compiling
checks        the gradient check, on networks of its own
checkpoints   runs with many checkpoints, compared with runs with one
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from experiments.common import record
from experiments.speed import checkpoints, checks, steps, throughput
from manual_grads.cli import AT_LEAST_1, Rule, command
from mnist_jax import Config, training


class Part(NamedTuple):
    """One part of the benchmark.

    `measure(config, rounds, out)` returns the numbers, which `file` then holds; `summary` is a
    format string for them.
    """

    measure: Callable[[Config, int, Path], dict[str, Any]]
    rounds: int
    file: str
    summary: str


PARTS = {
    "steps": Part(
        steps.measure,
        9,
        "{name}_step_time.json",
        "a step takes, compared with autodiff's: manual {ratios[manual][median]:.3f}, "
        "checked {ratios[checked][median]:.3f}",
    ),
    "throughput": Part(
        throughput.measure,
        9,
        "{name}_throughput.json",
        "training runs at {ratio:.3f} of the product's rate (rounds from {ratio_smallest:.3f} to "
        "{ratio_largest:.3f}); the training block compiles in {compile_seconds_median:.2f} s",
    ),
    "checks": Part(
        checks.measure,
        5,
        "check_time.json",
        "compiled, the check of 784,32,10 takes {after_compilation_median:.2f} s; the whole "
        "command {command_median[784,32,10]:.2f} s, and {command_median[784,1024,1024,10]:.2f} s "
        "for 784,1024,1024,10",
    ),
    "checkpoints": Part(
        checkpoints.measure,
        5,
        "checkpoint_cost.json",
        "a checkpoint has {checkpoint_bytes:,} bytes and costs {share_median:.2%} of the time",
    ),
}
DISTINCT = Rule(
    f"be at least one of {', '.join(PARTS)}, each once",
    lambda parts: len(set(parts)) == len(parts) >= 1 and set(parts) <= PARTS.keys(),
)


@dataclass(frozen=True)
class Options(record.Output):
    """Which parts are measured, how often, with which run."""

    parts: Annotated[tuple[str, ...], "what to measure", DISTINCT] = tuple(PARTS)
    rounds: Annotated[
        int | None,
        "how often each part is measured; if not given, 9 times for steps and throughput, "
        "5 for checks and checkpoints",
        AT_LEAST_1,
    ] = None
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Measures the chosen parts one after another, and writes and prints the numbers of each."""
    training.require_device()
    out = record.folder(chosen.out, f"{chosen.config.name}-speed")
    for part in (PARTS[name] for name in chosen.parts):
        numbers = part.measure(chosen.config, chosen.rounds or part.rounds, out)
        file = out / part.file.format(name=chosen.config.name)
        record.publish(chosen, record.save(file, "experiments.speed", argv, numbers))
        command.say(part.summary.format_map(numbers))
    command.say(f"all files in {out}")


if __name__ == "__main__":
    command.leave(main())
