"""Compares the gradients of random networks on several devices with those on one.

    python -m tests.campaigns.devices
    python -m tests.campaigns.devices --short

The results are written to `tests/campaigns/devices.json`. The exit status is 1 if an entry of a
gradient differs by more than twice its rounding bound.
"""

import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from rich.progress import track

from manual_grads import Architecture, derivatives
from mnist_jax.model import mean_loss
from tests.campaigns import record
from tests.compiling import FAST_TO_COMPILE
from tests.manual_grads.derivatives.cases import Point, draw
from tests.manual_grads.derivatives.test_random_networks import random_architecture

DEVICES = (2, 3, 8)


def random_network(seed: int) -> tuple[Architecture, Point]:
    """A random architecture, and random parameters and a batch for it."""
    architecture, batch = random_architecture(seed)
    random = np.random.default_rng(seed)
    scale = float(random.choice([0.5, 1.0, 4.0]))
    return architecture, draw(architecture, batch, random, weight_scale=scale)


def of_bound(architecture: Architecture, point: Point, devices: int) -> float:
    """The largest |Gₙ − G₁| / 2B of all entries, by autodiff and by hand, for n devices and one.

    B is the rounding bound. Examples of weight 0 pad the batch to a multiple of n.
    """
    mesh = jax.make_mesh((devices,), ("examples",), (jax.sharding.AxisType.Auto,))
    everywhere, rows = (
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
        for axes in ((), ("examples",))
    )
    missing = -len(point.images) % devices
    parts = [np.concatenate([part, part[:1].repeat(missing, 0)]) for part in point[1:]]
    parts[2][len(point.images) :] = 0
    params, worst = jax.device_put(point.params, everywhere), 0.0
    bound = derivatives.gradient_bound(
        architecture, *jax.tree.map(jnp.asarray, point), precision="float32"
    )
    for value_and_grad in (
        jax.value_and_grad(partial(mean_loss, architecture)),
        partial(derivatives.value_and_grad, architecture),
    ):
        one = jax.jit(value_and_grad, compiler_options=FAST_TO_COMPILE)
        several = jax.jit(
            value_and_grad, out_shardings=everywhere, compiler_options=FAST_TO_COMPILE
        )
        gradients = one(*point)[1], several(params, *jax.device_put(parts, rows))[1]
        for first, second, allowed in zip(*map(jax.tree.leaves, (*gradients, bound)), strict=True):
            apart = np.abs(np.asarray(first) - np.asarray(second)) / (2 * np.asarray(allowed))
            worst = max(worst, float(np.max(apart)))
    return worst


def main(networks: int = 200, publish: bool = False) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    jax.config.update("jax_num_cpu_devices", max(DEVICES))
    worst = {str(devices): 0.0 for devices in DEVICES}
    partial_batches = 0
    for seed in track(range(networks), "comparing gradients"):
        architecture, point = random_network(seed)
        jax.clear_caches()
        for devices in DEVICES:
            found = of_bound(architecture, point, devices)
            worst[str(devices)] = max(worst[str(devices)], found)
            partial_batches += len(point.images) % devices > 0
    numbers = {
        "networks": networks,
        "padded_batches": partial_batches,
        "largest_of_twice_the_bound": worst,
    }
    record("devices", numbers, publish)
    return 0 if max(worst.values()) <= 1 else 1


if __name__ == "__main__":
    sys.exit(main(networks=2) if "--short" in sys.argv else main(publish=True))
