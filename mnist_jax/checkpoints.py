"""Checkpoints: written by Orbax, and believed only where a manifest bears out every byte.

`WORKDIR/checkpoints/STEP/` is what Orbax writes; `STEP.json` beside it, written last and by rename,
has the SHA-256 of every file in it. Without one that matches a checkpoint is not whole, and is not
read: Orbax restores from damaged files without a word.
"""

import contextlib
import hashlib
import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint

from manual_grads.cli import InputError
from mnist_jax import run_directory
from mnist_jax.network import named_leaves
from mnist_jax.run import Run

FOLDER = "checkpoints"
KEPT = 3
"""The newest so many, besides the best."""

OVERHEAD = 2**20
"""Bytes that Orbax's own files take at most, besides the leaves."""


class CheckpointError(InputError):
    """No checkpoint of a run can be believed, or the one that is whole is of another run."""


@contextlib.contextmanager
def writing(workdir: Path) -> Iterator[Callable[[Run], Future[None]]]:
    """Yields `save(run)`, which copies the run and writes it in the background.

    One is written at a time; that it could not be is raised by what `save` returns, by the next
    `save`, and at the end, as `RunDirectoryError`. What was there before is whole then. A state
    that is not finite is not worth a checkpoint: the next loss will not be finite either.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint") as thread:
        last: Future[None] = thread.submit(lambda: None)

        def save(run: Run) -> Future[None]:
            nonlocal last
            last.result()
            leaves = {name: np.array(leaf) for name, leaf in named_leaves(run).items()}
            if all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(run.state)):
                last = thread.submit(_write, workdir / FOLDER, run.step, leaves, run.best_step)
            return last

        yield save
        last.result()


def _write(folder: Path, step: int, leaves: dict[str, np.ndarray], best: int) -> None:
    place = folder / _name(step)
    if _damage(place) is None:
        return  # the run has stopped twice at one step
    try:
        _remove(place)
        folder.mkdir(exist_ok=True)
        size, free = _size(leaves) + OVERHEAD, shutil.disk_usage(folder).free
        if free < size:  # asked first, for TensorStore prints what it cannot write any more
            raise OSError(f"{free:,} bytes free on its disk, for {size:,}")
        with _orbax() as checkpointer:
            checkpointer.save(place.absolute(), leaves)
        sums = _digests(place)
    except (OSError, ValueError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            _remove(place)
            _sweep(folder)
        raise run_directory.RunDirectoryError(
            f"{folder} must take a checkpoint",
            str(error).split("\n", maxsplit=1)[0],
            "space on its disk, permission to write, or another --workdir; then --resume",
        ) from None
    run_directory.write(_manifest(place), json.dumps(sums, indent=1) + "\n")
    finished = _steps(folder, "*.json")
    for other in finished - {*sorted(finished)[-KEPT:], best}:
        _remove(folder / _name(other))


def newest(workdir: Path, like: Run, say: Callable[[str], None] = print) -> Run | None:
    """The run of the newest whole checkpoint, with leaves as those of `like`; None without any.

    One that is not whole is told, passed over for an older one, and removed. Raises
    `CheckpointError` where there are finished ones and none is whole, or where the newest whole one
    has other leaves, or other data.
    """
    folder = workdir / FOLDER
    finished = _steps(folder, "*.json")
    broken = {}
    run = None
    for step in sorted(finished | _steps(folder, "*"), reverse=True):
        place = folder / _name(step)
        damage = _damage(place, _size(like)) if step in finished else "it was not finished"
        if damage is None:
            run = _read(place, like)
            break
        broken[place] = damage
    if run is None and finished:
        raise CheckpointError(
            f"one checkpoint in {folder} must be whole",
            "; ".join(f"{place.name}: {damage}" for place, damage in broken.items()),
            "the files as they were, or --overwrite to train from the start",
        )
    start = "the start" if run is None else f"step {run.step}"
    for place, damage in broken.items():
        say(f"checkpoint {place.name} is not whole ({damage}); going on from {start}")
        _remove(place)
    _sweep(folder)
    return run


def remove_all(workdir: Path) -> None:
    """Removes the checkpoints of a run, and their folder unless something else is in it."""
    folder = workdir / FOLDER
    for entry in list(folder.glob("*")):
        if re.match(r"\.?\d{10}\b", entry.name):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _read(place: Path, like: Run) -> Run:
    """The run in a whole checkpoint. Its shapes are looked at before any memory is taken."""
    wanted = {name: np.asarray(leaf) for name, leaf in named_leaves(like).items()}
    with _orbax() as checkpointer:
        found = checkpointer.metadata(place.absolute()).item_metadata
        forms = {name: _stored(leaf) for name, leaf in dict(found.items()).items()} if found else {}
        expected = {name: _form(leaf) for name, leaf in wanted.items()}
        if forms != expected:
            differing = sorted(
                name for name in forms.keys() | expected if forms.get(name) != expected.get(name)
            )
            raise CheckpointError(
                f"{place} must hold the leaves of this run, as {run_directory.CONFIG} says",
                ", ".join(f"{name}: {forms.get(name, 'none')}" for name in differing[:5]),
                "the checkpoints that this run wrote, or --overwrite to train from the start",
            )
        leaves = checkpointer.restore(place.absolute(), wanted)
    values = [
        type(leaf)(leaves[name].item()) if isinstance(leaf, int | float) else leaves[name]
        for name, leaf in named_leaves(like).items()
    ]
    run = jax.tree.unflatten(jax.tree.structure(like), values)
    if not np.array_equal(run.data, like.data):
        raise CheckpointError(
            "a run must go on with the data that it began with",
            "other files of the same names",
            "the --data_dir of the run's own data, or another --workdir",
        )
    return run._replace(state=jax.tree.map(jax.numpy.asarray, run.state))


@contextlib.contextmanager
def _orbax() -> Iterator[orbax.checkpoint.Checkpointer]:
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it prints the traceback of what it raises besides
    try:
        with orbax.checkpoint.Checkpointer(
            orbax.checkpoint.StandardCheckpointHandler()
        ) as checkpointer:
            yield checkpointer
    finally:
        logger.setLevel(level)


def _damage(place: Path, size: int | None = None) -> str | None:
    """Why a checkpoint is not whole; None if it is. `size` is that of its leaves, in bytes."""
    try:
        sums = json.loads(run_directory.read_small(_manifest(place)))
        files = [path for path in place.rglob("*") if not path.is_dir()]
        if size is not None and sum(path.lstat().st_size for path in files) > size + OVERHEAD:
            return "it is larger than what it should hold"
        if any(path.is_symlink() for path in files):
            return "it holds a link"
        found = _digests(place)
    except (OSError, ValueError, RecursionError) as error:
        return str(error).split("\n", maxsplit=1)[0]
    if not isinstance(sums, dict) or not sums:
        return "its manifest is none"
    wrong = sorted(name for name in sums.keys() | found if sums.get(name) != found.get(name))
    return f"{wrong[0]} is not what was written" if wrong else None


def _digests(place: Path) -> dict[str, str]:
    """The SHA-256 of every file in a folder, by its path there."""
    digests = {}
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            digests[path.relative_to(place).as_posix()] = hashlib.file_digest(
                file, "sha256"
            ).hexdigest()
    return digests


def _steps(folder: Path, pattern: str) -> set[int]:
    """Of the checkpoints, or with `*.json` of the manifests, in the folder."""
    suffix = Path(pattern).suffix
    return {
        int(path.stem)
        for path in folder.glob(pattern)
        if path.suffix == suffix and re.fullmatch(r"\d{10}", path.stem)
    }


def _remove(place: Path) -> None:
    """The manifest first: what is half removed is no checkpoint."""
    _manifest(place).unlink(missing_ok=True)
    if place.exists():
        shutil.rmtree(place)


def _sweep(folder: Path) -> None:
    """Removes what writes that did not come to their end have left."""
    for entry in list(folder.glob("*")):
        if re.match(r"\.?\d{10}\.(?!json$)", entry.name):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _name(step: int) -> str:
    return f"{step:010d}"


def _manifest(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _size(tree: Any) -> int:
    return sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(tree))


def _stored(leaf: Any) -> str:
    """The form of a leaf on disk. A chunk is decoded whole, so none may be larger than its leaf."""
    chunk = leaf.storage.chunk_shape
    large = any(part > max(whole, 1) for part, whole in zip(chunk, leaf.shape, strict=True))
    return _form(leaf) + (f" in chunks of {list(chunk)}" if large else "")


def _form(leaf: Any) -> str:
    return f"{np.dtype(leaf.dtype)}{list(leaf.shape)}"
