"""Whole processes of the training command: what is timed, and the figures that follow."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.speed import start
from manual_grads.cli import options
from mnist_jax import Config

CONFIG = Config(dataset="digits", epochs=2, batch_size=100, train_examples=1400)
"""14 steps in an epoch."""


def test_the_timed_command_trains_with_every_option_of_the_config(tmp_path):
    config = replace(CONFIG, seed=3, weight_decay=0.0)  # 0 is not the default
    words = start.training_command(config, tmp_path, tmp_path / "compiled")[3:]
    parsed, everywhere = options.parse_with_common(Config, words)
    assert parsed == replace(config, workdir=str(tmp_path), overwrite=True)
    assert everywhere.compilation_cache == str(tmp_path / "compiled")


def test_the_figures_are_of_the_rounds(tmp_path, monkeypatch):
    """Two rounds, whose seconds are given by a list; 14 steps make 7 blocks of at most 2."""
    given = {"whole": [4.0, 8.0], "checkpoints": [10.0, 12.0], "one checkpoint": [7.0, 10.4]}
    given |= {"imports": [3.0, 5.0], "jax and optax": [2.0, 3.0]}
    seen = []

    def whole(words):
        if "mnist_jax.train" not in words:
            name = next(name for name, code in start.IMPORTS.items() if code == words[-1])
            return start.Ended(given[name].pop(0), 9.0, "")
        config = options.parse(Config, [word for word in words[3:] if "cache" not in word])
        folder = Path(config.workdir or "")
        folder.mkdir(parents=True)
        seen.append((folder.name, config.block_steps, config.checkpoint_every_seconds))
        (folder / "result.json").write_text('{"test_accuracy": 0.5, "seconds": {"train": 1.5}}')
        name, number = folder.name.rsplit("-", 1)
        return start.Ended(1e9 if number == "first" else given[name].pop(0), 200.0, "")

    monkeypatch.setattr(start, "whole", whole)
    numbers = start.measure(CONFIG, 2, tmp_path)
    assert numbers["median_seconds"]["whole"] == 6.0
    assert numbers["median_seconds"]["train in it"] == 1.5
    assert numbers["imports_ratio"] == 4.0 / 2.5
    assert numbers["mebibytes"] == 200.0
    assert numbers["additional_checkpoints"] == 2 * 7 - 1
    assert numbers["checkpoint_share"] == pytest.approx((3.0 + 1.6) / 2 / 13 / 6.0)
    kinds = {name.rsplit("-", 1)[0]: flags for name, *flags in seen}
    assert kinds == {"whole": [2000, 30.0], "checkpoints": [2, 0.0], "one checkpoint": [2, 1e9]}


def test_a_process_is_timed_and_its_memory_is_its_own():
    """The process of the tests has more memory than the first of these programs."""
    program = "import time; held = bytearray(2**{}); print(1); print('last')"
    small, large = (
        start.whole([sys.executable, "-c", program.format(power)]) for power in (20, 28)
    )
    assert small.line == large.line == "last"
    assert 0 < small.seconds < 30
    assert small.mebibytes < 100
    assert 256 < large.mebibytes < 356


def test_a_program_that_ends_with_an_error_is_no_result():
    with pytest.raises(start.BenchmarkError, match="no torch"):
        start.whole([sys.executable, "-c", "raise ImportError('no torch')"])
