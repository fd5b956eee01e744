"""The command that recognises pictures: what it prints, and what it refuses."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnist_jax
from mnist_jax import train
from mnist_jax.recognise import main

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def pictures():
    """A run, a picture of a one, and an empty one."""
    words = ["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=1", "--workdir=runs/mine"]
    assert train.main(words) == 0
    one = np.full((200, 150), 230, np.uint8)
    one[40:160, 70:85] = 30
    Image.fromarray(one).save("one.png")
    Image.new("L", (100, 100), 200).save("empty.png")


def test_it_prints_what_the_model_recognises(pictures, capsys):
    capsys.readouterr()
    assert main(["one.png", "empty.png", "--json", "--show=deep/seen.png"]) == 0
    one, empty = map(json.loads, capsys.readouterr().out.splitlines())
    seen = mnist_jax.load("runs/mine").recognise("one.png")
    assert one["picture"] == "one.png"
    assert one["digit"] == seen.digit == int(np.argmax(one["probabilities"]))
    np.testing.assert_array_equal(np.float32(one["probabilities"]), seen.probabilities)
    assert empty == {"picture": "empty.png", "digit": None, "probabilities": None}
    assert Path("deep/seen.png").read_bytes().startswith(b"\x89PNG")
    assert main(["one.png", "empty.png", "--workdir=runs/mine"]) == 0
    first, *bars, last = capsys.readouterr().out.splitlines()
    assert first == f"one.png: {seen.digit}"
    assert [line.split()[0] for line in bars] == list("0123456789")
    assert last.startswith("empty.png: no single digit is seen")


def bomb(path):
    """A PNG of 30,000×30,000 pixels in a few bytes."""
    size = (30_000).to_bytes(4, "big")
    head = b"IHDR" + size + size + bytes([1, 0, 0, 0, 0])
    chunk = (len(head) - 4).to_bytes(4, "big") + head + zlib.crc32(head).to_bytes(4, "big")
    pixels = b"\0\0\0\4IDAT\0\0\0\0" + zlib.crc32(b"IDAT\0\0\0\0").to_bytes(4, "big")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + pixels)


def truncated(path):
    Image.effect_noise((200, 200), 50).save(path)
    path.write_bytes(path.read_bytes()[:9000])


def animation(path):
    frames = [Image.new("L", (50, 50), level) for level in (0, 255)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])


REFUSED = {
    "one pixel": (lambda path: Image.new("L", (1, 1)).save(path), "8 pixels wide or high"),
    "a bomb": (bomb, "at most 89,478,485 pixels"),
    "truncated": (truncated, "undamaged picture"),
    "an animation": (animation, "an animation or several pages"),
    "not a picture": (lambda path: path.write_text("text"), "a file of another format"),
    "nothing": (lambda path: None, "no such file or folder"),
    "a pipe": (os.mkfifo, "a pipe"),
    "a folder": (Path.mkdir, "a folder"),
}


def test_what_is_no_picture_is_refused_in_three_parts_and_nothing_is_printed(pictures, capsys):
    for number, (make, words) in enumerate(REFUSED.values()):
        path = Path(f"{number}.png")
        make(path)
        capsys.readouterr()
        assert main(["one.png", str(path)]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert words in printed.err
        assert [printed.err.count(f"\n  {part}: ") for part in ("expected", "got", "try")] == [
            1
        ] * 3


def test_without_a_run_it_says_how_to_make_one(capsys):
    Image.new("L", (100, 100)).save("a.png")
    assert main(["a.png"]) == 1
    assert "try:      python -m mnist_jax.train --flagfile=" in capsys.readouterr().err


def test_the_figure_does_not_replace_a_picture(pictures, capsys):
    before = Path("one.png").read_bytes()
    assert main(["one.png", "--show=./one.png"]) == 1
    assert "--show must not name a picture" in capsys.readouterr().err
    assert Path("one.png").read_bytes() == before
