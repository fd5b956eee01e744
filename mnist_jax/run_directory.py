"""The run directory: what a run leaves behind, each file written beside its place and renamed."""

import contextlib
import dataclasses
import itertools
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy

from manual_grads import options
from manual_grads.options import InputError
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


class RunDirectoryError(InputError):
    """A run directory that cannot be made, must not be written, or cannot be read."""


def create(config: Config) -> Path:
    """Makes the run directory, with `config.json` in it. Raises `RunDirectoryError`.

    `--workdir`, which must not hold a run unless `--overwrite` is given; without it `runs/NAME`,
    or the next free `runs/NAME-2`, `-3`, …
    """
    workdir = make_free(config.name) if config.workdir is None else _claim(config)
    fields = {"format": FORMAT, **dataclasses.asdict(config)}
    write(workdir / CONFIG, json.dumps(fields, indent=2, allow_nan=False) + "\n")
    return workdir


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


def write_metrics(workdir: Path, history: list[dict[str, Any]]) -> None:
    """One line of JSON an epoch. Raises `ValueError` for a number that is not finite."""
    lines = [json.dumps(metrics, allow_nan=False) + "\n" for metrics in history]
    write(workdir / METRICS, "".join(lines))


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
    config = options.build(Config, _read_config(workdir))
    expected = jax.eval_shape(lambda: network.init(jax.random.key(0), config.architecture))
    try:
        tensors = safetensors.numpy.load_file(workdir / PARAMETERS)
    except (OSError, safetensors.SafetensorError) as error:
        raise RunDirectoryError(
            f"{workdir / PARAMETERS} must hold the parameters of a run that has ended",
            str(error),
            "the folder of another run, or the run again",
        ) from None
    wanted = {leaf: _form(value) for leaf, value in named_leaves(expected).items()}
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


def _claim(config: Config) -> Path:
    """Makes `--workdir`, or empties it of a run of ours where `--overwrite` allows that.

    All but `config.json`, which stays until it is replaced, so that the folder is always ours.
    """
    assert config.workdir is not None
    workdir = make(Path(config.workdir).expanduser())
    held = [name for name in FILES if os.path.lexists(workdir / name)]
    if held and not config.overwrite:
        raise RunDirectoryError(
            f"{workdir} must not hold a run already",
            f"it holds {', '.join(held)}",
            "another --workdir, or --overwrite to replace that run",
        )
    if held:
        _read_config(workdir)
        folders = [name for name in held if (workdir / name).is_dir()]
        if folders:
            raise RunDirectoryError(
                f"{workdir} must hold files where a run puts files",
                f"{', '.join(folders)}, a folder",
                "another --workdir",
            )
        for name in held:
            if name != CONFIG:
                (workdir / name).unlink(missing_ok=True)
    return workdir


def _read_config(workdir: Path) -> dict[str, Any]:
    """The fields of a `config.json` of ours."""
    path = workdir / CONFIG
    try:
        fields = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RunDirectoryError(
            f"{path} must be the configuration of a run", str(error), "the folder of a run"
        ) from None
    if not isinstance(fields, dict) or not isinstance(fields.get("architecture"), dict):
        raise RunDirectoryError(
            f"{path} must be the configuration of a run", "other JSON", "the folder of a run"
        )
    if fields.get("format") != FORMAT:
        raise RunDirectoryError(
            f'{path} must have "format": {FORMAT}',
            f'"format": {fields.get("format")!r}',
            "the folder of a run, or the version of this program that made it",
        )
    return fields
