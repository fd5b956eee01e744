"""Progress of training: one bar on a terminal, plain lines otherwise, never both."""

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
        report(METRICS)
    assert capsys.readouterr().out == LINE + "\n"


def test_on_a_terminal_there_is_one_bar_and_no_line(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with progress.training(epochs=3) as report:
        report(METRICS)
    printed = capsys.readouterr().out
    assert "━" in printed
    assert LINE in printed
    assert LINE + "\n" not in printed
