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

Exit status: 0 it agrees, 1 it does not, 2 it could not be checked.
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.check.gradient import check_gradient
from manual_grads.check.sample import draw, network_loss
from manual_grads.cli import A_PATH, AT_LEAST_1, FRACTION, SEED, InputError, command, options

FUNCTION_HINT = "FILE.py:FUNCTION, such as my_gradient.py:gradient"


class FunctionError(InputError):
    """A function that cannot be loaded, or that raises."""


@dataclass(frozen=True)
class Network(Architecture):
    """The trainer's architecture; labels are smoothed only where that is asked for."""

    label_smoothing: Annotated[
        float, "ε of the targets (1 − ε)·one-hot + ε/K, for cross_entropy", FRACTION
    ] = 0.0


@dataclass(frozen=True)
class Options:
    """Which network the gradient is of, where it is tried, and what is written."""

    loss_function: Annotated[
        str | None, "FILE.py:NAME, a loss in JAX of the same arguments, for --loss", A_PATH
    ] = None
    batch_size: Annotated[
        int, "examples; smaller batches and single examples are tried besides", AT_LEAST_1
    ] = 7
    seed: Annotated[int, "of the parameters and the batch, drawn at random", SEED] = 0
    json: Annotated[str | None, "write the report here as JSON", A_PATH] = None
    heatmap: Annotated[str | None, "draw here where in each leaf the errors are", A_PATH] = None
    network: Network = field(default_factory=Network)

    def __post_init__(self):
        options.check(self)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    names = [word for word in argv if not word.startswith("-") and ".py:" in word]
    flags = [word for word in argv if word not in names]
    return command.run(partial(check, names), Options, __doc__, flags, bad_input=2)


def check(names: Sequence[str], chosen: Options) -> int:
    """Checks the one function named, prints the report, and returns 0 or 1."""
    if len(names) != 1:
        raise FunctionError("one function must be named", " ".join(names) or "none", FUNCTION_HINT)
    with jax.enable_x64(True):
        handwritten = _guarded(_loaded(names[0]), names[0])
        loss = network_loss(chosen.network)
        if chosen.loss_function is not None:
            loss = _guarded(_loaded(chosen.loss_function), chosen.loss_function)
        params, batch = draw(chosen.network, chosen.batch_size, chosen.seed)
        report = check_gradient(handwritten, loss, params, batch, network=chosen.network)
    for path, write in (
        (chosen.json, lambda path: Path(path).write_text(report.to_json(), encoding="utf-8")),
        (chosen.heatmap, report.heatmap),
    ):
        if path is not None:
            _written(path, write)
    command.say(str(report))
    return 0 if report.agrees else 1


def _loaded(name: str) -> Callable[..., Any]:
    """The function FILE.py:NAME; the file's folder is searched for what it imports."""
    file, _, function = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise FunctionError("the file of the function must exist", name, FUNCTION_HINT)
    sys.path.insert(0, str(path.parent.absolute()))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise FunctionError(
            f"{file} must load", _place(error, path), "the line above mended"
        ) from None
    if not callable(getattr(module, function, None)):
        there = [key for key, value in vars(module).items() if callable(value)]
        raise FunctionError(
            f"{file} must hold the function {function}",
            f"it holds {', '.join(there) or 'none'}",
            FUNCTION_HINT,
        )
    return getattr(module, function)


def _guarded(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function, with what it raises turned into three parts that show its author's line."""

    def call(*arguments):
        try:
            return function(*arguments)
        except Exception as error:
            path = Path(name.rpartition(":")[0])
            shapes = jax.tree.map(np.shape, arguments)
            raise FunctionError(
                f"{name} must not raise, on arguments of the shapes {shapes}",
                _place(error, path),
                "the line above mended",
            ) from None

    return call


def _place(error: Exception, path: Path) -> str:
    """The error, and the last line of the author's file on the way to it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).absolute() == path.absolute()]
    kind = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.text:
        return f"{kind}\n           line {error.lineno}: {error.text.strip()}"
    if not own:
        return kind
    return f"{kind}\n           line {own[-1].lineno}: {own[-1].line}"


def _written(path: str, write: Callable[[str], Any]) -> None:
    try:
        write(path)
    except (OSError, ValueError) as error:
        raise FunctionError(
            "the report must be written where it is asked for", f"{path}: {error}", "another path"
        ) from None


if __name__ == "__main__":
    command.leave(main())
