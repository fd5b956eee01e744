"""Tests of `command.run`, `command.say` and `command.leave`."""

import gc
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest

from manual_grads.cli import AT_LEAST_1, InputError, command, signals
from tests import ROOT


@dataclass(frozen=True)
class Options:
    count: Annotated[int, "how many", AT_LEAST_1] = 1


def refuse(options):
    raise InputError("a rule", "a value", "a repair")


def test_work_is_called_with_the_parsed_options():
    seen = []
    assert command.run(seen.append, Options, "what it is", ["--count=3"]) == 0
    assert seen == [Options(3)]


def test_bad_input_has_the_status_that_the_command_chooses(capsys):
    assert command.run(refuse, Options, "", []) == 1
    assert command.run(refuse, Options, "", [], bad_input=2) == 2
    assert (
        capsys.readouterr().err
        == 2 * "error:\n  expected: a rule\n  got:      a value\n  try:      a repair\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["--count=1", "--help"], ["-h"], ["-help"]])
def test_help_is_printed_wherever_its_flag_is_and_no_work_is_done(words, capsys):
    assert command.run(refuse, Options, "what it is", words) == 0
    assert capsys.readouterr().out.startswith("what it is")


def test_a_command_collects_garbage_rarely():
    before = gc.get_threshold()
    gc.set_threshold(700)
    seen = []
    try:
        command.run(lambda options: seen.append(gc.get_threshold()[0]), Options, "", [])
    finally:
        gc.set_threshold(*before)
    assert seen == [command.COLLECTED_EVERY]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_a_signal_stops_the_work_and_the_previous_handlers_are_restored(number, capsys):
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    status = command.run(lambda options: signal.raise_signal(number), Options, "", [])
    assert status == 128 + number
    assert {n: signal.getsignal(n) for n in before} == before
    assert capsys.readouterr().err == "stopped\n"


def test_a_signal_while_a_module_is_imported_ends_the_process_at_once(capfd):
    """An exception during an import has crashed the C++ code of jaxlib."""
    Path("slow.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGTERM)\nprint('never')\n"
    )
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from manual_grads.cli import signals\n"
        "with signals.stoppable():\n    import slow"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, check=False)
    assert ended.returncode == 143
    assert capfd.readouterr() == ("", "stopped\n")


@pytest.mark.parametrize("status", [0, 1, 130])
def test_a_command_prints_its_output_and_exits_before_pythons_shutdown(status):
    """A signal during Python's shutdown would kill the process and change its exit status."""
    program = (
        "import atexit, os\n"
        "from manual_grads.cli import command\n"
        "atexit.register(os.kill, os.getpid(), 9)\n"
        f"print('done', end='')\ncommand.leave({status})"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (status, b"done", b"")


def test_a_discarded_stop_is_raised_again(capsys):
    """Python discards exceptions in callbacks of the garbage collector, for example."""

    def work(options):
        try:
            signal.raise_signal(signal.SIGTERM)
        except signals.Stopped:
            signal.pause()

    assert command.run(work, Options, "", []) == 143


@pytest.mark.parametrize("target", ["| true", "> /dev/full"])
def test_output_to_a_closed_pipe_or_a_full_disk_does_not_end_the_work(target, tmp_path):
    program = (
        "from manual_grads.cli import command\n"
        "for _ in range(10000): command.say('a line')\n"
        "open('done', 'w').close()"
    )
    line = f'exec "{sys.executable}" -c "$PROGRAM" {target}'
    environment = {**os.environ, "PROGRAM": program, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        ["bash", "-c", line],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ran.stderr == ""
    for _ in range(100):
        if Path("done").exists():
            break
        signal.sigtimedwait([], 0.1)
    assert Path("done").exists()


def test_a_character_that_the_terminal_cannot_print_is_escaped(capfd):
    program = "from manual_grads.cli import command; command.say('é')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert capfd.readouterr().out == "\\xe9\n"


def test_formulas_are_readable_on_an_ascii_terminal(capfd):
    program = "from manual_grads.cli import command; command.say('δ = Σ (a − y)² · 2×3 → …')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert capfd.readouterr().out == "delta = sum (a - y)^2 * 2x3 -> ...\n"


@pytest.mark.parametrize("control", ["\x1b[2J", "\r", "\x07", "\x9b31m", "\u202e", "\udc80"])
def test_control_characters_are_escaped(control, capsys):
    command.say(f"no folder {control}name\nbut a line")
    printed = capsys.readouterr().out
    assert printed == f"no folder {ascii(control)[1:-1]}name\nbut a line\n"


def test_a_first_deferred_signal_is_recorded_and_a_second_is_raised():
    seen = []

    def work(options):
        with signals.deferred() as stopped:
            seen.append(stopped())
            signal.raise_signal(signal.SIGTERM)
            seen.append(stopped())
            signal.raise_signal(signal.SIGINT)
            seen.append("never")

    assert command.run(work, Options, "", []) == 130
    before, after = seen
    assert before is None
    assert after.status == 143


def test_a_deferred_signal_is_raised_at_the_end_of_the_block():
    seen = []

    def work(options):
        with signals.deferred():
            signal.raise_signal(signal.SIGTERM)
            seen.append("the end")
        seen.append("never")

    assert command.run(work, Options, "", []) == 143
    assert seen == ["the end"]


def test_on_a_terminal_lines_are_wrapped_at_words_and_indented_behind_a_label(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "30")
    long = "/a/path/that/is/longer/than/the/terminal"
    command.say(
        f"error:\n  expected: one two three four five six\n  got:      {long}\n  a  table   row"
    )
    assert capsys.readouterr().out.splitlines() == [
        "error:",
        "  expected: one two three four",
        "            five six",
        "  got:",
        f"            {long}",
        "  a  table   row",
    ]
