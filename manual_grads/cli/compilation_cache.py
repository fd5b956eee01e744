"""Keeps JAX's compiled programs in a folder, from which later commands load them.

Only commands do this: they set JAX's environment variables before they import jax. Importing a
package of this project sets none of them. A file's name contains a digest of the program, JAX's
version and the device. The name of the default folder is a digest of the processor's instruction
set, because machines with different processors can share a home folder. JAX executes the programs
in the folder, so other users must not have permission to write to it.
"""

import hashlib
import os
import platform
import stat
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import platformdirs

from manual_grads.cli import paths

NONE = "none"
MOST_BYTES = 2**28
"""If the files in the folder are larger than this in total, the oldest are deleted."""

VARIABLES = {
    "JAX_COMPILATION_CACHE_DIR": "{folder}",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
NO_CACHE = {"JAX_ENABLE_COMPILATION_CACHE": "false"}


def use(chosen: str | None, say: Callable[[str], None]) -> None:
    """Makes this process and its child processes use the folder `chosen` (None: the user's cache).

    "none" switches the cache off. If the variable `JAX_COMPILATION_CACHE_DIR` is set, its folder
    replaces the user's cache. If the folder cannot be used, `say` reports it and there is no cache.
    """
    if chosen == NONE:
        _set(NO_CACHE)
        return
    if chosen is None and "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    folder = default_folder() if chosen is None else paths.of_user(chosen).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _require_private(folder)
        _delete_oldest(folder)
    except (OSError, ValueError) as error:
        say(f"not using the cache of compiled programs in {folder}: {error}")
        _set(NO_CACHE)
        return
    _say_only_once(folder, say)
    _set({name: value.format(folder=folder) for name, value in VARIABLES.items()})


def default_folder() -> Path:
    """The folder, in the user's cache, for processors that have this machine's instruction set."""
    instructions = platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        instructions += next((line for line in lines if line.startswith(("flags", "Feat"))), "")
    digest = hashlib.sha256(instructions.encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("mnist_jax") / "compiled" / digest


def _require_private(folder: Path) -> None:
    """Raises `ValueError` if other users can write to the folder, `OSError` if this user cannot."""
    status = folder.stat()
    others = stat.S_IWGRP | stat.S_IWOTH
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & others):
        raise ValueError("other users can write to it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError("it is read-only")


def _delete_oldest(folder: Path) -> None:
    """If the files exceed `MOST_BYTES`, deletes the oldest until at most half of that is left."""
    found = []
    for file in os.scandir(folder):
        with suppress(FileNotFoundError):
            found.append((file.stat().st_mtime, file.stat().st_size, file.path))
    size = sum(bytes_ for _, bytes_, _ in found)
    if size <= MOST_BYTES:
        return
    for _, bytes_, path in sorted(found):
        if size > MOST_BYTES // 2:
            Path(path).unlink(missing_ok=True)
            size -= bytes_


def _say_only_once(folder: Path, say: Callable[[str], None]) -> None:
    """Replaces all of JAX's warnings about the folder by one line, and deletes unreadable files.

    JAX itself keeps unreadable files. Its warning contains only the first part of a file's name.
    """
    show, said = warnings.showwarning, []

    def show_warning(message: Any, *others: Any, **more: Any) -> None:
        text = str(message)
        if "persistent compilation cache entry" not in text:
            show(message, *others, **more)
            return
        if "Error reading" in text:
            for file in folder.glob(f"{text.split(chr(39))[1]}-*-cache"):
                with suppress(OSError):
                    file.unlink()
        if not said:
            said.append(text)
            what = text.partition("': ")[2]
            say(f"compiling anew, because a file in {folder} could not be read or written: {what}")

    warnings.showwarning = show_warning


def _set(variables: dict[str, str]) -> None:
    """Sets environment variables of JAX; if jax is already imported, also sets jax's options."""
    os.environ |= variables
    if "jax" in sys.modules:
        import jax

        for name, value in variables.items():
            values: dict[str, Any] = {"false": False, "0": 0.0, "-1": -1}
            jax.config.update(name.lower(), values.get(value, value))
