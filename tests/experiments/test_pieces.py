"""Experiments in pieces: what is there is not made again, and only the same words go on."""

from pathlib import Path

import pytest

from experiments import pieces
from experiments.pieces import PiecesError


def test_a_piece_is_made_once():
    made = []

    def make():
        made.append(1)
        return {"a": (1, 2)}

    assert pieces.piece(Path(), "one", make) == {"a": [1, 2]}
    assert pieces.piece(Path(), "one", make) == {"a": [1, 2]}
    assert made == [1]


def test_an_unfinished_experiment_of_the_same_words_goes_on_and_a_finished_one_stays():
    first = pieces.folder(None, "it", ["--seeds=1"])
    assert first == Path("runs/it")
    assert pieces.folder(None, "it", ["--seeds=1"]) == first
    assert pieces.folder(None, "it", ["--seeds=2"]) == Path("runs/it-2")
    (Path("runs/it-2") / "it.json").touch()
    assert pieces.folder(None, "it", ["--seeds=2"]) == Path("runs/it-3")


def test_a_named_folder_goes_on_with_its_own_words_alone():
    assert pieces.folder("here", "it", ["--seeds=1"]) == Path("here")
    (Path("here") / "it.json").touch()
    assert pieces.folder("here", "it", ["--seeds=1"]) == Path("here")
    with pytest.raises(PiecesError, match="--seeds=1"):
        pieces.folder("here", "it", ["--seeds=2"])


def test_words_are_those_that_decide_the_numbers():
    argv = ["--seeds=1", "--out=here", "--publish", "--draw", "--data_dir=there"]
    assert pieces.words(argv) == ["--seeds=1"]


def test_what_is_drawn_again_is_finished():
    with pytest.raises(PiecesError, match="finished"):
        pieces.finished(None, "it")
    folder = pieces.folder(None, "it", [])
    with pytest.raises(PiecesError, match="finished"):
        pieces.finished(None, "it")
    (folder / "it.json").touch()
    assert pieces.finished(None, "it") == folder
    assert pieces.finished(str(folder), "it") == folder
