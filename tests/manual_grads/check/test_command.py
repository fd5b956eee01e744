"""Tests of the command that checks a gradient: its output, files, errors and exit status."""

import json
import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from manual_grads.check import __main__ as check
from manual_grads.check import child

EXAMPLE = textwrap.dedent(
    re.findall(r"    import numpy.*?\n\n(?=FILE)", check.__doc__ or "", re.S)[0]
)
FLAGS = ["--layer_sizes=3,2", "--biases=output"]
WRONG = EXAMPLE.replace('"bias": delta.sum(axis=0)', '"bias": len(labels) * delta.sum(axis=0)')


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    """Runs the check without a child process, which is faster; `test_child.py` tests that one."""
    monkeypatch.setattr(check, "_reply", lambda argv, _, __, folder: child.answer(argv, folder))
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "argv", sys.argv)
    modules = {*sys.modules}
    yield
    for name in {*sys.modules} - modules:
        if name in ("mine", "author", "helper"):
            del sys.modules[name]


def run(code, *words, capsys, function="gradient"):
    """Runs the check on `code`; returns the exit status, the output and the error output."""
    Path("mine.py").write_text(code)
    status = check.main([f"mine.py:{function}", *FLAGS, *words])
    return status, *capsys.readouterr()


def test_the_example_in_the_help_runs_and_agrees(capsys):
    status, printed, _ = run(EXAMPLE, capsys=capsys)
    assert status == 0
    assert printed.splitlines()[-1] == "The gradient agrees with autodiff, in float64."


def test_a_mistake_is_named_with_its_leaf_and_written_as_json_and_picture(capsys):
    status, printed, _ = run(WRONG, "--json=r.json", "--heatmap=r.png", capsys=capsys)
    assert status == 1
    assert "bias-scale at 1/bias: it is summed over the batch; divide by the batch size" in printed
    report = json.loads(Path("r.json").read_text())
    assert report["agrees"] is False
    bias, weight = report["leaves"]
    assert (bias["leaf"], bias["shape"], bias["agrees"]) == ("1/bias", [2], False)
    assert bias["handwritten"] == pytest.approx(7 * bias["autodiff"])
    assert bias["max_error"] == pytest.approx(6 * abs(bias["autodiff"]))
    assert bias["arbiter"] == "autodiff"
    assert (weight["leaf"], weight["agrees"]) == ("1/weight", True)
    (diagnosis,) = report["diagnoses"]
    assert (diagnosis["mistake"], diagnosis["where"]) == ("bias-scale", "1/bias")
    assert Path("r.png").read_bytes().startswith(b"\x89PNG")


UNUSABLE = {
    "no such function": (EXAMPLE, "other", "mine.py must define the function other", "gradient"),
    "raises": (
        EXAMPLE.replace("labels] -= 1", "label] -= 1"),
        "gradient",
        "must not raise",
        "[np.",
    ),
    "does not load": ("import nothing_there", "gradient", "mine.py must load", "import nothing"),
    "no python": ("def gradient(:", "gradient", "mine.py must load", "line 1: def"),
    "wrong structure": (
        EXAMPLE.replace("[{}, {", "[{"),
        "gradient",
        "the form [{}, {",
        '[{"weight": (2, 3)',
    ),
    "wrong shape": (
        EXAMPLE.replace("sum(axis=0)", "sum(axis=1)"),
        "gradient",
        "shape (2,)",
        "(7,)",
    ),
    "not finite": (EXAMPLE.replace("delta.T @", "np.nan * delta.T @"), "gradient", "finite", "1/w"),
}


@pytest.mark.parametrize("case", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_code_that_cannot_be_checked_gives_status_2_and_an_error(case, capsys):
    code, function, expected, got = case
    status, _, errors = run(code, function=function, capsys=capsys)
    assert status == 2
    first, rest = errors.split("\n  got:      ")
    assert expected in first
    assert got in rest.split("\n  try: ")[0]
    assert len(rest.split("\n  try: ")) == 2


@pytest.mark.parametrize(
    "words",
    [[], ["a.py:f", "b.py:f"], ["none.py:f"], ["mine.py:gradient", "--activaton=tanh"]],
    ids=" ".join,
)
def test_an_invalid_command_line_gives_status_2(words, capsys):
    Path("mine.py").write_text(EXAMPLE)
    assert check.main(words) == 2
    assert "got:" in capsys.readouterr().err


def test_squared_error_needs_no_other_flag_and_loss_function_replaces_it(capsys):
    Path("mine.py").write_text(
        "def loss(params, images, targets):\n"
        "    z = images @ params[1]['weight'].T\n"
        "    return ((targets - z) ** 2).sum(axis=1).mean()\n"
        "def gradient(params, images, targets):\n"
        "    z = images @ params[1]['weight'].T\n"
        "    return [{}, {'weight': 2 * (z - targets).T @ images / len(images)}]\n"
    )
    words = ["--layer_sizes=3,2", "--biases=none", "--loss=squared_error", "--activation=tanh"]
    assert check.main(["mine.py:gradient", *words]) == 1
    assert check.main(["mine.py:gradient", *words, "--loss_function=mine.py:loss"]) == 0


LEAKED = """
import numpy as np

def f(z):
    return np.where(z > 0, z, 0.1 * z)

def slope(z):
    return np.where(z > 0, 1.0, 0.1)

def gradient(params, images, targets):
    b0, w1, b1 = params[0]["bias"], params[1]["weight"][:, 0], params[1]["bias"]
    w2, b2 = params[2]["weight"][0], params[2]["bias"]
    d_w1, d_b1, d_w2 = np.zeros(5), np.zeros(5), np.zeros(5)
    for x, y in zip(images[:, 0], targets[:, 0]):
        z0 = x + b0[0]
        z1 = w1 * f(z0) + b1
        z2 = w2 @ f(z1) + b2[0]
        g = -2 * (y - f(z2)) * slope(z2)
        for j in range(5):
            d_w2[j] += g * f(z1)[j]
            d_w1[j] += g * w2[j] * slope(z1)[j] * f(z0)
            d_b1[j] += g * w2[j] * slope(z1)[j]
        d_b1[j] += g
        d_b1[j] += g * np.sum(w2 * slope(z1) * w1) * slope(z0)
    n = len(images)
    return [
        {"bias": np.zeros(1)},
        {"weight": d_w1[:, None] / n, "bias": d_b1 / n},
        {"weight": d_w2[None, :] / n, "bias": np.zeros(1)},
    ]
"""


def test_the_documents_own_mistake_is_named_with_both_owners_and_the_slot(capsys):
    Path("author.py").write_text(LEAKED)
    words = "--layer_sizes=1,5,1 --activation=leaky_relu --loss=squared_error"
    words += " --input_layer=active --biases=input,hidden,output --json=r.json"
    assert check.main(["author.py:gradient", *words.split()]) == 1
    printed = capsys.readouterr().out
    (line,) = [line for line in printed.splitlines() if "leaked-slot" in line]
    assert "leaked-slot at 1/bias" in line
    assert "0/bias and 2/bias" in line
    assert "entry 4 of 1/bias" in line
    (diagnosis,) = json.loads(Path("r.json").read_text())["diagnoses"]
    assert diagnosis["mistake"] == "leaked-slot"


@pytest.mark.parametrize(
    "words",
    [
        ["--json=mine.py"],
        ["--heatmap=./mine.py"],
        ["--json=helper.py"],
        ["--flagfile=my.flags", "--json=my.flags"],
        ["--flagfile", "my.flags", "--json=my.flags"],
        ["--json=r.json", "--heatmap=folder/../r.json"],
        ["--json=r.json", "--heatmap=r.json"],
    ],
    ids=" ".join,
)
def test_a_report_never_overwrites_an_input_file(words, capsys):
    Path("helper.py").write_text("import numpy as np\n")
    Path("my.flags").write_text("--batch_size=5\n")
    Path("r.json").write_text("another report")
    before = {path: path.read_bytes() for path in Path.cwd().glob("*.*")}
    status, _, errors = run(f"import helper\n{EXAMPLE}", *words, capsys=capsys)
    assert status == 2
    assert "must not overwrite a file that the command reads" in errors
    assert before.items() <= {path: path.read_bytes() for path in Path.cwd().glob("*.*")}.items()


NAMES = {
    "no function": ("mine.py", "try:      mine.py:gradient"),
    "no function, the first has another name": ("many.py", "try:      many.py:my_gradient"),
    "no Python": ("/etc/passwd:f", "try:      FILE.py:FUNCTION"),
    "no file": ("none.py:f", "got:      no such file or folder"),
    "a folder": ("folder.py:f", "got:      a folder"),
    "two arguments": ("mine.py:two", "try:      def two(params, images, labels):"),
    "no function of that name": ("mine.py:twoo", "try:      mine.py:two"),
}


@pytest.mark.parametrize(("name", "words"), NAMES.values(), ids=NAMES.keys())
def test_the_error_for_a_wrong_function_name_shows_the_right_form(name, words, capsys):
    Path("folder.py").mkdir()
    Path("many.py").write_text("def softmax(z): ...\ndef my_gradient(p, x, y): ...\n")
    Path("mine.py").write_text(EXAMPLE + "\ndef two(params, images):\n    return params\n")
    assert check.main([name, *FLAGS]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("line", ["np.all = lambda *_: True", "sys.modules['json'].dumps = str"])
def test_code_that_replaces_a_library_function_gets_no_verdict(line, monkeypatch, capsys):
    monkeypatch.setattr(np, "all", np.all)
    monkeypatch.setattr(json, "dumps", json.dumps)
    status, printed, errors = run(f"import sys\n{WRONG}\n{line}\n", capsys=capsys)
    monkeypatch.undo()
    assert (status, printed) == (2, "")
    assert "it has replaced" in errors


def test_the_codes_settings_for_errors_and_warnings_do_not_affect_the_check(capsys):
    sets = "import warnings, numpy as np\nnp.seterr(all='raise')\nwarnings.simplefilter('error')\n"
    in_the_function = EXAMPLE.replace("    z =", "    np.seterr(all='raise')\n    z =")
    assert run(sets + in_the_function, capsys=capsys)[0] == 0
    assert np.geterr()["under"] == "ignore"


LOSSES = {
    "in NumPy": ("np.sum(np.asarray(images))", "in NumPy", "import jax.numpy as jnp"),
    "of no mean": ("jnp.sum(images, axis=1)", "float64[7]", "jnp.mean"),
    "complex": ("jnp.sum(images).astype(complex)", "complex128[]", "jnp.mean"),
    "of whole numbers": ("jnp.sum(labels)", "int64[]", "jnp.mean"),
    "of half precision": ("jnp.sum(images).astype('float16')", "float16[]", "jnp.mean"),
    "no number": ("None", "NoneType", "jnp.mean"),
}


@pytest.mark.parametrize(("result", "got", "repair"), LOSSES.values(), ids=LOSSES.keys())
def test_the_error_for_a_loss_that_is_no_jax_scalar_shows_its_type(result, got, repair, capsys):
    code = f"import jax.numpy as jnp\n{EXAMPLE}\ndef loss(params, images, labels):\n"
    words = ["--loss_function=mine.py:loss"]
    status, _, errors = run(f"{code}    return {result}\n", *words, capsys=capsys)
    assert status == 2
    second, third = errors.split("\n  got:      ")[1].split("\n  try: ")
    assert got in second
    assert repair in third


def test_the_template_is_printed_without_a_function(capsys):
    assert check.main(["--template", "--layout=numpy", *FLAGS]) == 0
    code = capsys.readouterr().out
    assert run(code, "--layout=numpy", capsys=capsys)[0] == 1
    right = EXAMPLE.split("    return")[0].replace(
        'params[1]["weight"], params[1]["bias"]', "params"
    )
    right = right.replace("images @ weight.T", "images @ weight")
    right += "    return [images.T @ delta, delta.sum(axis=0)]\n"
    assert run(right, "--layout=numpy", capsys=capsys)[0] == 0
