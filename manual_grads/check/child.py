"""The process in which somebody's code runs: it is checked here, and the parent is told.

    python -m manual_grads.check.child FOLDER WORDS…

writes `reply.json` into FOLDER: the verdict, or why there is none. Without a whole reply the parent
has no verdict, whatever the code has done to this process.
"""

import contextlib
import importlib.util
import inspect
import json
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from manual_grads.check.__main__ import (
    REPLY,
    FunctionError,
    Options,
    file_of,
    heatmap_name,
)
from manual_grads.check.gradient import check_gradient
from manual_grads.check.report import Report
from manual_grads.check.sample import draw, network_loss
from manual_grads.cli import InputError, options

ARGUMENTS = ("params", "images", "labels")
JUDGES = ("builtins", "json", "math", "numpy", "jax", "manual_grads")
"""The libraries that compute a verdict."""


def reply(name: str, chosen: Options, folder: Path) -> dict[str, Any]:
    """The verdict on FILE.py:FUNCTION; `files` are those that were read as modules.

    Raises `InputError`.
    """
    sys.argv = [str(file_of(name))]
    judging = _functions()
    with jax.enable_x64(True):
        handwritten = _guarded(_loaded(name), name)
        loss = network_loss(chosen.network)
        if chosen.loss_function is not None:
            in_numpy = jax.errors.TracerArrayConversionError  # the check says more of this one
            loss = _guarded(_loaded(chosen.loss_function), chosen.loss_function, in_numpy)
        params, batch = draw(chosen.network, chosen.batch_size, chosen.seed)
        report = check_gradient(handwritten, loss, params, batch, network=chosen.network)
    _require_unreplaced(judging, name)
    if chosen.heatmap is not None:
        _draw(report, folder / heatmap_name(chosen))
    files = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    return {
        "agrees": bool(report.agrees),
        "text": str(report),
        "json": report.to_json(),
        "files": [file for file in files if isinstance(file, str)],
    }


def _draw(report: Report, file: Path) -> None:
    try:
        report.heatmap(file)
    except ValueError as error:
        raise FunctionError(
            "--heatmap must name a file of a format that can be drawn", str(error), "a .png"
        ) from None


def _loaded(name: str) -> Callable[..., Any]:
    """The function FILE.py:NAME; the file's folder is searched for what it imports."""
    path, function = file_of(name), name.rpartition(":")[2]
    sys.path.insert(0, str(path.parent.absolute()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        with _own_settings():
            spec.loader.exec_module(module)
    except BaseException as error:
        raise FunctionError(
            f"{path} must load without an error, and without ending the program",
            _place(error, path),
            'work that only a command does, under `if __name__ == "__main__":`'
            if isinstance(error, SystemExit)
            else f"{path} without that error",
        ) from None
    found = getattr(module, function, None)
    if not callable(found):
        there = [key for key, value in vars(module).items() if callable(value)]
        raise FunctionError(
            f"{path} must hold the function {function}",
            f"it holds {', '.join(there) or 'none'}",
            f"{path}:{there[0]}" if there else f"a function {function} in {path}",
        )
    _require_arguments(found, name)
    return found


def _require_arguments(function: Callable[..., Any], name: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # of a function that is not written in Python
    try:
        signature.bind(*ARGUMENTS)
    except TypeError:
        raise FunctionError(
            f"{name} must take three arguments, ({', '.join(ARGUMENTS)})",
            str(signature),
            f"def {name.rpartition(':')[2]}({', '.join(ARGUMENTS)}):",
        ) from None


def _guarded(
    function: Callable[..., Any], name: str, *passed_on: type[BaseException]
) -> Callable[..., Any]:
    """The function, with what it raises turned into three parts that show its author's line."""

    def call(*arguments):
        try:
            with _own_settings():
                return function(*arguments)
        except passed_on:
            raise
        except BaseException as error:
            path = file_of(name)
            shapes = jax.tree.map(np.shape, arguments)
            raise FunctionError(
                f"{name} must not raise, on arguments of the shapes {shapes}",
                _place(error, path),
                f"{path} without that error",
            ) from None

    return call


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """What the code sets for numpy's errors and Python's warnings ends with the code."""
    with np.errstate(), warnings.catch_warnings():
        yield


def _functions() -> dict[tuple[str, str], Any]:
    """The functions of the libraries that judge, by module and name."""
    return {
        (module, name): value
        for module, held in [*sys.modules.items()]
        if module.partition(".")[0] in JUDGES
        for name, value in [*vars(held).items()]
        if callable(value)
    }


def _require_unreplaced(before: dict[tuple[str, str], Any], name: str) -> None:
    """Raises `FunctionError` if a function that judges is another than before."""
    now = _functions()
    replaced = [".".join(place) for place in before if now.get(place) is not before[place]]
    if replaced:
        raise FunctionError(
            f"{name} must leave the functions of numpy and jax as they are",
            f"it has replaced {', '.join(replaced[:3])}",
            "a function of its own under another name",
        )


def _place(error: BaseException, path: Path) -> str:
    """The error, and the last line of the author's file on the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).absolute() == path.absolute()]
    kind = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.text:
        return f"{kind}\n            line {error.lineno}: {error.text.strip()}"
    if not own:
        return kind
    return f"{kind}\n            line {own[-1].lineno}: {own[-1].line}"


def answer(argv: Sequence[str], folder: Path) -> dict[str, Any]:
    """The reply to the command's words, or the error that stands for it."""
    words: list[str] = []
    chosen = options.parse(Options, argv, words)
    try:
        return reply(words[0], chosen, folder)
    except InputError as error:
        return {"error": str(error)}
    except BaseException as error:  # of the libraries, on what the code has given them
        refused = FunctionError(
            f"{words[0]} must be such that it can be checked",
            f"{type(error).__name__}: {error}",
            "arrays of float64 out of arrays of float64, and nothing else changed",
        )
        return {"error": str(refused)}


def main() -> None:
    """Writes the reply and ends the process, whatever the code has left running in it."""
    end, folder, status = os._exit, Path(sys.argv[1]), 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as code meets them elsewhere
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(BaseException):  # the parent says that there is no reply
        said = json.dumps(answer(sys.argv[2:], folder))
        (folder / "unfinished").write_text(said)
        (folder / "unfinished").replace(folder / REPLY)
        status = 0
    end(status)


if __name__ == "__main__":
    main()
