"""The speed command: it measures the chosen parts, each into its own file."""

from pathlib import Path

import pytest

from experiments.common import record
from experiments.speed import __main__ as speed
from experiments.speed import checks

TINY = ["--dataset=digits", "--layer_sizes=784,4,10", "--epochs=2", "--rounds=1"]


@pytest.mark.usefixtures("little_optimised", "undrawn")
def test_each_part_is_written_to_a_file_that_only_publish_publishes(capsys, monkeypatch):
    monkeypatch.setattr(record, "PUBLISHED", Path("published"))
    monkeypatch.setattr(checks, "whole_command", lambda network, rounds, out: [1.0] * rounds)
    assert speed.main(["--parts=steps,checks", *TINY, "--out=here"]) == 0
    printed = capsys.readouterr().out
    assert "whole command 1.00 s; the command for 784,1024,1024,10 takes 1.00 s\n" in printed
    assert printed.endswith("\nall files in here\n")
    files = {"base_step_time", "check_time"}
    assert {path.stem for path in Path("here").glob("*.json")} == files
    assert not Path("published").exists()


def test_the_command_of_the_check_is_timed_until_it_has_named_the_mistake(tmp_path):
    assert len(checks.whole_command(checks.SMALL, 1, tmp_path)) == 1


@pytest.mark.parametrize("parts", ["none", "steps,steps", "speed"])
def test_parts_that_are_none_are_refused(parts, capsys):
    assert speed.main([f"--parts={parts}"]) == 1
    assert "--parts must be at least one of start, steps" in capsys.readouterr().err
