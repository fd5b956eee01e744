"""The parent of a process that trains."""

import sys
import time

import pytest

from mnist_jax.config import Config
from mnist_jax.processes import ProcessLostError, supervise

CONFIG = Config(coordinator="127.0.0.1:1", processes=2, process_id=1, process_timeout=1)
MESSAGE = r"all 2 processes .*=1 seconds\n.*process 1: ended by {}.*\n.*--resume"


def program(text: str) -> list[str]:
    return [sys.executable, "-c", f"import os, signal, sys, time; {text}"]


@pytest.mark.parametrize("status", [0, 1, 130])
def test_the_exit_status_is_that_of_the_child(status):
    assert supervise(program(f"sys.exit({status})"), CONFIG) == status


@pytest.mark.parametrize("name", ["SIGABRT", "SIGKILL"])
def test_a_child_that_a_signal_ends_is_one_message(name, capfd):
    noise = "os.write(1, b'noise'); os.write(2, b'E0 x] an error of XLA\\n')"
    with pytest.raises(ProcessLostError, match=MESSAGE.format(f"{name}: an error of XLA")):
        supervise(program(f"{noise}; os.kill(os.getpid(), signal.{name})"), CONFIG)
    assert capfd.readouterr() == ("", "")


def test_what_the_child_itself_prints_is_shown(capfd):
    text = "from mnist_jax import processes; assert processes.has_parent(); "
    text += "print('line', flush=True); print('error', file=sys.stderr, flush=True)"
    assert supervise(program(text), CONFIG) == 0
    assert capfd.readouterr() == ("line\n", "error\n")


def test_a_child_that_is_stopped_is_killed_after_the_timeout():
    begun = time.monotonic()
    with pytest.raises(ProcessLostError, match=MESSAGE.format("SIGKILL")):
        supervise(program("os.kill(os.getpid(), signal.SIGSTOP)"), CONFIG)
    assert 1 < time.monotonic() - begun < 10
