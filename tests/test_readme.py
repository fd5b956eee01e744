"""Tests that the READMEs match the project: numbers, code, commands, flags and links."""

import importlib.util
import json
import re
import shlex
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnist_jax
from experiments.common.record import PUBLISHED
from manual_grads.check import __main__ as check
from manual_grads.cli import options
from mnist_jax import Config, data, recognise, train
from tests import ROOT
from tests.campaigns.summary import campaign, promises
from tests.tables import READMES, filled

README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def named(path):
    return str(path.relative_to(ROOT))


def blocks(path, language):
    return [text for kind, text in BLOCK.findall(path.read_text()) if kind == language]


@pytest.mark.parametrize("path", READMES, ids=named)
def test_the_numbers_are_those_of_the_committed_json(path):
    """If this fails, run `python -m tests.tables`."""
    assert filled(path.read_text()) == path.read_text()


def test_the_committed_campaigns_found_nothing_wrong():
    rows = promises().splitlines()[2:]
    assert len(rows) == 8
    assert all(re.search(r"; 0 (wrong|believed) \|$|\| (\d+) \| \2 end with", row) for row in rows)
    mutation = campaign("mutation")
    assert mutation["counts"].keys() == {"killed", "crashed", "equivalent"}
    assert sum(mutation["counts"].values()) == mutation["mutants"]


def test_the_first_screen_has_at_most_140_lines_and_the_two_commands():
    assert len(README.read_text().splitlines()) <= 140
    lines = [line.strip() for line in blocks(README, "sh")]
    assert [
        line.split(".venv/bin/")[-1] for line in lines if line.startswith("python3 -m venv")
    ] == [
        "python -m mnist_jax.train --flagfile=experiments/base.flags",
        "python -m pytest",
    ]


def test_its_example_of_a_check_prints_what_it_shows(capsys):
    code = next(text for text in blocks(README, "python") if "def gradient" in text)
    (shown,) = blocks(README, "text")
    words = next(line for line in blocks(README, "sh") if "manual_grads.check" in line).split()
    Path("mine.py").write_text(code)
    assert check.main(words[words.index("manual_grads.check") + 1 :]) == 1
    printed = capsys.readouterr().out.splitlines()
    wanted = shown.splitlines()
    assert len(printed) == len(wanted)
    for line, expected in zip(printed, wanted, strict=True):
        if "agrees" not in line:  # rounding in a right leaf differs from machine to machine
            assert line.split() == expected.split()


def test_its_example_recognises_a_picture_of_ones_own(capsys):
    words = ["--dataset=digits", "--layer_sizes=784,32,10", "--epochs=5"]
    assert train.main(words) == 0
    images, labels = data.load(Config(dataset="digits"), say=lambda line: None).test
    place = int(np.argmax(labels == 7))
    picture = Image.fromarray(255 - images[place])
    picture.resize((140, 140), Image.Resampling.NEAREST).convert("RGB").save("seven.png")
    capsys.readouterr()
    line = next(line for line in blocks(README, "sh") if "seven.png" in line)
    assert recognise.main(line.split()[3:]) == 0
    (from_python,) = re.findall(r'`(mnist_jax.load\("runs/base"\)[^`]*)`', README.read_text())
    digit = eval(from_python, {"mnist_jax": mnist_jax})  # noqa: S307 - the README's own code
    assert capsys.readouterr().out.startswith(f"seven.png: {digit}\n")
    assert Path("seen.png").exists()


@pytest.mark.parametrize("path", [path for path in READMES if path != README], ids=named)
def test_every_python_block_of_a_package_runs_and_prints_what_is_shown(path, capsys):
    names = {}
    for code in blocks(path, "python"):
        exec(code, names)  # noqa: S102 - the README's own code
    printed = capsys.readouterr().out
    for shown in blocks(path, "text"):
        assert shown in printed


def test_its_derivations_are_each_beside_the_code_of_its_formula():
    """Under each heading of the document stand a formula and one line of Python."""
    text = (ROOT / "manual_grads/README.md").read_text().split("## The same for any network")[0]
    parts = re.split(r"^\*\*(.*?)\.\*\*", text, flags=re.MULTILINE)[1:]
    derivations = dict(zip(parts[::2], parts[1::2], strict=True))
    assert list(derivations) == [
        "Hidden Layer → Output Layer weight derivatives",
        "Input Layer → Hidden Layer weight derivatives",
        "Output Layer bias derivatives",
        "Hidden Layer bias derivatives",
        "Input Layer bias derivatives",
    ]
    for derivation in derivations.values():
        (formula, code), *_ = re.findall(
            r"```math\n(.*?)```\n\n```python\n(dC_d\w+ = [^\n]*)\n```", derivation, re.DOTALL
        )
        assert r"\frac{\partial C}" in formula
        assert code


def test_every_mistake_that_the_check_has_named_has_a_line():
    text = (ROOT / "manual_grads/README.md").read_text().split("### Every mistake")[1]
    listed = re.findall(r"^\| `([\w-]+)` \|", text, re.MULTILINE)
    named = {*json.loads((PUBLISHED / "mistakes.json").read_text())["by_mistake"]}
    for name in ("real_mistakes", "program_mutants"):
        content = (ROOT / f"tests/campaigns/{name}.json").read_text()
        named |= {*re.findall(r'"mistake": "([\w-]+)"', content)}
    assert named - {"unknown"} <= set(listed)
    assert listed == sorted(listed)


def commands(path):
    """The command lines of a README, without `.venv/bin/`."""
    text = path.read_text()
    lines = "\n".join(blocks(path, "sh")).splitlines()
    lines += re.findall(r"`((?:\.venv/bin/)?python -m [^`]+)`", text)
    return [line for line in lines if " -m " in line and not line.startswith("python3")]


@pytest.mark.parametrize("path", READMES, ids=named)
def test_every_command_is_one_and_knows_its_flags(path):
    for line in commands(path):
        words = [word for word in shlex.split(line) if not word.startswith(("MNIST_", "HYPO"))]
        assert words[0].removeprefix(".venv/bin/") == "python"
        module, given = words[2], words[3:]
        if module == "pytest":
            assert all((ROOT / word).exists() for word in given), line
            continue
        found = importlib.util.find_spec(module)
        assert found is not None, line
        if module.startswith("tests."):
            continue
        main = found.name if found.submodule_search_locations is None else f"{module}.__main__"
        known = importlib.import_module(main)
        options_class = Config if module == "mnist_jax.train" else known.Options
        flags = [word for word in given if word.startswith("--") and "…" not in word]
        flags = [word for word in flags if word != "--help"]
        if module == "mnist_jax.train" and "--resume" in flags:
            flags.append("--workdir=here")
        options.parse(options_class, flags)


def test_the_flags_are_shown_with_their_defaults():
    table = (
        (ROOT / "mnist_jax/README.md").read_text().split("## The flags that")[1].split("\n## ")[0]
    )
    shown = dict(re.findall(r"`--(\w+)=([^`]*)`", table))
    defaults = {option.name: options.text(option.default) for option in options.options_of(Config)}
    assert (shown.pop("workdir"), shown.pop("compilation_cache")) == ("PATH", "FOLDER")
    assert shown.pop("label_smoothing") == "0"  # for squared error; it is 0.1 otherwise
    assert len(shown) >= 10
    different = {name for name, value in shown.items() if defaults[name] != value}
    assert different <= {"biases"}  # which is shown for a network without hidden layer, too


@pytest.mark.parametrize("path", READMES, ids=named)
def test_every_link_leads_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        file, _, heading = link.partition("#")
        if file.startswith("https://"):
            continue
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in headings]
            assert heading in anchors, link


def test_every_place_in_its_map_is_there():
    for place in re.findall(
        r"^\| (`.*?) \|", README.read_text().split("## Where")[1], re.MULTILINE
    ):
        for name in re.findall(r"`([^`]+)`", place):
            assert (ROOT / name).exists(), name


def test_the_readmes_use_public_names_only():
    """The READMEs import from a package only the names that the package exports."""
    imported = Counter()
    for path in READMES:
        for code in blocks(path, "python"):
            for module, names in re.findall(r"^from (\S+) import (.*)$", code, re.MULTILINE):
                if module.split(".")[0] in ("manual_grads", "mnist_jax", "experiments"):
                    package = importlib.import_module(module)
                    assert hasattr(package, "__path__"), f"{module} is a file inside a package"
                    assert {name.strip() for name in names.split(",")} <= {*package.__all__}
                    imported[module] += 1
    assert imported
