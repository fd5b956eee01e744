"""Connects the processes of a run, compares their configurations, and shares data between them.

JAX's coordination service, in process 0, detects a process that does not answer.
"""

import contextlib
import dataclasses
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

from manual_grads.cli import options, signals
from mnist_jax.config import CLUSTER, Config
from mnist_jax.processes.supervisor import ProcessLostError, lost

Tree = Any
OF_ONE_PROCESS = ("process_id", "name", "workdir", "overwrite", "data_dir", "timings")
"""Flags that may differ between the processes of a run."""


@contextlib.contextmanager
def joined(config: Config) -> Iterator[Config]:
    """Connects the processes of a run, and yields the configuration.

    Without --coordinator, jax is not imported. With --coordinator=cluster, JAX fills in the
    address, the number of processes and the process id. Raises `ProcessLostError` if JAX finds no
    address, or if a process cannot be reached or ends during the run.
    """
    if config.coordinator is None:
        yield config
        return
    given: dict[str, Any] = {}
    if config.coordinator != CLUSTER:
        if config.process_id == 0:
            _require_free(config.coordinator)
        given = {
            "coordinator_address": config.coordinator,
            "coordinator_bind_address": config.coordinator,
            "num_processes": config.processes,
            "process_id": config.process_id,
            "cluster_detection_method": "deactivate",
        }
    import jax

    try:
        try:
            jax.distributed.initialize(
                **given,
                initialization_timeout=config.process_timeout,
                heartbeat_timeout_seconds=config.process_timeout,
                shutdown_timeout_seconds=config.process_timeout,
            )
        except ValueError as error:  # JAX has found no address
            raise _no_cluster(error) from None
        config = _as_connected(config)
        try:
            yield config
        except (signals.Stopped, ProcessLostError):  # all processes raise the same error
            jax.distributed.shutdown()  # waits for the others, which XLA aborts if process 0 ends
            raise
        jax.distributed.shutdown()
    except (jax.errors.JaxRuntimeError, TimeoutError, ValueError) as error:
        if isinstance(error, ValueError) and "Gloo" not in str(error):
            raise  # a `ValueError` from Gloo, JAX's CPU collectives, means a broken connection
        raise lost(config, str(error).split("\n", maxsplit=1)[0][:300]) from None


def _as_connected(config: Config) -> Config:
    """The configuration with the address, number of processes and process id that JAX uses."""
    from jax._src.distributed import global_state  # jax has no public function for the address

    return dataclasses.replace(
        config,
        coordinator=global_state.coordinator_address,
        processes=global_state.num_processes,
        process_id=global_state.process_id,
    )


def _no_cluster(error: ValueError) -> ProcessLostError:
    return ProcessLostError(
        f"--coordinator={CLUSTER} needs the environment variables of Slurm, Open MPI or Kubernetes",
        str(error),
        "--coordinator=HOST:PORT --processes=2 --process_id=0",
    )


def _require_free(coordinator: str) -> None:
    """Raises `ProcessLostError` unless this process can listen on the coordinator's address."""
    host, port = coordinator.rsplit(":", 1)
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        with socket.socket(found[0][0]) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(found[0][4])
    except OSError as error:
        raise ProcessLostError(
            f"process 0 must be able to listen on --coordinator={coordinator}",
            str(error),
            "an address of this machine, with another port",
        ) from None


def require_same(config: Config, facts: dict[str, str]) -> None:
    """Raises `ProcessLostError` unless all processes have the same flags and the same `facts`.

    The message names the first process that differs from process 0, and the differences.
    """
    from jax._src.distributed import global_state  # its key-value store needs no device

    client: Any = global_state.client
    flags = {**dataclasses.asdict(config), **dataclasses.asdict(config.architecture)}
    mine = {
        f"--{name}": options.text(value)
        for name, value in flags.items()
        if name not in (*OF_ONE_PROCESS, "architecture")
    }
    client.key_value_set(f"facts/{config.process_id}", json.dumps(mine | facts))
    wait = 1000 * config.process_timeout
    first, *others = (
        json.loads(client.blocking_key_value_get(f"facts/{process}", wait))
        for process in range(config.processes)
    )
    client.wait_at_barrier("compared", wait)  # no process may end before all have read the facts
    for process, other in enumerate(others, start=1):
        names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
        if names:
            of_first, of_other = (
                " ".join(f"{name}={each.get(name, 'missing')}" for name in names)
                for each in (first, other)
            )
            raise ProcessLostError(
                f"all processes must have the flags, data and versions of process 0: {of_first}",
                f"process {process} has {of_other}",
                "the same flags, data and versions for all processes",
            )


def agreed(stopped: Callable[[], BaseException | None]) -> Callable[[], BaseException | None]:
    """Wraps `stopped` so that a signal to one process stops all processes after the same block."""
    import numpy as np
    from jax.experimental import multihost_utils

    def ask() -> BaseException | None:
        stop = stopped()
        status = stop.status if isinstance(stop, signals.Stopped) else 0
        highest = int(np.max(multihost_utils.process_allgather(np.int32(status))))
        return signals.Stopped(highest - 128) if highest else None

    return ask


def shared(tree: Tree) -> Tree:
    """Process 0's tree, bit for bit. The trees of all processes must have the same structure."""
    import jax
    import numpy as np
    from jax.experimental import multihost_utils

    if jax.process_count() == 1:
        return tree

    def of_first(leaf):
        array = np.asarray(leaf)
        sent = multihost_utils.broadcast_one_to_all(np.frombuffer(array.tobytes(), np.uint8))
        got = np.frombuffer(np.asarray(sent).tobytes(), array.dtype).reshape(array.shape)
        return type(leaf)(got.item()) if isinstance(leaf, int | float) else got

    return jax.tree.map(of_first, tree)
