"""The progress of training: one bar on a terminal, plain lines elsewhere, never both."""

import re

from mnist_jax import progress

METRICS = {
    "epoch": 2,
    "train_loss": 0.5,
    "train_accuracy": 0.9,
    "test_accuracy": 0.85,
    "seconds": 1.5,
}
LINE = "epoch 2/3  loss 0.5000  train 90.00%  test 85.00%  1.5 s"


def test_without_a_terminal_each_epoch_is_a_plain_line(capsys):
    with progress.training(epochs=3) as report:
        report.compiling()
        report.advance(1.5)
        report.epoch(METRICS)
    assert capsys.readouterr().out == "compiling\n" + LINE + "\n"


def test_on_a_terminal_there_is_one_bar_and_no_line(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress.training(epochs=3) as report:
        report.advance(0.0)
        report.epoch(METRICS)
    printed = capsys.readouterr().out
    assert "━" in printed
    assert LINE in printed
    assert LINE + "\n" not in printed


def test_the_bar_is_full_after_the_last_epoch(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.training(epochs=2) as report:
        report.advance(0.0)
        report.epoch(METRICS)
    assert "0:00:00" in capsys.readouterr().out  # no time remains


def test_the_bar_fits_80_columns_and_never_shows_an_unknown_time(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    with progress.training(epochs=20) as report:
        report.compiling()
        report.advance(0.0)
        report.epoch(METRICS | {"epoch": 12})
    printed = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().out)
    lines = [line.strip() for line in re.split(r"[\r\n]+", printed) if line.strip()]
    assert max(map(len, lines)) <= 80
    assert "-:--:--" not in printed
    assert lines[-1].split("  ")[0].endswith("epoch 12/20")
