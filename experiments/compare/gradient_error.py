"""The errors of both float32 gradients against float64, leaf by leaf, during a whole training."""

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from experiments.common import intervals
from manual_grads import named_leaves, targets
from manual_grads.derivatives import gradient_bound
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.model import Params, network_inputs
from mnist_jax.training import DTYPE, MODES, compile_training, train_epoch

BOTH = ("autodiff", "manual")
"""The values of `--gradient` that are compared."""

ULP_EDGES = [0.0, *(2.0**power for power in range(-1, 25)), np.inf]
"""The edges of the histogram's bins, in units in the last place: 0, ½, 1, 2, 4, …, 2²⁴ and ∞."""

Leaves = dict[str, np.ndarray]


def along_the_run(config: Config, dataset: Dataset) -> dict[str, Any]:
    """The largest errors of each leaf during the run, and the histogram of all errors.

    Errors are measured before the first epoch and after every epoch, on the first `batch_size`
    training examples. The run trains with `config.gradient`.
    """
    largest: dict[tuple[str, str], dict[str, float]] = {}
    counts = {name: np.zeros(len(ULP_EDGES) - 1, int) for name in BOTH}
    for computed, reference, bound in gradients(config, dataset):
        for leaf, name in itertools.product(reference, BOTH):
            error = np.abs(computed[name][leaf] - reference[leaf])
            ulps = in_ulps(error, reference[leaf])
            counts[name] += np.histogram(ulps, ULP_EDGES)[0]
            measured = {
                "largest_error": error.max(),
                "of_bound": (error / bound[leaf]).max(),
                "largest_in_ulps": ulps.max(),
                "median_in_ulps": np.median(ulps),
            }
            before = largest.get((leaf, name), measured)
            largest[leaf, name] = {key: max(before[key], measured[key]) for key in measured}
    return {
        "rows": [
            {"leaf": leaf, "gradient": name}
            | {key: intervals.finite(value) for key, value in each.items()}
            for (leaf, name), each in largest.items()
        ],
        "ulp_edges": ULP_EDGES[:-1],
        "ulp_counts": {name: [int(count) for count in each] for name, each in counts.items()},
    }


def in_ulps(
    error: Float[np.ndarray, "*shape"], reference: Float[np.ndarray, "*shape"]
) -> Float[np.ndarray, "*shape"]:
    """The error divided by the spacing of float32 at the reference value."""
    return error / np.spacing(np.abs(reference).astype(np.float32)).astype(np.float64)


def gradients(
    config: Config, dataset: Dataset
) -> Iterator[tuple[dict[str, Leaves], Leaves, Leaves]]:
    """Yields the gradients at the initial parameters, and at those after each epoch.

    Yields both float32 gradients by name, autodiff's float64 gradient, and the bound for float32.
    """
    architecture = config.architecture
    training, state = compile_training(config, dataset)
    images, labels = (part[: config.batch_size] for part in dataset.train)
    inputs = network_inputs(jax.numpy.asarray(images), DTYPE)
    truth = targets(architecture, jax.numpy.asarray(labels), DTYPE)
    narrow = {name: jax.jit(MODES[name](architecture).value_and_grad) for name in BOTH}
    wide = jax.jit(MODES["autodiff"](architecture).value_and_grad)
    bound = jax.jit(partial(gradient_bound, architecture, precision="float32"))
    for epoch in range(config.epochs + 1):
        if epoch > 0:
            state, _ = train_epoch(training, state, epoch)
        at = (state.params, inputs, truth)
        computed = {name: _wide(gradient(*at)[1]) for name, gradient in narrow.items()}
        with jax.enable_x64(True):
            exact = jax.tree.map(lambda leaf: leaf.astype("float64"), at)
            reference = _wide(wide(*exact)[1])
        yield computed, reference, _wide(bound(*at))


def _wide(gradient: Params) -> Leaves:
    return {leaf: np.asarray(value, np.float64) for leaf, value in named_leaves(gradient).items()}
