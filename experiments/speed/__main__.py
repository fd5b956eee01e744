"""Measures how long training and the gradient check take, and writes a JSON file for each part.

    python -m experiments.speed --flagfile=experiments/base.flags
    python -m experiments.speed --parts=peers --flagfile=experiments/fast.flags

steps         a training step with each gradient, compared with autodiff's
throughput    training, compared with the rate of a matrix product; also compilation
checks        the gradient check, on networks of its own
checkpoints   runs with many checkpoints, compared with runs with one
peers         whole processes and rates, compared with PyTorch, plain JAX and scikit-learn
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from experiments.common import record
from experiments.speed import checkpoints, checks, peers, steps, throughput
from manual_grads.cli import AT_LEAST_1, Rule, command
from mnist_jax import Config, training

PARTS = {
    "steps": steps,
    "throughput": throughput,
    "checks": checks,
    "checkpoints": checkpoints,
    "peers": peers,
}
"""The parts, each a module.

`measure(config, rounds, out)` returns the numbers, and the format string `SUMMARY` prints them.
`ROUNDS` is the default of `--rounds`, and `FILE` the JSON file, with `{name}` for the run's name.
"""

DISTINCT = Rule(
    f"be at least one of {', '.join(PARTS)}, each once",
    lambda parts: len(set(parts)) == len(parts) >= 1 and set(parts) <= PARTS.keys(),
)


@dataclass(frozen=True)
class Options(record.Output):
    """Which parts are measured, how often, with which run."""

    parts: Annotated[
        tuple[str, ...], "what to measure; peers needs MNIST and pip's extra benchmark", DISTINCT
    ] = ("steps", "throughput", "checks", "checkpoints")
    rounds: Annotated[
        int | None,
        "how often each part is measured; if not given, "
        + ", ".join(f"{part.ROUNDS} times for {name}" for name, part in PARTS.items()),
        AT_LEAST_1,
    ] = None
    config: Config = field(default_factory=Config)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the given arguments, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Measures the chosen parts one after another, and writes and prints the numbers of each."""
    training.require_device(chosen.config.devices)
    out = record.folder(chosen.out, f"{chosen.config.name}-speed")
    for part in (PARTS[name] for name in chosen.parts):
        numbers = part.measure(chosen.config, chosen.rounds or part.ROUNDS, out)
        file = out / part.FILE.format(name=chosen.config.name)
        record.publish(chosen, record.save(file, "experiments.speed", argv, numbers))
        command.say(part.SUMMARY.format_map(numbers))
    command.say(f"all files in {out}")


if __name__ == "__main__":
    command.leave(main())
