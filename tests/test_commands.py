"""Tests of rules that every command of every package must obey."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT

COMMANDS = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")
    for package in ("manual_grads", "mnist_jax", "experiments")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "command.leave(main())" in path.read_text()
]


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_while_a_command_imports_its_modules_ends_it_in_one_line(command):
    """The test replaces the slow modules by a module that raises SIGINT during its import."""
    for name in ("jax", "rich", "absl"):
        Path(name).mkdir()
        (Path(name) / "__init__.py").write_text(
            "import signal\nsignal.raise_signal(signal.SIGINT)\nprint('never')\n"
        )
    ended = subprocess.run(
        [sys.executable, "-m", command],
        env={**os.environ, "PYTHONPATH": f"{Path.cwd()}:{ROOT}"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        128 + signal.SIGINT,
        "",
        "stopped\n",
    )


@pytest.mark.parametrize("package", ["manual_grads", "mnist_jax", "experiments"])
def test_a_program_that_imports_a_package_keeps_its_own_ctrl_c(package):
    code = f"before = signal.getsignal(2)\nimport {package}\nprint(signal.getsignal(2) is before)"
    Path("theirs.py").write_text(f"import signal\n{code}\n")
    words = [sys.executable, "-m", "theirs", f"{package}.train"]
    ended = subprocess.run(
        words, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True
    )
    assert ended.stdout == b"True\n"
