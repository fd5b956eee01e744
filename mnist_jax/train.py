"""Trains the document's network on handwritten digits.

    python -m mnist_jax.train --flagfile=experiments/base.flags

Creates a folder under runs/ with the trained parameters, the numbers and the figures of the run.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from manual_grads.cli import command, signals
from mnist_jax import data, model, progress, runs, training
from mnist_jax.clock import start_clock, timed, timings_line
from mnist_jax.config import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the arguments `argv`, and returns its exit status."""
    return command.run(train, Config, __doc__, argv)


def fit(config: Config) -> "model.Model":  # in quotes, because it imports jax, which is slow
    """Trains and prints as the command does, and returns the trained network.

    The run directory is `config.workdir`, or the next free `runs/NAME`. Raises `InputError`, as
    `data.load` and `training.train_and_save` do. Ctrl-C writes a checkpoint and raises
    `KeyboardInterrupt`.

    >>> import mnist_jax
    >>> config = mnist_jax.Config(dataset="digits", epochs=1, workdir="runs/example")
    >>> model = mnist_jax.fit(config)  # doctest: +ELLIPSIS
    reading digits...all files in runs/example
    >>> model.params[1]["weight"].shape
    (1024, 784)
    """
    return runs.load(_trained(config))


def train(config: Config) -> None:
    """Trains, and prints the test accuracy and the run directory."""
    _trained(config)


def _trained(config: Config) -> Path:
    """Trains, and returns the run directory."""
    clock = start_clock()
    reading = data.begin(config, command.say)
    with timed(clock, "imports"):  # while a thread reads the data
        training.require_device(config.devices)
        train_and_save = training.train_and_save
    with timed(clock, "load"):
        dataset = reading()
    config = replace(config, dataset=dataset.name)  # the dataset that `auto` chose
    with runs.claimed(config) as workdir:
        try:
            with signals.deferred() as stopped, progress.training(config.epochs) as report:
                result = train_and_save(config, dataset, workdir, report, clock, stopped)
        except signals.Stopped as stop:
            if runs.checkpoints.held(workdir / runs.checkpoints.FOLDER):
                stop.add_note(f"to continue: the same command with --workdir={workdir} --resume")
            raise
    command.say(
        f"{result['test_accuracy']:.2%} of {result['test_examples']:,} test examples of "
        f"{result['dataset']} right ({result['test_errors']} wrong); all files in {workdir}"
    )
    if config.timings:
        command.say(timings_line(result["seconds"]))
    return workdir


if __name__ == "__main__":
    command.leave(main())
