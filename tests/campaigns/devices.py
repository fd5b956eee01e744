"""Compares the gradients of random networks on several devices: with one device, and by hand.

    python -m tests.campaigns.devices
    python -m tests.campaigns.devices --short

The results are written to `tests/campaigns/devices.json`. The exit status is 1 if an entry of a
gradient on several devices differs by more than twice its rounding bound from that on one device,
or a handwritten gradient from autodiff's on the same devices.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from rich.progress import track

from manual_grads import Architecture, derivatives
from mnist_jax.model import mean_loss
from mnist_jax.training.devices import summed_over_parts
from tests.campaigns import record, run
from tests.compiling import FAST_TO_COMPILE
from tests.manual_grads.derivatives.cases import Point, draw
from tests.manual_grads.derivatives.test_random_networks import random_architecture

DEVICES = (1, 2, 3, 8)


def random_network(seed: int) -> tuple[Architecture, Point]:
    """A random architecture, and random parameters and a batch for it."""
    architecture, batch = random_architecture(seed)
    random = np.random.default_rng(seed)
    scale = float(random.choice([0.5, 1.0, 4.0]))
    return architecture, draw(architecture, batch, random, weight_scale=scale)


class OfBound(NamedTuple):
    """The largest difference of any entry of two gradients, divided by twice its bound."""

    several_and_one: float
    by_hand_and_autodiff: float


def of_bound(architecture: Architecture, point: Point, counts: Sequence[int]) -> list[OfBound]:
    """Compares both gradients on each of these numbers of devices.

    The batch is padded to a multiple of the devices with examples of weight 0.
    """
    compiled = partial(jax.jit, compiler_options=FAST_TO_COMPILE)
    bound = compiled(
        partial(derivatives.gradient_bound, architecture, precision="float32")
    )(*point)  # fmt: skip

    def largest(first, second) -> float:
        leaves = map(jax.tree.leaves, (first, second, bound))
        return max(
            float(np.max(np.abs(np.asarray(one) - np.asarray(other)) / (2 * np.asarray(allowed))))
            for one, other, allowed in zip(*leaves, strict=True)
        )

    def gradients(*arguments):
        autodiff = jax.value_and_grad(partial(mean_loss, architecture))(*arguments)[1]
        return autodiff, derivatives.value_and_grad(architecture, *arguments)[1]

    on_one = compiled(gradients)(*point)
    found = []
    for count in counts:
        mesh = jax.make_mesh((count,), ("examples",), (jax.sharding.AxisType.Auto,))
        everywhere, rows = (
            jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
            for axes in ((), ("examples",))
        )
        missing = -len(point.images) % count
        parts = [np.concatenate([part, part[:1].repeat(missing, 0)]) for part in point[1:]]
        parts[2][len(point.images) :] = 0
        arguments = jax.device_put(point.params, everywhere), *jax.device_put(parts, rows)
        on_several = compiled(summed_over_parts(gradients, mesh))(*arguments)
        found.append(OfBound(max(map(largest, on_several, on_one)), largest(*on_several)))
    return found


def main(networks: int = 200, publish: bool = False) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    jax.config.update("jax_num_cpu_devices", max(DEVICES))
    worst = dict.fromkeys(DEVICES, OfBound(0.0, 0.0))
    partial_batches = 0
    for seed in track(range(networks), "comparing gradients"):
        architecture, point = random_network(seed)
        jax.clear_caches()
        for count, found in zip(DEVICES, of_bound(architecture, point, DEVICES), strict=True):
            worst[count] = OfBound(*map(max, worst[count], found))
            partial_batches += len(point.images) % count > 0
    numbers = {
        "networks": networks,
        "padded_batches": partial_batches,
        "largest_of_twice_the_bound": {
            str(count): found._asdict() for count, found in worst.items()
        },
    }
    record("devices", numbers, publish)
    return 0 if max(map(max, worst.values())) <= 1 else 1


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, networks=2))
