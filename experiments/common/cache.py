"""Cached results: an experiment that was stopped and started again makes only what is missing.

Each result is a JSON file below the current folder, named by a digest of everything that decides
it. Other options, data, code or versions have another digest, and so never find it.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from experiments.common import record
from manual_grads.cli import ANY, InputError, paths
from mnist_jax import runs

FOLDER = Path("runs/.cache")
ROOT = Path(__file__).parents[2]
"""The folder that holds the three packages."""

NOT_DECISIVE = {"out", "publish", "draw", "data_dir", "workdir", "overwrite", "resume", "timings"}
"""Options that do not change an experiment's numbers."""


class CacheError(InputError):
    """There are no numbers that `--draw` could draw."""


@dataclass(frozen=True)
class CachedOutput(record.Output):
    """Where the numbers of an experiment with cached results go, or come from."""

    draw: Annotated[
        bool, "run nothing; draw the report in --out, or the newest finished one, again", ANY
    ] = False


def digest(package: str, data: dict[str, str], *chosen: Any) -> str:
    """SHA-256 of everything that decides the results of the experiment in `package`.

    These are the options in the dataclasses `chosen`, the digests `data` of the data files, the
    machine and its versions, and the code that the experiment may run: every `*.py` file below
    `manual_grads`, `mnist_jax`, `experiments/common` and the package, and those in `experiments`.
    """
    folders = ("manual_grads", "mnist_jax", "experiments/common", package.replace(".", "/"))
    code = {*(ROOT / "experiments").glob("*.py")}
    code.update(*((ROOT / folder).rglob("*.py") for folder in folders))
    decisive = {
        "options": [dataclasses.asdict(each, dict_factory=_decisive) for each in chosen],
        "data": data,
        "machine": record.machine(),
        "code": {file.relative_to(ROOT).as_posix(): _sha256(file.read_bytes()) for file in code},
    }
    return _sha256(json.dumps(decisive, sort_keys=True).encode())


def _decisive(values: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in values if name not in NOT_DECISIVE}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def result(experiment: str, name: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, converted to JSON and back; it is called only if no file has it.

    `experiment` is the `digest` of the experiment, in which the result is called `name`.
    """
    path = FOLDER / f"{_sha256(f'{experiment} {name}'.encode())}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # missing, or damaged
        return json.loads(path.read_text())["result"]
    made = json.dumps({"name": name, "result": make()}, allow_nan=False)
    runs.make_folder(FOLDER)
    runs.write(path, made + "\n")
    return json.loads(made)["result"]


def finished(out: str | None, name: str) -> Path:
    """The numbers that `--draw` reads: `NAME.json` in `out`, or in the newest `runs/NAME` with it.

    Raises `CacheError` if there is none.
    """
    there = itertools.takewhile(Path.exists, runs.numbered(name))
    folders = there if out is None else [paths.of_user(out)]
    found = [path for folder in folders if (path := folder / f"{name}.json").exists()]
    if not found:
        raise CacheError(
            "--draw must find the numbers of a finished experiment",
            f"no {name}.json in {out or f'runs/{name}'}",
            "the command without --draw first, or --out=FOLDER",
        )
    return found[-1]
