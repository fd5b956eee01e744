"""The command that serves the page."""

import contextlib
import hashlib
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import jax
import pytest

from manual_grads import Architecture
from mnist_jax import Config, runs
from mnist_jax.model import init
from mnist_jax.page import __main__ as page


def test_a_port_in_use_is_an_error_that_names_a_free_one():
    with contextlib.closing(page.listening("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(page.AddressError, match=r"expected: --host and --port") as raised:
            page.listening("127.0.0.1", port)
    assert f"--port={port}: Address already in use" in str(raised.value)
    named = int(str(raised.value).split("try:")[1].split("--port=")[1].split(",")[0])
    with contextlib.closing(page.listening("127.0.0.1", named)) as free:
        assert free.getsockname()[1] == named


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.example", "::2", "a b", ""])
def test_an_address_of_another_machine_is_an_error_in_three_parts(host, capsys):
    assert page.main([f"--host={host}", "--port=0"]) == 1
    printed = capsys.readouterr().err
    assert [printed.count(part) for part in ("expected: ", "got: ", "try: ")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port=70000"], "--port must be at least 0 and at most 65,535"),
        (["--port=0"], "runs/ in this folder must hold a run"),
        (["--port=0", "--workdir=nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_an_error_in_three_parts(words, said, capsys):
    assert page.main(words) == 1
    printed = capsys.readouterr().err
    assert said in printed
    assert [printed.count(part) for part in ("expected: ", "got: ", "try: ")] == [1, 1, 1]


def test_without_its_packages_the_command_says_how_to_install_them(monkeypatch, capsys):
    monkeypatch.setattr(page, "PACKAGES", ("starlette", "no_such_package"))
    assert page.main([]) == 1
    assert "pip install --editable '.[page]'" in capsys.readouterr().err


def test_it_serves_the_newest_run_until_ctrl_c_and_changes_no_file_of_it():
    architecture = Architecture(layer_sizes=(784, 8, 10))
    config = Config(architecture=architecture, name="mine")
    with runs.claimed(config) as workdir:
        runs.begin(config, workdir)
        runs.directory.write_parameters(workdir, init(jax.random.key(0), architecture))

    def state():
        files = sorted(path for path in Path("runs").rglob("*") if path.is_file())
        return {path: hashlib.sha256(path.read_bytes()).digest() for path in files}

    before = state()
    words = [sys.executable, "-m", "mnist_jax.page", "--port=0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, **pipes) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(2)]
        assert lines[0] == "loading runs/mine\n"
        address = lines[1].split("page is at ")[1].split()[0]
        with urllib.request.urlopen(address) as response:  # noqa: S310 - our own address
            assert b'"name": "mine"' in response.read()
        process.send_signal(signal.SIGINT)
        _, printed = process.communicate(timeout=30)
    assert (process.returncode, printed) == (130, "stopped\n")
    assert state() == before
