"""Names of the leaves of a pytree, such as `2/weight`."""

from typing import Any


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree, keyed by their paths.

    >>> named_leaves([{"bias": 0.5}, {"bias": 1.0, "weight": 2.0}])
    {'0/bias': 0.5, '1/bias': 1.0, '1/weight': 2.0}
    """
    import jax  # here, because the import is slow and often not needed

    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
