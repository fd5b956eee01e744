"""Trains with several seeds at the same time, on all devices of one process.

The seeds are an axis of the parameters and of the optimiser's state, and this axis is divided over
the devices. One compiled function trains all seeds for an epoch; the devices do not communicate.
On a CPU, each core is a virtual device and trains one seed at a time, which is faster than one seed
on all cores. An accelerator trains all its seeds together.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, UInt32
from rich.progress import track

from mnist_jax import Config, training
from mnist_jax.data import Dataset, Examples
from mnist_jax.model import Params
from mnist_jax.training import Mode, Purpose, Steps, TrainState

AXIS = "seeds"
WITHOUT_EFFECT = ("seed", "devices", "coordinator", "processes", "process_id", "process_timeout")
"""Options without effect: a sweep has a list of seeds, and uses all devices of one process."""

Metrics = dict[str, Any]
History = list[Metrics]
"""The metrics of each epoch of a run."""

Seen = dict[str, tuple[Any, Any]]
"""The mean loss and the number of correct answers on each part of the data, as scalars."""


def use_all_cores() -> None:
    """Makes a JAX device of each CPU core that this process may use. Raises `DeviceError`."""
    on_linux = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if on_linux else os.cpu_count()
    with contextlib.suppress(RuntimeError):  # JAX has already computed, and keeps its devices
        jax.config.update("jax_num_cpu_devices", cores)
    training.require_device()


class Changes(NamedTuple):
    """How the runs of a sweep differ from those of `mnist_jax.train`.

    If `mode` is not None, it computes the gradient. `used` maps the trained parameters to those
    with which the network is evaluated. If `may_diverge`, a loss that is not finite is no error.
    """

    mode: Mode | None = None
    used: Callable[[Params], Params] = lambda params: params
    may_diverge: bool = False


def train_seeds(
    config: Config,
    dataset: Dataset,
    seeds: Sequence[int],
    title: str = "training",
    changes: Changes = Changes(),  # noqa: B008 - immutable
    at_once: int | None = None,
) -> list[History]:
    """Trains once with each seed, and returns each run's history. `title` labels the progress bar.

    Each run takes the same steps as `mnist_jax.train` with this seed, except for the `changes` and
    rounding. Each device trains its seeds in groups of `at_once`; by default one at a time on a
    CPU, and all together on an accelerator. Raises `NotFiniteError`, `DisagreementError` and
    `MemoryExceededError`.
    """
    devices = jax.local_devices()[: len(seeds)]
    if at_once is None:
        at_once = 1 if devices[0].platform == "cpu" else len(seeds)
    mesh = jax.make_mesh((len(devices),), (AXIS,), (AxisType.Auto,), devices=devices)
    update = training.optimizer(config, training.steps_per_epoch(config, dataset))
    begin = _for_each_seed(partial(training.init_state, config, update), mesh, at_once)
    train = _for_each_seed(_epoch(config, update, changes), mesh, at_once)
    parts = {"train": dataset.train, "test": dataset.test, "validation": dataset.validation}
    data = jax.device_put(
        {name: part for name, part in parts.items() if part}, NamedSharding(mesh, PartitionSpec())
    )
    padding = [seeds[0]] * (-len(seeds) % len(devices))
    own = np.array([*seeds, *padding], np.uint32)
    histories: list[History] = [[] for _ in seeds]
    with training.enough_memory():
        state = begin((own,), ())
        for epoch in track(range(1, config.epochs + 1), f"{title}, {len(seeds)} seeds"):
            state, *results = train((state, own), (np.int32(epoch), data))
            results = jax.tree.map(np.asarray, results)
            for row, (seed, history) in enumerate(zip(seeds, histories, strict=True)):
                steps, seen = jax.tree.map(lambda leaf, row=row: leaf[row], results)
                if not changes.may_diverge:
                    _require_sound(replace(config, seed=seed), steps, epoch)
                history.append({"epoch": epoch, **_metrics(seen, data)})
    return histories


def _for_each_seed(function: Callable, mesh: Mesh, at_once: int) -> Callable:
    """Compiles `function(*own, *shared)` for all seeds: `own` has a leading axis of seeds."""

    def on_a_device(own, shared):
        together = None if at_once == 1 else at_once
        return jax.lax.map(lambda own: function(*own, *shared), own, batch_size=together)

    by_seed, everywhere = PartitionSpec(AXIS), PartitionSpec()
    specs = {"in_specs": (by_seed, everywhere), "out_specs": by_seed}
    return jax.jit(jax.shard_map(on_a_device, mesh=mesh, check_vma=False, **specs))


def _epoch(
    config: Config, update: optax.GradientTransformation, changes: Changes
) -> Callable[..., tuple[TrainState, Steps, Seen]]:
    """A function that trains one seed for an epoch, then evaluates on test and validation data."""
    take_steps = training.make_block(config, update, changes.mode)

    def epoch(state: TrainState, seed: UInt32[Array, ""], number: Int[Array, ""], data: Any):
        (images, labels), key = data["train"], training.key_for(seed, Purpose.ORDER)
        batches = training.epoch_batches(key, number, len(labels), config.batch_size)
        state, steps = take_steps(state, images, labels, batches)
        examples = jnp.sum(batches != training.PADDING, axis=1, dtype=training.DTYPE)
        seen = {"train": (jnp.dot(steps.losses, examples) / len(labels), jnp.sum(steps.correct))}
        params = changes.used(state.params)
        for name in [name for name in data if name != "train"]:
            seen[name] = training.evaluate(config.architecture, params, *data[name])[:2]
        return state, steps, seen

    return epoch


def _metrics(seen: Seen, data: dict[str, Examples]) -> Metrics:
    losses = {f"{part}_loss": float(loss) for part, (loss, _) in seen.items()}
    return losses | {
        f"{part}_accuracy": int(correct) / len(data[part].labels)
        for part, (_, correct) in seen.items()
    }


def _require_sound(config: Config, steps: Steps, epoch: int) -> None:
    """Raises an error if a loss is not finite, or if --gradient=checked found a disagreement."""
    before = (epoch - 1) * len(steps.losses)
    training.require_finite(config, None, np.asarray(steps.losses), epoch, before + 1, before)
    if steps.inspected is not None:
        alone = f"mnist_jax.train --gradient=checked --seed={config.seed}, which names the mistake"
        training.require_agreement({training.DTYPE: steps.inspected}, epoch, before, lambda: alone)
