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


def start(number: int, port: int, *flags: str, path: str = "") -> subprocess.Popen:
    """Starts process `number`, 0 or 1. Python searches for modules in `path` first."""
    address = [f"--coordinator=127.0.0.1:{port}", "--processes=2", f"--process_id={number}"]
    return subprocess.Popen(
        [*TRAIN, *address, *flags],
        env={**os.environ, "PYTHONPATH": f"{path}:{ROOT}", "XLA_FLAGS": AS_XLA_FLAGS},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def both(workdir: Path, *flags: str, other: tuple[str, ...] = ()) -> list[subprocess.Popen]:
    """Starts both processes. Only process 1 gets the flags in `other`."""
    port = free_port()
    return [start(0, port, f"--workdir={workdir}", *flags), start(1, port, *flags, *other)]


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
