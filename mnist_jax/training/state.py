"""The state of a run between two blocks of steps. A checkpoint is a saved `RunState`."""

import enum
import hashlib
import json
from typing import NamedTuple

import jax
import numpy as np
import optax
from jaxtyping import Array, Integer, Key

from mnist_jax import model
from mnist_jax.clock import PARTS, Seconds, busy
from mnist_jax.config import Config
from mnist_jax.data import Dataset
from mnist_jax.training.gradients import Record

Seed = int | np.uint32 | Integer[Array, ""]
DTYPE = "float32"
"""The dtype of parameters, images, gradients and matrix products."""


class TrainState(NamedTuple):
    """The arrays that a training step changes."""

    params: model.Params
    optimizer: optax.OptState


class Purpose(enum.IntEnum):
    """The uses of random keys. Changing a number would change the results of every run."""

    INIT = 0
    ORDER = 1


def key_for(seed: Seed, purpose: Purpose) -> Key[Array, ""]:
    """The key of a purpose. `fold_in` derives the key of an epoch or a layer from this key."""
    return jax.random.fold_in(jax.random.key(seed), purpose)


def init_state(config: Config, optimizer: optax.GradientTransformation, seed: Seed) -> TrainState:
    """Draws the initial parameters from `seed`, and makes the optimiser's state."""
    key = key_for(seed, Purpose.INIT)
    params = model.init(key, config.architecture, config.init, config.init_scale, DTYPE)
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam mixes float and int32
        return TrainState(params, optimizer.init(params))


class EpochTotals(NamedTuple):
    """Totals over the completed blocks of the current epoch.

    `loss` is the sum over the examples. `seconds` is the time that training and evaluation took
    before this epoch. `record` is the maximum of `Mode.record` over the blocks.
    """

    examples: int
    loss: float
    correct: int
    seconds: float
    record: Record


class RunState(NamedTuple):
    """The training state, the position in the run, and the numbers for the reports.

    `epoch` is the current epoch, counted from 1. `block` is the number of completed blocks in this
    epoch, and `step` the number of completed steps in the run. `best_step` is the step after which
    the validation loss was lowest, or 0. `data` is a digest of the dataset. `seconds` has the time
    of each part of the run.
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
    """The state before the first step; `record` is the result of `Mode.no_record`."""
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
    """The state after a block. The arrays have one value for each step of the block."""
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
    """The state before the next epoch; `record` is the result of `Mode.no_record`."""
    if validation_loss is not None and validation_loss < run.best_loss:
        run = run._replace(best_loss=validation_loss, best_step=run.step)
    totals = EpochTotals(0, 0.0, 0, busy(run.seconds), record)
    return run._replace(epoch=run.epoch + 1, block=0, totals=totals)
