"""Says which of your handwritten derivatives is wrong, and why.

    python -m manual_grads.check FILE.py:FUNCTION --layer_sizes=11,9,8,5 --activation=sigmoid

FUNCTION(params, images, labels) gets NumPy float64 arrays and returns the gradient of the loss, a
mean over the batch, in the structure of params: a list with one dict a layer, the input layer
first, each with "weight" [outputs, inputs] (but the first) and "bias" [outputs] where it has one.
images is [batch, inputs]; labels are integer classes, or rows of targets for squared_error. For
--layer_sizes=3,2 --biases=output, with the cross-entropy of a softmax, FILE.py may be:

    import numpy as np

    def gradient(params, images, labels):
        weight, bias = params[1]["weight"], params[1]["bias"]
        z = images @ weight.T + bias
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        p[np.arange(len(labels)), labels] -= 1
        delta = p / len(labels)
        return [{}, {"weight": delta.T @ images, "bias": delta.sum(axis=0)}]

FILE.py runs in a process of its own, which is ended after --time_limit seconds.

Exit status: 0 it agrees, 1 it does not, 2 it could not be checked.
"""

import ast
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from rich.console import Console

from manual_grads.architecture import Architecture
from manual_grads.cli import (
    A_PATH,
    AT_LEAST_1,
    FRACTION,
    SEED,
    InputError,
    Rule,
    command,
    flag_files,
    options,
    paths,
)

FUNCTION_HINT = "FILE.py:FUNCTION, such as my_gradient.py:gradient"
REPLY = "reply.json"
SECONDS = Rule("be above 0 and at most 86,400", lambda value: 0 < value <= 86_400)


class FunctionError(InputError):
    """A function that cannot be loaded or checked, or a report that cannot be written."""


@dataclass(frozen=True)
class Network(Architecture):
    """The trainer's architecture; labels are smoothed only where that is asked for."""

    label_smoothing: Annotated[
        float, "ε of the targets (1 − ε)·one-hot + ε/K, for cross_entropy", FRACTION
    ] = 0.0


@dataclass(frozen=True)
class Options:
    """Which network the gradient is of, where it is tried, and what is written."""

    HEADINGS: ClassVar = {"network": "The network", "batch_size": "The check"}

    network: Network = field(default_factory=Network)
    loss_function: Annotated[
        str | None, "FILE.py:NAME, a loss in JAX of the same arguments, for --loss", A_PATH
    ] = None
    batch_size: Annotated[
        int, "examples; smaller batches and single examples are tried besides", AT_LEAST_1
    ] = 7
    seed: Annotated[int, "of the parameters and the batch, drawn at random", SEED] = 0
    time_limit: Annotated[float, "seconds that the whole check may take", SECONDS] = 60.0
    json: Annotated[str | None, "write the report here as JSON", A_PATH] = None
    heatmap: Annotated[str | None, "draw here where in each leaf the errors are", A_PATH] = None

    def __post_init__(self):
        options.check(self)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)

    def work(chosen: Options, words: list[str]) -> int:
        return check(argv, chosen, words)

    return command.run(work, Options, __doc__, argv, bad_input=2, takes_words=True)


def check(argv: Sequence[str], chosen: Options, words: Sequence[str]) -> int:
    """Checks the one function named, prints and writes the report, and returns 0 or 1."""
    if len(words) != 1:
        raise FunctionError("one function must be named", " ".join(words) or "none", FUNCTION_HINT)
    inputs = [file_of(words[0])]
    if chosen.loss_function is not None:
        inputs.append(file_of(chosen.loss_function))
    _require_no_input(chosen, [*inputs, *flag_files.expand(argv)[1]])
    with tempfile.TemporaryDirectory() as folder:
        reply = _reply(argv, chosen.time_limit, words[0], Path(folder))
        if "error" in reply:
            command.say(f"error:{reply['error']}", to_errors=True)
            return 2
        _require_no_input(chosen, map(Path, reply["files"]))
        for path, content in (
            (chosen.json, reply["json"].encode()),
            (chosen.heatmap, _read(Path(folder) / heatmap_name(chosen))),
        ):
            if path is not None:
                _write(Path(path), content)
    command.say(reply["text"])
    return 0 if reply["agrees"] else 1


def file_of(name: str) -> Path:
    """The file in FILE.py:FUNCTION. Raises `FunctionError`."""
    file, _, function = name.rpartition(":") if ":" in name else (name, "", "")
    path = Path(file)
    if path.suffix != ".py" or not function.isidentifier():
        found = _functions_in(path) if path.suffix == ".py" else []
        hint = f"{path}:{found[0]}" if found else FUNCTION_HINT
        raise FunctionError("a function must be named as FILE.py:FUNCTION", name, hint)
    if not path.is_file():
        raise FunctionError(f"{path} must be a file", paths.what_is(path), FUNCTION_HINT)
    return path


def _functions_in(path: Path) -> list[str]:
    """The functions that a file defines, in their order; none if it cannot be read."""
    with contextlib.suppress(OSError, ValueError, SyntaxError):
        with paths.open_plain(path, follow_links=True) as file:
            body = ast.parse(file.read(2**20)).body
        return [line.name for line in body if isinstance(line, ast.FunctionDef)]
    return []


def _require_no_input(chosen: Options, inputs: Any) -> None:
    """Raises `FunctionError` if a file that would be written is one that is read."""
    outputs = [Path(path).resolve() for path in (chosen.json, chosen.heatmap) if path is not None]
    read = {file.resolve() for file in inputs}
    for output in outputs:
        if output in read or outputs.count(output) > 1:
            raise FunctionError(
                "a report must not be written over a file that is read, or over the other report",
                str(output),
                "another path",
            )


def _reply(argv: Sequence[str], seconds: float, name: str, folder: Path) -> dict[str, Any]:
    """What the child process has found. Raises `FunctionError` unless it came to its end."""
    words = [sys.executable, "-m", "manual_grads.check.child", str(folder), *argv]
    with _child(words) as process, Console(stderr=True).status(f"checking {name}"):
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise FunctionError(
                f"{name} must be checked within --time_limit={seconds:g} seconds",
                "it did not end",
                "a function that returns sooner, a smaller network, or a larger --time_limit",
            ) from None
    with contextlib.suppress(OSError, ValueError):
        if status == 0:
            return json.loads((folder / REPLY).read_bytes())
    ended = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
    raise FunctionError(
        f"{name} must return, and leave its process running",
        f"the process ended before the check did: {ended}",
        "no exit, no signal, and no files closed but its own",
    )


@contextlib.contextmanager
def _child(words: Sequence[str]) -> Iterator[subprocess.Popen]:
    """A process in a group of its own, of which nothing is left running."""
    process = subprocess.Popen(  # noqa: S603 - this program itself
        words, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def heatmap_name(chosen: Options) -> str:
    """The name of the drawing before it is written where it is asked for."""
    return f"heatmap{Path(chosen.heatmap or '').suffix}"


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except (OSError, ValueError) as error:
        raise FunctionError(
            "the report must be written where it is asked for", f"{path}: {error}", "another path"
        ) from None


if __name__ == "__main__":
    command.leave(main())
