"""The layouts of the user's parameters and gradient, and the template of the user's file.

layers      [{}, {"weight": [outputs, inputs], "bias": [outputs]}, …], the input layer first
numpy       [W1, b1, W2, b2, …], with weights [inputs, outputs]
numpy_dict  {"W1": …, "b1": …, …}, with weights [inputs, outputs]
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.cli import InputError

LAYOUTS = ("layers", "numpy", "numpy_dict")
REDUCTIONS = ("mean", "sum", "mean_over_all")


class GradientError(InputError):
    """A result of the handwritten function that cannot be compared with autodiff's gradient."""


def names_of(network: Architecture) -> list[tuple[str, int, str]]:
    """The name, layer and kind of each leaf, such as `("W1", 1, "weight")`, in layer order."""
    return [
        (f"{'W' if kind == 'weight' else 'b'}{layer}", layer, kind)
        for layer, shapes in enumerate(network.leaf_shapes())
        for kind in shapes
    ]


def in_layout(
    network: Architecture, layout: str, gradient: Callable[..., Any]
) -> Callable[..., Any]:
    """Wraps `gradient`, which uses `layout`, in a function that uses the layout `layers`."""
    if layout == "layers":
        return gradient
    names = names_of(network)

    def wrapped(params, images, labels):
        given = {name: params[layer][kind] for name, layer, kind in names}
        given = {k: leaf.T.copy() if k.startswith("W") else leaf for k, leaf in given.items()}
        result = gradient(given if layout == "numpy_dict" else list(given.values()), images, labels)
        found = _by_name(result, [name for name, _, _ in names])
        leaves: list[dict[str, Any]] = [{} for _ in network.layer_sizes]
        for name, layer, kind in names:
            leaves[layer][kind] = _back(name, kind, found[name], given[name].shape, len(images))
        return leaves

    return wrapped


def _by_name(result: Any, names: list[str]) -> dict[str, Any]:
    """The returned arrays by name. In a dict, the keys `dW1`, `grad_W1` and `w1` mean `W1`."""
    got = "nothing: the function has no return" if result is None else type(result).__name__
    if isinstance(result, list | tuple):
        if len(result) == len(names):
            return dict(zip(names, result, strict=True))
        got = f"a {type(result).__name__} of {len(result)}"
    elif isinstance(result, dict):
        matches = {key: re.fullmatch(r"(?:.*?)([wWbB])_?(\d+)", str(key)) for key in result}
        named = {key: ("W" if m[1] in "wW" else "b") + m[2] for key, m in matches.items() if m}
        if sorted(named.values()) == sorted(names):
            return {name: result[key] for key, name in named.items()}
        got = f"a dict of {', '.join(map(str, result))}"
    raise GradientError(
        f"the gradient must be a list, tuple or dict of {', '.join(names)}",
        got,
        f"return [{', '.join('d' + name for name in names)}]",
    )


def _back(name: str, kind: str, value: Any, shape: tuple[int, ...], examples: int) -> Any:
    if kind == "bias" and np.shape(value) in ((1, *shape), (*shape, 1)):
        return value.reshape(shape)
    require_shape(name, value, shape, examples)
    return value.T if kind == "weight" else value


def require_shape(name: str, value: Any, shape: tuple[int, ...], examples: int) -> None:
    """Raises `GradientError` with a suggested correction, unless `value` has this shape."""
    found = np.shape(value)
    if found == shape:
        return
    summed = "a sum over the examples, .sum(axis={})"
    plain = ".ravel(), or a sum without keepdims=True"
    both = "a sum over the examples only, not over the units"
    repairs = dict.fromkeys({(), (1,), (1, 1)} - {shape}, both)
    repairs |= {
        (examples,): "a sum over the examples instead of the units",
        (examples, *shape): summed.format(0),
        (*shape, examples): summed.format(len(shape)),
        (1, *shape): plain,
        (*shape, 1): plain,
        shape[::-1]: "its transpose, .T",
    }
    repairs |= {(): "an array of one entry, without .squeeze()"} if shape == (1,) else {}
    raise GradientError(
        f"the gradient of {name} must have the shape {shape}",
        f"{found}, on a batch of {examples} examples",
        repairs.get(found, "an array with one entry for each entry of the parameter"),
    )


DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
OF = f"[{DIGITS}]+"
INNER = r"\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*\)"
OPERAND = rf"([δazb]{OF}|(?:\w+'?)?{INNER})"
IN_ROWS = [
    (rf"(W{OF})ᵀ {OPERAND}", r"\2 @ \1.T"),
    (rf"\((∂C/∂W{OF})\)ᵀ {OPERAND}", r"\2 @ \1.T"),
    (rf"(W{OF}) @ {OPERAND}", r"\2 @ \1"),
    (rf"(W{OF}) {OPERAND}(?!ᵀ)", r"\2 @ \1"),
    (rf"^(\s*\w* *∂C/∂W{OF} = )((?:\S+ · )?)(\S+) \((.+?)\)ᵀ", r"\1\2(\4).T @ \3"),
    (rf"^(\s*\w* *∂C/∂W{OF} = )((?:\S+ · )?)(.+?) \((.+?)\)ᵀ", r"\1\2(\4).T @ (\3)"),
    (rf"\(((?:\w+'?)?{INNER}|[az]{OF})\)\.T", r"\1.T"),
    (rf"∂C/∂([Wb]{OF})", r"d\1"),
    (rf"δ({OF})|\bdelta (\d+)", r"dZ\1\2"),
    (rf"\b([az])({OF})", lambda m: m[1].upper() + m[2]),
    (rf"(?<=[WbAZ])({OF})", lambda m: m[1].translate(str.maketrans(DIGITS, "0123456789"))),
    ("⊙", "*"),
]
"""Patterns and replacements, applied in order. They transpose formulas: examples become rows."""


def in_rows(text: str) -> str:
    """Rewrites a formula in NumPy notation, with examples in rows and weights [inputs, outputs]."""
    for pattern, written in IN_ROWS:
        text = re.sub(pattern, written, text)
    return text


def in_names_of(layout: str, text: str) -> str:
    """Rewrites names such as `1/weight`, and all formulas, in the notation of the layout."""
    if layout == "layers":
        return text
    text = re.sub(
        r"\b(\d+)/(weight|bias)\b", lambda m: ("W" if m[2] == "weight" else "b") + m[1], text
    )
    return "\n".join(map(in_rows, text.split("\n")))


FUNCTIONS = {
    "sigmoid": "1 / (1 + np.exp(-z))",
    "tanh": "np.tanh(z)",
    "relu": "np.maximum(z, 0)",
    "leaky_relu": "np.where(z > 0, z, {slope} * z)",
    "gelu": "z * np.vectorize(math.erfc)(-z / 2**0.5) / 2",
}


def template(network: Any, layout: str, labels: str) -> str:
    """The text of a FILE.py with the forward pass of `network`, and zeros as the gradient."""
    from jinja2 import Environment, StrictUndefined  # here, because only this function needs it

    text = Path(__file__).with_name("template.py.jinja").read_text()
    environment = Environment(undefined=StrictUndefined, trim_blocks=True)  # noqa: S701 - not HTML
    rows = "rows of 0 and 1" if network.loss == "binary_cross_entropy" else "rows of targets"
    classes = "integer classes, [batch]" if labels == "integers" else "one-hot rows"
    leaves = names_of(network)
    return environment.from_string(text).render(
        network=network,
        layout=layout,
        labels=classes if network.loss == "cross_entropy" else rows,
        leaves=leaves,
        names=[name for name, _, _ in leaves],
        f=FUNCTIONS[network.activation].format(slope=network.negative_slope),
        output_is_active=network.output == "activation"
        or (network.output == "auto" and "squared" in network.loss),
    )
