"""The training command: its output, its errors, and its exit status."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mnist_jax
from manual_grads.cli import options
from mnist_jax.config import Config
from mnist_jax.data import sources
from mnist_jax.runs.directory import FIRST_LAYER, LEARNING_CURVE, MISTAKES
from mnist_jax.train import main
from tests import ROOT
from tests.mnist_jax.data import small_mnist
from tests.mnist_jax.data.test_download import dead_mirror

BASE = ROOT / "experiments" / "base.flags"
FAST = ROOT / "experiments" / "fast.flags"
DOCUMENT = ROOT / "experiments" / "document.flags"
QUICK = ["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=2"]


def command(*words, **options):
    """The command as the README gives it, to be run in a new process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return [sys.executable, "-m", "mnist_jax.train", *words], {"env": environment, **options}


def run(*words):
    """Runs the command to its end, with the XLA flags that users have."""
    arguments, settings = command(*words, capture_output=True, text=True, check=True)
    settings["env"].pop("XLA_FLAGS")
    return subprocess.run(arguments, **settings)


def test_a_read_only_home_causes_no_message():
    """Libraries such as matplotlib keep caches in the home folder and warn if they cannot."""
    words, settings = command(*QUICK, capture_output=True, text=True, check=True)
    settings["env"] |= {"HOME": "/dev/null/none"}
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        settings["env"].pop(name, None)
    assert subprocess.run(words, **settings).stderr == ""


def test_the_defaults_are_those_of_base_flags():
    assert options.parse(Config, [f"--flagfile={BASE}"]) == Config()


def test_base_flags_say_every_flag_that_decides_the_result():
    said = set(re.findall(r"^--(\w+)=", BASE.read_text(), re.MULTILINE))
    unsaid = {"workdir", "overwrite", "resume", "checkpoint_every_seconds", "block_steps"}
    unsaid |= {"timings", "devices", "coordinator", "processes", "process_id", "process_timeout"}
    unsaid |= {"data_dir", "train_examples", "validation_examples", "negative_slope", "momentum"}
    assert said | unsaid == {option.name for option in options.options_of(Config)}


def test_document_flags_are_the_authors_later_program():
    config = options.parse(Config, [f"--flagfile={DOCUMENT}"])
    assert config.architecture.layer_sizes == (784, 35, 35, 10)
    assert config.architecture.biases == ("input", "hidden", "output")
    assert (config.architecture.activation, config.architecture.negative_slope) == (
        "leaky_relu",
        0.1,
    )
    assert (config.architecture.input_layer, config.architecture.loss) == (
        "active",
        "squared_error",
    )
    assert (config.init, config.init_scale) == ("uniform", 0.5)
    assert (config.optimizer, config.learning_rate, config.schedule) == ("sgd", 0.01, "constant")
    assert (config.batch_size, config.epochs) == (32, 40)


def test_the_command_prints_an_epoch_a_line_and_ends_with_accuracy_and_place(capsys):
    assert main(QUICK) == 0
    reading, compiling, *epochs, last = capsys.readouterr().out.splitlines()
    assert reading == "reading digits, the 1,797 small images in scikit-learn"
    assert compiling == "compiling"
    assert [line[:9] for line in epochs] == ["epoch 1/2", "epoch 2/2"]
    result = json.loads(Path("runs/base/result.json").read_text())
    assert f"{result['test_accuracy']:.2%} of 360 test examples of digits" in last
    assert f"({result['test_errors']} wrong)" in last
    assert last.endswith("runs/base")
    assert result["seconds"]["load"] > 0


@pytest.mark.usefixtures("undrawn")
def test_the_dataset_that_auto_chose_is_the_one_that_is_kept(capsys, monkeypatch):
    with dead_mirror() as address:
        monkeypatch.setattr(sources, "MNIST", small_mnist.published(address))
        assert main(["--layer_sizes=784,8,10", "--epochs=1", "--dataset=auto"]) == 0
    assert mnist_jax.load("runs/base")[0].dataset == "digits"


@pytest.mark.parametrize(
    "word",
    ["--train_examples=0", "--batch_size=0", "--weight_decay=-1", "--name=..", "--momentum=1",
     "--init_scale=0", "--workdir=", "--warmup_epochs=-1", "--init=xavier", "--schedule=step",
     "--optimizer=lion", "--gradient=numeric", "--dataset=cifar", "--loss=hinge"],
)  # fmt: skip
def test_every_option_has_its_rule(word, capsys):
    assert main([word]) == 1
    assert capsys.readouterr().err.startswith(f"error:\n  expected: {word.split('=')[0]} must ")


@pytest.mark.usefixtures("undrawn")
def test_the_command_works_twice_and_timings_are_printed_if_they_are_asked_for(capsys):
    assert main(QUICK) == 0
    assert main([*QUICK, "--timings"]) == 0
    last, timings = capsys.readouterr().out.splitlines()[-2:]
    assert last.endswith("runs/base-2")
    assert re.fullmatch(r"seconds: imports [\d.]+, .*, other [\d.]+, total [\d.]+", timings)


def test_help_is_printed_and_is_no_error(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    assert "python -m mnist_jax.train" in printed
    assert "--layer_sizes=784" in printed


def folder_with(name, content):
    folder = small_mnist.write(Path("data"))
    (folder / name).write_bytes(content)
    return ["--data_dir=data"]


def a_run_of_ours():
    assert main([*QUICK, "--workdir=mine"]) == 0
    return [*QUICK, "--workdir=mine"]


def a_file_in_the_way():
    Path("file").touch()
    return [*QUICK, "--workdir=file/run"]


BAD_INPUT = {
    "a value that is none": (lambda: ["--activation=rleu"], "--activation must be one of", "=relu"),
    "a number that is none": (
        lambda: ["--epochs=ten"],
        "--epochs must be a whole number",
        "--epochs=4",
    ),
    "epochs without end": (
        lambda: ["--epochs=99999999999999999999"],
        "--epochs must be at least 1 and at most 1,000,000",
        "--epochs=",
    ),
    "a rate that is 0 in float32": (
        lambda: ["--learning_rate=1e-46"],
        "--learning_rate must be above 0 and finite in float32",
        "--learning_rate=",
    ),
    "a momentum that is 1 in float32": (
        lambda: ["--momentum=0.99999999999"],
        "--momentum must be at least 0 and below 1 in float32",
        "--momentum=",
    ),
    "a name that cannot be seen": (
        lambda: ["--name=a\x1b[2J"],
        "--name must be the name of a folder",
        "--name=base",
    ),
    "no epochs": (lambda: ["--epochs=0"], "--epochs must be at least 1", "--epochs="),
    "a negative rate": (lambda: ["--learning_rate=-1"], "--learning_rate must be above 0", "="),
    "a seed too large": (
        lambda: ["--seed=4294967296"],
        "--seed must be at least 0 and",
        "--seed=0",
    ),
    "a flag that is none": (
        lambda: ["--epoch=3"],
        "must be one that this command knows",
        "--epochs",
    ),
    "a word that is no flag": (
        lambda: ["experiments/base.flags"],
        "every word must be a flag",
        "--flagfile=experiments/base.flags",
    ),
    "sizes that start elsewhere": (
        lambda: ["--layer_sizes=100,50,10"],
        "must start with the image size, 784",
        "--layer_sizes=784,50,10",
    ),
    "sizes that end elsewhere": (
        lambda: ["--layer_sizes=784,50,9"],
        "end with the number of classes, 10",
        "--layer_sizes=784,50,10",
    ),
    "a name with a folder": (lambda: ["--name=a/b"], "--name must be the name", "--name="),
    "only warm-up": (lambda: ["--warmup_epochs=9"], "--warmup_epochs must be below", "smaller"),
    "overwrite of nothing": (lambda: ["--overwrite"], "--overwrite needs the", "--workdir="),
    "a missing folder": (
        lambda: ["--data_dir=absent"],
        "must be a folder that holds",
        "--data_dir=",
    ),
    "an empty file": (
        lambda: folder_with("train-images-idx3-ubyte", b""),
        "must be the published file",
        "published file",
    ),
    "a truncated file": (
        lambda: folder_with("t10k-labels-idx1-ubyte.gz", b"\x1f\x8b"),
        "must",
        "published file",
    ),
    "too many examples": (
        lambda: [*QUICK, "--train_examples=1438"],
        "must be at most 1437",
        "to use all",
    ),
    "a folder that cannot be made": (
        a_file_in_the_way,
        "must be a writable folder",
        "--workdir",
    ),
    "a workdir that holds a run": (
        a_run_of_ours,
        "mine must not already contain a run",
        "--overwrite",
    ),
    "a loss that is not finite": (
        lambda: [*QUICK, "--optimizer=sgd", "--weight_decay=0", "--learning_rate=1e38"],
        "the loss must stay finite",
        "--learning_rate below",
    ),
}


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("words", "expected", "repair"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_ends_in_three_parts_and_status_1(words, expected, repair, capsys):
    words = words()
    capsys.readouterr()
    assert main(words) == 1
    printed = capsys.readouterr().err
    error, first, second, third = printed.splitlines()
    assert error == "error:"
    assert first.startswith("  expected: ")
    assert expected in first
    assert second.startswith("  got:      ")
    assert third.startswith("  try:      ")
    assert repair in third


@pytest.mark.usefixtures("undrawn")
def test_a_refused_workdir_keeps_its_run(capsys):
    words = a_run_of_ours()
    before = {path: path.read_bytes() for path in Path("mine").rglob("*") if path.is_file()}
    assert main([*words, "--seed=1"]) == 1
    assert {path: path.read_bytes() for path in Path("mine").rglob("*") if path.is_file()} == before


def test_bad_data_leaves_no_run_directory(capsys):
    assert main(["--data_dir=absent"]) == 1
    assert not Path("runs").exists()


@pytest.mark.usefixtures("undrawn")
def test_two_processes_give_the_same_bits():
    assert main([*QUICK, "--workdir=a"]) == 0
    arguments, settings = command(*QUICK, "--workdir=b", capture_output=True, check=True)
    subprocess.run(arguments, **settings)
    assert (
        Path("a/parameters.safetensors").read_bytes()
        == Path("b/parameters.safetensors").read_bytes()
    )


def test_base_flags_read_the_embedded_digits_well(capsys):
    assert main([f"--flagfile={BASE}", "--dataset=digits", "--workdir=here"]) == 0
    printed = capsys.readouterr().out
    result = json.loads(Path("here/result.json").read_text())
    assert result["test_accuracy"] >= 0.95
    assert printed.splitlines()[-1].endswith("here")
    config, params = mnist_jax.load("here")
    assert params[1]["weight"].shape == config.architecture.layer_sizes[1::-1]
    for figure in (FIRST_LAYER, LEARNING_CURVE, MISTAKES):
        assert Path("here", figure).read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("undrawn")
def test_document_flags_read_the_embedded_digits_too():
    assert main([f"--flagfile={DOCUMENT}", "--dataset=digits", "--workdir=here"]) == 0
    assert json.loads(Path("here/result.json").read_text())["test_accuracy"] >= 0.85


def test_fast_flags_read_mnist_better_than_97_5_percent(mnist_data_dir):
    run(f"--flagfile={FAST}", f"--data_dir={mnist_data_dir}", "--workdir=here")
    result = json.loads(Path("here/result.json").read_text())
    assert (result["dataset"], result["test_examples"]) == ("mnist", 10_000)
    assert result["test_accuracy"] >= 0.975
