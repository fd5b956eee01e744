"""Training, from the first epoch to a whole run directory."""

import contextlib
import importlib.metadata
import platform
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from manual_grads.options import InputError
from mnist_jax import checking, figures, gradients, run_directory
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.loss import network_inputs, targets
from mnist_jax.optimizer import learning_rates, optimizer
from mnist_jax.program import Epoch, Evaluation, compile_program, steps_per_epoch
from mnist_jax.progress import Metrics
from mnist_jax.step import DTYPE, TrainState, init_state

Seconds = dict[str, float]


class DeviceError(InputError):
    """JAX has no device to compute on."""


class MemoryExceededError(InputError):
    """The device has too little memory for the network."""


class NotFiniteError(InputError):
    """The loss became NaN or infinite."""


def fit(
    config: Config,
    dataset: Dataset,
    workdir: Path,
    report: Callable[[Metrics], None] = lambda metrics: None,
    seconds: Seconds | None = None,
) -> dict[str, Any]:
    """Trains, fills `workdir` epoch by epoch, and returns what its `result.json` holds.

    `report` is called with each epoch's metrics; `seconds` are those spent before, by name. Raises
    `NotFiniteError`, `DisagreementError` and `MemoryExceededError`; what was written until then
    stays.
    """
    seconds = dict(seconds or {})
    started = time.perf_counter() - sum(seconds.values())
    steps = steps_per_epoch(config, dataset)
    with timed(seconds, "compile"), enough_memory():
        update = optimizer(config, steps)
        state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
        program = compile_program(config, update, state, dataset)
        rates = learning_rates(config, steps, steps * np.arange(1, config.epochs + 1) - 1)

    history: list[Metrics] = []
    evaluation = None
    for epoch, rate in enumerate(rates, start=1):
        epoch_started = time.perf_counter()
        with timed(seconds, "train"), enough_memory():
            state, trained = program.train_epoch(state, epoch)
        with timed(seconds, "evaluate"), enough_memory():
            evaluation = program.evaluate(state.params)
        _require_finite(config, workdir, trained, evaluation, epoch)
        checking.require_agreement(trained, epoch, partial(_explain, config, state, dataset))
        history.append(
            {
                "epoch": epoch,
                "step": epoch * steps,
                "train_loss": float(np.average(trained.steps.losses, weights=trained.examples)),
                "train_accuracy": int(trained.steps.correct.sum()) / int(trained.examples.sum()),
                "test_loss": evaluation.loss,
                "test_accuracy": evaluation.correct / len(dataset.test.labels),
                "learning_rate": float(rate),  # the one of the epoch's last step
                "seconds": time.perf_counter() - epoch_started,
            }
        )
        if config.gradient == "checked":
            history[-1]["disagreement"] = checking.record(trained)
        run_directory.write_metrics(workdir, history)
        report(history[-1])
    assert evaluation is not None  # for there is at least one epoch

    run_directory.write_parameters(workdir, state.params)
    figures.write(
        workdir,
        {
            run_directory.LEARNING_CURVE: figures.learning_curve(history),
            run_directory.FIRST_LAYER: figures.first_layer(np.asarray(state.params[1]["weight"])),
            run_directory.MISTAKES: figures.mistakes(dataset.test, evaluation.outputs),
        },
    )
    seconds["total"] = time.perf_counter() - started
    result = summary(config, dataset, history[-1], evaluation, seconds)
    run_directory.write_result(workdir, result)
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


def _require_finite(
    config: Config, workdir: Path, trained: Epoch, evaluation: Evaluation, epoch: int
) -> None:
    """Raises `NotFiniteError` at the first step whose loss is not, the test counted as one."""
    losses = np.append(trained.steps.losses, evaluation.loss)
    broken = np.flatnonzero(~np.isfinite(losses))
    if broken.size > 0:
        steps = len(trained.examples)
        step = (epoch - 1) * steps + min(int(broken[0]) + 1, steps)
        untrained = epoch == 1 and broken[0] == 0
        raise NotFiniteError(
            "the loss must stay finite",
            f"{losses[broken[0]]} in epoch {epoch}, at step {step}; what was written before is in "
            f"{workdir}",
            f"--init_scale below {config.init_scale:g}, for no step has been taken yet"
            if untrained
            else f"--learning_rate below {config.learning_rate:g}",
        )
