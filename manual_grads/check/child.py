"""The child process that runs the user's code and checks its gradient.

    python -m manual_grads.check.child FOLDER ARGUMENTS…

ARGUMENTS are those of `python -m manual_grads.check`. This process writes the verdict or an error
message to `reply.json` in FOLDER. If this file is missing, the parent process reports an error.
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
    most_similar,
)
from manual_grads.check.comparison import check_gradient
from manual_grads.check.formulas import loss_of, problem_of
from manual_grads.check.layouts import in_layout
from manual_grads.check.sample import draw
from manual_grads.cli import InputError, options

ARGUMENTS = ("params", "images", "labels")
LIBRARIES = ("builtins", "json", "math", "numpy", "jax", "manual_grads")
"""These libraries compute the verdict, so the user's code must not replace their functions."""


def reply(name: str, chosen: Options, folder: Path) -> dict[str, Any]:
    """Checks FILE.py:FUNCTION; returns the report and the files of all imported modules."""
    sys.argv = [str(file_of(name))]
    functions = _functions()
    with jax.enable_x64(True):
        network = chosen.network
        problem = problem_of(network, network.loss, network.output, network.reduction, network.l2)
        gradient = in_layout(network, chosen.layout, _guarded(_loaded(name), name, chosen))
        loss = loss_of(problem)
        if chosen.loss_function is not None:
            in_numpy = jax.errors.TracerArrayConversionError  # `require_scalar` handles this error
            name_of_loss = chosen.loss_function
            loss = _guarded(_loaded(name_of_loss), name_of_loss, chosen, in_numpy)
        one_hot = chosen.labels == "one_hot"
        drawn = draw(problem, chosen.batch_size, chosen.seed, one_hot=one_hot)
        report = check_gradient(gradient, loss, *drawn, network=problem)
        report = report._replace(layout=chosen.layout)
    now = _functions()
    replaced = [".".join(place) for place, one in functions.items() if now.get(place) is not one]
    if replaced:
        raise FunctionError(
            f"{name} must not replace functions of {', '.join(LIBRARIES)}",
            f"it has replaced {', '.join(replaced[:3])}",
            "defining a new function with another name",
        )
    if chosen.heatmap is not None:
        try:
            report.heatmap(folder / heatmap_name(chosen))
        except ValueError as error:
            rule = "--heatmap must name a file in a supported image format"
            raise FunctionError(rule, str(error), "a .png file") from None
    files = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    return {
        "agrees": bool(report.agrees),
        "text": str(report),
        "json": report.to_json(),
        "files": [file for file in files if isinstance(file, str)],
    }


def _loaded(name: str) -> Callable[..., Any]:
    """Imports FILE.py and returns its function. FILE.py can import modules from its own folder."""
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
        rule, repair = f"{path} must load without an error or an exit", f"correcting {path}"
        if isinstance(error, SystemExit):
            repair = 'moving the exit under `if __name__ == "__main__":`'
        raise FunctionError(rule, _place(error, path), repair) from None
    found = getattr(module, function, None)
    if not callable(found):
        there = [key for key, value in vars(module).items() if callable(value)]
        raise FunctionError(
            f"{path} must define the function {function}",
            f"it defines {', '.join(there) or 'none'}",
            f"{path}:{most_similar(function, there)}"
            if there
            else f"a function {function} in {path}",
        )
    try:
        signature = inspect.signature(found)
    except ValueError:  # a function written in C can lack a signature
        return found
    try:
        signature.bind(*ARGUMENTS)
    except TypeError:
        arguments = ", ".join(ARGUMENTS)
        rule = f"{name} must take three arguments, ({arguments})"
        raise FunctionError(rule, str(signature), f"def {function}({arguments}):") from None
    return found


def _guarded(
    function: Callable[..., Any], name: str, chosen: Options, *passed_on: type[BaseException]
) -> Callable[..., Any]:
    """Wraps `function`: its exceptions become a `FunctionError` with the line of the exception.

    Exceptions of the types in `passed_on` are not changed.
    """

    def call(*arguments):
        try:
            with _own_settings():
                return function(*arguments)
        except passed_on:
            raise
        except BaseException as error:
            path, shapes = file_of(name), jax.tree.map(np.shape, arguments)
            rule = f"{name} must not raise an exception for arguments of the shapes {shapes}"
            sizes = options.text(chosen.network.layer_sizes)
            flags = f"--layer_sizes={sizes} --layout={chosen.layout} --labels={chosen.labels}"
            repair = f"correcting {path}, or another value of a flag: {flags}"
            raise FunctionError(rule, _place(error, path), repair) from None

    return call


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """Restores NumPy's error settings and Python's warning filters after the user's code."""
    with np.errstate(), warnings.catch_warnings():
        yield


def _functions() -> dict[tuple[str, str], Any]:
    """The functions and classes of all modules of `LIBRARIES`, by module and name."""
    return {
        (module, name): value
        for module, held in [*sys.modules.items()]
        if module.partition(".")[0] in LIBRARIES
        for name, value in [*vars(held).items()]
        if callable(value)
    }


def _place(error: BaseException, path: Path) -> str:
    """The error, and the line of the user's file in which it occurred."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).absolute() == path.absolute()]
    kind, line = f"{type(error).__name__}: {error}", ""
    if isinstance(error, SyntaxError) and error.text:
        line = f"{error.lineno}: {error.text.strip()}"
    elif own:
        line = f"{own[-1].lineno}: {own[-1].line}"
    return f"{kind}\n            line {line}" if line else kind


def answer(argv: Sequence[str], folder: Path) -> dict[str, Any]:
    """The reply for this command line, or a dict with only the error message."""
    words: list[str] = []
    chosen = options.parse(Options, argv, words)
    try:
        return reply(words[0], chosen, folder)
    except InputError as error:
        return {"error": str(error)}
    except BaseException as error:  # a library failed because of the user's code
        refused = FunctionError(
            f"{words[0]} must return a gradient that can be checked",
            f"{type(error).__name__}: {error}",
            "computing float64 arrays from float64 arrays, without side effects",
        )
        return {"error": str(refused)}


def main() -> None:
    """Writes the reply and exits at once, even if the user's code has left threads running."""
    end, folder, status = os._exit, Path(sys.argv[1]), 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # replaces `end_at_once`'s handlers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(BaseException):  # the parent reports a missing reply
        said = json.dumps(answer(sys.argv[2:], folder))
        (folder / "unfinished").write_text(said)
        (folder / "unfinished").replace(folder / REPLY)
        status = 0
    end(status)


if __name__ == "__main__":
    main()
