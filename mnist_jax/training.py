"""Training, from the first epoch to a whole run directory."""

import contextlib
import importlib.metadata
import operator
import platform
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from manual_grads.cli import InputError, command
from mnist_jax import checking, checkpoints, figures, gradients, run_directory
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.loss import network_inputs, targets
from mnist_jax.optimizer import learning_rates, optimizer
from mnist_jax.program import Evaluation, Program, compile_program, steps_per_epoch
from mnist_jax.progress import Metrics
from mnist_jax.run import SECONDS, Run, after_block, after_epoch, begin
from mnist_jax.step import DTYPE, TrainState, init_state

Seconds = dict[str, float]


class DeviceError(InputError):
    """JAX has no device to compute on."""


class MemoryExceededError(InputError):
    """The device has too little memory for the network."""


class NotFiniteError(InputError):
    """The loss became NaN or infinite."""


class Job(NamedTuple):
    """What stays the same from the first block of a run to the last; the rate of each epoch's last
    step, and the clock, which alone goes on.
    """

    config: Config
    dataset: Dataset
    workdir: Path
    program: Program
    rates: Float[np.ndarray, " epochs"]
    clock: Seconds


def fit(
    config: Config,
    dataset: Dataset,
    workdir: Path,
    report: Callable[[Metrics], None] = lambda metrics: None,
    seconds: Seconds | None = None,
    stopped: Callable[[], BaseException | None] = lambda: None,
) -> dict[str, Any]:
    """Trains, fills `workdir` epoch by epoch, and returns what its `result.json` holds.

    `report` is called with each epoch's metrics; `seconds` are those spent before, by name. Under
    `--resume` it goes on from the newest whole checkpoint. What `stopped` returns, asked after each
    block, is raised once a checkpoint is written. Raises `NotFiniteError`, `DisagreementError`,
    `MemoryExceededError`, `RunDirectoryError` and `CheckpointError`; what was written until then
    stays.
    """
    clock = dict.fromkeys(SECONDS, 0.0) | (seconds or {})
    started = time.perf_counter() - sum(clock.values())
    with timed(clock, "compile"), enough_memory():
        steps = steps_per_epoch(config, dataset)
        update = optimizer(config, steps)
        state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
        program = compile_program(config, update, state, dataset)
        rates = learning_rates(config, steps, steps * np.arange(1, config.epochs + 1) - 1)
    job = Job(config, dataset, workdir, program, np.asarray(rates), clock)
    run = begin(config, dataset, state)
    history: list[Metrics] = []
    if config.resume:
        run = checkpoints.newest(workdir, run, command.say) or run
        history = run_directory.read_metrics(workdir, run.epoch - 1)
        run_directory.write_metrics(workdir, history)
    earlier = run.seconds

    def timed_run() -> Run:
        clock["total"] = time.perf_counter() - started
        return run._replace(seconds=jax.tree.map(operator.add, earlier, clock))

    with checkpoints.writing(workdir) as save:
        saved_at = time.perf_counter()
        while run.epoch <= config.epochs:
            run = _block(job, run)
            if run.block == program.blocks:
                run, metrics = _end_of_epoch(job, run)
                history.append(metrics)
                run_directory.write_metrics(workdir, history)
                report(metrics)
            stop = stopped()
            waited = time.perf_counter() - saved_at
            due = run.epoch > config.epochs or waited >= config.checkpoint_every_seconds
            if stop or due or run.step == run.best_step:
                written, saved_at = save(timed_run()), time.perf_counter()
                if stop:
                    written.result()
                    raise stop
    return _finish(job, run, history, timed_run)


def _block(job: Job, run: Run) -> Run:
    """The run after its next block, held to finite losses and to agreement."""
    started = time.perf_counter()
    with timed(job.clock, "train"), enough_memory():
        state, trained = job.program.train_block(run.state, run.epoch, run.block)
    losses = np.asarray(trained.steps.losses)
    require_finite(job.config, job.workdir, losses, run.epoch, run.step + 1, updates=run.step)
    explain = partial(_explain, job.config, state, job.dataset)
    checking.require_agreement(trained, run.epoch, run.step, explain)
    return after_block(run, state, trained, time.perf_counter() - started)


def _end_of_epoch(job: Job, run: Run) -> tuple[Run, Metrics]:
    """The run before its next epoch, and what the epoch has to tell."""
    config, dataset, program = job.config, job.dataset, job.program
    started = time.perf_counter()
    with timed(job.clock, "evaluate"), enough_memory():
        tested = program.evaluate(run.state.params)
        validated = program.validate(run.state.params) if program.validate else None
    loss = np.array([tested.loss])
    require_finite(config, job.workdir, loss, run.epoch, run.step, updates=run.step)
    sums = run.sums
    metrics: Metrics = {
        "epoch": run.epoch,
        "step": run.step,
        "train_loss": sums.loss / sums.examples,
        "train_accuracy": sums.correct / sums.examples,
        "test_loss": tested.loss,
        "test_accuracy": tested.correct / len(dataset.test.labels),
        "learning_rate": float(job.rates[run.epoch - 1]),
    }
    if validated and dataset.validation:
        metrics["validation_loss"] = validated.loss
        metrics["validation_accuracy"] = validated.correct / len(dataset.validation.labels)
    metrics["seconds"] = sums.seconds + time.perf_counter() - started
    if config.gradient == "checked":
        metrics["disagreement"] = sums.disagreement
    return after_epoch(config, run, validated.loss if validated else None), metrics


def _finish(
    job: Job, run: Run, history: list[Metrics], timed_run: Callable[[], Run]
) -> dict[str, Any]:
    """Writes what a run leaves behind once its last epoch is done, `result.json` last."""
    params = run.state.params
    run_directory.write_parameters(job.workdir, params)
    with timed(job.clock, "evaluate"):
        evaluation = job.program.evaluate(params)
    figures.write(
        job.workdir,
        {
            run_directory.LEARNING_CURVE: figures.learning_curve(history),
            run_directory.FIRST_LAYER: figures.first_layer(np.asarray(params[1]["weight"])),
            run_directory.MISTAKES: figures.mistakes(job.dataset.test, evaluation.outputs),
        },
    )
    result = summary(job.config, job.dataset, history[-1], evaluation, timed_run().seconds)
    run_directory.write_result(job.workdir, result)
    return result


EXPLAINED_ON = 7
"""Examples: fewer than any layer has units, and no divisor of anything."""


def _explain(config: Config, state: TrainState, dataset: Dataset) -> str:
    """What is wrong with the handwritten gradient, at the parameters where training stopped."""
    architecture = config.architecture
    images, labels = (jnp.asarray(part[:EXPLAINED_ON]) for part in dataset.train)
    inputs, truth = network_inputs(images, DTYPE), targets(architecture, labels, DTYPE)
    return gradients.explanation(architecture, state.params, inputs, truth)


def summary(
    config: Config, dataset: Dataset, last: Metrics, evaluation: Evaluation, seconds: Seconds
) -> dict[str, Any]:
    """What `result.json` holds, of a run that ended with these metrics and this evaluation."""
    train_examples, test_examples = len(dataset.train.labels), len(dataset.test.labels)
    return {
        "dataset": dataset.name,
        "data_sha256": dataset.sha256,
        "train_examples": train_examples,
        "test_examples": test_examples,
        "test_accuracy": last["test_accuracy"],
        "test_errors": test_examples - evaluation.correct,
        "train_loss": last["train_loss"],
        "epochs": config.epochs,
        "steps": last["step"],
        "gradient": config.gradient,
        "precision": DTYPE,
        "seconds": seconds,
        "examples_per_second": train_examples * config.epochs / seconds["train"],
        "device": jax.devices()[0].device_kind,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of Python, and of the packages that decide a run's bits."""
    packages = ("jax", "jaxlib", "numpy", "optax")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in packages
    }


@contextlib.contextmanager
def timed(seconds: Seconds, name: str) -> Iterator[None]:
    """Adds to `seconds[name]` the time that the block takes."""
    started = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - started


def require_device() -> None:
    """Raises `DeviceError` unless JAX finds a device to compute on."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(
            "JAX must find a device to compute on",
            str(error).split("\n", maxsplit=1)[0] or "none",
            "JAX_PLATFORMS=cpu, or the extra cuda13 for a GPU",
        ) from None


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Raises `MemoryExceededError` where the device has too little for what is done inside."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        message = str(error).split("\n", maxsplit=1)[0]
        out = isinstance(error, MemoryError) or re.search("(?i)out of memory|exhausted", message)
        if not out:
            raise
        raise MemoryExceededError(
            "the network and a batch must fit into the device's memory",
            message,
            "smaller --layer_sizes, or a smaller --batch_size",
        ) from None


def require_finite(
    config: Config,
    workdir: Path,
    losses: Float[np.ndarray, " steps"],
    epoch: int,
    step: int,
    updates: int,
) -> None:
    """Raises `NotFiniteError` at the first loss that is not.

    The first of them is that of `step`, and of parameters that have seen so many `updates`.
    """
    broken = np.flatnonzero(~np.isfinite(losses))
    if broken.size == 0:
        return
    place = int(broken[0])
    raise NotFiniteError(
        "the loss must stay finite",
        f"{losses[place]} in epoch {epoch}, at step {step + place}; what was written before is in "
        f"{workdir}",
        f"--init_scale below {config.init_scale:g}, for no step has been taken yet"
        if updates + place == 0
        else f"--learning_rate below {config.learning_rate:g}",
    )
