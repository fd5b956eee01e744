"""Trains in blocks of steps, saves checkpoints, and completes the run directory."""

import importlib
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from manual_grads import targets
from manual_grads.cli import command
from mnist_jax import processes, runs
from mnist_jax.background import started
from mnist_jax.clock import Clock, busy, go_on, seconds_of, start_clock, timed, timings
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.model import network_inputs
from mnist_jax.progress import Metrics, Report
from mnist_jax.runs import checkpoints, directory
from mnist_jax.training.compiled import (
    BlockResult,
    Evaluation,
    Training,
    compile_training,
    steps_per_epoch,
)
from mnist_jax.training.devices import mesh_of, place, replicated
from mnist_jax.training.failures import require_agreement, require_finite
from mnist_jax.training.state import DTYPE, RunState, TrainState, after_block, after_epoch, begin

EXPLAINED_ON = 7
"""The number of examples with which the gradient check explains a disagreement."""


FIGURES_SIZE = 2**20
"""The maximum size in bytes of the figures and text files of a run."""


class Job(NamedTuple):
    """The constants of a run, and its clock. `writes` is true only in process 0."""

    config: Config
    dataset: Dataset
    workdir: Path
    training: Training
    mesh: Mesh
    writes: bool
    clock: Clock


def train_and_save(
    config: Config,
    dataset: Dataset,
    workdir: Path,
    report: Report = Report(),  # noqa: B008 - immutable, and shows nothing
    clock: Clock | None = None,
    stopped: Callable[[], BaseException | None] = lambda: None,
) -> dict[str, Any]:
    """Trains, writes to `workdir` after each epoch, and returns the content of `result.json`.

    `report` has the functions that show progress. `clock` was started when the command began. With
    `--resume`, training continues from the newest undamaged checkpoint. `stopped` is called after
    each block. If it returns an exception, a checkpoint is written and the exception is raised.
    Raises `NotFiniteError`, `DisagreementError`, `MemoryExceededError`, `RunDirectoryError` and
    `CheckpointError`; files that were written before an error stay.
    """
    clock = clock or start_clock()
    report.compiling()
    training, state = compile_training(config, dataset, clock)
    started(partial(importlib.import_module, "mnist_jax.figures"))  # runs while XLA trains
    job = Job(config, dataset, workdir, training, mesh_of(config), jax.process_index() == 0, clock)
    run = begin(config, dataset, state, training.mode.no_record(state.params))
    history: list[Metrics] = []
    if config.resume:
        run = _resume(job, run)
    if job.writes:
        if config.resume:
            history = directory.read_metrics(workdir, run.epoch - 1)
            checkpoints.remove_after(workdir, run.step)
        runs.make_folder(workdir)
        runs.require_room(workdir, checkpoints.size_of_all(run) + FIGURES_SIZE)
        runs.begin(config, workdir)
        if config.resume:
            directory.write_metrics(workdir, history)  # drops epochs that are trained again
    run, tested = _train(job, run, history, report, stopped)
    return _finish(job, run, history, tested)


def _resume(job: Job, fresh: RunState) -> RunState:
    """The newest undamaged checkpoint, placed on the devices. Its seconds are added to the clock.

    Process 0 loads the checkpoint and sends it to the other processes.
    """
    run = processes.shared(_loaded(job, fresh) if job.writes else fresh)
    go_on(job.clock, run.seconds)
    return run._replace(state=place(run.state, replicated(job.mesh)))


def _loaded(job: Job, fresh: RunState) -> RunState:
    """The newest undamaged checkpoint, or `fresh` if none was written. Raises `CheckpointError`."""
    run = checkpoints.newest(job.workdir, fresh, command.say)
    if run is None:
        return fresh
    if not np.array_equal(run.data, fresh.data):
        raise checkpoints.CheckpointError(
            "a run must be resumed with the data that it began with",
            "other files with the same names",
            "the --data_dir that the run began with, or another --workdir",
        )
    if not _possible(job, run):
        raise checkpoints.CheckpointError(
            f"the newest checkpoint of {job.workdir} must be a state of this run",
            f"epoch {run.epoch}, block {run.block}, step {run.step}, seed {run.seed}"
            + ("" if _is_finite(run.state) else ", numbers that are not finite"),
            "the checkpoints that this run wrote, or --overwrite to train from the start",
        )
    return run


def _possible(job: Job, run: RunState) -> bool:
    """Whether the numbers in a checkpoint can come from this run."""
    steps = steps_per_epoch(job.config, job.dataset)
    done = run.block * job.config.block_steps
    seconds = np.array([*run.seconds.values(), run.totals.seconds, run.totals.loss])
    return (
        run.seed == job.config.seed
        and 1 <= run.epoch <= job.config.epochs + 1
        and 0 <= run.block < job.training.blocks
        and run.step == (run.epoch - 1) * steps + done
        and 0 <= run.best_step <= run.step
        and bool(np.all(np.isfinite(seconds) & (seconds >= 0)))
        and _is_finite(run.state)
    )


def _is_finite(state: TrainState) -> bool:
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(state))


def _train(
    job: Job,
    run: RunState,
    history: list[Metrics],
    report: Report,
    stopped: Callable[[], BaseException | None],
) -> tuple[RunState, Evaluation | None]:
    """Trains to the end of the last epoch, and appends each epoch's metrics to `history`.

    Returns the final state, and the last epoch's evaluation or None if no epoch was left to train.
    """
    tested = None
    with checkpoints.writing(job.workdir) if job.writes else nullcontext(_no_save) as save:
        if run.step == 0:
            save(0, run, 0)  # so that a run killed early can be resumed
        saved_at = seconds_of(job.clock)["total"]
        report.advance(_epochs_done(job, run))
        while run.epoch <= job.config.epochs:
            run = _next_block(job, run)
            report.advance(_epochs_done(job, run))
            if run.block == job.training.blocks:
                run, metrics, tested = _end_epoch(job, run)
                history.append(metrics)
                if job.writes:
                    directory.write_metrics(job.workdir, history)
                report.epoch(metrics)
            stop = stopped()
            run = run._replace(seconds=seconds_of(job.clock))
            waited = run.seconds["total"] - saved_at
            due = run.epoch > job.config.epochs or waited >= job.config.checkpoint_every_seconds
            if stop or due or run.step == run.best_step:
                written, saved_at = _save(run, save), run.seconds["total"]
                if stop:
                    written.result()
                    raise stop
    return run, tested


def _epochs_done(job: Job, run: RunState) -> float:
    return run.epoch - 1 + run.block / job.training.blocks


def _next_block(job: Job, run: RunState) -> RunState:
    """Trains the next block. Raises an error if a loss is not finite or the gradients disagree."""
    state, block = job.training.train_block(run.state, run.epoch, run.block)
    losses, correct = np.asarray(block.steps.losses), np.asarray(block.steps.correct)
    require_finite(job.config, job.workdir, losses, run.epoch, run.step + 1, taken=run.step)
    require_agreement(_by_precision(block), run.epoch, run.step, partial(_explain, job, state))
    return after_block(
        run, state, block.examples, losses, correct, job.training.mode.record(block.steps.inspected)
    )


def _by_precision(block: BlockResult) -> dict[str, Any]:
    """The gradient comparisons of a block. float64 is first, because it shows mistakes best."""
    found = {}
    if block.float64 is not None:
        found["float64"] = jax.tree.map(lambda value: value[None], block.float64)
    if block.steps.inspected is not None:
        found[DTYPE] = block.steps.inspected
    return found


def _explain(job: Job, state: TrainState) -> str:
    """Describes the mistake in the handwritten gradient, at the parameters after the last block."""
    images, labels = (jnp.asarray(part[:EXPLAINED_ON]) for part in job.dataset.train)
    truth = targets(job.config.architecture, labels, DTYPE)
    params = jax.tree.map(jnp.asarray, jax.device_get(state.params))
    return job.training.mode.explain(params, network_inputs(images, DTYPE), truth)


def _end_epoch(job: Job, run: RunState) -> tuple[RunState, Metrics, Evaluation]:
    """Returns the state before the next epoch, the metrics, and the evaluation on test examples."""
    dataset, totals = job.dataset, run.totals
    tested = job.training.evaluate(run.state.params)
    validated = job.training.validate and job.training.validate(run.state.params)
    loss = np.array([tested.loss])
    require_finite(job.config, job.workdir, loss, run.epoch, run.step, taken=run.step)
    run = run._replace(seconds=seconds_of(job.clock))
    metrics: Metrics = {
        "epoch": run.epoch,
        "step": run.step,
        "train_loss": totals.loss / totals.examples,
        "train_accuracy": totals.correct / totals.examples,
        "test_loss": tested.loss,
        "test_accuracy": tested.correct / len(dataset.test.labels),
        "learning_rate": float(job.training.rates[run.epoch - 1]),
    }
    if validated and dataset.validation:
        metrics["validation_loss"] = validated.loss
        metrics["validation_accuracy"] = validated.correct / len(dataset.validation.labels)
    metrics["seconds"] = busy(run.seconds) - totals.seconds
    metrics |= totals.record
    no_record = job.training.mode.no_record(run.state.params)
    return after_epoch(run, no_record, validated.loss if validated else None), metrics, tested


def _save(run: RunState, save: Callable[[int, RunState, int], Future[None]]) -> Future[None]:
    """Saves the run if its state is finite. If not, `require_finite` raises at the next loss."""
    return (save if _is_finite(run.state) else _no_save)(run.step, run, run.best_step)


def _no_save(step: int, run: RunState, best_step: int) -> Future[None]:
    """Replaces `save` in all processes but process 0, and for a state that is not finite."""
    nothing: Future[None] = Future()
    nothing.set_result(None)
    return nothing


def _finish(
    job: Job, run: RunState, history: list[Metrics], tested: Evaluation | None
) -> dict[str, Any]:
    """Writes the final files of a run; the last is `result.json`, whose content is returned.

    In all processes but process 0, it writes nothing and returns an empty dict.
    """
    from mnist_jax import figures  # not at the top: `train_and_save` imports it in a thread

    params = run.state.params
    evaluation = tested or job.training.evaluate(params)
    if not job.writes:
        return {}
    with timed(job.clock, "files"):
        directory.remove_results(job.workdir)
        directory.write_parameters(job.workdir, params)
        figures.write(
            job.workdir,
            {
                directory.LEARNING_CURVE: figures.learning_curve(history),
                directory.FIRST_LAYER: figures.first_layer(np.asarray(params[1]["weight"])),
                directory.MISTAKES: figures.mistakes(job.dataset.test, evaluation.outputs),
            },
        )
    numbers = directory.summary(
        job.config, job.dataset, history[-1], evaluation.correct, timings(job.clock), job.mesh.size
    )
    directory.write_result(job.workdir, numbers)
    return numbers
