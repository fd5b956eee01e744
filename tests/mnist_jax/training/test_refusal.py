"""A run that cannot be resumed is refused, and none of its files changes."""

import re
import shutil

import numpy as np
import pytest
import safetensors.numpy

from manual_grads.cli import InputError
from mnist_jax.runs import RunDirectoryError, checkpoints
from mnist_jax.runs.checkpoints import CheckpointError
from tests.mnist_jax.training.test_resume import run, stopped_after

pytestmark = pytest.mark.usefixtures("undrawn")


def whole_folder(folder):
    """The content of every file in the folder and its subfolders."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


REFUSED = {
    "metrics are gone": lambda run: (run / "metrics.jsonl").unlink(),
    "metrics of other numbers": lambda run: (run / "metrics.jsonl").write_text(
        '{"epoch": 1}\n{"epoch": 2}\n{"epoch": 3}\n'
    ),
    "metrics without their steps": lambda run: (run / "metrics.jsonl").write_text(
        re.sub(r'"step": \d+, ', "", (run / "metrics.jsonl").read_text())
    ),
    "metrics are no objects": lambda run: (run / "metrics.jsonl").write_text("[1]\n" * 3),
    "checkpoints are gone": lambda run: shutil.rmtree(run / "checkpoints"),
    "checkpoints are damaged": lambda run: [
        path.write_bytes(b"noise") for path in (run / "checkpoints").iterdir()
    ],
    "config is gone": lambda run: (run / "config.json").unlink(),
}


@pytest.mark.parametrize("damage", REFUSED.values(), ids=REFUSED.keys())
def test_a_run_that_cannot_be_resumed_keeps_every_byte(damage, tmp_path):
    run(tmp_path, epochs=3, schedule="constant")
    for name in ("evaluation.json", "digits.png"):
        (tmp_path / name).write_text("of mnist_jax.evaluate")
    damage(tmp_path)
    before = whole_folder(tmp_path)
    with pytest.raises(InputError):
        run(tmp_path, epochs=4, schedule="constant", resume=True)
    assert whole_folder(tmp_path) == before


NO_PLACE = {name: lambda old: old + 1000 for name in ("epoch", "block", "step", "seed")}
NO_PLACE["state/params/1/weight"] = lambda old: np.full_like(old, np.nan)


@pytest.mark.parametrize("number", NO_PLACE)
def test_a_checkpoint_that_the_run_cannot_have_written_is_refused(number, tmp_path):
    """The checkpoint is undamaged, but this run cannot have written it."""
    stopped_after(tmp_path, 4)
    folder = tmp_path / "checkpoints"
    path = checkpoints.path_of(folder, checkpoints.held(folder)[-1])
    tensors = dict(safetensors.numpy.load_file(path))
    tensors[number] = np.asarray(NO_PLACE[number](tensors[number]))
    path.write_bytes(safetensors.numpy.save(tensors, checkpoints._metadata(tensors)))
    before = whole_folder(tmp_path)
    with pytest.raises(CheckpointError, match="must be a state of this run"):
        run(tmp_path)
    assert whole_folder(tmp_path) == before


def test_resuming_where_there_is_no_run_is_refused_and_makes_no_folder(tmp_path):
    with pytest.raises(RunDirectoryError, match="--resume needs a run in"):
        run(tmp_path / "mistyped", resume=True)
    assert not (tmp_path / "mistyped").exists()


def test_a_full_disk_is_reported_before_the_first_step(tmp_path, monkeypatch):
    free = type("Usage", (), {"free": 100_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: free)
    with pytest.raises(RunDirectoryError, match=r"free bytes for the run\n.*100,000 bytes"):
        run(tmp_path / "run")
    assert not list(tmp_path.iterdir())
