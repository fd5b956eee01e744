"""The run directory: atomic writes, nothing lost, and files read back as they were written."""

import json
import os
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import mnist_jax
from manual_grads import Architecture, named_leaves
from manual_grads.cli import OptionError
from mnist_jax import model, runs
from mnist_jax.config import Config
from mnist_jax.runs import RunDirectoryError, claim, directory
from mnist_jax.runs.directory import write_result
from tests.mnist_jax.runs.new_run import create

SMALL = Architecture(layer_sizes=(784, 3, 10), biases=("input", "output"))


def test_without_a_workdir_each_run_has_the_next_free_folder():
    made = [create(Config(name="mine")) for _ in range(3)]
    assert made == [Path("runs/mine"), Path("runs/mine-2"), Path("runs/mine-3")]


def test_config_json_is_the_config():
    config = Config(architecture=SMALL, seed=7, workdir="here")
    workdir = create(config)
    fields = json.loads((workdir / "config.json").read_text())
    assert fields["format"] == 1
    assert fields["architecture"]["layer_sizes"] == [784, 3, 10]
    assert fields["seed"] == 7


def test_parameters_are_read_back_to_the_bit(key):
    config = Config(architecture=SMALL, workdir="here")
    params = model.init(key, SMALL)
    workdir = create(config)
    directory.write_parameters(workdir, params)
    loaded_config, loaded = mnist_jax.load(workdir)
    assert loaded_config == config
    assert jax.tree.structure(loaded) == jax.tree.structure(params)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, loaded, params))


def test_leaves_are_named_by_layer_and_kind():
    params = model.init(jax.random.key(0), SMALL)
    assert set(named_leaves(params)) == {"0/bias", "1/weight", "2/weight", "2/bias"}


def run_in(folder, content="a run"):
    """A folder with a run and with a file of the user."""
    create(Config(workdir=str(folder)))
    (folder / "metrics.jsonl").write_text(content)
    (folder / "notes.txt").write_text("the user's own")


def test_a_workdir_that_holds_a_run_is_refused_and_nothing_in_it_changes(tmp_path):
    run_in(tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(RunDirectoryError, match="must not already contain a run"):
        create(Config(workdir=str(tmp_path / "run"), seed=1))
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before


def test_overwrite_replaces_the_run_and_keeps_what_is_not_ours(tmp_path):
    run_in(tmp_path / "run")
    create(Config(workdir=str(tmp_path / "run"), overwrite=True, seed=1))
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        ".lock", "config.json", "notes.txt",
    }  # fmt: skip
    assert json.loads((tmp_path / "run" / "config.json").read_text())["seed"] == 1


@pytest.mark.parametrize(
    "config", [None, "{}", "not JSON", "[1]", '{"format": 2, "architecture": {}}']
)
def test_overwrite_touches_nothing_beside_a_config_that_is_not_ours(tmp_path, config):
    (tmp_path / "metrics.jsonl").write_text("somebody's")
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(RunDirectoryError, match=r"config.json must"):
        create(Config(workdir=str(tmp_path), overwrite=True))
    assert (tmp_path / "metrics.jsonl").read_text() == "somebody's"


def test_a_workdir_with_files_of_the_users_alone_is_used(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert create(Config(workdir=str(tmp_path))) == tmp_path


def test_a_workdir_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunDirectoryError, match="must be a writable folder"):
        create(Config(workdir=str(tmp_path / "file" / "run")))


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "result.json"
    runs.write(path, "old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(RunDirectoryError, match=r"result.json must be .*\n.*No space left"):
        runs.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_number_that_is_not_finite_is_never_written(tmp_path):
    for write in (
        lambda value: directory.write_metrics(tmp_path, [{"train_loss": value}]),
        lambda value: write_result(tmp_path, {"train_loss": value}),
    ):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write(float("nan"))
    assert list(tmp_path.iterdir()) == []


def finished(folder):
    workdir = create(Config(architecture=SMALL, workdir=str(folder)))
    directory.write_parameters(workdir, model.init(jax.random.key(0), SMALL))
    return workdir


def test_a_run_without_parameters_is_refused(tmp_path):
    (finished(tmp_path) / "parameters.safetensors").unlink()
    with pytest.raises(RunDirectoryError, match="must hold the parameters of a run that has ended"):
        mnist_jax.load(tmp_path)


def test_damaged_parameters_are_refused(tmp_path):
    path = finished(tmp_path) / "parameters.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RunDirectoryError, match="must hold the parameters of a run that has ended"):
        mnist_jax.load(tmp_path)


def test_parameters_of_another_architecture_are_refused(tmp_path):
    workdir = finished(tmp_path)
    other = replace(SMALL, layer_sizes=(784, 4, 10))
    directory.write_parameters(workdir, model.init(jax.random.key(0), other))
    with pytest.raises(RunDirectoryError, match=r"1/weight': 'float32\[3, 784\]'"):
        mnist_jax.load(tmp_path)


def test_a_folder_that_holds_no_run_is_refused(tmp_path):
    with pytest.raises(RunDirectoryError, match="must be the configuration of a run"):
        mnist_jax.load(tmp_path)


def test_files_from_elsewhere_are_not_read_beyond_the_size_that_they_should_have(tmp_path):
    workdir = finished(tmp_path)
    parameters, config = workdir / "parameters.safetensors", workdir / "config.json"
    small = parameters.read_bytes()
    for path, what in ((parameters, "more than 1,06"), (config, "more than 1,048,")):
        with path.open("r+b") as file:
            file.truncate(2**40)  # a sparse file, which uses no disk space
        with pytest.raises(RunDirectoryError, match=what):
            runs.load(workdir)
        parameters.write_bytes(small)


def test_a_config_that_was_changed_into_none_of_ours_is_refused(tmp_path):
    path = finished(tmp_path) / "config.json"
    path.write_text(path.read_text().replace('"relu"', '"selu"'))
    with pytest.raises(OptionError, match="--activation must be one of"):
        mnist_jax.load(tmp_path)


def test_parameters_of_another_precision_are_refused(tmp_path):
    workdir = finished(tmp_path)
    params = model.init(jax.random.key(0), SMALL, dtype="float16")
    directory.write_parameters(workdir, params)
    with pytest.raises(RunDirectoryError, match="float16"):
        mnist_jax.load(tmp_path)


def test_overwrite_touches_nothing_where_a_folder_stands_in_a_files_place(tmp_path):
    run_in(tmp_path / "run")
    (tmp_path / "run" / "mistakes.png").mkdir()
    before = sorted(path.name for path in (tmp_path / "run").iterdir())
    with pytest.raises(RunDirectoryError, match=r"mistakes.png, a folder"):
        create(Config(workdir=str(tmp_path / "run"), overwrite=True))
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == before


OUTSIDE = {
    "checkpoints": lambda run, outside: (run / "checkpoints").symlink_to(outside),
    "a file": lambda run, outside: (run / "mistakes.png").symlink_to(outside / "theirs.txt"),
    "the lock": lambda run, outside: (run / ".lock").symlink_to(outside / "theirs.txt"),
    "the lock, hard": lambda run, outside: (run / ".lock").hardlink_to(outside / "theirs.txt"),
    "a pipe": lambda run, outside: os.mkfifo(run / "result.json"),
}


@pytest.mark.parametrize("asked", ["overwrite", "resume"])
@pytest.mark.parametrize("link", OUTSIDE.values(), ids=OUTSIDE.keys())
def test_no_link_leads_out_of_the_run_directory(link, asked, tmp_path):
    folder, outside = tmp_path / "run", tmp_path / "outside"
    run_in(folder)
    (folder / ".lock").unlink()
    outside.mkdir()
    (outside / "theirs.txt").write_text("theirs")
    (outside / "0000000001.safetensors").write_text("theirs")
    link(folder, outside)
    plain = Config(workdir=str(folder))
    for config in (replace(plain, **{asked: True}), plain):
        with pytest.raises(RunDirectoryError, match=r"must be plain files .*not links"):
            create(config)
    assert (outside / "theirs.txt").read_text() == "theirs"
    assert [path.read_text() for path in outside.glob("0*")] == ["theirs"]


def test_a_file_that_is_a_link_is_not_read(tmp_path):
    (tmp_path / "elsewhere.json").write_text("{}")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(RunDirectoryError, match=r"a link to .*elsewhere.json: a file"):
        runs.load(tmp_path / "run")


def test_a_workdir_that_is_a_link_to_nowhere_is_refused_in_words(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "unmounted")
    with pytest.raises(RunDirectoryError, match=r"a link to .*unmounted: no such file or folder"):
        create(Config(workdir=str(tmp_path / "run")))


@pytest.mark.parametrize("name", ["a" * 5000, "a file"])
def test_a_workdir_that_can_be_no_folder_is_refused(name, tmp_path):
    (tmp_path / "a file").touch()
    with pytest.raises(RunDirectoryError, match="must be a folder, or not exist yet"):
        directory.require_plain(tmp_path / name)


def test_overwrite_that_is_cut_short_leaves_a_folder_of_ours(tmp_path, monkeypatch):
    run_in(tmp_path / "run")
    config = Config(workdir=str(tmp_path / "run"), overwrite=True)

    def cut_short(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(claim, "write", cut_short)
        with pytest.raises(KeyboardInterrupt):
            create(config)
    create(config)


def test_runs_that_leads_nowhere_is_refused(tmp_path):
    Path("runs").symlink_to(tmp_path / "unmounted" / "disk")
    with pytest.raises(RunDirectoryError, match="runs must be a writable folder"):
        create(Config())


def test_what_is_made_durable_is_whole_and_stands_beside(tmp_path, monkeypatch):
    seen = []

    def spy(descriptor):
        names = [path.name for path in tmp_path.iterdir()]
        seen.append((os.fstat(descriptor).st_size, names))

    monkeypatch.setattr("os.fsync", spy)
    runs.write(tmp_path / "result.json", "content")
    assert seen == [(7, [f".result.json.{os.getpid()}"])]
