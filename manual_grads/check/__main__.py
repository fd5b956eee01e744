"""Compares your handwritten gradient with autodiff's; reports which derivative is wrong, and why.

    python -m manual_grads.check FILE.py:FUNCTION --layer_sizes=11,9,8,5 --activation=sigmoid

FUNCTION(params, images, labels) gets NumPy float64 arrays, and returns the gradient of the batch's
loss. params and the gradient are lists with one dict for each layer, the input layer first. Every
layer except the first has "weight" [outputs, inputs]. A layer with a bias has "bias" [outputs].
images is [batch, inputs]. labels are integer classes for cross_entropy, else rows of targets.
For --layer_sizes=3,2 --biases=output and the loss cross_entropy, FILE.py can be:

    import numpy as np

    def gradient(params, images, labels):
        weight, bias = params[1]["weight"], params[1]["bias"]
        z = images @ weight.T + bias
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        p[np.arange(len(labels)), labels] -= 1
        delta = p / len(labels)
        return [{}, {"weight": delta.T @ images, "bias": delta.sum(axis=0)}]

FILE.py runs in a separate process, which is killed after --time_limit seconds.

Exit status: 0 if the gradient agrees with autodiff, 1 if not, 2 if it could not be checked.
"""

import ast
import contextlib
import difflib
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

from manual_grads import cli
from manual_grads.architecture import LOSS_NAMES, Architecture
from manual_grads.check.layouts import LAYOUTS, REDUCTIONS, template
from manual_grads.cli import InputError, command, flag_files, options, paths

FUNCTION_HINT = "FILE.py:FUNCTION, such as my_gradient.py:gradient"
REPLY = "reply.json"
LOSSES = (*LOSS_NAMES, "half_squared_error", "binary_cross_entropy")
SECONDS = cli.Rule("be above 0 and at most 86,400", lambda value: 0 < value <= 86_400)


class FunctionError(InputError):
    """A function that cannot be loaded or checked, or a report that cannot be written."""


@dataclass(frozen=True)
class Network(Architecture):
    """The flags of `Architecture` and of the loss; the default label smoothing is 0."""

    loss: Annotated[
        str,
        "cross_entropy: the probabilities are the softmax of the outputs; binary_cross_entropy: "
        "each probability is the sigmoid of an output; squared_error: Σ (target − output)²; "
        "half_squared_error: ½ Σ (target − output)²",
        cli.one_of(*LOSSES),
    ] = "cross_entropy"
    label_smoothing: Annotated[
        float, "ε in the cross_entropy targets (1 − ε)·one-hot + ε/K, with K classes", cli.FRACTION
    ] = 0.0
    output: Annotated[
        str,
        "whether the output layer has the activation; auto: yes for squared errors, else no",
        cli.one_of("auto", "activation", "linear"),
    ] = "auto"
    reduction: Annotated[
        str,
        "how the loss combines the costs of the examples; mean_over_all: the mean over examples "
        "and outputs",
        cli.one_of(*REDUCTIONS),
    ] = "mean"
    l2: Annotated[
        float,
        "λ of the term (λ/2) Σ W² over all weights; the batch size does not change this term",
        cli.NOT_NEGATIVE,
    ] = 0.0


@dataclass(frozen=True)
class Options:
    """The network, the loss, the random batch, and the reports to write."""

    HEADINGS: ClassVar = {"network": "The network", "batch_size": "The check"}

    network: Network = field(default_factory=Network)
    loss_function: Annotated[
        str | None, "FILE.py:NAME of a loss written in JAX, which replaces --loss", cli.A_PATH
    ] = None
    batch_size: Annotated[
        int, "number of examples in the batch; parts of the batch are checked too", cli.AT_LEAST_1
    ] = 7
    labels: Annotated[
        str,
        "how FUNCTION gets the labels of cross_entropy: as integer classes or as one_hot rows",
        cli.one_of("integers", "one_hot"),
    ] = "integers"
    layout: Annotated[
        str,
        "how the parameters are passed. layers: a list of dicts, as above. numpy: a list [W1, b1, "
        "W2, b2], with weights [inputs, outputs]. numpy_dict: a dict with these names. For numpy "
        "and numpy_dict, the gradient is a list or tuple in this order, or a dict with these "
        "names; a bias gradient has the shape (n,), (1, n) or (n, 1)",
        cli.one_of(*LAYOUTS),
    ] = "layers"
    template: Annotated[
        bool, "print a FILE.py for the other flags, complete except for the derivatives", cli.ANY
    ] = False
    seed: Annotated[int, "random seed of the parameters and the batch", cli.SEED] = 0
    time_limit: Annotated[float, "time limit of the whole check, in seconds", SECONDS] = 60.0
    json: Annotated[str | None, "JSON file to write the report to", cli.A_PATH] = None
    heatmap: Annotated[
        str | None, "image file to write, which shows each entry's error", cli.A_PATH
    ] = None

    def __post_init__(self):
        options.check(self)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command with these command-line arguments, and returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)

    def work(chosen: Options, words: list[str]) -> int:
        return check(argv, chosen, words)

    return command.run(work, Options, __doc__, argv, bad_input=2, takes_words=True)


def check(argv: Sequence[str], chosen: Options, words: Sequence[str]) -> int:
    """Checks the named function, prints and writes the report, and returns the exit status."""
    if chosen.template:
        command.say(template(chosen.network, chosen.layout, chosen.labels))
        return 0
    if len(words) != 1:
        raise FunctionError("one function must be named", " ".join(words) or "none", FUNCTION_HINT)
    inputs = [file_of(name) for name in (words[0], chosen.loss_function) if name is not None]
    _require_no_input(chosen, [*inputs, *flag_files.expand(argv)[1]])
    with tempfile.TemporaryDirectory() as folder:
        reply = _reply(argv, chosen.time_limit, words[0], Path(folder))
        if "error" in reply:
            command.say(f"error:{reply['error']}", to_errors=True)
            return 2
        _require_no_input(chosen, map(Path, reply["files"]))
        drawn = Path(folder) / heatmap_name(chosen)
        if chosen.json is not None:
            _write(Path(chosen.json), reply["json"].encode())
        if chosen.heatmap is not None:
            _write(Path(chosen.heatmap), drawn.read_bytes() if drawn.exists() else b"")
    command.say(reply["text"])
    return 0 if reply["agrees"] else 1


def file_of(name: str) -> Path:
    """The path of FILE.py in FILE.py:FUNCTION. Raises `FunctionError` if there is no such file."""
    file, _, function = name.rpartition(":") if ":" in name else (name, "", "")
    path = Path(file)
    if path.suffix != ".py" or not function.isidentifier():
        found = _functions_in(path) if path.suffix == ".py" else []
        hint = f"{path}:{most_similar('gradient', found)}" if found else FUNCTION_HINT
        raise FunctionError("a function must be named as FILE.py:FUNCTION", name, hint)
    if not path.is_file():
        raise FunctionError(f"{path} must be a file", paths.what_is(path), FUNCTION_HINT)
    return path


def most_similar(name: str, names: Sequence[str]) -> str:
    """The item of `names` that is most similar to `name`; `names` must not be empty."""
    return difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]


def _functions_in(path: Path) -> list[str]:
    with contextlib.suppress(OSError, ValueError, SyntaxError):
        with paths.open_plain(path, follow_links=True) as file:
            body = ast.parse(file.read(2**20)).body
        return [line.name for line in body if isinstance(line, ast.FunctionDef)]
    return []


def _require_no_input(chosen: Options, inputs: Any) -> None:
    """Raises `FunctionError` if a report would overwrite an input file or the other report."""
    outputs = [Path(path).resolve() for path in (chosen.json, chosen.heatmap) if path is not None]
    read = {file.resolve() for file in inputs}
    for output in outputs:
        if output in read or outputs.count(output) > 1:
            rule = "a report must not overwrite a file that the command reads, or the other report"
            raise FunctionError(rule, str(output), "another path")


def _reply(argv: Sequence[str], seconds: float, name: str, folder: Path) -> dict[str, Any]:
    """The reply of the child process. Raises `FunctionError` if it is late or missing."""
    words = [sys.executable, "-m", "manual_grads.check.child", str(folder), *argv]
    with _child(words) as process, Console(stderr=True).status(f"checking {name}"):
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise FunctionError(
                f"{name} must be checked within --time_limit={seconds:g} seconds",
                "the check did not end",
                "a faster function, a smaller network, or a larger --time_limit",
            ) from None
    with contextlib.suppress(OSError, ValueError):
        if status == 0:
            return json.loads((folder / REPLY).read_bytes())
    ended = f"exit status {status}" if status >= 0 else signal.Signals(-status).name
    raise FunctionError(
        f"{name} must return without ending its process",
        f"the process ended before the check was complete: {ended}",
        "code that does not exit, neither sends nor handles signals, and closes only files that "
        "it opened",
    )


@contextlib.contextmanager
def _child(words: Sequence[str]) -> Iterator[subprocess.Popen]:
    """Starts a process in a new process group, and kills the whole group at the end."""
    process = subprocess.Popen(  # noqa: S603 - the command runs our own module
        words, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def heatmap_name(chosen: Options) -> str:
    """The name of the temporary heatmap file; `check` copies this file to --heatmap."""
    return f"heatmap{Path(chosen.heatmap or '').suffix}"


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except (OSError, ValueError) as error:
        rule, got = "the path of a report must be writable", f"{path}: {error}"
        raise FunctionError(rule, got, "another path") from None


if __name__ == "__main__":
    command.leave(main())
