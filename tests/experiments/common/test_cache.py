"""Cached results: a result is made again only if something that it depends on changes."""

import shutil
from pathlib import Path

import pytest

from experiments.common import cache, record
from experiments.common.cache import CacheError
from experiments.compare import __main__ as compare
from manual_grads.cli import options

CODE = [
    "manual_grads/one.py",
    "mnist_jax/deep/two.py",
    "experiments/accuracy.py",
    "experiments/common/three.py",
    "experiments/it/four.py",
]
OTHERS = [
    "experiments/it/report.template.md",
    "experiments/other/five.py",
    "experiments/results/it.json",
]


@pytest.fixture
def code(monkeypatch):
    """A small repository that replaces this one."""
    repository = Path("repository")
    for name in (*CODE, *OTHERS):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(name)
    monkeypatch.setattr(cache, "ROOT", repository)
    return repository


def digest(*words, **data):
    return cache.digest("experiments.it", data, options.parse(compare.Options, words))


def made(experiment, name="one"):
    """How often a result is made when it is requested."""
    calls = []
    cache.result(experiment, name, lambda: calls.append(1))
    return len(calls)


def test_a_result_is_made_once_and_returned_as_json_has_it():
    for value in ((1, 2), "never made"):
        assert cache.result("digest", "one", lambda value=value: {"a": value}) == {"a": [1, 2]}


def test_a_stopped_experiment_makes_only_what_is_missing():
    assert [made("digest", name) for name in ("one", "two")] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        cache.result("digest", "three", lambda: 1 / 0)
    assert [made("digest", name) for name in ("one", "two", "three")] == [0, 0, 1]


@pytest.mark.parametrize("length", [0, 1, 20, -2])
def test_a_damaged_file_is_made_anew(length):
    made("digest")
    [file] = cache.FOLDER.iterdir()
    file.write_bytes(file.read_bytes()[:length])
    assert [made("digest"), made("digest")] == [1, 0]


@pytest.mark.parametrize("content", ["[1]", "1", "null", "{}", "\xff"])
def test_a_file_of_something_else_is_made_anew(content):
    made("digest")
    [file] = cache.FOLDER.iterdir()
    file.write_text(content, encoding="latin-1")
    assert [made("digest"), made("digest")] == [1, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["--seeds=0,1"], ["--seeds", "0,1"]),
        (["--learning_rate=0.001"], ["--learning_rate=1e-3"]),
        (["--quick", "--matrix_steps=3"], ["--matrix_steps=3", "--quick=true"]),
        ([], ["--seeds=0,1,2,3,4,5,6,7,8,9"]),
        ([], ["--out=here", "--publish", "--draw", "--data_dir=there"]),
    ],
)
def test_two_spellings_of_the_same_options_share_results(code, one, other):
    assert [made(digest(*one)), made(digest(*other))] == [1, 0]


def test_a_flag_file_shares_results_with_the_options_in_it(code):
    Path("few.flags").write_text("--seeds=0,1\n--layer_sizes=784,4,10\n")
    assert digest("--flagfile=few.flags") == digest("--layer_sizes=784,4,10", "--seeds=0,1")


@pytest.mark.parametrize(
    "word", ["--seeds=1", "--quick", "--dataset=digits", "--layer_sizes=784,4,10", "--epochs=2"]
)
def test_another_option_makes_a_result_anew(code, word):
    assert [made(digest()), made(digest(word)), made(digest())] == [1, 1, 0]


def test_other_data_and_other_versions_make_a_result_anew(code, monkeypatch):
    assert [made(digest(images="a")), made(digest(images="b"))] == [1, 1]
    monkeypatch.setattr(record, "machine", lambda: {"versions": "others"})
    assert [made(digest(images="a")), made(digest(images="a"))] == [1, 0]


@pytest.mark.parametrize("name", CODE)
def test_a_changed_new_or_moved_file_of_the_code_makes_a_result_anew(code, name):
    before = digest()
    assert digest() == before
    (code / name).write_text("changed")
    assert digest() != before
    (code / name).write_text(name)
    assert digest() == before
    shutil.copy(code / name, code / Path(name).with_name("new.py"))
    assert digest() != before
    (code / name).unlink()
    assert digest() != before


@pytest.mark.parametrize("name", OTHERS)
def test_files_that_decide_no_number_make_nothing_anew(code, name):
    before = digest()
    (code / name).write_text("changed")
    assert digest() == before


def test_the_digested_code_is_that_of_this_repository():
    folders = [path.name for path in cache.ROOT.iterdir() if path.is_dir()]
    assert {"manual_grads", "mnist_jax", "experiments"} <= {*folders}


def test_the_newest_finished_folder_is_drawn_again():
    for finished in ("runs/it/it.json", "runs/it-2/it.json", "runs/it-3/other.json"):
        Path(finished).parent.mkdir(parents=True)
        Path(finished).touch()
    assert cache.finished(None, "it") == Path("runs/it-2/it.json")
    assert cache.finished("runs/it", "it") == Path("runs/it/it.json")


@pytest.mark.parametrize("out", [None, "runs/it"])
def test_drawing_is_refused_where_nothing_is_finished(out):
    for _ in range(2):
        with pytest.raises(CacheError, match="finished"):
            cache.finished(out, "it")
        Path("runs/it").mkdir(parents=True, exist_ok=True)
