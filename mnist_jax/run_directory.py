"""The run directory: what a run leaves behind, each file written beside its place and renamed."""

import contextlib
import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from manual_grads.cli import InputError, options
from mnist_jax import network
from mnist_jax.config import Config
from mnist_jax.network import Params, named_leaves

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


class RunDirectoryError(InputError):
    """A run directory that cannot be made, must not be written, or cannot be read."""


def make_free(name: str) -> Path:
    """Makes the first of `runs/NAME`, `runs/NAME-2`, … that is not there yet."""
    runs = make(Path("runs"))
    for number in itertools.count(1):
        workdir = runs / (name if number == 1 else f"{name}-{number}")
        if not os.path.lexists(workdir):
            with contextlib.suppress(FileExistsError):  # made by another process since
                return make(workdir, exist_ok=False)
    raise AssertionError("unreachable")


def make(folder: Path, exist_ok: bool = True) -> Path:
    """Makes `folder` and those above it. Raises `RunDirectoryError`, or `FileExistsError`."""
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            raise
        raise RunDirectoryError(
            f"{folder} must be a folder that can be written",
            str(error),
            "--workdir=FOLDER, one that you may write to",
        ) from None
    return folder


def write(path: Path, content: str | bytes) -> None:
    """Puts `content` at `path`, whole or not at all. Raises `RunDirectoryError`."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise RunDirectoryError(
            f"{path} must be a file that can be written",
            str(error),
            "space on its disk, permission to write, or another --workdir",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


SMALL = 2**20
"""Bytes of a file that says what others hold, at most."""


def read_small(path: Path) -> str:
    """The text of a small file. Raises `OSError`, or `ValueError` for a large one."""
    with path.open("rb") as file:
        content = file.read(SMALL + 1)
    if len(content) > SMALL:
        raise ValueError(f"more than {SMALL:,} bytes")
    return content.decode()


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


def write_result(workdir: Path, result: dict[str, Any]) -> None:
    """The numbers of the whole run; its presence says that the run has ended."""
    write(workdir / RESULT, json.dumps(result, indent=2, allow_nan=False) + "\n")


def write_parameters(workdir: Path, params: Params) -> None:
    """Each leaf under its path, such as `2/weight`."""
    tensors = {leaf: np.asarray(value) for leaf, value in named_leaves(params).items()}
    write(workdir / PARAMETERS, safetensors.numpy.save(tensors))


def load(workdir: str | Path) -> tuple[Config, Params]:
    """The config and the trained parameters of a run. Raises `RunDirectoryError`, `OptionError`."""
    workdir = Path(workdir)
    config = options.build(Config, read_config(workdir))
    expected = jax.eval_shape(lambda: network.init(jax.random.key(0), config.architecture))
    wanted = {leaf: _form(value) for leaf, value in named_leaves(expected).items()}
    size = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(expected))
    try:
        if (workdir / PARAMETERS).stat().st_size > size + SMALL:
            raise OSError(f"it is larger than the leaves that {CONFIG} beside it says")
        tensors = safetensors.numpy.load_file(workdir / PARAMETERS)
    except (OSError, safetensors.SafetensorError) as error:
        raise RunDirectoryError(
            f"{workdir / PARAMETERS} must hold the parameters of a run that has ended",
            str(error),
            "the folder of another run, or the run again",
        ) from None
    arrived = {leaf: _form(value) for leaf, value in tensors.items()}
    if arrived != wanted:
        raise RunDirectoryError(
            f"{workdir / PARAMETERS} must hold the leaves {wanted}, as {CONFIG} beside it says",
            str(arrived),
            "the two files of one run",
        )
    leaves = [jax.numpy.asarray(tensors[leaf]) for leaf in named_leaves(expected)]
    return config, jax.tree.unflatten(jax.tree.structure(expected), leaves)


def _form(leaf: Any) -> str:
    return f"{leaf.dtype}{list(leaf.shape)}"


def read_config(workdir: Path) -> dict[str, Any]:
    """The fields of a `config.json` of ours."""
    path = workdir / CONFIG
    try:
        fields = json.loads(read_small(path))
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
