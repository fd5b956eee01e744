"""What a gradient function returned, as arrays that can be compared."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from manual_grads.check.layouts import GradientError
from manual_grads.leaves import named_leaves

Tree = Any
Leaves = dict[str, np.ndarray]
PRECISIONS = ("float32", "float64")


def arrays_by_name(tree: Tree) -> Leaves:
    """The leaves of a pytree as NumPy arrays, keyed by their paths."""
    return {name: np.asarray(leaf) for name, leaf in named_leaves(tree).items()}


def handwritten_leaves(
    gradient: Callable[..., Tree], params: Tree, batch: tuple
) -> tuple[Leaves, str]:
    """Calls `gradient` on copies of its arguments; returns its leaves in float64, its precision."""
    copies = jax.tree.map(lambda leaf: leaf.copy(), (params, batch))
    given = gradient(copies[0], *copies[1])
    if jax.tree.structure(given) != jax.tree.structure(params):
        raise GradientError(
            f"the gradient must have the structure of the parameters, {jax.tree.structure(params)}",
            str(jax.tree.structure(given)),
            "one array per parameter, in the same lists and dicts",
        )
    for leaf, value in named_leaves(given).items():
        _require_numbers(leaf, value)
    named, parameters = arrays_by_name(given), arrays_by_name(params)
    for leaf, value in named.items():
        shape = parameters[leaf].shape
        if value.shape != shape:
            raise GradientError(
                f"the gradient of {leaf} must have the parameter's shape, {shape}",
                f"{value.shape}, on a batch of {len(batch[0])} examples",
                "a sum over the examples instead of the units, or no transpose",
            )
        if not np.all(np.isfinite(value)):
            raise GradientError(
                "the gradient must be finite",
                f"{leaf} contains NaN or infinity",
                "looking for a logarithm, division or exponential that overflows",
            )
    narrow = any(value.dtype == np.float32 for value in named.values())
    precision = "float32" if narrow else "float64"
    return {leaf: value.astype(np.float64) for leaf, value in named.items()}, precision


def _require_numbers(leaf: str, value: Any) -> None:
    """Raises `GradientError` for a value that a conversion to float64 would change."""
    if isinstance(value, np.ma.MaskedArray):
        got, repair = "a masked array, whose mask would be ignored", "returning its .filled(0)"
    elif isinstance(value, np.ndarray | np.generic | jax.Array):
        got = f"an array of {value.dtype}"
        repair = "converting to float64 before the gradient is computed, not after it"
        if np.issubdtype(value.dtype, np.complexfloating):
            repair = "returning its real part, if its imaginary part is always 0"
        if value.dtype.name in PRECISIONS:
            return
    elif isinstance(value, float):
        return
    else:
        got, repair = (
            f"an object of type {type(value).__name__}",
            "returning an array of NumPy or JAX",
        )
    raise GradientError(
        f"the gradient of {leaf} must be an array of {' or '.join(PRECISIONS)}", got, repair
    )
