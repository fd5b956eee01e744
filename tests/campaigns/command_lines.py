"""Calls every command with random arguments.

    python -m tests.campaigns.command_lines
    python -m tests.campaigns.command_lines --short

There are 5,000 command lines. They contain known, mistyped and unknown flags with valid and invalid
values, flag files, and other words. Each command's `main` is called in this process. The main work
of a command is replaced: nothing is trained or measured. Every command must return a documented
exit status within 10 s and raise no exception. An error message must have three parts, and no
control character may be printed. The results are written to `command_lines.json` beside this
file, except by the short form. The exit status is 1 if a command violates these rules.
"""

import contextlib
import io
import os
import random
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from rich.progress import track

from experiments import accuracy
from experiments.biases import __main__ as biases
from experiments.compare import __main__ as compare
from experiments.mistakes import __main__ as mistakes
from experiments.speed import __main__ as speed
from manual_grads.check import __main__ as check
from manual_grads.cli import options
from mnist_jax import config, evaluate, train
from tests.campaigns import record, run

LINES, SECONDS = 5000, 10
Draw = random.Random


class Command(NamedTuple):
    """A command: its module, options and exit statuses, and the name of the replaced function."""

    module: Any
    options: type
    statuses: set[int]
    left_out: str


ENDS = {0, 1}
COMMANDS = {
    "mnist_jax.train": Command(train, config.Config, ENDS, "training.train_and_save"),
    "mnist_jax.evaluate": Command(evaluate, evaluate.Options, ENDS, "figures.write"),
    "manual_grads.check": Command(check, check.Options, {0, 1, 2}, "_reply"),
} | {
    module.__name__.removesuffix(".__main__"): Command(module, module.Options, ENDS, "measure")
    for module in (accuracy, biases, compare, mistakes, speed)
}
RESULT = {"test_accuracy": 0.5, "test_examples": 10, "dataset": "digits", "test_errors": 5}
REPLY = {"agrees": True, "text": "", "json": "{}", "files": []}

NUMBERS = ["0", "1", "-1", "7", "1e3", "1e-46", "1e400", "-1e400", "nan", "inf", "-inf", "0x10"]
NUMBERS += ["9" * 20, "9" * 400, "9" * 5000, "1_000", "١", "1.5", ".5", "1,2", "--1", "+1", " 1"]
TEXTS = ["", " ", "a", "\0", "\n", "\x1b[31m", "\x9b", "\u202e", "\udcff", "é" * 300, "a" * 5000]
TEXTS += ["/proc", ".", "..", "/dev/null", "/dev/zero", "/etc/passwd", "none", "None", "true", "{}"]
TEXTS += ["here", "here/run", "mine.py:gradient", "mine.py", "a.flags", "deep/er", "link", "pipe"]
TEXTS += ["~", "~no-such-user/a"]
LISTS = [
    "784,3,10",
    "784",
    "",
    ",",
    "3,2",
    "1,2,3",
    "784,-1,10",
    "a,b",
    "784,3,10,",
    "input,output",
]
GIVEN_FILES = {
    "a.flags": "--dataset=digits\n--layer_sizes=784,3,10\n",
    "unknown.flags": "--nothing=1\n",
    "itself.flags": "--flagfile=itself.flags\n",
    "mine.py": "def gradient(params, images, labels):\n    return params\n",
    "broken.py": "def gradient(:\n",
    "empty": "",
}


def value(option: options.Option | None, draw: Draw) -> str:
    """A random value for a flag, often a valid one."""
    pools = [NUMBERS, TEXTS, LISTS]
    if option is not None:
        pools += [[options.text(option.default)]] * 3
        pools += [[*option.rule.choices]] * 3 if option.rule.choices else []
    return draw.choice(draw.choice(pools))


def mistyped(word: str, draw: Draw) -> str:
    """The word with one character added, removed or replaced."""
    at = draw.randrange(len(word) + 1)
    return word[:at] + draw.choice(["", "x", "-", "=", "\x1b"]) + word[at + draw.randrange(2) :]


def line(command: Command, draw: Draw) -> list[str]:
    """Random arguments for a command."""
    known = list(options.options_of(command.options))
    words: list[str] = []
    if command.options is config.Config and draw.random() < 0.5:
        words += ["--dataset=digits", "--layer_sizes=784,2,10", "--epochs=1"]
    if command.options is check.Options and draw.random() < 0.7:
        words += ["mine.py:gradient"]
    for _ in range(draw.choice([0, 1, 1, 2, 2, 3, 5])):
        option = draw.choice(known)
        flag = draw.choice(["--", "--", "--", "-", "--no", "---"]) + option.name
        kind = draw.random()
        if kind < 0.6:
            words.append(f"{flag}={value(option, draw)}")
        elif kind < 0.7:
            words += [flag, value(option, draw)]
        elif kind < 0.75:
            words.append(flag)
        elif kind < 0.8:
            words.append(mistyped(f"{flag}={value(option, draw)}", draw))
        elif kind < 0.9:
            files = [
                *GIVEN_FILES,
                "none",
                "folder",
                "pipe",
                "/dev/zero",
                "base.flags",
                "",
                "\udcff",
            ]
            words.append(f"--flagfile={draw.choice(files)}")
        elif kind < 0.97:
            words.append(value(None, draw))
        else:
            others = ["--help", "--", "-", "--=", "--undefok=a", "--helpfull", "-h"]
            words.append(draw.choice(others))
    draw.shuffle(words)
    return words


@contextlib.contextmanager
def in_a_folder() -> Iterator[None]:
    """Enters a temporary folder with files, a folder, a link and a pipe. `~` is its parent."""
    here = Path.cwd()
    with (
        tempfile.TemporaryDirectory() as place,
        mock.patch.dict(os.environ, HOME=place),
    ):
        folder = Path(place) / "here"  # so that the parent folder is temporary too
        folder.mkdir()
        os.chdir(folder)
        for name, content in GIVEN_FILES.items():
            Path(name).write_text(content)
        Path("folder").mkdir()
        Path("link").symlink_to("none")
        os.mkfifo("pipe")
        try:
            yield
        finally:
            os.chdir(here)


def ran(command: Command, words: list[str]) -> tuple[str, str]:
    """Runs a command line; returns the exit status or the broken rule, and the printed text."""
    said, errors = io.StringIO(), io.StringIO()
    left_out = {"training.train_and_save": RESULT, "_reply": REPLY}.get(command.left_out, 0)
    holder, _, name = command.left_out.rpartition(".")
    patched = getattr(command.module, holder, command.module)
    started = time.perf_counter()
    with (
        mock.patch.object(patched, name, return_value=left_out),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(errors),
    ):
        try:
            status = command.module.main(words)
        except BaseException:
            return "a traceback", traceback.format_exc()
    told = errors.getvalue()
    parts = [told.count(part) for part in ("error:\n  expected: ", "\n  got: ", "\n  try: ")]
    printed = set(said.getvalue() + told) - {"\n"}
    wrong = {
        "an undocumented status": status not in command.statuses,
        "refused without three parts": status == max(command.statuses) and parts != [1, 1, 1],
        "a control character": any(not character.isprintable() for character in printed),
        "slow": time.perf_counter() - started > SECONDS,
    }
    what = next((words for words, holds in wrong.items() if holds), f"status {status}")
    return what, said.getvalue() + told


def main(lines: int = LINES, publish: bool = False) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    draw = Draw(0)
    outcomes = {name: Counter() for name in COMMANDS}
    wrong = []
    with in_a_folder():
        for number in track(range(lines), "random command lines"):
            name = [*COMMANDS][number % len(COMMANDS)]
            words = line(COMMANDS[name], draw)
            came, said = ran(COMMANDS[name], words)
            outcomes[name][came] += 1
            if not came.startswith("status"):
                wrong.append(f"{came}: {name} {words!a}\n{said[-1500:]!a}")
    numbers = {"lines": lines, "outcomes": outcomes}
    record("command_lines", numbers, publish)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, lines=200))
