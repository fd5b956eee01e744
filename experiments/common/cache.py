"""Cached results: each part of an experiment is kept as a file, and only missing ones are made.

The folder holds `key.json`, which says what the cached results depend on, a file for each of them,
and, when all are there, the numbers of the whole experiment.
"""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from experiments.common import record
from manual_grads.cli import A_PATH, ANY, InputError, options, paths
from mnist_jax import runs

KEY = "key.json"
ROOT = Path(__file__).parents[2]
"""The folder that holds the three packages."""

NOT_IN_KEY = {"out", "publish", "draw", "data_dir", "workdir", "overwrite", "resume"}
"""Options that leave an experiment's numbers as they are."""

Key = dict[str, Any]


class CacheError(InputError):
    """A folder that holds the cached results of another experiment, or no numbers to draw."""


@dataclass(frozen=True)
class CachedOutput(record.Output):
    """Where the numbers of an experiment go that can be stopped and gone on with."""

    out: Annotated[
        str | None,
        "where to write, or to go on; if not given, the newest folder of the experiment under "
        "runs/ that is unfinished and of the same options and code, or a new one",
        A_PATH,
    ] = None
    draw: Annotated[bool, "run nothing, draw again what --out holds", ANY] = False


def key(package: str, data: dict[str, str], *chosen: Any) -> Key:
    """What cached results depend on: options by name, digests of the code that makes them and of
    the `data` files.

    `chosen` are options dataclasses; `package` is the experiment's own, such as
    `experiments.compare`. Two spellings of the same options have the same key.
    """
    values = {name: value for one in chosen for name, value in _values(one).items()}
    decisive = {name: value for name, value in values.items() if name not in NOT_IN_KEY}
    return json.loads(json.dumps({"options": decisive, "code": code_digest(package), "data": data}))


def _values(chosen: Any) -> dict[str, Any]:
    """Each option of a dataclass by name, those of a dataclass that it holds included."""
    values = {}
    for field in dataclasses.fields(chosen):
        value = getattr(chosen, field.name)
        values |= _values(value) if dataclasses.is_dataclass(value) else {field.name: value}
    return values


def code_digest(package: str) -> str:
    """SHA-256 of every `*.py` file that the experiment of this package may run.

    These are the files of `manual_grads`, `mnist_jax`, `experiments/common` and the package itself,
    and those that lie in `experiments` directly.
    """
    folders = ["manual_grads", "mnist_jax", "experiments/common", package.replace(".", "/")]
    files = {*(ROOT / "experiments").glob("*.py")}
    files.update(*((ROOT / name).rglob("*.py") for name in folders))
    digest = hashlib.sha256()
    for name, file in sorted((file.relative_to(ROOT).as_posix(), file) for file in files):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def folder(out: str | None, name: str, wanted: Key) -> Path:
    """The folder to go on in, or to begin in, for the experiment `name` with the `wanted` key.

    `out`, which must be empty or hold cached results of the same key; without it the newest of
    `runs/NAME`, `runs/NAME-2`, … if that is unfinished and of the same key, else the next free.
    Raises `CacheError`, `RunDirectoryError`.
    """
    place = _newest(name) if out is None else paths.of_user(out)
    held = None if place is None else _key_in(place)
    if place is not None and held == wanted:
        if out is not None or not (place / f"{name}.json").exists():
            return place
    elif place is not None and out is not None:
        _require_free(place, held, wanted)
    made = record.folder(out, name)
    runs.write(made / KEY, json.dumps(wanted, indent=2) + "\n")
    return made


def _key_in(folder: Path) -> Key | None:
    return json.loads((folder / KEY).read_text()) if (folder / KEY).exists() else None


def _require_free(folder: Path, held: Key | None, wanted: Key) -> None:
    """Raises `CacheError` for a folder that has another key, or files without a key."""
    if held is not None:
        parts = [part for part in wanted if held.get(part) != wanted[part]]
        differences = (_difference(held, wanted, part) for part in parts)
        raise CacheError(
            f"an experiment must go on with the {' and the '.join(parts)} that it began with",
            f"{folder} was begun with {' and '.join(differences)}",
            f"the same {' and '.join(parts)}, or another --out",
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise CacheError(
            f"--out must be an empty folder, or hold the {KEY} of an experiment",
            f"{folder}, which has files and no {KEY}",
            "another --out",
        )


def _difference(held: Key, wanted: Key, part: str) -> str:
    """What the folder's key has in a part that differs, in words."""
    if part != "options":
        return f"other {part}"
    before, now = held[part], wanted[part]
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return " ".join(f"--{name}={_text(before.get(name))}" for name in names)


def _text(value: Any) -> str:
    """An option's value from JSON, as it is written behind `--name=`."""
    return options.text(tuple(value) if isinstance(value, list) else value)


def finished(out: str | None, name: str) -> Path:
    """The folder whose numbers are to be drawn again: `out`, or the newest of `runs/NAME`."""
    there = _newest(name) if out is None else paths.of_user(out)
    if there is None or not (there / f"{name}.json").exists():
        raise CacheError(
            "--draw must find the numbers of a finished experiment",
            f"no {name}.json in {there or 'runs/'}",
            "the command without --draw first, or --out=FOLDER",
        )
    return there


def _newest(name: str) -> Path | None:
    there = list(itertools.takewhile(Path.exists, runs.numbered(name)))
    return there[-1] if there else None


def result(out: Path, name: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, as JSON has it; read from `OUT/NAME.json` if it was made before."""
    path = out / f"{name}.json"
    if not path.exists():
        runs.write(path, json.dumps(make(), allow_nan=False) + "\n")
    return json.loads(path.read_text())
