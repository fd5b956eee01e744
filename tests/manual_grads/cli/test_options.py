"""Tests of options: a dataclass defines the flags, the help and the checks."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import pytest

from manual_grads.cli.options import (
    FlagError,
    InputError,
    OptionError,
    build,
    check,
    help_text,
    parse,
    text,
)
from manual_grads.cli.rules import A_PATH, ANY, AT_LEAST_1, FINITE, NOT_NEGATIVE, POSITIVE, one_of


@dataclass(frozen=True)
class Inner:
    sizes: Annotated[tuple[int, ...], "sizes of things", ANY] = (3, 2)
    names: Annotated[tuple[str, ...], "names of things", ANY] = ("a", "b")

    def __post_init__(self):
        check(self)


@dataclass(frozen=True)
class Outer:
    colour: Annotated[str, "a colour", one_of("green", "yellow")] = "green"
    count: Annotated[int, "how many", AT_LEAST_1] = 1
    rate: Annotated[float, "how fast", POSITIVE] = 0.5
    place: Annotated[str | None, "where", A_PATH] = None
    far: Annotated[float, "how far", NOT_NEGATIVE] = 0.0
    slope: Annotated[float, "how steep", FINITE] = 0.1
    loud: Annotated[bool, "whether loud", ANY] = False
    inner: Inner = Inner()

    def __post_init__(self):
        check(self)


def test_no_flags_give_the_defaults():
    assert parse(Outer, []) == Outer()


def test_every_kind_of_flag_reaches_its_field():
    words = "--colour=yellow --count=7 --rate=2 --place=here --loud --sizes=5,4,3 --names=none"
    assert parse(Outer, words.split()) == Outer(
        "yellow", 7, 2.0, "here", loud=True, inner=Inner((5, 4, 3), ())
    )


def test_a_flag_after_the_flag_file_wins_over_it():
    Path("two.flags").write_text("# a comment\n--count=2\n--colour=yellow\n")
    assert parse(Outer, ["--flagfile=two.flags", "--count=3"]) == Outer("yellow", 3)


def test_parsing_leaves_no_trace_in_the_next_parse():
    parse(Outer, ["--count=7"])
    assert parse(Outer, []) == Outer()


@pytest.mark.parametrize(
    ("words", "expected", "got", "repair"),
    [
        (["--colour=gren"], "--colour must be one of green, yellow", "--colour=gren", "=green"),
        (["--count=0"], "--count must be at least 1", "--count=0", "--count=1, which is"),
        (["--count=ten"], "--count must be a whole number", "--count=ten", "--count=1"),
        (["--count"], "every flag must be written --name=value", "count", "--help"),
        (["--rate=nan"], "--rate must be above 0 and finite", "--rate=nan", "--rate=0.5"),
        (["--rate=inf"], "--rate must be above 0 and finite", "--rate=inf", "--rate=0.5"),
        (["--loud=perhaps"], "--loud must be true or false", "--loud=perhaps", "--loud=False"),
        (["--sizes=3,two"], "--sizes must be whole numbers", "--sizes=3,two", "after --sizes="),
        (["--noloud=7"], "every flag must be written --name=value", "--noloud=7", "--help"),
        (["--colour=\x1b[31m\u202e"], "--colour must be one of", "=\\x1b[31m\\u202e", "=green"),
        (
            ["--flagfile=~no-such-user/a"],
            "--flagfile must name a text file",
            "~no-such-user/a: no such",
            "=",
        ),
        (["--cuont=2"], "every flag must be one that this command knows", "--cuont", "--count"),
        (["--undefok=x", "--x=1"], "that this command knows", "--undefok", "--help"),
        (["--place="], "--place must be a path that", "--place=", "leaving out --place"),
        (["--far=inf"], "--far must be 0, or above 0 and finite", "--far=inf", "--far=0.0"),
        (["--far=-1"], "--far must be 0, or above 0 and finite", "--far=-1.0", "--far=0.0"),
        (["--rate=0"], "--rate must be above 0 and finite", "--rate=0", "--rate=0.5"),
        (["--rate=1e300"], "finite in float32", "--rate=1e+300", "--rate=0.5"),
        (["--slope=inf"], "--slope must be finite", "--slope=inf", "--slope=0.1"),
        (["two.flags"], "every word must be a flag", "'two.flags'", "--flagfile=two.flags"),
        (["count=2"], "every word must be a flag", "'count=2'", "--count=2"),
        (
            ["--flagfile=absent"],
            "--flagfile must name a text file",
            "absent: no such file",
            "=PATH",
        ),
        (["--flagfile=."], "--flagfile must name a text file", ".: a folder", "--flagfile="),
        (["--flagfile"], "--flagfile must name a file", "--flagfile", "--flagfile=PATH"),
        (["--flagfile="], "--flagfile must name a file", "--flagfile=", "--flagfile=PATH"),
        (["--flagfile=a\0b"], "--flagfile must name a text file", "null byte", "--flagfile="),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_invalid_words_raise_an_error_in_three_parts(words, expected, got, repair):
    with pytest.raises(InputError) as refusal:
        parse(Outer, words)
    _, first, second, third = str(refusal.value).splitlines()
    assert expected in first
    assert second.startswith("  got:      ")
    assert got in second
    assert third.startswith("  try:      ")
    assert repair in third


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "can't decode"),
        (lambda path: path.write_text("#" * (2**20 + 1)), "more than 1,048,576 bytes"),
        (lambda path: path.symlink_to("/dev/zero"), "a device"),
        (lambda path: path.symlink_to("nowhere"), "no such file"),
        (os.mkfifo, "a pipe"),
    ],
    ids=["no text", "huge", "a device", "a link to nowhere", "a pipe"],
)
def test_a_flag_file_must_be_a_small_text_file(make, got):
    make(Path("given"))
    with pytest.raises(FlagError, match=f"must name a text file.*\n.*{got}"):
        parse(Outer, ["--flagfile=given"])


def test_a_flag_file_can_include_another_but_not_itself():
    Path("outer.flags").write_text("--count=2\n--flagfile=inner.flags\n")
    Path("inner.flags").write_text("// a comment\n\n  --colour=yellow\n")
    assert parse(Outer, ["--flagfile", "outer.flags"]) == Outer("yellow", 2)
    Path("inner.flags").write_text("--flagfile=outer.flags\n")
    with pytest.raises(FlagError, match=r"must not include itself\n.*outer.flags"):
        parse(Outer, ["--flagfile=outer.flags"])


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 1.5},
        {"count": True},
        {"rate": "fast"},
        {"colour": None},
        {"inner": {"sizes": "no"}},
    ],
    ids=str,
)
def test_a_value_of_a_wrong_type_raises_an_error_from_python_too(fields):
    with pytest.raises(OptionError, match="must be"):
        build(Outer, fields)


def test_values_can_be_nested_as_in_json():
    assert build(Outer, {"count": 2, "inner": {"sizes": [1, 1]}}) == Outer(
        count=2, inner=Inner((1, 1))
    )


def test_help_names_every_flag_with_its_default_and_its_rule():
    printed = help_text("What it is.", Outer)
    assert "--sizes=3,2" in printed
    assert "--flagfile=PATH" in printed
    assert "  --place=… (not set)\n" in printed
    assert "a colour; must be one of green, yellow" in printed
    assert printed.count("  --") == 11


def test_help_lists_flags_under_headings_without_those_that_have_no_effect():
    @dataclass(frozen=True)
    class Grouped(Outer):
        HEADINGS: ClassVar = {"count": "Numbers", "loud": "Noise"}
        WITHOUT_EFFECT: ClassVar = ("rate", "names")

    lines = help_text("What it is.", Grouped).splitlines()
    listed = [line.strip().split("=")[0] for line in lines if re.match("(  --|[A-Z])", line)]
    assert listed == [
        *("What it is.", "Flags:", "--colour", "Numbers:", "--count", "--place", "--far"),
        *("--slope", "Noise:", "--loud", "--sizes", "Every command:", "--compilation_cache"),
        "--flagfile",
    ]


@pytest.mark.parametrize("value", [(), (1,), (3, 2)], ids=str)
def test_a_value_written_as_text_is_read_back(value):
    words = [f"--sizes={text(value)}"]
    assert parse(Outer, words).inner.sizes == value


def test_numbers_in_json_are_not_rounded_into_range():
    with pytest.raises(OptionError, match="--sizes must be whole numbers"):
        build(Outer, {"inner": {"sizes": [1, 8.5]}})


@pytest.mark.parametrize("name", ["document.flags", "experiments/document.flags"])
def test_a_shipped_flag_file_is_found_from_every_folder(name):
    from mnist_jax import Config

    assert parse(Config, [f"--flagfile={name}"]).name == "document"


def test_an_existing_flag_file_is_preferred_to_a_shipped_one():
    from mnist_jax import Config

    Path("document.flags").write_text("--name=mine\n")
    assert parse(Config, ["--flagfile=document.flags"]).name == "mine"


def test_the_error_for_a_missing_flag_file_lists_the_shipped_ones_and_their_folder():
    with pytest.raises(FlagError, match=r"base.flags, document.flags, fast.flags in .*experiments"):
        parse(Outer, ["--flagfile=other.flags"])
