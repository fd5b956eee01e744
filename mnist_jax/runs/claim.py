"""Who may write a run directory: one process, a new run, or the run that it holds already.

`claimed` refuses and changes nothing; `begin` makes the folder that of the run.
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
    """The run directory, for this process alone. Raises `RunDirectoryError`, `CheckpointError`.

    `--workdir`, which must not hold a run unless `--overwrite` is given, and must hold one with
    checkpoints if `--resume` is; without it `runs/NAME`, or the next free `runs/NAME-2`, `-3`, …
    A folder that was made for a run which does not begin is removed.
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
            _require_allowed(config, workdir)  # again, for another process may have begun a run
            yield workdir
        finally:
            if is_new and [*workdir.glob("*")] == [workdir / directory.LOCK]:
                (workdir / directory.LOCK).unlink()
                workdir.rmdir()


def begin(config: Config, workdir: Path) -> None:
    """Writes `config.json`; unless the run is resumed, what the folder holds of a run goes first.

    Of all but `config.json`, which stays until it is replaced, so that the folder is always ours.
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


def create(config: Config) -> Path:
    """Makes the run directory, where no other process is to be kept out."""
    with claimed(config) as workdir:
        begin(config, workdir)
        return workdir


@contextlib.contextmanager
def _locked(workdir: Path) -> Iterator[None]:
    """No other process can hold the lock, which ends with the process that does."""
    lock = filelock.FileLock(workdir / directory.LOCK, timeout=0)
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


def _require_allowed(config: Config, workdir: Path) -> None:
    """Raises an error unless the run may have the folder; changes nothing."""
    directory.require_plain(workdir)
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
    if config.resume and not held:
        raise RunDirectoryError(
            f"--resume must find a run in {workdir}",
            "none there" if workdir.is_dir() else paths.what_is(workdir),
            "the --workdir of the run, or no --resume to train from the start",
        )
    if held:
        fields = directory.read_config(workdir)
        if config.resume:
            _require_same(options.build(Config, fields), config)
            checkpoints.require_some(workdir)


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
