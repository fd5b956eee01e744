"""Trains the document's network on handwritten digits.

    python -m mnist_jax.train --flagfile=experiments/base.flags

leaves a folder under runs/ with the numbers, the figures and the trained parameters.
"""

from collections.abc import Sequence
from dataclasses import replace

from manual_grads.cli import command, signals
from mnist_jax import data, progress, runs, training
from mnist_jax.clock import start_clock, timed
from mnist_jax.config import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    return command.run(train, Config, __doc__, argv)


def train(config: Config) -> None:
    """Loads, trains, and says in one line how well it went and where the files are."""
    training.require_device()
    clock = start_clock()
    with timed(clock, "load"):
        dataset = data.load(config, command.say)
    config = replace(config, dataset=dataset.name)  # which one `auto` was
    with runs.claimed(config) as workdir:
        try:
            with signals.deferred() as stopped, progress.training(config.epochs) as report:
                result = training.fit(config, dataset, workdir, report, clock, stopped)
        except signals.Stopped as stop:
            if runs.checkpoints.held(workdir / runs.checkpoints.FOLDER):
                stop.add_note(f"to go on: the same command with --workdir={workdir} --resume")
            raise
    command.say(
        f"{result['test_accuracy']:.2%} of {result['test_examples']:,} test examples of "
        f"{result['dataset']} right ({result['test_errors']} wrong); all files in {workdir}"
    )


if __name__ == "__main__":
    command.leave(main())
