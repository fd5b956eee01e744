"""The errors that end training: no device, too little memory, a bad loss or gradient."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from manual_grads import named_leaves
from manual_grads.cli import InputError
from mnist_jax.config import Config


class DeviceError(InputError):
    """JAX finds too few devices to compute on."""


class MemoryExceededError(InputError):
    """The device has too little memory for the network."""


class NotFiniteError(InputError):
    """The loss became NaN or infinite."""


class DisagreementError(InputError):
    """The handwritten gradient differs from autodiff's by more than rounding errors can explain."""


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Raises `MemoryExceededError` if the device runs out of memory inside the `with` block."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        message = str(error).split("\n", maxsplit=1)[0]
        full = isinstance(error, MemoryError) or re.search("(?i)out of memory|exhausted", message)
        if not full:
            raise
        raise MemoryExceededError(
            "the network and a batch must fit into the device's memory",
            message,
            "smaller --layer_sizes, or a smaller --batch_size",
        ) from None


def require_finite(
    config: Config,
    workdir: Path | None,
    losses: Float[np.ndarray, " n"],
    epoch: int,
    step: int,
    taken: int,
) -> None:
    """Raises `NotFiniteError` at the first loss that is NaN or infinite.

    `losses[0]` is the loss at step `step` in epoch `epoch`. `taken` updates precede this loss.
    Without a `workdir`, the message names the seed.
    """
    broken = np.flatnonzero(~np.isfinite(losses))
    if broken.size == 0:
        return
    first = int(broken[0])
    run = f"; all files so far are in {workdir}" if workdir else f", with --seed={config.seed}"
    raise NotFiniteError(
        "the loss must stay finite",
        f"{losses[first]} in epoch {epoch}, at step {step + first}{run}",
        f"--init_scale below {config.init_scale:g}, because no step has been taken yet"
        if taken + first == 0
        else f"--learning_rate below {config.learning_rate:g}",
    )


def require_agreement(
    inspected: dict[str, Any], epoch: int, steps_before: int, explain: Callable[[], str]
) -> None:
    """Raises `DisagreementError` at the first step whose gradients disagree in any leaf.

    `inspected` maps each precision to the gradient comparisons of a block's steps. The precisions
    are checked in the order of the dict. `explain()` describes the mistake.
    """
    for precision, disagreement in inspected.items():
        fields = [named_leaves(field) for field in disagreement]
        steps = {leaf: np.flatnonzero(~(values <= 1)) for leaf, values in fields[1].items()}
        broken = [(int(first[0]), leaf) for leaf, first in steps.items() if first.size > 0]
        if not broken:
            continue
        step, leaf = min(broken)
        _, of_bound, entry, handwritten, autodiff = (field[leaf][step] for field in fields)
        raise DisagreementError(
            "handwritten and autodiff gradients must agree within twice the "
            f"{precision} rounding bound",
            f"{leaf}, flattened index {entry}: handwritten {handwritten:.17g}, autodiff "
            f"{autodiff:.17g}, {of_bound:.3g} times the allowed difference, in epoch {epoch}, at "
            f"step {steps_before + step + 1}",
            explain(),
        )
