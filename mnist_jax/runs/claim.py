"""Locks a run directory for one process, and checks that a run may write to it.

If `claimed` raises an error, it has changed no file. `begin` writes `config.json`.
"""

import contextlib
import dataclasses
import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from manual_grads.cli import options, paths
from mnist_jax.config import Config
from mnist_jax.runs import checkpoints, directory
from mnist_jax.runs.files import RunDirectoryError, make_folder, make_free, write


@contextlib.contextmanager
def claimed(config: Config) -> Iterator[Path]:
    """Yields the locked run directory. Raises `RunDirectoryError` or `CheckpointError`.

    The directory is `--workdir`, or else the first of `runs/NAME`, `runs/NAME-2`, … that does not
    exist. If it contains a run, `--overwrite` or `--resume` is needed. `--resume` needs checkpoints
    there, unless the run was killed before it wrote anything but its configuration. A new directory
    is removed at the end if no run has begun in it.
    """
    if config.workdir is None:
        workdir, is_new = make_free(config.name), True
    else:
        workdir = paths.of_user(config.workdir)
        _require_allowed(config, workdir)
        is_new = not os.path.lexists(workdir)
        make_folder(workdir)
    with _locked(workdir):
        try:
            _require_allowed(config, workdir)  # again, because another process may have begun a run
            yield workdir
        finally:
            if is_new and [*workdir.glob("*")] == [workdir / directory.LOCK]:
                (workdir / directory.LOCK).unlink()
                workdir.rmdir()


def begin(config: Config, workdir: Path) -> None:
    """Writes `config.json`. Unless the run is resumed, removes files of an earlier run first.

    The old `config.json` stays until it is replaced: the file marks a folder as a run directory.
    """
    make_folder(workdir)
    if not config.resume:
        checkpoints.remove_all(workdir)
        for name in (*directory.FILES, *directory.EVALUATION):
            if name != directory.CONFIG:
                (workdir / name).unlink(missing_ok=True)
    made_by = {"format": directory.FORMAT, "version": importlib.metadata.version("mnist-jax")}
    fields = {**made_by, **dataclasses.asdict(config)}
    write(workdir / directory.CONFIG, json.dumps(fields, indent=2, allow_nan=False) + "\n")


@contextlib.contextmanager
def _locked(workdir: Path) -> Iterator[None]:
    """Locks the folder. If the process is killed, the operating system releases the lock."""
    lock = filelock.FileLock(workdir / directory.LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RunDirectoryError(
            f"{workdir} must be used by one process only",
            "another process is training there",
            "another --workdir, or wait until that process ends",
        ) from None
    except OSError as error:
        raise RunDirectoryError(
            f"{workdir} must be a writable folder",
            str(error),
            "a --workdir for which you have write permission",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _require_allowed(config: Config, workdir: Path) -> None:
    """Raises an error unless the run may write to the folder. Changes no file."""
    directory.require_plain(workdir)
    existing = [
        name
        for name in (*directory.FILES, *directory.EVALUATION)
        if os.path.lexists(workdir / name)
    ]
    if existing and not (config.overwrite or config.resume):
        raise RunDirectoryError(
            f"{workdir} must not already contain a run",
            f"it contains {', '.join(existing)}",
            "another --workdir, --resume to continue that run, or --overwrite to replace it",
        )
    if config.resume and not existing:
        raise RunDirectoryError(
            f"--resume needs a run in {workdir}",
            "no run" if workdir.is_dir() else paths.what_is(workdir),
            "the --workdir of the run, or no --resume to train from the start",
        )
    if existing:
        fields = directory.read_config(workdir)
        if config.resume:
            _require_same(options.build(Config, fields), config)
            checkpoints.require_some(workdir, unless_new=existing == [directory.CONFIG])


MAY_CHANGE = (
    "workdir",
    "overwrite",
    "resume",
    "checkpoint_every_seconds",
    "data_dir",
    "name",
    "timings",
    "devices",
    "coordinator",
    "processes",
    "process_id",
    "process_timeout",
)
"""Options that may change when a run is resumed. They affect the result at most by rounding."""


def _require_same(was: Config, now: Config) -> None:
    """Raises `RunDirectoryError` if a run with the options `was` cannot be resumed with `now`."""
    values = [options.values(config) for config in (was, now)]
    differing = [
        name
        for name, value in values[0].items()
        if name not in MAY_CHANGE and value != values[1][name]
    ]
    if was.schedule == "constant" and was.epochs < now.epochs:
        differing = [name for name in differing if name != "epochs"]
    if not differing:
        return
    shown = [
        " ".join(f"--{name}={options.text(each[name])}" for name in differing) for each in values
    ]
    raise RunDirectoryError(
        f"a run must be resumed with the flags that it began with, here {shown[0]}",
        shown[1],
        "the original flags; --epochs may be larger only with --schedule=constant"
        if differing == ["epochs"]
        else "the original flags, or another --workdir",
    )
