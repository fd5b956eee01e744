"""What a run carries from block to block, which is what a checkpoint holds of it."""

import hashlib
import json
from typing import NamedTuple

import jax
import numpy as np

from mnist_jax import checking
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.network import named_leaves
from mnist_jax.program import Trained
from mnist_jax.step import TrainState


class Sums(NamedTuple):
    """Over the blocks of the epoch that are done.

    `loss` is a sum over examples; `disagreement` has of each leaf the largest |M − G| and its
    largest share of 2B, and is empty unless `--gradient=checked`.
    """

    examples: int
    loss: float
    correct: int
    seconds: float
    disagreement: dict[str, dict[str, float]]


class Run(NamedTuple):
    """The state, its place, and what is to be told at the end of the epoch and of the run.

    `epoch` is the one that is running, from 1, and `block` how many blocks of it are done; `step`
    counts all steps. `best_step` is the one after the epoch with the lowest validation loss, or 0.
    `data` is a digest of the data set, and `seconds` says by name how long the run has taken.
    """

    state: TrainState
    epoch: int
    block: int
    step: int
    sums: Sums
    best_loss: float
    best_step: int
    seed: int
    data: np.ndarray
    seconds: dict[str, float]


SECONDS = ("load", "compile", "train", "evaluate", "total")


def begin(config: Config, dataset: Dataset, state: TrainState) -> Run:
    """A run before its first step."""
    data = hashlib.sha256(json.dumps(dataset.sha256, sort_keys=True).encode()).digest()
    return Run(
        state=state,
        epoch=1,
        block=0,
        step=0,
        sums=no_sums(config, state),
        best_loss=float("inf"),
        best_step=0,
        seed=config.seed,
        data=np.frombuffer(data, np.uint8),
        seconds=dict.fromkeys(SECONDS, 0.0),
    )


def no_sums(config: Config, state: TrainState) -> Sums:
    """Those of an epoch before its first block."""
    leaves = named_leaves(state.params) if config.gradient == "checked" else ()
    return Sums(0, 0.0, 0, 0.0, {leaf: {"largest": 0.0, "of_bound": 0.0} for leaf in leaves})


def after_block(run: Run, state: TrainState, trained: Trained, seconds: float) -> Run:
    """The run after one more block of its epoch."""
    before, steps = run.sums, trained.steps
    recorded = checking.record(trained) if before.disagreement else {}
    sums = Sums(
        examples=before.examples + int(trained.examples.sum()),
        loss=before.loss + float(np.dot(steps.losses.astype(np.float64), trained.examples)),
        correct=before.correct + int(steps.correct.sum()),
        seconds=before.seconds + seconds,
        disagreement=jax.tree.map(max, before.disagreement, recorded),
    )
    return run._replace(
        state=state, block=run.block + 1, step=run.step + len(trained.examples), sums=sums
    )


def after_epoch(config: Config, run: Run, validation_loss: float | None) -> Run:
    """The run before the first block of its next epoch."""
    if validation_loss is not None and validation_loss < run.best_loss:
        run = run._replace(best_loss=validation_loss, best_step=run.step)
    return run._replace(epoch=run.epoch + 1, block=0, sums=no_sums(config, run.state))
