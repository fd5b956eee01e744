"""Where an experiment's numbers go: JSON, with the command and the machine that made them."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import jax

from manual_grads.cli import A_PATH, ANY, OptionError, command, options, paths
from mnist_jax import runs

PUBLISHED = Path(__file__).parents[1] / "results"
"""The committed results, which only `--publish` changes."""


@dataclass(frozen=True)
class Output:
    """Where the numbers go: the options of each experiment inherit these two.

    The trainer's options, where an experiment has them as `config`, must not name a folder too.
    """

    out: Annotated[str | None, "where to write; a new folder under runs/ if not given", A_PATH] = (
        None
    )
    publish: Annotated[bool, "replace the committed results too", ANY] = False

    def __post_init__(self):
        options.check(self)
        config = getattr(self, "config", None)
        if config is not None and config.workdir is not None:
            raise OptionError(
                "an experiment must be told by --out where to write",
                "--workdir",
                "--out=FOLDER",
            )


Options = TypeVar("Options", bound=Output)


def run(
    measure: Callable[[Sequence[str], Options], None],
    options_class: type[Options],
    description: str | None,
    argv: Sequence[str] | None,
) -> int:
    """Calls `measure` with the command line and the options that it says; returns the status."""
    argv = sys.argv[1:] if argv is None else argv
    return command.run(partial(measure, argv), options_class, description, argv)


def folder(out: str | None, name: str) -> Path:
    """The folder to write to: `out`, or the next free `runs/NAME`. Raises `RunDirectoryError`."""
    return runs.make_free(name) if out is None else runs.make_folder(paths.of_user(out))


def machine() -> dict[str, Any]:
    """What measures here: the device, the number of CPU cores, and the versions."""
    return {
        "device": jax.devices()[0].device_kind,
        "cores": os.cpu_count(),
        "versions": runs.versions(),
    }


def save(path: Path, module: str, argv: Sequence[str], numbers: dict[str, Any]) -> Path:
    """Writes `numbers` to `path`, after the command and the machine that made them; returns it.

    The command is given without the folders of this machine. Raises `RunDirectoryError`.
    """
    words = [word for word in argv if not word.startswith(("--out=", "--data_dir="))]
    record = {"command": shlex.join(["python", "-m", module, *words]), **machine(), **numbers}
    runs.write(path, json.dumps(record, indent=2, allow_nan=False) + "\n")
    return path


def publish(chosen: Output, *files: Path, prefix: str = "") -> None:
    """Puts a copy of each file among the committed results, if `--publish` asks for that."""
    if chosen.publish:
        for file in files:
            runs.write(runs.make_folder(PUBLISHED) / f"{prefix}{file.name}", file.read_bytes())
