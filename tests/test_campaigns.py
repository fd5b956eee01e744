"""The command line of a campaign: nothing long begins unless it was asked for."""

import sys

import pytest

from tests import campaigns


def never() -> int:
    raise AssertionError("the campaign began")


def test_help_prints_the_description_and_runs_nothing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["campaign", "--short", "--help"])
    with pytest.raises(SystemExit) as ended:
        campaigns.run("\nWhat it does.\n", never, never)
    assert ended.value.code == 0
    assert capsys.readouterr().out == "What it does.\n"


def test_an_unknown_word_runs_nothing(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["campaign", "--shrt"])
    with pytest.raises(SystemExit, match="got --shrt"):
        campaigns.run("What it does.", never, never)


@pytest.mark.parametrize(("words", "status"), [([], 3), (["--short"], 4)])
def test_a_campaign_is_full_unless_it_is_short(words, status, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["campaign", *words])
    with pytest.raises(SystemExit) as ended:
        campaigns.run("What it does.", lambda: 3, lambda: 4)
    assert ended.value.code == status
