"""Checks the result of a gradient function, and converts it to arrays by leaf name."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from manual_grads.check.layouts import GradientError, require_shape
from manual_grads.leaves import named_leaves

Tree = Any
Leaves = dict[str, np.ndarray]
PRECISIONS = ("float32", "float64")
ARRAYS = np.ndarray | np.generic | jax.Array


def arrays_by_name(tree: Tree) -> Leaves:
    """The leaves of a pytree as NumPy arrays, keyed by their paths."""
    return {name: np.asarray(leaf) for name, leaf in named_leaves(tree).items()}


def handwritten_leaves(
    gradient: Callable[..., Tree], params: Tree, batch: tuple
) -> tuple[Leaves, str]:
    """Calls `gradient` on copied arguments; returns float64 leaves and their original dtype."""
    copies = jax.tree.map(lambda leaf: leaf.copy(), (params, batch))
    given = gradient(copies[0], *copies[1])
    _require_structure(given, params)
    for leaf, value in named_leaves(given).items():
        _require_numbers(leaf, value)
    named, parameters = arrays_by_name(given), arrays_by_name(params)
    for leaf, value in named.items():
        require_shape(leaf, value, parameters[leaf].shape, len(batch[0]))
        if not np.all(np.isfinite(value)):
            raise GradientError(
                "the gradient must be finite",
                f"{leaf} contains NaN or infinity",
                "looking for a logarithm, division or exponential that overflows",
            )
    narrow = any(value.dtype == np.float32 for value in named.values())
    precision = "float32" if narrow else "float64"
    return {leaf: value.astype(np.float64) for leaf, value in named.items()}, precision


def _require_structure(given: Any, params: Tree) -> None:
    if jax.tree.structure(given) == jax.tree.structure(params):
        return
    got = literal(given)
    repair = "the same lists and dicts as in the parameters, with an array for each parameter"
    if given is None:
        got, repair = "the function returned None", "a return at the end of the function"
    elif isinstance(given, list | tuple) and isinstance(params, list):
        if len(given) == len(params) - 1 and params[0] == {}:
            repair = "[{}, …], where the first, empty dict is for the input layer"
        elif jax.tree.structure([*given]) == jax.tree.structure(params):
            repair = "a list instead of a tuple"
        elif any(isinstance(one, np.ndarray) for one in given):
            repair += ", or --layout=numpy for a list of arrays"
    raise GradientError(f"the gradient must have the form {literal(params)}", got, repair)


def literal(tree: Any) -> str:
    """A tree in Python's syntax, with each array replaced by its shape."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f'"{key}": {literal(one)}' for key, one in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        inside = ", ".join(map(literal, tree)) + "," * (isinstance(tree, tuple) and len(tree) == 1)
        return f"[{inside}]" if isinstance(tree, list) else f"({inside})"
    if isinstance(tree, ARRAYS):
        return str(tree.shape)
    return "None" if tree is None else f"a {type(tree).__name__}"


def _require_numbers(leaf: str, value: Any) -> None:
    """Raises `GradientError` unless `value` is a float or an unmasked float32 or float64 array."""
    dtype = getattr(value, "dtype", None) if isinstance(value, ARRAYS) else None
    if isinstance(value, np.ma.MaskedArray):
        got, repair = "a masked array, whose mask would be ignored", "returning its .filled(0)"
    elif isinstance(value, float) or getattr(dtype, "name", "") in PRECISIONS:
        return
    elif dtype is None:
        got = f"an object of type {type(value).__name__}"
        repair = "returning a NumPy or JAX array"
    else:
        got = f"an array of {dtype}"
        repair = "converting to float64 before the gradient is computed, not after it"
        if dtype.kind == "c":
            repair = "returning its real part, if its imaginary part is always 0"
    kinds = " or ".join(PRECISIONS)
    raise GradientError(f"the gradient of {leaf} must be an array of {kinds}", got, repair)
