"""How far both float32 gradients are from a float64 one, leaf by leaf, along a whole training."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from experiments.common import intervals
from experiments.compare.cost import BOTH
from manual_grads import named_leaves, targets
from manual_grads.derivatives import gradient_bound
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.model import Params, network_inputs
from mnist_jax.training import DTYPE, MODES, compile_training, train_epoch

ULP_EDGES = [0.0, *(2.0**power for power in range(-1, 25)), np.inf]
"""Of the histogram of errors in units in the last place: below ½, to 1, to 2, to 4, …"""

Leaves = dict[str, np.ndarray]


class Point(NamedTuple):
    """Of one batch: each float32 gradient, the float64 one, and the float32 bound."""

    computed: dict[str, Leaves]
    reference: Leaves
    bound: Leaves


def along_the_run(config: Config, dataset: Dataset) -> dict[str, Any]:
    """The errors before the first epoch and after each, and the distribution of all of them.

    Autodiff's gradient trains. The batch is the first `batch_size` training examples.
    """
    rows, counts = [], {name: np.zeros(len(ULP_EDGES) - 1, int) for name in BOTH}
    for epoch, point in points(config, dataset):
        for name, leaves in point.computed.items():
            for leaf, gradient in leaves.items():
                error = np.abs(gradient - point.reference[leaf])
                ulps = in_ulps(error, point.reference[leaf])
                counts[name] += np.histogram(ulps, ULP_EDGES)[0]
                rows.append(
                    {
                        "epoch": epoch,
                        "gradient": name,
                        "leaf": leaf,
                        "largest_error": intervals.finite(error.max()),
                        "of_bound": intervals.finite((error / point.bound[leaf]).max()),
                        "largest_in_ulps": intervals.finite(ulps.max()),
                        "median_in_ulps": intervals.finite(np.median(ulps)),
                    }
                )
    return {
        "rows": rows,
        "ulp_edges": ULP_EDGES[:-1],
        "ulp_counts": {name: [int(count) for count in each] for name, each in counts.items()},
    }


def in_ulps(
    error: Float[np.ndarray, "*shape"], reference: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """The error in units in the last place that float32 has at the reference value."""
    return error / np.spacing(np.abs(reference).astype(np.float32)).astype(np.float64)


def points(config: Config, dataset: Dataset) -> Iterator[tuple[int, Point]]:
    """The gradients at the initial parameters, as epoch 0, and at those after each epoch."""
    training, state = compile_training(config, dataset)
    look = _looking(config, dataset)
    yield 0, look(state.params)
    for epoch in range(1, config.epochs + 1):
        state, _ = train_epoch(training, state, epoch)
        yield epoch, look(state.params)


def _looking(config: Config, dataset: Dataset):
    architecture = config.architecture
    images, labels = (part[: config.batch_size] for part in dataset.train)
    inputs = network_inputs(jax.numpy.asarray(images), DTYPE)
    truth = targets(architecture, jax.numpy.asarray(labels), DTYPE)
    narrow = {name: jax.jit(MODES[name](architecture).value_and_grad) for name in BOTH}
    wide = jax.jit(MODES["autodiff"](architecture).value_and_grad)
    bound = jax.jit(partial(gradient_bound, architecture, precision="float32"))

    def look(params: Params) -> Point:
        computed = {name: _wide(of(params, inputs, truth)[1]) for name, of in narrow.items()}
        with jax.enable_x64(True):
            exact = jax.tree.map(lambda leaf: leaf.astype("float64"), (params, inputs, truth))
            reference = _wide(wide(*exact)[1])
        return Point(computed, reference, _wide(bound(params, inputs, truth)))

    return look


def _wide(gradient: Params) -> Leaves:
    return {leaf: np.asarray(value, np.float64) for leaf, value in named_leaves(gradient).items()}
