"""The leaves of a pytree by name: `2/weight`, as in every file and message."""

from typing import Any


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a pytree by their paths: `{"1/bias": …, "1/weight": …, …}`."""
    import jax  # here, so that whoever imports this before jax does not pay for it

    leaves, _ = jax.tree.flatten_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}
