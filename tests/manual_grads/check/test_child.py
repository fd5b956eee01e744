"""Tests of the child process: code that crashes, exits or hangs never gets a verdict."""

from pathlib import Path

import pytest

from manual_grads.check import __main__ as check
from tests.manual_grads.check.test_command import EXAMPLE, FLAGS, WRONG


def run(code, *words, capsys):
    """Runs the check on `code`; returns the exit status, the output and the error output."""
    Path("mine.py").write_text(code)
    status = check.main(["mine.py:gradient", *FLAGS, *words])
    return status, *capsys.readouterr()


END = {
    "exit": ("import sys; sys.exit(0)", "SystemExit: 0"),
    "exit at once": ("import os; os._exit(0)", "exit status 0"),
    "Ctrl-C": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "Ctrl-C by a signal": ("import signal; signal.raise_signal(2)", "KeyboardInterrupt"),
    "a signal": ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
    "a crash": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "no end": ("while True: pass", "the check did not end"),
}


@pytest.mark.parametrize(("line", "words"), END.values(), ids=END.keys())
def test_code_that_ends_its_process_or_never_returns_has_no_verdict(line, words, capsys):
    code = f"def gradient(params, images, labels):\n    {line}\n"
    limit = "--time_limit=3" if line.startswith("while") else "--time_limit=60"
    status, printed, errors = run(code, limit, capsys=capsys)
    assert (status, printed) == (2, "")
    assert words in errors.split("\n  got:      ")[1]


@pytest.mark.parametrize(
    "line", ["import sys; sys.exit(0)", "import os; os._exit(0)", "raise KeyboardInterrupt"]
)
def test_a_module_that_ends_its_process_has_no_verdict(line, capsys):
    status, printed, errors = run(f"{EXAMPLE}\n{line}\n", capsys=capsys)
    assert (status, printed) == (2, "")
    assert errors.count("\n  try: ") == 1


def test_code_that_closes_its_output_still_has_its_verdict(capsys):
    closes = "import sys; sys.stdout.close(); sys.stderr.close()"
    assert run(f"{closes}\n{WRONG}", capsys=capsys)[0] == 1


def test_the_code_sees_its_own_command_line(capsys):
    asks = "import sys\nassert [word[-7:] for word in sys.argv] == ['mine.py']\n"
    assert run(asks + EXAMPLE, capsys=capsys)[0] == 0
