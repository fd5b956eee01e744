"""Trains the author's later network on MNIST with one of the `variants`, from many seeds.

The document's author wrote this network after the 1-5-1 network of `first_task`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from experiments.biases.variants import VARIANTS, architecture_of, seen, value_and_grad
from experiments.common import intervals, sweep
from mnist_jax import Config
from mnist_jax.data import Dataset
from mnist_jax.model import forward
from mnist_jax.training import Mode


def row(config: Config, dataset: Dataset, name: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The results of one variant: final test accuracies, and the share of seeds that diverge.

    A seed diverges if its final test loss is not finite.
    """
    histories = train(config, dataset, name, seeds)
    accuracies, losses = (
        np.array([history[-1][key] for history in histories])
        for key in ("test_accuracy", "test_loss")
    )
    return {
        "variant": name,
        "test_accuracy": intervals.mean(accuracies),
        "best_seed": intervals.finite(accuracies.max()),
        "diverged": intervals.share(int(np.sum(~np.isfinite(losses))), len(seeds)),
    }


def train(config: Config, dataset: Dataset, name: str, seeds: Sequence[int]) -> list[sweep.History]:
    """The history of each seed's run with the variant of this name.

    Only variant and rounding distinguish a run from `mnist_jax.train` with `config` and its seed.
    """
    variant = VARIANTS[name]
    architecture = architecture_of(config.architecture, variant)
    used = partial(seen, variant)
    mode = Mode(
        partial(value_and_grad, architecture, variant),
        lambda params, images: forward(architecture, used(params), images),
    )
    config = replace(config, architecture=architecture)
    changes = sweep.Changes(mode, used, may_diverge=True)
    return sweep.train_seeds(config, dataset, seeds, f"later network, {name}", changes)
