"""The files of a run directory: their names, and functions that read and write them."""

import contextlib
import importlib.metadata
import json
import math
import platform
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors.numpy

from manual_grads import named_leaves
from manual_grads.cli import options, paths
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.model import Model, Params, init
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
"""The files that `mnist_jax.evaluate` adds."""


LOCK = ".lock"
CHECKPOINTS = "checkpoints"


def require_plain(workdir: Path) -> None:
    """Raises `RunDirectoryError` unless each file of a run is a plain file, or does not exist.

    `workdir` and its `checkpoints` must be folders or missing. A link could lead outside `workdir`.
    """
    stands = paths.what_is(workdir)
    if stands != paths.NOTHING and not stands.endswith(paths.FOLDER):
        raise RunDirectoryError(
            f"{workdir} must be a folder, or not exist yet", stands, "another --workdir"
        )
    wanted = dict.fromkeys((*FILES, *EVALUATION, LOCK), paths.FILE) | {CHECKPOINTS: paths.FOLDER}
    wrong = [
        f"{name}, {found}"
        for name, kind in wanted.items()
        for found in [paths.what_is(workdir / name)]
        if found not in (kind, paths.NOTHING)
    ]
    if not wrong and (workdir / LOCK).is_file() and (workdir / LOCK).stat().st_size > 0:
        wrong = [f"{LOCK}, a file that is not empty"]  # locking would truncate it
    if wrong:
        raise RunDirectoryError(
            f"a run's files in {workdir} must be plain files and folders, not links",
            "; ".join(wrong),
            "another --workdir",
        )


def write_metrics(workdir: Path, history: list[dict[str, Any]]) -> None:
    """Writes one line of JSON per epoch. Raises `ValueError` for a number that is not finite."""
    lines = [json.dumps(metrics, allow_nan=False) + "\n" for metrics in history]
    write(workdir / METRICS, "".join(lines))


def read_metrics(workdir: Path, epochs: int) -> list[dict[str, Any]]:
    """Reads the first `epochs` lines. Raises `RunDirectoryError` if one is missing or damaged."""
    path = workdir / METRICS
    history = []
    with contextlib.suppress(OSError, ValueError, RecursionError):
        for line in read(path, SMALL + epochs * BYTES_OF_AN_EPOCH).splitlines()[:epochs]:
            metrics = json.loads(line)
            json.dumps(metrics, allow_nan=False)  # raises an error for NaN and infinity
            history.append(metrics)
    if list(map(_epoch_of, history)) != list(range(1, epochs + 1)):
        raise RunDirectoryError(
            f"{path} must hold a line for each of the {epochs} epochs before the checkpoint",
            f"{len(history)} undamaged lines",
            "an undamaged copy of the file, or --overwrite to train from the start",
        )
    return history


BYTES_OF_AN_EPOCH = 2**14
"""An upper bound on the bytes of a line of `metrics.jsonl`."""


def _epoch_of(metrics: Any) -> int | None:
    """The epoch of a line, or None if the line lacks the step, a loss or an accuracy."""
    shown = [f"{part}_{name}" for part in ("train", "test") for name in ("loss", "accuracy")]
    whole = (
        isinstance(metrics, dict)
        and type(metrics.get("step")) is int
        and all(
            isinstance(metrics.get(name), int | float) and abs(metrics[name]) < LARGE
            for name in shown
        )
    )
    return metrics.get("epoch") if whole else None


LARGE = 1e300
"""An upper bound on the numbers that a run reports."""


def summary(
    config: Config,
    dataset: Dataset,
    last: dict[str, Any],
    correct: int,
    seconds: dict[str, float],
    devices: int = 1,
) -> dict[str, Any]:
    """The content of `result.json`. `last` has the metrics of the last epoch.

    `correct` is the number of correct test answers. `devices` counts the devices of all processes.
    """
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
        "precision": config.precision,
        "seconds": seconds,
        "examples_per_second": train_examples * config.epochs / seconds["train"],
        "device": jax.devices()[0].device_kind,
        "mesh": {"processes": jax.process_count(), "devices": devices},
        "versions": versions(),
    }


def remove_results(workdir: Path) -> None:
    """Removes the old results. They belong to the parameters that are replaced next."""
    for name in (RESULT, *EVALUATION):
        (workdir / name).unlink(missing_ok=True)


def write_result(workdir: Path, result: dict[str, Any]) -> None:
    """Writes `result.json`, the last file that a run writes."""
    write(workdir / RESULT, json.dumps(result, indent=2, allow_nan=False) + "\n")


def versions() -> dict[str, str]:
    """The versions of Python, and of the packages that can change the bits of a run's result."""
    packages = ("jax", "jaxlib", "numpy", "optax")
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in packages
    }


def write_parameters(workdir: Path, params: Params) -> None:
    """Writes each leaf as a tensor with the leaf's name, such as `2/weight`."""
    tensors = {leaf: np.asarray(value) for leaf, value in named_leaves(params).items()}
    write(workdir / PARAMETERS, safetensors.numpy.save(tensors))


def newest() -> Path:
    """The run directory in `runs/` with the newest parameters. Raises `RunDirectoryError`."""
    ended = [path for path in Path("runs").glob(f"*/{PARAMETERS}") if path.is_file()]
    if not ended:
        raise RunDirectoryError(
            "runs/ in this folder must hold a run that has ended",
            f"no such run (at runs: {paths.what_is(Path('runs'))})",
            "python -m mnist_jax.train --flagfile=experiments/base.flags, or --workdir=RUN",
        )
    return max(ended, key=lambda path: path.stat().st_mtime_ns).parent


def load(workdir: str | Path) -> Model:
    """Loads a trained network from its run directory. Raises `RunDirectoryError`, `OptionError`.

    >>> import mnist_jax
    >>> config = mnist_jax.Config(dataset="digits", epochs=1, workdir="runs/example")
    >>> _ = mnist_jax.fit(config)  # doctest: +ELLIPSIS
    reading digits...
    >>> mnist_jax.load("runs/example").config == config
    True
    """
    workdir = Path(workdir)
    config = options.build(Config, read_config(workdir))
    expected = jax.eval_shape(lambda: init(jax.random.key(0), config.architecture))
    wanted = {leaf: form(value) for leaf, value in named_leaves(expected).items()}
    size = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(expected))
    try:
        tensors = safetensors.numpy.load(read(workdir / PARAMETERS, size + SMALL))
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise RunDirectoryError(
            f"{workdir / PARAMETERS} must hold the parameters of a run that has ended",
            str(error),
            "the folder of another run, or train again",
        ) from None
    got = {leaf: form(value) for leaf, value in tensors.items()}
    if got != wanted:
        raise RunDirectoryError(
            f"{workdir / PARAMETERS} must hold the leaves that {CONFIG} describes, {wanted}",
            str(got),
            "both files from the same run",
        )
    leaves = [jax.numpy.asarray(tensors[leaf]) for leaf in named_leaves(expected)]
    return Model(config, jax.tree.unflatten(jax.tree.structure(expected), leaves))


def read_config(workdir: Path) -> dict[str, Any]:
    """The fields of a run's `config.json`. Raises `RunDirectoryError`."""
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
            f"version {version} of this program, which wrote it"
            if version
            else "the folder of a run, or the version of this program that wrote it",
        )
    return fields
