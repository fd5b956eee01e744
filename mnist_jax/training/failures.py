"""What ends a training with an error: no device, too little memory, a loss, a gradient."""

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
    """JAX has no device to compute on."""


class MemoryExceededError(InputError):
    """The device has too little memory for the network."""


class NotFiniteError(InputError):
    """The loss became NaN or infinite."""


class DisagreementError(InputError):
    """The handwritten gradient and autodiff's differ by more than rounding can make them."""


def require_device() -> None:
    """Raises `DeviceError` unless JAX finds a device to compute on."""
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(
            "JAX must find a device to compute on",
            str(error).split("\n", maxsplit=1)[0] or "none",
            "JAX_PLATFORMS=cpu, or the extra cuda13 for a GPU",
        ) from None


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Raises `MemoryExceededError` where the device has too little for what is done inside."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        message = str(error).split("\n", maxsplit=1)[0]
        out = isinstance(error, MemoryError) or re.search("(?i)out of memory|exhausted", message)
        if not out:
            raise
        raise MemoryExceededError(
            "the network and a batch must fit into the device's memory",
            message,
            "smaller --layer_sizes, or a smaller --batch_size",
        ) from None


def require_finite(
    config: Config,
    workdir: Path,
    losses: Float[np.ndarray, " n"],
    epoch: int,
    step: int,
    taken: int,
) -> None:
    """Raises `NotFiniteError` at the first loss that is NaN or infinite.

    `losses` begin at `step` of `epoch`, with parameters that `taken` steps have changed.
    """
    broken = np.flatnonzero(~np.isfinite(losses))
    if broken.size == 0:
        return
    place = int(broken[0])
    raise NotFiniteError(
        "the loss must stay finite",
        f"{losses[place]} in epoch {epoch}, at step {step + place}; what was written before is in "
        f"{workdir}",
        f"--init_scale below {config.init_scale:g}, for no step has been taken yet"
        if taken + place == 0
        else f"--learning_rate below {config.learning_rate:g}",
    )


def require_agreement(
    inspected: dict[str, Any], epoch: int, steps_before: int, explain: Callable[[], str]
) -> None:
    """Raises `DisagreementError` at the first step whose gradients disagree in any leaf.

    `inspected` has the inspections of a block's steps by the name of their precision, the first of
    which is looked at first; `explain` says what the mistake is.
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
            f"handwritten and differentiated gradients must agree to twice the {precision} bound",
            f"{leaf}, flat entry {entry}: handwritten {handwritten:.17g}, autodiff "
            f"{autodiff:.17g}, {of_bound:.3g} times what rounding allows, in epoch {epoch}, at "
            f"step {steps_before + step + 1}",
            explain(),
        )
