"""Runs of two processes; `tests/campaigns/machines.py` also kills and stops them."""

import json
import signal
import socket
import time

import jax
import pytest

from manual_grads.cli import OptionError
from mnist_jax.config import Config
from mnist_jax.processes import ProcessLostError, joined
from tests.campaigns.two_processes import both, ended, send

LOST = "all 2 processes of the run must answer within --process_timeout=5 seconds"


def test_processes_with_other_flags_name_the_flag(tmp_path):
    for status, errors, _ in ended(both(tmp_path / "run", other=("--seed=1", "--b1=0.5"))):
        assert status == 1
        assert "of process 0: --b1=0.7 --seed=0\n" in errors
        assert "process 1 has --b1=0.5 --seed=1\n" in errors
    assert not (tmp_path / "run").exists()


def test_if_a_process_is_killed_the_other_ends_with_a_message_and_the_run_can_be_resumed(tmp_path):
    processes = both(tmp_path, "--epochs=5", "--process_timeout=5")
    while not (tmp_path / "metrics.jsonl").exists() and processes[0].poll() is None:
        time.sleep(0.1)
    send(processes[1], signal.SIGKILL)
    for status, errors, seconds in ended(processes):
        assert status == 1
        assert errors.startswith("error:")
        assert LOST in errors
        assert errors.count("\n") == 4
        assert seconds < 30
    assert not (tmp_path / "result.json").exists()
    resumed = ended(both(tmp_path, "--epochs=5", "--resume", in_cluster=True))
    assert [each[:2] for each in resumed] == [(0, ""), (0, "")]
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["mesh"] == {"processes": 2, "devices": 2}
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 5


def test_without_a_cluster_there_is_none_to_join(monkeypatch):
    """JAX raises this error in a process that has not computed yet, and this one has."""

    def initialize(**_):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    expected = "needs the environment variables of Slurm"
    with (
        pytest.raises(ProcessLostError, match=expected),
        joined(Config(coordinator="cluster")),
    ):
        pass


def test_a_connection_that_breaks_in_an_exchange_ends_in_the_message(monkeypatch):
    """JAX raises `ValueError` then; others are mistakes of the program, and stay as they are."""
    monkeypatch.setattr(jax.distributed, "initialize", lambda **_: None)
    config = Config(coordinator="cluster")
    with pytest.raises(ProcessLostError, match="Gloo AllGather failed"), joined(config):
        raise ValueError("UNKNOWN: Gloo AllGather failed: Connection reset by peer")
    with pytest.raises(ValueError, match="another"), joined(config):
        raise ValueError("another")


def test_a_port_in_use_is_refused():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        expected = f"listen on --coordinator={address}\n.* in use"
        with pytest.raises(ProcessLostError, match=expected), joined(Config(coordinator=address)):
            pass


@pytest.mark.parametrize(
    "fields",
    [
        {"processes": 2},
        {"coordinator": "a:1", "processes": 2, "process_id": 2},
        {"process_id": 1},
    ],
    ids=str,
)
def test_flags_that_describe_no_set_of_processes_are_refused(fields):
    with pytest.raises(OptionError, match="several --processes need a --coordinator"):
        Config(**fields)


@pytest.mark.parametrize("address", ["here", "here:0", "here:65536", ":1", "a b:1"])
def test_an_address_is_a_host_and_a_port(address):
    with pytest.raises(OptionError, match="--coordinator must be HOST:PORT"):
        Config(coordinator=address, processes=2)
