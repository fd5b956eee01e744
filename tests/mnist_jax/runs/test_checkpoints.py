"""Checkpoints: which ones are kept, read back to the bit, and used only if undamaged."""

import functools
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from manual_grads import Architecture, named_leaves
from mnist_jax import data
from mnist_jax.config import Config
from mnist_jax.runs import RunDirectoryError, checkpoints
from mnist_jax.runs.checkpoints import CheckpointError
from mnist_jax.training import mode, start
from mnist_jax.training.state import RunState, begin

SMALL = Config(architecture=Architecture(layer_sizes=(784, 3, 10)), dataset="digits")


@functools.cache
def begun(config=SMALL) -> RunState:
    dataset = data.load(config)
    state = start(config, dataset).state
    return begin(config, dataset, state, mode(config).no_record(state.params))


def at(step, run=None, best=0) -> RunState:
    """The state of a run in which every number depends on the step."""
    run = run or begun()
    state = jax.tree.map(lambda leaf: leaf + jnp.asarray(step, leaf.dtype), run.state)
    return run._replace(state=state, step=step, epoch=step, best_step=best, best_loss=1 / step)


def saved(workdir, *steps, best=0):
    with checkpoints.writing(workdir) as save:
        for step in steps:
            save(step, at(step), best)
    return workdir / "checkpoints"


@pytest.mark.parametrize("gradient", ["autodiff", "checked"])
@pytest.mark.parametrize("name", ["sgd", "momentum", "adamw"])
def test_a_run_is_read_back_to_the_bit(name, gradient, tmp_path):
    config = Config(
        architecture=SMALL.architecture, dataset="digits", optimizer=name, gradient=gradient
    )
    run = at(7, begun(config))
    run = run._replace(seconds=dict.fromkeys(run.seconds, 1 / 3), block=2)
    with checkpoints.writing(tmp_path) as save:
        save(7, run, 0)
    found = checkpoints.newest(tmp_path, begun(config))
    assert found is not None
    assert jax.tree.structure(found) == jax.tree.structure(run)
    for leaf, value in named_leaves(run).items():
        arrived = named_leaves(found)[leaf]
        assert isinstance(arrived, np.ndarray) or type(arrived) is type(value), leaf
        np.testing.assert_array_equal(arrived, value, err_msg=leaf)


def test_a_checkpoint_is_one_file_and_the_newest_three_are_kept_and_the_best(tmp_path):
    folder = saved(tmp_path, 1, 2, 3, 4, 5, best=2)
    assert sorted(path.name for path in folder.iterdir()) == [
        f"000000000{step}.safetensors" for step in (2, 3, 4, 5)
    ]


def test_its_only_metadata_is_one_digest_that_every_part_of_every_tensor_changes(tmp_path):
    folder = saved(tmp_path, 1)
    with safetensors.safe_open(checkpoints.path_of(folder, 1), "numpy") as file:
        assert set(file.metadata()) == {"sha256"}
        assert set(file.keys()) == set(named_leaves(begun()))
    tensors = {"a": np.ones((2, 3), np.float32), "b": np.zeros(4, np.int32)}
    others = [
        tensors | {"a": np.ones((3, 2), np.float32)},
        tensors | {"a": np.ones((2, 3), np.float32).view(np.int32)},
        tensors | {"b": np.array([0, 0, 0, 1], np.int32)},
        {"a": tensors["a"], "c": tensors["b"]},
        {"a": tensors["a"]},
    ]
    digests = [checkpoints._metadata(each)["sha256"] for each in (tensors, *others)]
    assert len(set(digests)) == len(digests)
    assert checkpoints._metadata(dict(reversed(tensors.items())))["sha256"] == digests[0]


def test_without_checkpoints_there_is_no_newest_one(tmp_path):
    assert checkpoints.newest(tmp_path, begun()) is None


def test_the_saved_state_may_be_donated_at_once(tmp_path):
    """It is copied before `save` returns, because the next block reuses its memory."""
    run = at(3)
    with checkpoints.writing(tmp_path) as save:
        save(3, run, 0)
        jax.tree.map(lambda leaf: leaf.delete(), run.state)
    found = checkpoints.newest(tmp_path, begun())
    assert found is not None
    assert jax.tree.all(jax.tree.map(jnp.array_equal, found.state, at(3).state))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def with_header(path, change):
    """The file with a changed JSON header and unchanged bytes of tensors."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = change(content[8:end].decode()).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[end:])


def other_digit(header):
    """Changes the last digit of the digest in the header."""
    digest = json.loads(header)["__metadata__"]["sha256"]
    return header.replace(digest, digest[:-1] + ("0" if digest[-1] != "0" else "1"))


def linked(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


DAMAGES = {
    "a flipped bit": flip,
    "a flipped digit of the digest": lambda path: with_header(path, other_digit),
    "another type": lambda path: with_header(path, lambda h: h.replace('"F32"', '"I32"', 1)),
    "another name": lambda path: with_header(path, lambda h: h.replace("best_step", "best_stop")),
    "one more metadata entry": lambda path: with_header(
        path, lambda h: h.replace('"sha256"', '"more":"","sha256"')
    ),
    "no digest": lambda path: with_header(path, lambda h: h.replace("sha256", "sha512")),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(os.urandom(1000)),
    "a type that NumPy lacks": lambda path: with_header(
        path, lambda h: h.replace('"I64"', '"F8_E8M0"', 1)
    ),
    "a link in the file's place": linked,
    "a folder in the file's place": lambda path: (path.unlink(), path.mkdir()),
    "too large": lambda path: os.truncate(path, 2**40),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_reported_and_an_older_one_used(damage, tmp_path):
    folder, said = saved(tmp_path, 1, 2), []
    DAMAGES[damage](checkpoints.path_of(folder, 2))
    found = checkpoints.newest(tmp_path, begun(), said.append)
    assert found is not None
    assert found.step == 1
    assert jax.tree.all(jax.tree.map(jnp.array_equal, found.state, at(1).state))
    (line,) = said
    assert line.startswith("checkpoint 0000000002.safetensors is damaged (")
    assert line.endswith("using an older one")
    assert checkpoints.held(folder) == [1, 2]
    checkpoints.remove_after(tmp_path, found.step)
    assert checkpoints.held(folder) == [1]


def test_where_every_checkpoint_is_damaged_there_is_an_error_and_nothing_is_removed(tmp_path):
    folder = saved(tmp_path, 1, 2)
    for step in (1, 2):
        flip(checkpoints.path_of(folder, step))
    with pytest.raises(CheckpointError, match=r"one checkpoint in .* must be undamaged"):
        checkpoints.newest(tmp_path, begun())
    assert checkpoints.held(folder) == [1, 2]


def test_an_unfinished_checkpoint_is_ignored_and_removed(tmp_path):
    folder = saved(tmp_path, 1)
    checkpoints.path_of(folder, 1).rename(folder / ".0000000001.safetensors.4711")
    assert checkpoints.newest(tmp_path, begun()) is None
    checkpoints.remove_after(tmp_path, 0)
    assert list(folder.iterdir()) == []


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    folder = saved(tmp_path, 1)
    wide = Config(architecture=Architecture(layer_sizes=(784, 30, 10)), dataset="digits")
    with pytest.raises(CheckpointError, match="must contain exactly the tensors of the network"):
        checkpoints.newest(tmp_path, begun(wide))
    assert checkpoints.held(folder) == [1]


@pytest.mark.parametrize("beside", [[], [1]])
def test_checkpoints_of_the_earlier_format_are_refused_by_the_version_that_reads_them(
    beside, tmp_path
):
    folder = saved(tmp_path, *beside)
    (folder / "0000000002").mkdir(parents=True)
    (folder / "0000000002" / "manifest.ocdbt").touch()
    (folder / "0000000002.json").write_text("{}")
    with pytest.raises(
        CheckpointError, match=r"0000000002, in the format of version 0\.1\.0\n.*version 0\.1\.0"
    ):
        checkpoints.require_some(tmp_path)
    assert (folder / "0000000002" / "manifest.ocdbt").exists()
    checkpoints.remove_all(tmp_path)
    assert not folder.exists()


def test_a_full_disk_is_reported_and_older_checkpoints_stay(tmp_path, monkeypatch):
    folder = saved(tmp_path, 1)
    with monkeypatch.context() as patch:

        def full(descriptor):
            raise OSError(28, "No space left on device")

        patch.setattr("os.fsync", full)
        with (
            pytest.raises(RunDirectoryError, match=r"0000000002.safetensors.*\n.*No space left"),
            checkpoints.writing(tmp_path) as save,
        ):
            save(2, at(2), 0)
    assert [path.name for path in folder.iterdir()] == ["0000000001.safetensors"]


@pytest.mark.parametrize("name", ["notes.txt", "٣٣٣٣٣٣٣٣٣٣.safetensors"])
def test_only_checkpoints_are_held_and_removed(name, tmp_path):
    """`int` also accepts ٣, the Arabic digit three."""
    folder = saved(tmp_path, 1, 2)
    (folder / name).write_text("the user's own")
    assert checkpoints.held(folder) == [1, 2]
    checkpoints.remove_after(tmp_path, 1)
    checkpoints.remove_all(tmp_path)
    assert [path.name for path in folder.iterdir()] == [name]
