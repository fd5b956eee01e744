"""The JSON file of an experiment: its numbers, and the command and the machine that made them."""

import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

import jax

from manual_grads.cli import A_PATH, ANY, OptionError, command, options, paths
from mnist_jax import runs

PUBLISHED = Path(__file__).parents[1] / "results"
"""The folder of the committed results. Only `--publish` changes it."""


@dataclass(frozen=True)
class Output:
    """The output options. The options class of every experiment is a subclass.

    Raises `OptionError` if a subclass has a `config` whose `workdir` is not None.
    """

    WITHOUT_EFFECT: ClassVar = ("workdir", "resume", "overwrite", "timings")

    out: Annotated[
        str | None, "the folder to write to; if not given, a new one in runs/", A_PATH
    ] = None
    publish: Annotated[bool, "also replace the committed results", ANY] = False

    def __post_init__(self):
        options.check(self)
        config = getattr(self, "config", None)
        if config is not None and config.workdir is not None:
            raise OptionError(
                "an experiment must get its folder from --out", "--workdir", "--out=FOLDER"
            )


Options = TypeVar("Options", bound=Output)


def run(
    measure: Callable[[Sequence[str], Options], None],
    options_class: type[Options],
    description: str | None,
    argv: Sequence[str] | None,
) -> int:
    """Calls `measure` with the arguments and the parsed options; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    return command.run(partial(measure, argv), options_class, description, argv)


def folder(out: str | None, name: str) -> Path:
    """Makes and returns `out`, or the next free `runs/NAME`. Raises `RunDirectoryError`."""
    return runs.make_free(name) if out is None else runs.make_folder(paths.of_user(out))


def machine() -> dict[str, Any]:
    """The device, the number of CPU cores, and the versions of Python and the main packages."""
    return {
        "device": jax.devices()[0].device_kind,
        "cores": os.cpu_count(),
        "versions": runs.versions(),
    }


def save(path: Path, module: str, argv: Sequence[str], numbers: dict[str, Any]) -> Path:
    """Writes the command, the machine and `numbers` to `path`, and returns `path`.

    The command is written without `--out` and `--data_dir`. Raises `RunDirectoryError`.
    """
    words = [word for word in argv if not word.startswith(("--out=", "--data_dir="))]
    record = {"command": shlex.join(["python", "-m", module, *words]), **machine(), **numbers}
    runs.write(path, json.dumps(record, indent=2, allow_nan=False) + "\n")
    return path


def publish(chosen: Output, *files: Path, prefix: str = "") -> None:
    """With `--publish`, copies each file to the committed results."""
    if chosen.publish:
        for file in files:
            runs.write(runs.make_folder(PUBLISHED) / f"{prefix}{file.name}", file.read_bytes())
