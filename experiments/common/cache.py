"""Cached results: if an experiment is started again, it computes only the missing results.

Each result is a JSON file in `runs/.cache`. The file's name is a digest of everything that affects
the result, so a result is not reused with other options, data, code or versions.
"""

import contextlib
import hashlib
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from experiments.common import record
from manual_grads.cli import ANY, InputError, options, paths
from mnist_jax import runs

FOLDER = Path("runs/.cache")
ROOT = Path(__file__).parents[2]
"""The folder that contains `manual_grads`, `mnist_jax` and `experiments`."""

NOT_DECISIVE = {"out", "publish", "draw", "data_dir", "workdir", "overwrite", "resume", "timings"}
"""Options that do not change an experiment's numbers."""


class CacheError(InputError):
    """`--draw` finds no saved results."""


@dataclass(frozen=True)
class CachedOutput(record.Output):
    """The output options of an experiment with cached results."""

    draw: Annotated[
        bool, "only redraw the report in --out or, if --out is not given, the newest in runs/", ANY
    ] = False


def digest(package: str, data: dict[str, str], *chosen: Any) -> str:
    """SHA-256 of everything that affects the results of the experiment in `package`.

    These are the options in the dataclasses `chosen`, the digests `data` of the data files, the
    machine, package versions and the code. The code is every `*.py` file directly in `experiments`,
    and at any depth in `manual_grads`, `mnist_jax`, `experiments/common` and the package.
    """
    folders = ("manual_grads", "mnist_jax", "experiments/common", package.replace(".", "/"))
    code = {*(ROOT / "experiments").glob("*.py")}
    code.update(*((ROOT / folder).rglob("*.py") for folder in folders))
    values = [item for each in chosen for item in options.values(each).items()]
    decisive = {
        "options": [(name, value) for name, value in values if name not in NOT_DECISIVE],
        "data": data,
        "machine": record.machine(),
        "code": {file.relative_to(ROOT).as_posix(): _sha256(file.read_bytes()) for file in code},
    }
    return _sha256(json.dumps(decisive, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def result(experiment: str, name: str, make: Callable[[], Any]) -> Any:
    """The result of `make()`, converted to JSON and back. A cached result is not computed again.

    `experiment` is the `digest` of the experiment, and `name` identifies one of its results.
    """
    path = FOLDER / f"{_sha256(f'{experiment} {name}'.encode())}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # missing, or damaged
        return json.loads(path.read_text())["result"]
    made = json.dumps({"name": name, "result": make()}, allow_nan=False)
    runs.make_folder(FOLDER)
    runs.write(path, made + "\n")
    return json.loads(made)["result"]


def finished(out: str | None, name: str) -> Path:
    """The file that `--draw` reads: `NAME.json` in `out`, or in the newest `runs/NAME` that has it.

    Raises `CacheError` if there is no such file.
    """
    there = itertools.takewhile(Path.exists, runs.numbered(name))
    folders = there if out is None else [paths.of_user(out)]
    found = [path for folder in folders if (path := folder / f"{name}.json").exists()]
    if not found:
        raise CacheError(
            "--draw needs the results of a finished experiment",
            f"no {name}.json in {out or f'runs/{name}'}",
            "the command without --draw first, or --out=FOLDER",
        )
    return found[-1]
