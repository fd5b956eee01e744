"""Checkpoints: files `WORKDIR/checkpoints/STEP.safetensors`, loaded only if the checksum matches.

A file contains every leaf of the state as a tensor. Its only metadata entry is the SHA-256 of the
names, dtypes, shapes and bytes of all tensors, sorted by name. The safetensors format has no
checksum of its own: a file whose header has a wrong digit would be loaded.
"""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors.numpy

from manual_grads import named_leaves
from manual_grads.cli import InputError
from mnist_jax.runs import files
from mnist_jax.runs.directory import CHECKPOINTS as FOLDER

Tree = Any
Tensors = Mapping[str, np.ndarray]

KEPT = 3
"""How many of the newest checkpoints are kept, besides the one with the lowest validation loss."""


class CheckpointError(InputError):
    """A run has no undamaged checkpoint, or its newest one was written by another run."""


@contextlib.contextmanager
def writing(workdir: Path) -> Iterator[Callable[[int, Tree, int], Future[None]]]:
    """Yields `save(step, tree, best_step)`, which copies the tree and writes it in a thread.

    One file is written at a time. If a write fails, no older checkpoint is removed. The future of
    this write, the next `save` and the end of the `with` block then raise `RunDirectoryError`.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint") as thread:
        last: Future[None] = thread.submit(lambda: None)

        def save(step: int, tree: Tree, best_step: int) -> Future[None]:
            nonlocal last
            last.result()
            tensors = {name: np.array(leaf, order="C") for name, leaf in named_leaves(tree).items()}
            last = thread.submit(_write, workdir / FOLDER, step, tensors, best_step)
            return last

        yield save
        last.result()


def _write(folder: Path, step: int, tensors: dict[str, np.ndarray], best_step: int) -> None:
    content = safetensors.numpy.save(tensors, _metadata(tensors))
    files.write(path_of(files.make_folder(folder), step), content)
    steps = held(folder)
    for other in {*steps} - {*steps[-KEPT:], best_step or step}:
        path_of(folder, other).unlink(missing_ok=True)


def newest(workdir: Path, like: Tree, say: Callable[[str], None] = print) -> Tree | None:
    """Loads the newest undamaged checkpoint into the structure of `like`; None if there is no file.

    Damaged files are reported and skipped. Raises `CheckpointError` if every file is damaged, or if
    the newest undamaged file does not have the leaves of `like`.
    """
    folder = workdir / FOLDER
    damaged: dict[Path, str] = {}
    found = None
    for step in reversed(held(folder)):
        path = path_of(folder, step)
        try:
            tensors = _tensors(path, like)
        except (OSError, ValueError) as error:
            damaged[path] = str(error).split("\n", maxsplit=1)[0]
        else:
            found = _tree(path, tensors, like)
            break
    if found is None and damaged:
        raise CheckpointError(
            f"at least one checkpoint in {folder} must be undamaged",
            "; ".join(f"{path.name}: {damage}" for path, damage in damaged.items()),
            "undamaged copies of the files, or --overwrite to train from the start",
        )
    for path, damage in damaged.items():
        say(f"checkpoint {path.name} is damaged ({damage}); using an older one")
    return found


def remove_after(workdir: Path, step: int) -> None:
    """Removes the checkpoints later than `step`, and files that were not written completely."""
    folder = workdir / FOLDER
    for later in held(folder):
        if later > step:
            _remove(path_of(folder, later))
    for unfinished in folder.glob(".*.safetensors.*"):
        _remove(unfinished)


def size_of_all(tree: Tree) -> int:
    """The maximum bytes of all checkpoints: the `KEPT` newest, the best, and one being written."""
    return (KEPT + 2) * sum(getattr(leaf, "nbytes", 8) for leaf in jax.tree.leaves(tree))


def held(folder: Path) -> list[int]:
    """The steps of all checkpoints in a folder, damaged ones included, in increasing order."""
    return sorted(
        int(path.stem)
        for path in folder.glob("*.safetensors")
        if re.fullmatch(r"[0-9]{10}", path.stem)
    )


def path_of(folder: Path, step: int) -> Path:
    """The path of the checkpoint that was written after `step` steps."""
    return folder / f"{step:010d}.safetensors"


def remove_all(workdir: Path) -> None:
    """Removes all checkpoints, and then the folder if it is empty."""
    folder = workdir / FOLDER
    for entry in list(folder.glob("*")):
        if re.match(r"\.?[0-9]{10}\b", entry.name):
            _remove(entry)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _remove(path: Path) -> None:
    """Removes a file, a folder, or a link but not its target."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def require_some(workdir: Path, unless_new: bool = False) -> None:
    """Raises `CheckpointError` if no checkpoint exists, or if one has the format of version 0.1.0.

    With `unless_new`, a run without checkpoints is accepted: it begins at its first step.
    """
    folder = workdir / FOLDER
    names = sorted(entry.name for entry in folder.glob("*"))
    earlier = [name for name in names if re.fullmatch(r"[0-9]{10}", name)]
    if earlier:
        raise CheckpointError(
            f"{folder} must contain checkpoint files of this version, named STEP.safetensors",
            f"{earlier[-1]}, in the format of version 0.1.0",
            "version 0.1.0 of this program, or --overwrite to train from the start",
        )
    if not held(folder) and not unless_new:
        raise CheckpointError(
            f"--resume needs a checkpoint in {folder}",
            "no checkpoint",
            "the --workdir of another run, or --overwrite to train from the start",
        )


def _tensors(path: Path, like: Tree) -> dict[str, np.ndarray]:
    """Loads a file's tensors. Raises `OSError` or `ValueError` if it is unreadable or damaged."""
    if path.is_symlink() or not path.is_file():
        raise ValueError("it is not a plain file")
    size = sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(like))
    content = files.read(path, size + files.SMALL)
    try:
        tensors = safetensors.numpy.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except (safetensors.SafetensorError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if header.get("__metadata__") != _metadata(tensors):
        raise ValueError("its tensors do not match their SHA-256")
    return tensors


def _metadata(tensors: Tensors) -> dict[str, str]:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, tensor.dtype.str, tensor.shape]).encode())
        digest.update(tensor.tobytes())
    return {"sha256": digest.hexdigest()}


def _tree(path: Path, tensors: Tensors, like: Tree) -> Tree:
    leaves = named_leaves(like)
    wanted = {name: files.form(leaf) for name, leaf in leaves.items()}
    found = {name: files.form(tensor) for name, tensor in tensors.items()}
    if found != wanted:
        names = sorted(found.keys() | wanted)
        differing = [name for name in names if found.get(name) != wanted.get(name)]
        raise CheckpointError(
            f"{path} must contain exactly the tensors of the network in config.json",
            ", ".join(f"{name}: {found.get(name, 'none')}" for name in differing[:5]),
            "the checkpoints that this run wrote, or --overwrite to train from the start",
        )
    values = [
        type(leaf)(tensors[name].item()) if isinstance(leaf, int | float) else tensors[name]
        for name, leaf in leaves.items()
    ]
    return jax.tree.unflatten(jax.tree.structure(like), values)
