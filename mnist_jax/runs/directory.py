"""The run directory: the names of its files, and reading and writing them."""

import contextlib
import importlib.metadata
import json
import math
import platform
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import safetensors.numpy

from manual_grads import named_leaves
from manual_grads.cli import options
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.model import Params, init
from mnist_jax.runs.files import SMALL, RunDirectoryError, form, read, write

FORMAT = 1
CONFIG, METRICS, PARAMETERS, RESULT = (
    "config.json",
    "metrics.jsonl",
    "parameters.safetensors",
    "result.json",
)
LEARNING_CURVE, FIRST_LAYER, MISTAKES = "learning_curve.png", "first_layer.png", "mistakes.png"
FILES = (CONFIG, METRICS, PARAMETERS, RESULT, LEARNING_CURVE, FIRST_LAYER, MISTAKES)
EVALUATION = ("evaluation.json", "digits.png", "confusion.png")
"""What `mnist_jax.evaluate` adds."""


class Model(NamedTuple):
    """What a run has trained: its configuration, and its parameters."""

    config: Config
    params: Params


def write_metrics(workdir: Path, history: list[dict[str, Any]]) -> None:
    """One line of JSON an epoch. Raises `ValueError` for a number that is not finite."""
    lines = [json.dumps(metrics, allow_nan=False) + "\n" for metrics in history]
    write(workdir / METRICS, "".join(lines))


def read_metrics(workdir: Path, epochs: int) -> list[dict[str, Any]]:
    """The first `epochs` lines, of which a last, torn one is none. Raises `RunDirectoryError`."""
    path = workdir / METRICS
    history = []
    with contextlib.suppress(OSError, ValueError, RecursionError):
        for line in path.read_text().splitlines()[:epochs]:
            history.append(json.loads(line))
    if [metrics.get("epoch") for metrics in history] != list(range(1, epochs + 1)):
        raise RunDirectoryError(
            f"{path} must hold a line for each of the {epochs} epochs that the checkpoint has",
            f"{len(history)} whole lines",
            "the file as it was, or --overwrite to train from the start",
        )
    return history


def summary(
    config: Config,
    dataset: Dataset,
    last: dict[str, Any],
    correct: int,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """The result of a run: the metrics of its `last` epoch, and its correct test answers."""
    train_examples, test_examples = len(dataset.train.labels), len(dataset.test.labels)
    return {
        "dataset": dataset.name,
        "data_sha256": dataset.sha256,
        "train_examples": train_examples,
        "test_examples": test_examples,
        "test_accuracy": last["test_accuracy"],
        "test_errors": test_examples - correct,
        "train_loss": last["train_loss"],
        "epochs": config.epochs,
        "steps": last["step"],
        "gradient": config.gradient,
        "precision": "float32",
        "seconds": seconds,
        "examples_per_second": train_examples * config.epochs / seconds["train"],
        "device": jax.devices()[0].device_kind,
        "versions": versions(),
    }


def write_result(workdir: Path, result: dict[str, Any]) -> None:
    """Writes `result.json`; its presence says that the run has ended."""
    write(workdir / RESULT, json.dumps(result, indent=2, allow_nan=False) + "\n")


def versions() -> dict[str, str]:
    """The versions of Python, and of the packages that decide a run's bits."""
    packages = ("jax", "jaxlib", "numpy", "optax")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in packages
    }


def write_parameters(workdir: Path, params: Params) -> None:
    """Each leaf under its path, such as `2/weight`."""
    tensors = {leaf: np.asarray(value) for leaf, value in named_leaves(params).items()}
    write(workdir / PARAMETERS, safetensors.numpy.save(tensors))


def load(workdir: str | Path) -> Model:
    """The model that a run trained. Raises `RunDirectoryError`, `OptionError`."""
    workdir = Path(workdir)
    config = options.build(Config, read_config(workdir))
    expected = jax.eval_shape(lambda: init(jax.random.key(0), config.architecture))
    wanted = {leaf: form(value) for leaf, value in named_leaves(expected).items()}
    size = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(expected))
    try:
        tensors = safetensors.numpy.load(read(workdir / PARAMETERS, size + SMALL))
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise RunDirectoryError(
            f"{workdir / PARAMETERS} must hold the parameters of a run that has ended",
            str(error),
            "the folder of another run, or the run again",
        ) from None
    arrived = {leaf: form(value) for leaf, value in tensors.items()}
    if arrived != wanted:
        raise RunDirectoryError(
            f"{workdir / PARAMETERS} must hold the leaves {wanted}, as {CONFIG} beside it says",
            str(arrived),
            "the two files of one run",
        )
    leaves = [jax.numpy.asarray(tensors[leaf]) for leaf in named_leaves(expected)]
    return Model(config, jax.tree.unflatten(jax.tree.structure(expected), leaves))


def read_config(workdir: Path) -> dict[str, Any]:
    """The fields of a `config.json` of ours."""
    path = workdir / CONFIG
    try:
        fields = json.loads(read(path))
    except (OSError, ValueError, RecursionError) as error:
        raise RunDirectoryError(
            f"{path} must be the configuration of a run", str(error), "the folder of a run"
        ) from None
    if not isinstance(fields, dict) or not isinstance(fields.get("architecture"), dict):
        raise RunDirectoryError(
            f"{path} must be the configuration of a run", "other JSON", "the folder of a run"
        )
    if fields.get("format") != FORMAT:
        version = fields.get("version")
        raise RunDirectoryError(
            f'{path} must have "format": {FORMAT}',
            f'"format": {fields.get("format")!r}',
            f"version {version} of this program, which made it"
            if version
            else "the folder of a run, or the version of this program that made it",
        )
    return fields
