"""What a run carries from block to block, which is what a checkpoint holds of it."""

import enum
import hashlib
import json
from typing import NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Array, Key

from mnist_jax import model
from mnist_jax.clock import PARTS, Seconds, busy
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.training.gradients import Record

DTYPE = "float32"
"""The dtype of parameters, images, gradients and products."""


class TrainState(NamedTuple):
    """What a step changes."""

    params: model.Params
    optimizer: optax.OptState


class Purpose(enum.IntEnum):
    """What a random draw is for. The numbers decide every run's bits, so they never change."""

    INIT = 0
    ORDER = 1


def key_for(seed: int, purpose: Purpose) -> Key[Array, ""]:
    """The key of a purpose, from which an epoch or a layer folds its own."""
    return jax.random.fold_in(jax.random.key(seed), purpose)


def init_state(config: Config, optimizer: optax.GradientTransformation) -> TrainState:
    """Initial parameters, and the optimiser's state for them."""
    key = key_for(config.seed, Purpose.INIT)
    params = model.init(key, config.architecture, config.init, config.init_scale, DTYPE)
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam mixes float and int32
        return TrainState(params, optimizer.init(params))


class EpochTotals(NamedTuple):
    """Totals over the blocks of the epoch that are done.

    `loss` is a sum over examples; `seconds` are those of the run when the epoch began, in training
    and evaluation; `record` is what the gradient's mode has recorded.
    """

    examples: int
    loss: float
    correct: int
    seconds: float
    record: Record


class RunState(NamedTuple):
    """The training state, its place in the run, and what is reported at the epoch's and run's end.

    `epoch` is the one that is running, from 1, and `block` how many blocks of it are done; `step`
    counts all steps. `best_step` is the one after the epoch with the lowest validation loss, or 0.
    `data` is a digest of the data set, and `seconds` how long the run has taken, by part.
    """

    state: TrainState
    epoch: int
    block: int
    step: int
    totals: EpochTotals
    best_loss: float
    best_step: int
    seed: int
    data: np.ndarray
    seconds: Seconds


def begin(config: Config, dataset: Dataset, state: TrainState, record: Record) -> RunState:
    """A run before its first step; `record` is the mode's empty one."""
    data = hashlib.sha256(json.dumps(dataset.sha256, sort_keys=True).encode()).digest()
    return RunState(
        state=state,
        epoch=1,
        block=0,
        step=0,
        totals=EpochTotals(0, 0.0, 0, 0.0, record),
        best_loss=float("inf"),
        best_step=0,
        seed=config.seed,
        data=np.frombuffer(data, np.uint8),
        seconds=dict.fromkeys((*PARTS, "total"), 0.0),
    )


def after_block(
    run: RunState,
    state: TrainState,
    examples: np.ndarray,
    losses: np.ndarray,
    correct: np.ndarray,
    record: Record,
) -> RunState:
    """The run after one more block, whose steps had these examples, mean losses and hits."""
    before = run.totals
    totals = before._replace(
        examples=before.examples + int(examples.sum()),
        loss=before.loss + float(np.dot(losses.astype(np.float64), examples)),
        correct=before.correct + int(correct.sum()),
        record=jax.tree.map(max, before.record, record),
    )
    return run._replace(
        state=state, block=run.block + 1, step=run.step + len(examples), totals=totals
    )


def after_epoch(run: RunState, record: Record, validation_loss: float | None) -> RunState:
    """The run before the first block of its next epoch; `record` is the mode's empty one."""
    if validation_loss is not None and validation_loss < run.best_loss:
        run = run._replace(best_loss=validation_loss, best_step=run.step)
    totals = EpochTotals(0, 0.0, 0, busy(run.seconds), record)
    return run._replace(epoch=run.epoch + 1, block=0, totals=totals)
