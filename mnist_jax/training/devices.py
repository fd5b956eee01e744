"""The devices of a run. Each batch is divided over them; each device has all other arrays.

Each device computes the gradient of its examples, and the gradients are added up. JAX's partitioner
divides all other computations on a batch. A batch is padded with examples of weight 0 to a multiple
of the number of devices, so every mean is still over the batch's own examples.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from mnist_jax.config import Config
from mnist_jax.training.failures import DeviceError

AXIS = "examples"
BFLOAT16_UNITS = {"amx_bf16", "bf16"}
"""Linux's names of units that multiply matrices of bfloat16 faster than matrices of float32.

`avx512_bf16` is not one of them: with it, a training step in bfloat16 was slower than in float32.
"""

Tree = Any


def require_device(chosen: str = "1") -> None:
    """Raises `DeviceError` unless JAX finds `chosen` devices; "all" needs at least one.

    If `chosen` is a number, makes this many virtual CPU devices, unless JAX has computed before.
    """
    with contextlib.suppress(RuntimeError):  # raised if JAX has computed before
        if chosen not in ("1", "all"):
            jax.config.update("jax_num_cpu_devices", int(chosen))
    try:
        found = jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        raise DeviceError(
            "JAX must find a device to compute on",
            str(error).split("\n", maxsplit=1)[0] or "no device",
            "JAX_PLATFORMS=cpu, or for a GPU the optional dependency cuda13",
        ) from None
    if chosen != "all" and int(chosen) > len(found):
        raise DeviceError(
            f"--devices={chosen} needs {chosen} devices",
            f"{len(found)} of kind {found[0].device_kind}",
            "--devices=all, or on a CPU a process in which JAX has not computed yet",
        )


def processor_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str] | None:
    """Linux's names of the processor's vector and matrix units; None on another system."""
    try:
        flags = cpuinfo.read_text().split()
    except OSError:
        return None
    return sorted(
        {"avx2", "avx512f", "avx512_bf16", "amx_tile", *BFLOAT16_UNITS}.intersection(flags)
    )


def lacks_bfloat16_units() -> bool:
    """Whether JAX computes on a processor that is known to have none of `BFLOAT16_UNITS`."""
    units = processor_units()
    return jax.default_backend() == "cpu" and units is not None and BFLOAT16_UNITS.isdisjoint(units)


def mesh_of(config: Config) -> Mesh:
    """The mesh of `--devices` devices of each process. Raises `DeviceError`."""
    require_device(config.devices)
    count = None if config.devices == "all" else int(config.devices)
    devices = [
        device
        for process in range(jax.process_count())
        for device in jax.local_devices(process_index=process)[:count]
    ]
    return jax.make_mesh((len(devices),), (AXIS,), (AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """The sharding of arrays that are complete on each device."""
    return NamedSharding(mesh, PartitionSpec())


def divided(mesh: Mesh) -> NamedSharding:
    """The sharding of `Batches` that gives each device its part of every batch."""
    return NamedSharding(mesh, PartitionSpec(None, AXIS))


def place(tree: Tree, sharding: NamedSharding) -> Tree:
    """Copies arrays to the devices. All processes must call it with the same values."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def placed(leaf):
        leaf = np.asarray(leaf)
        return jax.make_array_from_callback(leaf.shape, sharding, leaf.__getitem__)

    return jax.tree.map(placed, tree)


def on_parts(function: Callable[..., jax.Array], mesh: Mesh) -> Callable[..., jax.Array]:
    """Wraps `function(params, images)` so that each device computes its part of the images.

    The result of `function` must have a row for each image.
    """
    rows = PartitionSpec(AXIS)

    def call(params: Tree, images: jax.Array) -> jax.Array:
        padding = [(0, -len(images) % mesh.size), *[(0, 0)] * (images.ndim - 1)]
        each = jax.shard_map(function, mesh=mesh, in_specs=(PartitionSpec(), rows), out_specs=rows)
        whole = jax.lax.with_sharding_constraint(
            each(params, jnp.pad(images, padding)), replicated(mesh)
        )
        return whole[: len(images)]

    return call


def summed_over_parts(function: Callable[..., Tree], mesh: Mesh) -> Callable[..., Tree]:
    """Wraps `function(params, *rows)`: each device calls it on its rows, and the results are added.

    The result of `function` must be a sum over the rows. All its leaves are sent as one vector,
    because a message between processes takes longer than adding the gradients of a small network.
    """
    rows, everywhere = PartitionSpec(AXIS), PartitionSpec()

    def on_part(params: Tree, *arguments: Tree) -> Tree:
        terms = function(params, *arguments)
        as_floats = jax.tree.map(lambda leaf: leaf.astype("float32"), terms)
        vector, split = ravel_pytree(as_floats)
        sums = split(jax.lax.psum(vector, AXIS))
        return jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), sums, terms)

    def call(params: Tree, *arguments: Tree) -> Tree:
        specs = (everywhere, *[rows] * len(arguments))
        each = jax.shard_map(  # with check_vma, JAX would add up the gradients a second time
            on_part, mesh=mesh, in_specs=specs, out_specs=everywhere, check_vma=False
        )
        return each(params, *arguments)

    return call
