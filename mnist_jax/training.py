"""Training, from the first epoch to a whole run directory."""

import contextlib
import importlib.metadata
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from manual_grads.options import InputError
from mnist_jax import figures, run_directory
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.optimizer import optimizer, schedule
from mnist_jax.program import Evaluation, Steps, compile_program, steps_per_epoch
from mnist_jax.progress import Metrics
from mnist_jax.step import DTYPE, init_state

Seconds = dict[str, float]


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
    `NotFiniteError`; what was written until then stays.
    """
    seconds = dict(seconds or {})
    started = time.perf_counter() - sum(seconds.values())
    steps = steps_per_epoch(config, dataset)
    rate = schedule(config, steps)
    with timed(seconds, "compile"):
        update = optimizer(config, steps)
        state = jax.jit(init_state, static_argnums=(0, 1))(config, update)
        program = compile_program(config, update, state, dataset)

    history: list[Metrics] = []
    tested = None
    for epoch in range(1, config.epochs + 1):
        epoch_started = time.perf_counter()
        with timed(seconds, "train"):
            state, taken = program.train_epoch(state, epoch)
        with timed(seconds, "evaluate"):
            tested = program.evaluate(state.params)
        _require_finite(config, taken, tested, epoch)
        history.append(
            {
                "epoch": epoch,
                "step": epoch * steps,
                "train_loss": float(np.average(taken.losses, weights=taken.examples)),
                "train_accuracy": int(taken.correct.sum()) / int(taken.examples.sum()),
                "test_loss": tested.loss,
                "test_accuracy": tested.correct / len(dataset.test.labels),
                "learning_rate": float(np.asarray(rate(epoch * steps - 1))),
                "seconds": time.perf_counter() - epoch_started,
            }
        )
        run_directory.write_metrics(workdir, history)
        report(history[-1])
    assert tested is not None  # for there is at least one epoch

    run_directory.write_parameters(workdir, state.params)
    figures.write(
        workdir,
        {
            run_directory.LEARNING_CURVE: figures.learning_curve(history),
            run_directory.FIRST_LAYER: figures.first_layer(np.asarray(state.params[1]["weight"])),
            run_directory.MISTAKES: figures.mistakes(dataset.test, tested.outputs),
        },
    )
    seconds["total"] = time.perf_counter() - started
    result = summary(config, dataset, history[-1], seconds)
    run_directory.write_result(workdir, result)
    return result


def summary(config: Config, dataset: Dataset, last: Metrics, seconds: Seconds) -> dict[str, Any]:
    """What `result.json` holds, of a run whose last epoch has the metrics `last`."""
    train_examples, test_examples = len(dataset.train.labels), len(dataset.test.labels)
    return {
        "dataset": dataset.name,
        "data_sha256": dataset.sha256,
        "train_examples": train_examples,
        "test_examples": test_examples,
        "test_accuracy": last["test_accuracy"],
        "test_errors": test_examples - round(last["test_accuracy"] * test_examples),
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


def _require_finite(config: Config, steps: Steps, tested: Evaluation, epoch: int) -> None:
    """Raises `NotFiniteError` at the first step whose loss is not, the test counted as one."""
    losses = np.append(steps.losses, tested.loss)
    broken = np.flatnonzero(~np.isfinite(losses))
    if broken.size > 0:
        first, before = int(broken[0]), (epoch - 1) * len(steps.losses)
        place = f"step {before + first + 1}" if first < len(steps.losses) else "its last step"
        raise NotFiniteError(
            "the loss must stay finite",
            f"{losses[first]} in epoch {epoch}, at {place}; earlier epochs are kept",
            f"a --learning_rate below {config.learning_rate:g}, or --warmup_epochs=1",
        )
