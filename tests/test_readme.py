"""What the README shows is what the project does."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from experiments.biases import VARIANTS
from experiments.biases import __main__ as biases
from experiments.biases import report as biases_report
from experiments.common.record import PUBLISHED
from experiments.compare import __main__ as compare
from manual_grads.check import __main__ as check
from manual_grads.cli import options
from mnist_jax.config import Config
from mnist_jax.train import main
from tests import ROOT

README = (ROOT / "README.md").read_text()


def record(name):
    return json.loads((PUBLISHED / name).read_text())


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


def rows(heading):
    """The cells of the rows of the table under a heading, its head and rule left out."""
    table = [line for line in README.split(heading)[1].split("\n#")[0].splitlines() if "|" in line]
    return [[cell.strip() for cell in row.split(" | ")] for row in table[2:]]


@pytest.mark.parametrize(("place", "name"), list(enumerate(["base", "document", "large"])))
def test_its_step_times_are_those_of_the_committed_json(place, name):
    numbers = record(f"{name}_step_time.json")
    network, *cells = rows("### What it costs")[place]
    assert network.endswith("-".join(map(str, numbers["layer_sizes"])))
    ratios = numbers["ratios"]
    assert [cell.removesuffix(" |") for cell in cells] == [
        str(numbers["batch_size"]),
        f"{ratios['manual']['median']:.2f}",
        f"{ratios['checked']['median']:.2f}",
    ]
    assert all(len(seconds) >= 7 for seconds in numbers["epoch_seconds"].values())


def test_its_comparison_is_that_of_the_committed_json():
    prose, numbers = " ".join(README.split()), record("base_compare.json")
    assert numbers["seeds"] == list(range(10))
    means = {name: of["mean"] for name, of in numbers["accuracy"].items()}
    assert f"{means['autodiff']:.2%} (autodiff) and {means['manual']:.2%} (by hand)" in prose
    low, high = (100 * end for end in numbers["difference"]["interval"])
    assert f"from {low:+.3f} to {high:+.3f} percentage points" in prose
    for name in ("manual", "one rounding"):
        apart = {row["step"]: row["distance"] for row in numbers["trajectories"][name]}
        shown = ", ".join(f"{apart[step]:.1e}" for step in (1, 10, 100, 1000))
        assert f"{shown} after 1, 10, 100 and 1000 steps" in prose


def test_its_findings_on_biases_are_those_of_the_committed_json():
    prose, numbers = " ".join(README.split()), record("biases.json")
    assert (numbers["seeds"], numbers["mnist_seeds"], numbers["dataset"]) == (200, 10, "mnist")
    cells = rows("## The document's open problem")
    assert [row[0].removeprefix("| ") for row in cells] == list(VARIANTS)
    for way, *shown in cells:
        task = biases_report.task(numbers, "leaky_relu", "step", way.removeprefix("| "))
        (mnist,) = (row for row in numbers["mnist"] if row["variant"] == task["variant"])
        cost = task["final_cost"]["median"]
        accuracy = mnist["test_accuracy"]["mean"]
        survived = mnist["diverged"]["count"] == 0
        assert [cell.removesuffix(" |") for cell in shown] == [
            "∞" if cost is None else f"{cost:.1e}",
            f"{task['diverged']['count']}",
            f"{task['reached']['count']}",
            f"{accuracy:.2%}" if survived else "diverged",
        ]
    assert "as `experiments/results/biases.md` says" in prose


@pytest.mark.parametrize("place", range(2))
def test_its_injected_mistakes_are_those_of_the_committed_json(place):
    numbers = record("mistakes.json")
    counts = [numbers["single"], numbers["pairs"]][place]
    _, *cells = rows("### How well it names them")[place]
    verdicts = ("named", "unknown", "wrong tie", "wrong", "not detected", "changes nothing")
    shown = [cell.removesuffix(" |").replace(",", "") for cell in cells]
    assert shown == [str(counts.get(verdict, 0)) for verdict in ("injected", *verdicts)]
    assert sum(counts.get(verdict, 0) for verdict in verdicts) == counts["injected"]


def test_its_false_alarms_and_times_of_the_check_are_those_of_the_committed_json():
    prose, injected, times = (
        " ".join(README.split()),
        record("mistakes.json"),
        record("check_time.json"),
    )
    alarms, networks = injected["false_alarms"], injected["correct_networks"]
    assert f"Of {networks:,} correct gradients" in prose
    assert f"{alarms['float64']} in float64 and {alarms['float32']} in float32" in prose
    small, large = times["command_median"].values()
    assert f"takes {times['after_compilation_median']:.2f} s once compiled" in prose
    assert f"{small:.1f} s as a command, and {large:.1f} s for 784-1024-1024-10" in prose


def test_its_trials_of_sudden_death_are_those_of_the_committed_json():
    names = ("killing", "fuzzing", "hostile_runs", "stopping", "command_lines", "misbehaving")
    killing, fuzzing, hostile, stopping, lines, misbehaving = (
        json.loads((ROOT / f"tests/campaigns/{name}.json").read_text()) for name in names
    )
    met, stopped, ended = (
        sum((Counter(outcomes) for outcomes in of["outcomes"].values()), Counter())
        for of in (hostile, stopping, lines)
    )
    files = {
        outcome: sum(of.get(outcome, 0) for of in fuzzing["data"].values())
        for outcome in ("refused", "the published bytes")
    }
    read = fuzzing["checkpoints"]
    kills, stops = killing["SIGKILL"], killing["SIGTERM"]
    assert [[cell.removesuffix(" |") for cell in row[1:]] for row in rows("## Nothing lost")] == [
        [f"{kills['trials']}", f"{kills['bit for bit']} with the same bits"],
        [
            f"{stops['trials']}",
            f"{stops['bit for bit']} with the same bits, from the block that was running",
        ],
        [
            f"{fuzzing['files']:,}",
            f"{files['refused']:,} refused; {files['the published bytes']} whose decompressed "
            "bytes are the published ones; 0 believed",
        ],
        [
            f"{sum(read.values())}",
            f"{read['an older one, said']} an older one, and said so; "
            f"{read['an older one, the newest is gone']} an older one, for the newest was removed; "
            f"{read['the newest']} the newest, whole; {read['refused']} refused; 0 wrong",
        ],
        [
            f"{hostile['directories']:,}",
            f"{met['done']:,} times done, {met['refused']:,} times refused; 0 wrong",
        ],
        [
            f"{stopped.total()}",
            f"{stopped['stopped']} with their status and one line; "
            f"{stopped['ended before']} had ended; 0 lost",
        ],
        [
            f"{lines['lines']:,}",
            f"{ended['status 0']:,} done, {ended['status 1'] + ended['status 2']:,} refused in "
            "three parts; 0 wrong",
        ],
        [
            f"{misbehaving['kinds']}",
            f"{misbehaving['refused']} refused in three parts; 0 verdicts",
        ],
    ]
    assert sum(files.values()) == fuzzing["files"]
    assert len(read) == 4
    assert met.keys() == {"done", "refused"}
    assert stopped.keys() == {"stopped", "ended before"}
    assert ended.total() == lines["lines"]
    prose = " ".join(README.split())
    assert f"at most {fuzzing['memory']:.2f} times the memory" in prose
    share = record("checkpoint_cost.json")["share_median"]
    assert f"A checkpoint costs {share:.1%} of the time" in prose


def test_its_mutants_are_those_of_the_committed_json():
    numbers = json.loads((ROOT / "tests/campaigns/mutation.json").read_text())
    counts, prose = numbers["counts"], " ".join(README.split())
    assert f"Of {numbers['mutants']:,} mutants the tests kill {counts['killed']:,}" in prose
    assert f"{counts['crashed']} do not survive their import" in prose
    assert f"{counts['equivalent']} change nothing that can be seen" in prose
    assert sum(counts.values()) == numbers["mutants"]
    assert counts.keys() == {"killed", "crashed", "equivalent"}
    assert numbers["kill_suite_seconds"] <= 10


def test_the_code_beside_its_derivation_is_the_code():
    sources = "".join(
        (ROOT / path).read_text()
        for path in (
            "manual_grads/derivatives/document.py",
            "manual_grads/derivatives/network.py",
            "tests/manual_grads/derivatives/test_document.py",
            "tests/manual_grads/derivatives/cases.py",
        )
    )
    quoted = [
        code
        for _, *cells in rows("### One derivation, its code, its test")
        for cell in cells
        for code in re.findall(r"`(.*?)`", cell)
        if code != "1-n-1" and code != "jax.grad"
    ]
    assert len(quoted) == 8
    for code in quoted:
        assert code in sources, code


@pytest.mark.parametrize("name", sorted(path.name for path in PUBLISHED.glob("*.json")))
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
    others = {
        option.name
        for command in (check, compare, biases)
        for option in options.options_of(command.Options)
    }
    assert set(named) - {"flagfile", "help"} <= defaults.keys() | others


def test_its_python_runs_and_finds_the_accuracy_of_the_run(capsys):
    assert main(["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=1"]) == 0
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, {})  # noqa: S102 - the README's own code
    *_, last, printed = capsys.readouterr().out.splitlines()
    assert printed == f"{last.split()[0]} right"


def test_its_worked_example_prints_what_it_shows(capsys):
    section = README.split("## Which of my derivatives")[1].split("\n### ")[0]
    code, line, shown = re.findall(r"```(?:python|sh|text)\n(.*?)```", section, re.DOTALL)
    Path("mine.py").write_text(code)
    words = line.split("-m manual_grads.check ")[1].split()
    assert check.main(words) == 1
    printed = capsys.readouterr().out.splitlines()
    *table, first, second = shown.rstrip().splitlines()
    assert printed[-2:] == [first, second]
    # what rounding leaves in a leaf that agrees is another machine's to decide
    wrong = [line.split() for line in table if "1/bias" in line]
    assert wrong == [line.split() for line in printed if line.strip().startswith("1/bias")]


def test_every_file_in_its_reading_order_is_there():
    """A row begins with whole paths; what it names besides lies in the first of them."""
    for row in README.split("## Reading the code")[1].splitlines():
        paths = [Path(name) for name in re.findall(r"`([\w/]+(?:\.py|/))`", row)]
        for path in paths:
            there = path if len(path.parts) > 1 or path == paths[0] else paths[0] / path
            assert (ROOT / there).exists(), path
