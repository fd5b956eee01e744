"""Trains a fully connected network on handwritten digits.

    python -m mnist_jax.train --flagfile=experiments/base.flags

Writes the parameters, metrics and figures of the run into a directory, by default under runs/.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from manual_grads.cli import command, signals
from mnist_jax import data, model, processes, progress, runs, training
from mnist_jax.clock import Clock, start_clock, timed, timings_line
from mnist_jax.config import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with the arguments `argv`, and returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)

    def work(config: Config) -> int | None:
        if config.coordinator is None or processes.has_parent():
            return train(config)
        return processes.supervise([sys.executable, "-m", "mnist_jax.train", *argv], config)

    return command.run(work, Config, __doc__, argv)


def fit(config: Config) -> "model.Model":  # in quotes: evaluating it would import jax
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
    with processes.joined(config) as connected:
        return _train_one(connected, clock)


def _train_one(config: Config, clock: Clock) -> Path:
    """Trains as one process of a run. Only process 0 prints and has a run directory."""
    writes = config.process_id == 0
    say = command.say if writes else lambda line: None
    reading = data.begin(config, say)
    with timed(clock, "imports"):  # while a thread reads the data
        training.require_device(config.devices)
        train_and_save = training.train_and_save
    if config.precision == "bfloat16" and training.lacks_bfloat16_units():
        say(
            "this processor has no matrix units for bfloat16, so --precision=bfloat16 saves no time"
        )
    with timed(clock, "load"):
        dataset = reading()
    config = replace(config, dataset=dataset.name)  # the dataset that `auto` chose
    if config.coordinator is not None:
        processes.require_same(config, runs.versions() | dataset.sha256)
    with runs.claimed(config) if writes else nullcontext(Path(os.devnull)) as workdir:
        try:
            showing = progress.training(config.epochs) if writes else nullcontext(progress.Report())
            with signals.deferred() as stopped, showing as report:
                if config.coordinator is not None:
                    stopped = processes.agreed(stopped)
                result = train_and_save(config, dataset, workdir, report, clock, stopped)
        except signals.Stopped as stop:
            if writes and runs.checkpoints.held(workdir / runs.checkpoints.FOLDER):
                stop.add_note(f"to continue: the same command with --workdir={workdir} --resume")
            raise
    if not writes:
        return workdir
    command.say(
        f"{result['test_accuracy']:.2%} of {result['test_examples']:,} test examples of "
        f"{result['dataset']} right ({result['test_errors']} wrong); all files in {workdir}"
    )
    if config.timings:
        command.say(timings_line(result["seconds"]))
    return workdir


if __name__ == "__main__":
    command.leave(main())
