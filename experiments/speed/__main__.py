"""Measures how long training and the gradient check take, and writes a JSON file for each part.

    python -m experiments.speed --flagfile=experiments/base.flags
    python -m experiments.speed --parts=peers --flagfile=experiments/fast.flags

start     the whole training command: its parts, imports, memory and checkpoints
steps     a training step with each gradient, compared with autodiff
checks    the gradient check, on two fixed networks
peers     training times and examples per second, also with PyTorch, plain JAX and scikit-learn
curves    the training time per example, by width, depth, batch size and number of examples
scaling   two processes compared with one, and a model for more devices
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from experiments.common import record
from experiments.speed import checks, cost_by_size, device_scaling, peers, start, steps
from manual_grads.cli import AT_LEAST_1, Rule, command
from mnist_jax import Config, figures, training

PARTS = {
    "start": start,
    "steps": steps,
    "checks": checks,
    "peers": peers,
    "curves": cost_by_size,
    "scaling": device_scaling,
}
"""The parts. Each is a module with the following members.

`measure(config, rounds, out)` returns the numbers, and `SUMMARY` is the format of their summary.
`ROUNDS` is the default of `--rounds`, and `FILE` the JSON file, with `{name}` for the run's name.
`figures(numbers)`, if a part has it, returns a dict from file names to figures.
"""

DISTINCT = Rule(
    f"be at least one of {', '.join(PARTS)}, each at most once",
    lambda parts: len(set(parts)) == len(parts) >= 1 and set(parts) <= PARTS.keys(),
)


@dataclass(frozen=True)
class Options(record.Output):
    """The parts to measure, how often, and the training run."""

    parts: Annotated[
        tuple[str, ...], "what to measure; peers needs MNIST and the pip extra benchmark", DISTINCT
    ] = ("steps", "checks")
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
        drawn = part.figures(numbers) if hasattr(part, "figures") else {}
        figures.write(out, drawn)
        saved = record.save(file, "experiments.speed", argv, numbers)
        record.publish(chosen, saved, *(out / name for name in drawn))
        command.say(part.SUMMARY.format_map(numbers))
    command.say(f"all files in {out}")


if __name__ == "__main__":
    command.leave(main())
