"""Starts the processes of one run, for tests that stop or kill one of them."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests import ROOT
from tests.compiling import AS_XLA_FLAGS

TRAIN = [
    *(sys.executable, "-m", "mnist_jax.train", "--dataset=digits", "--layer_sizes=784,8,10"),
    *("--batch_size=100", "--block_steps=1", "--checkpoint_every_seconds=0"),
]


def free_port() -> int:
    """A port of this machine on which no program listens."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def start(
    number: int, port: int, *flags: str, path: str = "", in_cluster: bool = False
) -> subprocess.Popen:
    """Starts process `number`, 0 or 1. Python searches for modules in `path` first.

    In a cluster, address and number are in the variables that Slurm sets, and not in flags.
    """
    flags = (*flags, f"--coordinator=127.0.0.1:{port}", "--processes=2", f"--process_id={number}")
    variables = {"PYTHONPATH": f"{path}:{ROOT}", "XLA_FLAGS": AS_XLA_FLAGS}
    if in_cluster:
        flags = (*flags[:-3], "--coordinator=cluster")
        variables |= {
            "SLURM_JOB_ID": "1", "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": "2",
            "SLURM_PROCID": str(number), "SLURM_LOCALID": str(number),
            "JAX_COORDINATOR_PORT": str(port),
        }  # fmt: skip
    return subprocess.Popen(
        [*TRAIN, *flags],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def both(
    workdir: Path, *flags: str, other: tuple[str, ...] = (), in_cluster: bool = False
) -> list[subprocess.Popen]:
    """Starts both processes. Only process 1 gets the flags in `other`."""
    port, first = free_port(), (f"--workdir={workdir}", *flags)
    others = (*(first if in_cluster else flags), *other)  # in a cluster, all have the same flags
    return [
        start(number, port, *words, in_cluster=in_cluster)
        for number, words in enumerate((first, others))
    ]


def ended(processes: list[subprocess.Popen], seconds: float = 120) -> list[tuple[int, str, float]]:
    """The exit status, the error output and the seconds until the end, for each process."""
    begun, found = time.monotonic(), []
    for process in processes:
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            _, errors = process.communicate()
            errors += "did not end"
        found.append((process.returncode, errors, time.monotonic() - begun))
    return found


def send(process: subprocess.Popen, number: signal.Signals) -> None:
    """Sends a signal to the child that trains; if there is none yet, to its parent."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]) if children else process.pid, number)
