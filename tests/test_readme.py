"""What the README shows is what the project does."""

import json
import re
from pathlib import Path

import pytest

from experiments import results
from manual_grads import options
from mnist_jax.config import Config
from mnist_jax.train import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def record(name):
    return json.loads((results.PUBLISHED / name).read_text())


def test_its_two_commands_are_one_line_each():
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv .venv && ")]
    assert [line.split(".venv/bin/")[-1] for line in lines] == [
        "python -m mnist_jax.train --flagfile=experiments/base.flags",
        "python -m pytest",
    ]


@pytest.mark.parametrize("name", ["base", "document"])
def test_its_accuracies_are_those_of_the_committed_json(name):
    numbers = record(f"{name}_accuracy.json")
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{name}.flags`")]
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[2:] == [
        f"{numbers['seeds'][0]}–{numbers['seeds'][-1]}",
        f"{numbers['median']:.2%}",
        f"{numbers['mean']:.2%} ± {numbers['standard_deviation']:.2%}",
        f"{numbers['best']:.2%}",
    ]
    config = options.parse(Config, [f"--flagfile={ROOT}/experiments/{name}.flags"])
    assert cells[1].startswith("-".join(map(str, config.architecture.layer_sizes)))
    assert numbers["dataset"] == "mnist"
    assert len(numbers["test_accuracy"]) == len(numbers["seeds"])


def test_its_speeds_are_those_of_the_committed_json():
    prose = " ".join(README.split())
    throughput, accuracy = record("base_throughput.json"), record("base_accuracy.json")
    assert f"takes about {accuracy['median_seconds']['total']:.0f} s" in prose
    assert f"runs at {throughput['ratio']:.2f} of the rate" in prose
    assert f"compiles in {throughput['compile_seconds_median']:.2f} s" in prose
    assert throughput["cores"] == accuracy["cores"] == 2


@pytest.mark.parametrize(
    "name", ["base_accuracy.json", "document_accuracy.json", "base_throughput.json"]
)
def test_the_command_beside_the_numbers_is_the_one_that_made_them(name):
    assert f".venv/bin/{record(name)['command']}\n" in README


def test_its_pictures_are_there():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)
    assert pictures
    for picture in pictures:
        assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def test_its_flags_exist_with_the_defaults_that_it_shows():
    table = README.split("## The flags that matter")[1].split("## Reading")[0]
    shown = dict(re.findall(r"^\| `--(\w+)=([^`]*)`", table, re.MULTILINE))
    defaults = {option.name: options.text(option.default) for option in options.options_of(Config)}
    assert len(shown) >= 8
    assert shown.pop("workdir") == "PATH"
    assert shown.items() <= defaults.items()
    named = re.findall(r"`--(\w+)", README)
    assert set(named) - {"flagfile", "help"} <= defaults.keys()


def test_its_python_runs_and_finds_the_accuracy_of_the_run(capsys):
    assert main(["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=1"]) == 0
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, {})  # noqa: S102 - the README's own code
    *_, last, printed = capsys.readouterr().out.splitlines()
    assert printed == f"{last.split()[0]} right"


def test_every_file_in_its_reading_order_is_there():
    reading = README.split("## Reading the code")[1]
    folder = Path()
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", reading):
        path = Path(name)
        folder = path if name.endswith("/") else path.parent if "/" in name else folder
        assert (ROOT / (folder if name.endswith("/") else folder / path.name)).exists(), name
