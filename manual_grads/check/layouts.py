"""The forms in which parameters are passed and gradients returned, and a file to begin with.

layers      [{}, {"weight": [outputs, inputs], "bias": [outputs]}, …], the input layer first
numpy       [W1, b1, W2, b2, …], with weights [inputs, outputs]
numpy_dict  {"W1": …, "b1": …}, with the same weights
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from manual_grads.architecture import Architecture
from manual_grads.cli import InputError

LAYOUTS = ("layers", "numpy", "numpy_dict")
REDUCTIONS = ("mean", "sum", "mean_over_all")


class GradientError(InputError):
    """The handwritten function does not return a gradient that can be compared."""


def names_of(network: Architecture) -> list[tuple[str, int, str]]:
    """The names such as `W1`, in order, with their layer and kind."""
    return [
        (f"{'W' if kind == 'weight' else 'b'}{layer}", layer, kind)
        for layer, shapes in enumerate(network.leaf_shapes())
        for kind in shapes
    ]


def in_layout(
    network: Architecture, layout: str, gradient: Callable[..., Any]
) -> Callable[..., Any]:
    """A function in the layout `layers` that calls `gradient` in another one."""
    if layout == "layers":
        return gradient
    names = names_of(network)

    def wrapped(params, images, labels):
        given = {name: _turned(params[layer][kind], kind) for name, layer, kind in names}
        result = gradient(given if layout == "numpy_dict" else list(given.values()), images, labels)
        found = _by_name(result, [name for name, _, _ in names])
        leaves: list[dict[str, Any]] = [{} for _ in network.layer_sizes]
        for name, layer, kind in names:
            leaves[layer][kind] = _back(name, kind, found[name], given[name].shape)
        return leaves

    return wrapped


def _turned(leaf: Any, kind: str) -> Any:
    return leaf.T.copy() if kind == "weight" else leaf


def _by_name(result: Any, names: list[str]) -> dict[str, Any]:
    """The returned arrays by name. In a dict, `dW1`, `grad_W1` and `w1` are taken for `W1`."""
    expected = f"the gradient must be a list, tuple or dict of {', '.join(names)}"
    repair = f"return [{', '.join('d' + name for name in names)}]"
    if isinstance(result, list | tuple):
        if len(result) != len(names):
            raise GradientError(expected, f"a {type(result).__name__} of {len(result)}", repair)
        return dict(zip(names, result, strict=True))
    if isinstance(result, dict):
        found = {}
        for key, value in result.items():
            match = re.fullmatch(r"(?:.*?)([wWbB])_?(\d+)", str(key))
            if match:
                found[("W" if match[1] in "wW" else "b") + match[2]] = value
        if sorted(found) == sorted(names):
            return found
        raise GradientError(expected, f"a dict of {', '.join(map(str, result))}", repair)
    got = "nothing: the function has no return" if result is None else type(result).__name__
    raise GradientError(expected, got, repair)


def _back(name: str, kind: str, value: Any, shape: tuple[int, ...]) -> Any:
    found = np.shape(value)
    if kind == "bias" and found in ((1, *shape), (*shape, 1)):
        return value.reshape(shape)
    if found != shape:
        got = f"{found}, which is its transpose" if found == shape[::-1] else str(found)
        repair = f"d{name}.T" if found == shape[::-1] else "a sum over the examples"
        raise GradientError(f"the gradient of {name} must have its shape, {shape}", got, repair)
    return value.T if kind == "weight" else value


FUNCTIONS = {
    "sigmoid": "1 / (1 + np.exp(-z))",
    "tanh": "np.tanh(z)",
    "relu": "np.maximum(z, 0)",
    "leaky_relu": "np.where(z > 0, z, {slope} * z)",
    "gelu": "z * np.vectorize(math.erfc)(-z / 2**0.5) / 2",
}


def template(network: Any, layout: str, labels: str) -> str:
    """A file with a forward pass, and zeros in place of the gradient.

    `network` has the flags of the check: the architecture, `loss`, `output` and others.
    """
    depth = network.depth
    squared = "squared" in network.loss
    active = network.output == "activation" or (network.output == "auto" and squared)
    lines = ["import math", ""] if network.activation == "gelu" else []
    f = FUNCTIONS[network.activation].format(slope=network.negative_slope)
    lines += ["import numpy as np", "", "", "def f(z):", f"    return {f}", "", ""]
    lines += ["def gradient(params, images, labels):"]
    if layout == "numpy":
        lines.append(f"    {', '.join(name for name, _, _ in names_of(network))} = params")
    else:
        for name, layer, kind in names_of(network):
            at = f"params[{layer}][{kind!r}]" if layout == "layers" else f"params[{name!r}]"
            lines.append(f"    {name} = {at}".replace("'", '"'))
    turn = ".T" if layout == "layers" else ""
    bias = " + b0" if network.has_bias(0) else ""
    value = f"f(images{bias})" if network.input_layer == "active" else f"images{bias}"
    lines.append(f"    a0 = {value}  # [batch, {network.layer_sizes[0]}]")
    for layer in range(1, depth + 1):
        bias = f" + b{layer}" if network.has_bias(layer) else ""
        lines.append(f"    z{layer} = a{layer - 1} @ W{layer}{turn}{bias}")
        linear = layer == depth and not active
        lines.append(f"    a{layer} = z{layer}" if linear else f"    a{layer} = f(z{layer})")
    what = {
        "cross_entropy": "integer classes, [batch]" if labels == "integers" else "one-hot rows",
        "binary_cross_entropy": "rows of 0 and 1",
    }.get(network.loss, "rows of targets")
    lines += [f"    # labels: {what}", "    # your derivatives in place of the zeros:"]
    names = [name for name, _, _ in names_of(network)]
    lines += [f"    d{name} = np.zeros_like({name})" for name in names]
    if layout == "numpy":
        lines.append(f"    return [{', '.join('d' + name for name in names)}]")
    elif layout == "numpy_dict":
        items = ", ".join(f'"{name}": d{name}' for name in names)
        lines.append(f"    return {{{items}}}")
    else:
        lines.append("    return [")
        for layer, shapes in enumerate(network.leaf_shapes()):
            items = ", ".join(
                f'"{kind}": d{"W" if kind == "weight" else "b"}{layer}' for kind in shapes
            )
            lines.append(f"        {{{items}}},")
        lines.append("    ]")
    return "\n".join(lines)
