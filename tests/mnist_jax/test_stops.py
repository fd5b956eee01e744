"""Runs that end early: by a signal, or because the disk is full."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mnist_jax.runs import checkpoints
from mnist_jax.train import main
from tests.mnist_jax.test_train import QUICK, command

STOPPED = "stopped; to continue: the same command with --workdir=runs/base --resume\n"


@pytest.mark.parametrize(
    ("signal_number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_signal_ends_the_command_with_its_status_and_keeps_the_files(signal_number, status):
    arguments, settings = command(
        *QUICK, "--epochs=1000000", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with subprocess.Popen(arguments, **settings) as process:
        assert process.stdout is not None
        assert any(line.startswith("epoch 1/") for line in process.stdout)
        process.send_signal(signal_number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == status
    assert printed == STOPPED
    told = Path("runs/base/metrics.jsonl").read_text().splitlines()
    assert json.loads(told[0])["epoch"] == 1
    assert checkpoints.held(Path("runs/base/checkpoints"))[-1] >= 6 * len(told)


@pytest.mark.parametrize(
    ("delay", "number"), [(0.3, signal.SIGINT), (0.8, signal.SIGTERM), (2.1, signal.SIGINT)]
)
def test_a_stop_before_the_first_step_ends_in_one_line(delay, number):
    """The signal comes while modules are imported, data read or functions compiled."""
    arguments, settings = command(
        *QUICK, "--epochs=1000000", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    with subprocess.Popen(arguments, **settings) as process:
        time.sleep(delay)
        process.send_signal(number)
        _, printed = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert printed in ("stopped\n", STOPPED)


def test_a_stop_in_the_middle_of_a_block_ends_as_any_other():
    """The signal comes while the device computes; a normal shutdown of Python would crash XLA."""
    arguments, settings = command(
        *QUICK, "--layer_sizes=784,600,600,10", "--epochs=1000", "--batch_size=64",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with subprocess.Popen(arguments, **settings) as process:
        assert process.stdout is not None
        assert any(line.startswith("epoch 1/") for line in process.stdout)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=60)
    assert (process.returncode, printed) == (130, STOPPED)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("sizes", "what"),
    [
        ("784,64,10", "safetensors must be a writable file"),
        ("784,1,10", "learning_curve.png must"),
    ],
)
def test_a_disk_that_is_full_ends_the_run_in_three_parts_and_leaves_what_was_whole(sizes, what):
    """`ulimit` allows no file beyond 20 KiB; for a program this is like a full disk."""
    words = ["--dataset=digits", f"--layer_sizes={sizes}", "--epochs=3", "--workdir=here"]
    assert main([*words, "--epochs=1", "--schedule=constant"]) == 0
    whole = checkpoints.held(Path("here/checkpoints"))
    arguments, settings = command(
        *words, "--schedule=constant", "--resume", "--compilation_cache=none",
        capture_output=True, text=True,
    )  # fmt: skip
    limited = ["bash", "-c", 'ulimit -f 20; exec "$@"', "bash", *arguments]
    ended = subprocess.run(limited, **settings)
    assert ended.returncode == 1
    assert what in ended.stderr
    assert "  try:      more free space on its disk" in ended.stderr
    assert set(whole) <= set(checkpoints.held(Path("here/checkpoints")))
    assert main([*words, "--schedule=constant", "--resume"]) == 0
