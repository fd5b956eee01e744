"""Checkpoints: whole or not believed, the newest three and the best, read back to the bit."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorstore

from manual_grads import Architecture
from mnist_jax import checkpoints, data
from mnist_jax.checkpoints import CheckpointError
from mnist_jax.config import Config
from mnist_jax.network import named_leaves
from mnist_jax.optimizer import optimizer
from mnist_jax.run import Run, begin
from mnist_jax.run_directory import RunDirectoryError
from mnist_jax.step import init_state

SMALL = Config(architecture=Architecture(layer_sizes=(784, 3, 10)), dataset="digits")


def begun(config=SMALL) -> Run:
    return begin(config, data.load(config), init_state(config, optimizer(config, 6)))


def at(step, run=None, best=0) -> Run:
    """A run whose every number says at which step it is."""
    run = run or begun()
    state = jax.tree.map(lambda leaf: leaf + jnp.asarray(step, leaf.dtype), run.state)
    return run._replace(state=state, step=step, epoch=step, best_step=best, best_loss=1 / step)


def saved(workdir, *steps, best=0):
    with checkpoints.writing(workdir) as save:
        for step in steps:
            save(at(step, best=best))
    return workdir / "checkpoints"


def held(folder):
    return sorted(int(path.stem) for path in folder.glob("*.json"))


@pytest.mark.parametrize("gradient", ["autodiff", "checked"])
@pytest.mark.parametrize("name", ["sgd", "momentum", "adamw"])
def test_a_run_is_read_back_to_the_bit(name, gradient, tmp_path):
    config = Config(
        architecture=SMALL.architecture, dataset="digits", optimizer=name, gradient=gradient
    )
    run = at(7, begun(config))
    run = run._replace(seconds=dict.fromkeys(run.seconds, 1 / 3), block=2)
    with checkpoints.writing(tmp_path) as save:
        save(run)
    found = checkpoints.newest(tmp_path, begun(config))
    assert found is not None
    assert jax.tree.structure(found) == jax.tree.structure(run)
    for leaf, value in named_leaves(run).items():
        arrived = named_leaves(found)[leaf]
        assert type(arrived) is type(value), leaf
        np.testing.assert_array_equal(arrived, value, err_msg=leaf)


def test_the_newest_three_are_kept_and_the_best(tmp_path):
    assert held(saved(tmp_path, 1, 2, 3, 4, 5, best=2)) == [2, 3, 4, 5]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        name for step in (2, 3, 4, 5) for name in (f"000000000{step}", f"000000000{step}.json")
    ]


def test_without_checkpoints_there_is_nothing_to_go_on_from(tmp_path):
    assert checkpoints.newest(tmp_path, begun()) is None


def test_the_state_that_is_saved_may_be_given_up_at_once(tmp_path):
    """It is copied before `save` returns: the next block takes its memory."""
    run = at(3)
    with checkpoints.writing(tmp_path) as save:
        save(run)
        jax.tree.map(lambda leaf: leaf.delete(), run.state)
    found = checkpoints.newest(tmp_path, begun())
    assert found is not None
    assert jax.tree.all(jax.tree.map(jnp.array_equal, found.state, at(3).state))


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def large_file(place):
    return max(
        (path for path in place.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )


DAMAGES = {
    "a flipped bit": lambda place: flip(large_file(place)),
    "a file cut short": lambda place: large_file(place).write_bytes(b""),
    "a file removed": lambda place: large_file(place).unlink(),
    "a file added": lambda place: (place / "more").write_bytes(b"more"),
    "a link in a file's place": lambda place: (place / "link").symlink_to(large_file(place)),
    "too large a file": lambda place: (place / "more").write_bytes(bytes(2**21)),
    "a manifest that is none": lambda place: place.with_suffix(".json").write_text("[]"),
    "a manifest cut short": lambda place: place.with_suffix(".json").write_text('{"a'),
    "no folder": lambda place: shutil.rmtree(place),
    "no manifest": lambda place: place.with_suffix(".json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_told_and_an_older_one_taken(damage, tmp_path):
    folder, said = saved(tmp_path, 1, 2), []
    DAMAGES[damage](folder / "0000000002")
    found = checkpoints.newest(tmp_path, begun(), said.append)
    assert found is not None
    assert found.step == 1
    assert jax.tree.all(jax.tree.map(jnp.array_equal, found.state, at(1).state))
    if damage != "no folder":
        (line,) = said
        assert line.startswith("checkpoint 0000000002 is not whole (")
        assert line.endswith("going on from step 1")
    assert held(folder) == [1]
    assert not (folder / "0000000002").exists()


def test_where_no_finished_checkpoint_is_whole_there_is_an_error(tmp_path):
    folder = saved(tmp_path, 1, 2)
    for step in (1, 2):
        flip(large_file(folder / f"000000000{step}"))
    with pytest.raises(CheckpointError, match=r"one checkpoint in .* must be whole"):
        checkpoints.newest(tmp_path, begun())
    assert held(folder) == [1, 2]


def test_what_was_never_finished_is_the_start_again(tmp_path):
    folder, said = saved(tmp_path, 1), []
    (folder / "0000000001.json").unlink()
    (folder / "0000000002.orbax-checkpoint-tmp").mkdir()
    assert checkpoints.newest(tmp_path, begun(), said.append) is None
    assert said == ["checkpoint 0000000001 is not whole (it was not finished); going on from the "
                    "start"]  # fmt: skip
    assert list(folder.iterdir()) == []


def test_a_checkpoint_of_another_architecture_is_refused_before_it_is_read(tmp_path):
    saved(tmp_path, 1)
    wide = Config(architecture=Architecture(layer_sizes=(784, 30, 10)), dataset="digits")
    with pytest.raises(CheckpointError, match="must hold the leaves of this run"):
        checkpoints.newest(tmp_path, begun(wide))


def test_a_checkpoint_of_other_data_is_refused(tmp_path):
    saved(tmp_path, 1)
    other = begun()._replace(data=np.zeros(32, np.uint8))
    with pytest.raises(CheckpointError, match="must go on with the data that it began with"):
        checkpoints.newest(tmp_path, other)


def test_a_state_that_is_not_finite_is_never_saved(tmp_path):
    run = at(2)
    params = jax.tree.map(lambda leaf: leaf * jnp.nan, run.state.params)
    broken = run._replace(state=run.state._replace(params=params))
    with checkpoints.writing(tmp_path) as save:
        save(at(1))
        save(broken)
    assert held(tmp_path / "checkpoints") == [1]


def test_a_disk_that_is_full_is_told_and_leaves_what_was_whole(tmp_path, monkeypatch):
    folder = saved(tmp_path, 1)
    with monkeypatch.context() as patch:

        def full(*arguments):
            raise OSError(28, "No space left on device")

        patch.setattr(checkpoints, "_digests", full)
        with (
            pytest.raises(RunDirectoryError, match=r"must take a checkpoint\n.*No space left"),
            checkpoints.writing(tmp_path) as save,
        ):
            save(at(2))
    assert sorted(path.name for path in folder.iterdir()) == ["0000000001", "0000000001.json"]
    found = checkpoints.newest(tmp_path, begun())
    assert found is not None
    assert found.step == 1


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, monkeypatch):
    folder = saved(tmp_path, 1)
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(checkpoints, "_orbax", lambda: pytest.fail("written"))
    with (
        pytest.raises(RunDirectoryError, match=r"checkpoint\n.*1,048,576 bytes free on its disk"),
        checkpoints.writing(tmp_path) as save,
    ):
        save(at(2))
    assert held(folder) == [1]


def test_a_leaf_in_chunks_larger_than_itself_is_refused_before_they_are_decoded(tmp_path):
    """A few bytes can be the compressed form of a chunk of any size."""
    place = saved(tmp_path, 1) / "0000000001"
    store = tensorstore.KvStore.open({"driver": "ocdbt", "base": f"file://{place}/"}).result()
    (key,) = [key for key in store.list().result() if key == b"state/params/1/weight/.zarray"]
    described = json.loads(store.read(key).result().value)
    described["chunks"] = [2**20, 2**20]
    store.write(key, json.dumps(described).encode()).result()
    manifest = json.dumps(checkpoints._digests(place))
    place.with_suffix(".json").write_text(manifest)
    with pytest.raises(CheckpointError, match=r"in chunks of \[1048576, 1048576\]"):
        checkpoints.newest(tmp_path, begun())


def test_a_manifest_has_the_digest_of_every_file(tmp_path):
    folder = saved(tmp_path, 1)
    place = folder / "0000000001"
    files = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    sums = json.loads((folder / "0000000001.json").read_text())
    assert sums.keys() == files
    assert all(len(digest) == 64 for digest in sums.values())


def test_only_checkpoints_are_removed(tmp_path):
    folder = saved(tmp_path, 1, 2)
    (folder / "notes.txt").write_text("the user's own")
    checkpoints.remove_all(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
