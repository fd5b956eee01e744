"""What `--gradient=checked` makes of the disagreements: a record of each epoch, or a stop."""

from collections.abc import Callable

import jax
import numpy as np

from manual_grads.cli import InputError
from mnist_jax.network import named_leaves
from mnist_jax.program import Trained


class DisagreementError(InputError):
    """The handwritten gradient and autodiff's differ by more than rounding can make them."""


def record(block: Trained) -> dict[str, dict[str, float]]:
    """Of each leaf, the largest |M − G| of the block's steps and its largest share of 2B."""
    assert block.steps.disagreement is not None
    worst = jax.tree.map(lambda steps: float(np.max(steps)), block.steps.disagreement)
    of_bound = named_leaves(worst.of_bound)
    return {
        leaf: {"largest": largest, "of_bound": of_bound[leaf]}
        for leaf, largest in named_leaves(worst.largest).items()
    }


def require_agreement(
    block: Trained, epoch: int, steps_before: int, explain: Callable[[], str]
) -> None:
    """Raises `DisagreementError` at the first step of a block that disagrees, in any leaf.

    The epoch's first step is held first in float64, where a wrong formula shows best. `explain`
    says what the mistake is.
    """
    if block.steps.disagreement is None:
        return
    held = [(block.steps.losses.dtype.name, block.steps.disagreement)]
    if block.float64 is not None:
        held.insert(0, ("float64", jax.tree.map(lambda value: value[None], block.float64)))
    for precision, disagreement in held:
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
