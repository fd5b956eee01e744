"""An experiment made in pieces, each kept as soon as it is there: what is missing is made later.

A folder of its own holds `words.json`, which says what the pieces are of, a file for each piece,
and, when all are there, the numbers of the whole.
"""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from manual_grads.cli import InputError
from mnist_jax import run_directory

WORDS = "words.json"


class PiecesError(InputError):
    """A folder that holds the pieces of another experiment, or none to draw."""


def words(argv: Sequence[str]) -> list[str]:
    """Those that decide what the pieces are: not where they go, nor what is made of them."""
    names = ("--out", "--publish", "--draw", "--data_dir")
    return [word for word in argv if word.split("=")[0] not in names]


def folder(out: str | None, name: str, of: Sequence[str]) -> Path:
    """The folder to go on in, or to begin in, for an experiment `of` these words.

    `out`, which must be free or hold pieces of the same words; without it the newest of `runs/NAME`
    and `runs/NAME-2`, … if that is unfinished and of the same words, else the next free. Raises
    `PiecesError`, `RunDirectoryError`.
    """
    newest = _newest(name) if out is None else Path(out).expanduser()
    if newest is not None and (newest / WORDS).exists():
        same = json.loads((newest / WORDS).read_text()) == list(of)
        if same and (out is not None or not (newest / f"{name}.json").exists()):
            return newest
        if out is not None:
            raise PiecesError(
                "an experiment must go on with the words that it began with",
                f"{newest} holds {' '.join(json.loads((newest / WORDS).read_text()))}",
                "the same words, or another --out",
            )
    made = run_directory.make_free(name) if out is None else run_directory.make(Path(newest or out))
    run_directory.write(made / WORDS, json.dumps(list(of)) + "\n")
    return made


def finished(out: str | None, name: str) -> Path:
    """The folder whose numbers are to be drawn again: `out`, or the newest of `runs/NAME`."""
    there = _newest(name) if out is None else Path(out).expanduser()
    if there is None or not (there / f"{name}.json").exists():
        raise PiecesError(
            "--draw must find the numbers of a finished experiment",
            f"no {name}.json in {there or 'runs/'}",
            "the command without --draw first, or --out=FOLDER",
        )
    return there


def _newest(name: str) -> Path | None:
    found = None
    for number in itertools.count(1):
        place = Path("runs") / (name if number == 1 else f"{name}-{number}")
        if not place.exists():
            return found
        found = place
    raise AssertionError("unreachable")


def piece(out: Path, name: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, as JSON has it; read from `OUT/NAME.json` if it was made before."""
    path = out / f"{name}.json"
    if not path.exists():
        run_directory.write(path, json.dumps(make(), allow_nan=False) + "\n")
    return json.loads(path.read_text())
