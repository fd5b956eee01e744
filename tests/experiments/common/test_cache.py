"""Cached results: what is there is not made again, and only the same options and code go on."""

import json
import shutil
from pathlib import Path

import pytest

from experiments.common import cache
from experiments.common.cache import CacheError
from experiments.compare import __main__ as compare
from manual_grads.cli import options

ONE = {"options": {"seeds": [1]}, "code": "a" * 64, "data": {"images": "c" * 64}}
TWO = ONE | {"options": {"seeds": [2]}}
OTHER_CODE = ONE | {"code": "b" * 64}
OTHER_DATA = ONE | {"data": {"images": "d" * 64}}


@pytest.fixture
def code(monkeypatch):
    """A small repository in place of this one."""
    for name in (
        "manual_grads/one.py",
        "mnist_jax/deep/two.py",
        "experiments/accuracy.py",
        "experiments/common/three.py",
        "experiments/it/four.py",
        "experiments/it/report.template.md",
        "experiments/other/five.py",
        "experiments/results/it.json",
    ):
        file = Path("repository", name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    monkeypatch.setattr(cache, "ROOT", Path("repository"))
    return Path("repository")


def key_of(*words):
    return cache.key("experiments.it", {}, options.parse(compare.Options, words))


def test_a_result_is_made_once():
    made = []

    def make():
        made.append(1)
        return {"a": (1, 2)}

    assert cache.result(Path(), "one", make) == {"a": [1, 2]}
    assert cache.result(Path(), "one", make) == {"a": [1, 2]}
    assert made == [1]


@pytest.mark.parametrize("other", [TWO, OTHER_CODE, OTHER_DATA])
def test_an_unfinished_experiment_of_the_same_key_goes_on_and_a_finished_one_stays(other):
    first = cache.folder(None, "it", ONE)
    assert first == Path("runs/it")
    assert cache.folder(None, "it", ONE) == first
    assert cache.folder(None, "it", other) == Path("runs/it-2")
    assert cache.folder(None, "it", other) == Path("runs/it-2")
    (Path("runs/it-2") / "it.json").touch()
    assert cache.folder(None, "it", other) == Path("runs/it-3")


def test_a_named_folder_goes_on_with_its_own_key_alone():
    assert cache.folder("here", "it", ONE) == Path("here")
    (Path("here") / "it.json").touch()
    assert cache.folder("here", "it", ONE) == Path("here")
    with pytest.raises(CacheError) as options_differ:
        cache.folder("here", "it", TWO)
    assert "with the options that it began with" in str(options_differ.value)
    assert "--seeds=1" in str(options_differ.value)
    with pytest.raises(CacheError) as code_differs:
        cache.folder("here", "it", OTHER_CODE)
    assert "with the code that it began with" in str(code_differs.value)
    assert "--seeds" not in str(code_differs.value)
    with pytest.raises(CacheError, match="the data that it began with"):
        cache.folder("here", "it", OTHER_DATA)
    with pytest.raises(CacheError, match="the options and the code that"):
        cache.folder("here", "it", TWO | {"code": "b" * 64})
    assert json.loads(Path("here/key.json").read_text()) == ONE


def test_a_named_folder_of_other_files_is_refused_and_an_empty_one_is_not():
    Path("there").mkdir()
    assert cache.folder("there", "it", ONE) == Path("there")
    Path("there/key.json").rename("there/cost.json")
    with pytest.raises(CacheError, match="empty folder"):
        cache.folder("there", "it", ONE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["--seeds=0,1"], ["--seeds", "0,1"]),
        (["--learning_rate=0.001"], ["--learning_rate=1e-3"]),
        (["--quick", "--rounds=3"], ["--rounds=3", "--quick=true"]),
        ([], ["--seeds=0,1,2,3,4,5,6,7,8,9"]),
        ([], ["--out=here", "--publish", "--draw", "--data_dir=there"]),
    ],
)
def test_options_in_another_spelling_are_the_same_key(code, one, other):
    assert key_of(*one) == key_of(*other)


def test_a_flag_file_is_the_options_in_it(code):
    Path("few.flags").write_text("--seeds=0,1\n--layer_sizes=784,4,10\n")
    assert key_of("--flagfile=few.flags") == key_of("--layer_sizes=784,4,10", "--seeds=0,1")


@pytest.mark.parametrize(
    "word", ["--seeds=1", "--quick", "--dataset=digits", "--layer_sizes=784,4,10", "--epochs=2"]
)
def test_other_options_are_another_key(code, word):
    assert key_of(word) != key_of()
    assert key_of(word)["code"] == key_of()["code"]


@pytest.mark.parametrize(
    "name",
    [
        "manual_grads/one.py",
        "mnist_jax/deep/two.py",
        "experiments/accuracy.py",
        "experiments/common/three.py",
        "experiments/it/four.py",
    ],
)
def test_a_changed_new_or_moved_file_of_the_code_is_another_key(code, name):
    before = key_of()
    assert key_of() == before
    (code / name).write_text("changed")
    changed = key_of()
    assert changed["code"] != before["code"]
    assert changed["options"] == before["options"]
    (code / name).write_text(name)
    assert key_of() == before
    shutil.copy(code / name, code / Path(name).with_name("new.py"))
    assert key_of() != before
    (code / name).unlink()
    assert key_of() != before


@pytest.mark.parametrize(
    "name",
    [
        "experiments/it/report.template.md",
        "experiments/other/five.py",
        "experiments/results/it.json",
    ],
)
def test_files_that_make_no_number_leave_the_key_as_it_is(code, name):
    before = key_of()
    (code / name).write_text("changed")
    assert key_of() == before


def test_the_digest_is_of_this_repository():
    digested = [path for path in cache.ROOT.iterdir() if path.is_dir()]
    assert {"manual_grads", "mnist_jax", "experiments"} <= {path.name for path in digested}


def test_what_is_drawn_again_is_finished():
    with pytest.raises(CacheError, match="finished"):
        cache.finished(None, "it")
    folder = cache.folder(None, "it", ONE)
    with pytest.raises(CacheError, match="finished"):
        cache.finished(None, "it")
    (folder / "it.json").touch()
    assert cache.finished(None, "it") == folder
    assert cache.finished(str(folder), "it") == folder
