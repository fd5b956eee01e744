"""Starts the training process, and reports its end with one message and an exit status.

If another process of the run hangs, XLA aborts the training process and writes a stack trace. So
the training process is the child of a parent without jax. The child's file descriptors 1 and 2, to
which XLA writes, are redirected to a file. The child's own lines go to the parent's standard output
and standard error.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from manual_grads.cli import InputError, signals
from mnist_jax.background import started
from mnist_jax.config import CLUSTER, Config

VARIABLE = "MNIST_JAX_PARENT"
"""The environment variable that gives the child the file descriptors of the parent's output."""


class ProcessLostError(InputError):
    """A process of a run has ended, does not answer, or cannot be reached."""


def lost(config: Config, got: str) -> ProcessLostError:
    """The error that ends the run if another process has ended or does not answer."""
    known = config.coordinator != CLUSTER
    number, process, place = (
        (f"{config.processes} ", f"process {config.process_id}: ", f" at {config.coordinator}")
        if known
        else ("", "", "")
    )
    return ProcessLostError(
        f"all {number}processes of the run must answer within "
        f"--process_timeout={config.process_timeout} seconds",
        f"{process}{got}",
        f"making sure that the coordinator can be reached{place}, and starting all processes "
        "again; if there are checkpoints, with --workdir and --resume",
    )


def supervise(words: Sequence[str], config: Config) -> int:
    """Runs a command, passes Ctrl-C and SIGTERM on to it, and returns its exit status.

    Raises `ProcessLostError` if a signal ends the command.
    """
    with tempfile.TemporaryFile() as written:
        own = [os.dup(1), os.dup(2)]
        with subprocess.Popen(  # noqa: S603 - it runs this program itself
            words,
            stdin=subprocess.PIPE,  # never written to; it closes when the parent ends
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=own,
            env={**os.environ, VARIABLE: " ".join(map(str, own))},
        ) as process:
            for descriptor in own:
                os.close(descriptor)
            try:
                status = _wait(process, config.process_timeout)
            finally:
                process.kill()
        if status >= 0:
            return status
        written.seek(0)
        lines = written.read().decode(errors="replace").splitlines()
    why = [line for line in lines if "error" in line.lower() or "timeout" in line.lower()]
    said = f": {why[0].split('] ')[-1][:300]}" if why else ""
    raise lost(config, f"ended by {signal.Signals(-status).name}{said}")


def _wait(process: subprocess.Popen, seconds: int) -> int:
    """Waits until the process ends, and returns its exit status.

    Passes on the first Ctrl-C or SIGTERM. Kills the process if it stays suspended for `seconds`.
    """
    passed_on, ran_at = False, time.monotonic()
    stopped_now = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
    with contextlib.suppress(signals.Stopped), signals.deferred() as stopped:
        while process.poll() is None:
            stop = stopped()
            if stop and not passed_on:
                process.send_signal(stop.status - 128)
                passed_on = True
            if os.waitid(os.P_PID, process.pid, stopped_now) is None:
                ran_at = time.monotonic()
            elif time.monotonic() - ran_at > seconds:
                process.kill()
            time.sleep(0.05)
    return process.poll() or 0


def has_parent() -> bool:
    """Whether this process is the child. If so, redirects its output and errors to the parent's.

    If the parent ends, the child's standard input closes, and a thread then ends the child.
    """
    if VARIABLE not in os.environ:
        return False
    output, errors = map(int, os.environ.pop(VARIABLE).split())
    sys.stdout, sys.stderr = os.fdopen(output, "w"), os.fdopen(errors, "w")
    started(lambda: (os.read(0, 1), os._exit(1)))
    return True
