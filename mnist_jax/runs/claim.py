"""Who may write a run directory: one process, a new run, or the run that it holds already."""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from manual_grads.cli import options
from mnist_jax.config import Config
from mnist_jax.runs import checkpoints, directory
from mnist_jax.runs.files import RunDirectoryError, make_folder, make_free, write

LOCK = ".lock"


@contextlib.contextmanager
def claimed(config: Config) -> Iterator[Path]:
    """The run directory, with `config.json` in it, for this process alone. Raises
    `RunDirectoryError`.

    `--workdir`, which must not hold a run unless `--overwrite` or `--resume` is given; without it
    `runs/NAME`, or the next free `runs/NAME-2`, `-3`, …
    """
    workdir = (
        make_free(config.name)
        if config.workdir is None
        else make_folder(Path(config.workdir).expanduser())
    )
    with _locked(workdir):
        _make_room(config, workdir)
        made_by = {
            "format": directory.FORMAT,
            "version": importlib.metadata.version("mnist-jax"),
        }
        fields = {**made_by, **dataclasses.asdict(config)}
        write(workdir / directory.CONFIG, json.dumps(fields, indent=2, allow_nan=False) + "\n")
        yield workdir


def create(config: Config) -> Path:
    """Makes the run directory as `claimed` does, where no other process is to be kept out."""
    with claimed(config) as workdir:
        return workdir


@contextlib.contextmanager
def _locked(workdir: Path) -> Iterator[None]:
    """No other process can hold the lock, which ends with the process that does."""
    lock = filelock.FileLock(workdir / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RunDirectoryError(
            f"{workdir} must be the run directory of one process",
            "another one that is training there",
            "the end of that one, or another --workdir",
        ) from None
    except OSError as error:
        raise RunDirectoryError(
            f"{workdir} must be a folder that can be written",
            str(error),
            "--workdir=FOLDER, one that you may write to",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _make_room(config: Config, workdir: Path) -> None:
    """Sees that the folder may be written, and empties it where `--overwrite` asks for that.

    Of all but `config.json`, which stays until it is replaced, so that the folder is always ours.
    """
    held = [
        name
        for name in (*directory.FILES, *directory.EVALUATION)
        if os.path.lexists(workdir / name)
    ]
    if held and not (config.overwrite or config.resume):
        raise RunDirectoryError(
            f"{workdir} must not hold a run already",
            f"it holds {', '.join(held)}",
            "another --workdir, --resume to go on with that run, or --overwrite to replace it",
        )
    if not held:
        return
    fields = directory.read_config(workdir)
    folders = [name for name in held if (workdir / name).is_dir()]
    if folders:
        raise RunDirectoryError(
            f"{workdir} must hold files where a run puts files",
            f"{', '.join(folders)}, a folder",
            "another --workdir",
        )
    if config.resume:
        _require_same(options.build(Config, fields), config)
        for name in (directory.RESULT, *directory.EVALUATION):  # of a run that has ended
            (workdir / name).unlink(missing_ok=True)
        return
    checkpoints.remove_all(workdir)
    for name in held:
        if name != directory.CONFIG:
            (workdir / name).unlink(missing_ok=True)


OF_THE_COMMAND = ("workdir", "overwrite", "resume", "checkpoint_every_seconds", "data_dir", "name")
"""Options that leave a run's bits as they are."""


def _require_same(was: Config, now: Config) -> None:
    """Raises `RunDirectoryError` unless both are one run, of which `now` may have more epochs."""
    values = [
        {**vars(config), **vars(config.architecture), "architecture": None} for config in (was, now)
    ]
    differing = [
        name
        for name, value in values[0].items()
        if name not in OF_THE_COMMAND and value != values[1][name]
    ]
    if was.schedule == "constant" and was.epochs < now.epochs:
        differing = [name for name in differing if name != "epochs"]
    if not differing:
        return
    shown = [
        " ".join(f"--{name}={options.text(each[name])}" for name in differing) for each in values
    ]
    raise RunDirectoryError(
        f"a run must go on with the flags that decide its result, here {shown[0]}",
        shown[1],
        "the run's own flags; more --epochs under --schedule=constant alone"
        if differing == ["epochs"]
        else "the run's own flags, or another --workdir",
    )
