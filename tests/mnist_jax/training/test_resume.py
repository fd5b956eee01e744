"""A run that is stopped and resumed ends with the same bits as one that is never stopped."""

import json
import os
import subprocess
import sys

import pytest

from manual_grads import Architecture
from mnist_jax import data, runs, training
from mnist_jax.config import Config
from mnist_jax.runs import RunDirectoryError, checkpoints
from mnist_jax.runs.checkpoints import CheckpointError
from mnist_jax.training import mode
from mnist_jax.training.state import begin
from tests import ROOT
from tests.campaigns.killing import bits

pytestmark = pytest.mark.usefixtures("undrawn")
SMALL = Architecture(layer_sizes=(784, 8, 10))
FIELDS = {
    "architecture": SMALL,
    "dataset": "digits",
    "epochs": 3,
    "batch_size": 300,
    "block_steps": 2,
    "checkpoint_every_seconds": 0.0,
}


class StoppedError(Exception):
    """An exception that takes the role of a signal."""


def run(workdir, blocks=None, **fields):
    """Trains in `workdir` and stops after the given number of blocks."""
    fields = {"resume": (workdir / "config.json").exists(), **fields}
    config = Config(**{**FIELDS, "workdir": str(workdir), **fields})
    asked = []

    def stopped():
        asked.append(1)
        return StoppedError() if len(asked) == blocks else None

    with runs.claimed(config) as folder:
        return training.train_and_save(config, data.load(config), folder, stopped=stopped)


def stopped_after(workdir, blocks, **fields):
    with pytest.raises(StoppedError):
        run(workdir, blocks, **fields)


@pytest.mark.parametrize(
    ("optimizer", "gradient", "pieces"),
    [("momentum", "manual", (1, 1, 3, 4)), ("adamw", "checked", (4,))],
)
def test_a_run_that_was_stopped_and_resumed_has_the_bits_of_one_that_was_not(
    optimizer, gradient, pieces, tmp_path
):
    """One run is stopped within an epoch, after an epoch or at its end, and resumed each time."""
    fields = {"optimizer": optimizer, "gradient": gradient, "validation_examples": 137}
    run(tmp_path / "whole", **fields)
    for blocks in pieces:
        stopped_after(tmp_path / "pieces", blocks, **fields)
    run(tmp_path / "pieces", **fields)
    assert bits(tmp_path / "pieces") == bits(tmp_path / "whole")


def test_resuming_a_completed_run_reports_its_result_again(tmp_path):
    run(tmp_path / "a")
    run(tmp_path / "b")
    run(tmp_path / "b")
    assert bits(tmp_path / "a") == bits(tmp_path / "b")


def test_results_of_an_earlier_end_stay_until_the_parameters_are_replaced(tmp_path):
    run(tmp_path, epochs=2, schedule="constant")
    (tmp_path / "evaluation.json").write_text("{}")
    before = (tmp_path / "result.json").read_text()
    stopped_after(tmp_path, 1, epochs=3, schedule="constant")
    assert (tmp_path / "evaluation.json").exists()
    assert (tmp_path / "result.json").read_text() == before
    run(tmp_path, epochs=3, schedule="constant")
    assert not (tmp_path / "evaluation.json").exists()
    assert json.loads((tmp_path / "result.json").read_text())["epochs"] == 3


@pytest.mark.parametrize(
    ("function", "written"), [("_train", []), ("_next_block", [0])], ids=["nothing", "a checkpoint"]
)
def test_a_run_that_dies_before_its_first_block_ends_can_be_resumed(
    function, written, tmp_path, monkeypatch
):
    run(tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(f"mnist_jax.training.loop.{function}", dies)
        with pytest.raises(StoppedError):
            run(tmp_path / "died")
    assert checkpoints.held(tmp_path / "died" / checkpoints.FOLDER) == written
    run(tmp_path / "died", resume=True)
    assert bits(tmp_path / "died") == bits(tmp_path / "whole")


def dies(*arguments):
    raise StoppedError


def test_blocks_of_any_length_take_the_same_steps(tmp_path):
    results = []
    for block_steps in (1, 2, 100):
        run(tmp_path / str(block_steps), block_steps=block_steps)
        results.append((tmp_path / str(block_steps) / "parameters.safetensors").read_bytes())
    assert results[0] == results[1] == results[2]


def test_resuming_continues_where_the_run_stopped(tmp_path):
    """With 3 blocks an epoch, 4 blocks are the first epoch and one block of the second."""
    stopped_after(tmp_path, 4)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 1
    result = run(tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text().splitlines()[0] == lines[0]
    assert result["steps"] == 15


def test_the_time_before_a_stop_counts(tmp_path):
    stopped_after(tmp_path, 4)
    config = Config(**{**FIELDS, "workdir": str(tmp_path)})
    dataset = data.load(config)
    state = training.start(config, dataset).state
    template = begin(config, dataset, state, mode(config).no_record(state.params))
    before = checkpoints.newest(tmp_path, template)
    assert before is not None
    assert before.seconds["train"] > 0
    result = run(tmp_path)
    assert result["seconds"]["train"] > before.seconds["train"]
    assert result["seconds"]["total"] > before.seconds["total"]


def test_metrics_are_cut_back_to_the_checkpoint_and_an_incomplete_line_is_ignored(tmp_path):
    run(tmp_path / "whole")
    stopped_after(tmp_path / "torn", 4)
    with (tmp_path / "torn" / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "step": 10, "train_loss": 1.0}\n{"epoch": 3, "st')
    run(tmp_path / "torn")
    assert bits(tmp_path / "torn") == bits(tmp_path / "whole")


def test_metrics_that_lack_an_epoch_of_the_checkpoint_are_an_error(tmp_path):
    stopped_after(tmp_path, 4)
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1, "st')
    with pytest.raises(RunDirectoryError, match="must hold a line for each of the 1 epochs"):
        run(tmp_path)


def test_flags_that_change_the_result_are_listed(tmp_path):
    stopped_after(tmp_path, 1)
    with pytest.raises(RunDirectoryError) as refused:
        run(tmp_path, seed=5, batch_size=100, architecture=Architecture(layer_sizes=(784, 9, 10)))
    _, expected, got, repair = str(refused.value).splitlines()
    assert expected.endswith("here --layer_sizes=784,8,10 --batch_size=300 --seed=0")
    assert got.endswith("--layer_sizes=784,9,10 --batch_size=100 --seed=5")
    assert "another --workdir" in repair
    assert json.loads((tmp_path / "config.json").read_text())["seed"] == 0


def test_flags_that_do_not_affect_the_result_may_differ(tmp_path):
    stopped_after(tmp_path, 1)
    run(tmp_path, name="other", checkpoint_every_seconds=1e9)


def test_epochs_may_grow_under_a_constant_schedule(tmp_path):
    run(tmp_path / "whole", schedule="constant", epochs=4)
    run(tmp_path / "grown", schedule="constant", epochs=2)
    run(tmp_path / "grown", schedule="constant", epochs=4)
    assert bits(tmp_path / "grown") == bits(tmp_path / "whole")
    with pytest.raises(RunDirectoryError, match=r"--epochs=4\n.*--epochs=3"):
        run(tmp_path / "grown", schedule="constant", epochs=3)


def test_epochs_may_not_grow_under_a_schedule_that_depends_on_them(tmp_path):
    run(tmp_path, epochs=2)
    with pytest.raises(RunDirectoryError, match="--epochs may be larger only with --schedule"):
        run(tmp_path, epochs=3)


def test_a_run_is_resumed_only_with_its_own_data(tmp_path, monkeypatch):
    stopped_after(tmp_path, 1)
    before = checkpoints.held(tmp_path / "checkpoints")
    load = data.load

    def other(config):
        return load(config)._replace(sha256={"digits-images": "other"})

    monkeypatch.setattr(data, "load", other)
    with pytest.raises(CheckpointError, match="must be resumed with the data that it began with"):
        run(tmp_path)
    assert checkpoints.held(tmp_path / "checkpoints") == before


def test_a_second_process_is_refused_until_the_first_has_died(tmp_path):
    code = "import sys; from mnist_jax import Config, runs\n"
    code += "with runs.claimed(Config(workdir=sys.argv[1])): print(1, flush=True); input()"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(RunDirectoryError, match="must be used by one process only"):
            run(tmp_path)
        process.kill()
    run(tmp_path, resume=False, overwrite=True)


def test_overwrite_removes_the_checkpoints_of_the_run(tmp_path):
    run(tmp_path)
    run(tmp_path, resume=False, overwrite=True, epochs=1)
    assert checkpoints.held(tmp_path / "checkpoints") == [2, 4, 5]


def test_the_best_checkpoint_is_the_one_after_the_epoch_of_the_lowest_validation_loss(tmp_path):
    """The learning rate rises so much that the network gets worse in the end."""
    run(
        tmp_path, optimizer="sgd", schedule="constant", learning_rate=60.0, warmup_epochs=3.0,
        epochs=5, weight_decay=0.0, validation_examples=137, checkpoint_every_seconds=1e9,
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = {line["step"]: line["validation_loss"] for line in lines}
    best = min(losses, key=lambda step: losses[step])
    kept = set(checkpoints.held(tmp_path / "checkpoints"))
    assert best < max(losses)
    assert {best, max(losses)} <= kept


def test_validation_examples_are_held_out_of_training():
    whole, divided = (
        data.load(Config(dataset="digits", validation_examples=count)) for count in (None, 137)
    )
    assert divided.validation is not None
    assert len(divided.train.labels) == 1300
    for part in range(2):
        assert (divided.train[part] == whole.train[part][:1300]).all()
        assert (divided.validation[part] == whole.train[part][1300:]).all()


@pytest.mark.parametrize(("train", "validation"), [(1400, 100), (None, 1437)])
def test_more_examples_than_there_are_cannot_be_held_out(train, validation):
    with pytest.raises(data.DataError, match="must be at most 1437, the training examples"):
        data.load(Config(dataset="digits", train_examples=train, validation_examples=validation))
