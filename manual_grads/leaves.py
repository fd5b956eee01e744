"""Names for the leaves of a pytree, such as `2/weight`."""

from typing import Any


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree, keyed by their paths: `{"1/bias": …, "1/weight": …, …}`."""
    import jax  # imported here because it is slow, and not every importer of this module needs it

    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
