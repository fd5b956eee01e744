"""The layouts `numpy` and `numpy_dict`: the answer has the names, indices and order of the user."""

import re
from pathlib import Path

import pytest

from manual_grads.check import __main__ as check
from manual_grads.check.layouts import in_rows
from tests.manual_grads.check.test_command import in_this_process  # noqa: F401 - a fixture

NUMPY_STYLE = """
import numpy as np


def gradient(params, images, labels):
    W1, b1, W2, b2 = (params[name] for name in ("W1", "b1", "W2", "b2"))
    z1 = images @ W1 + b1
    a1 = np.maximum(z1, 0)
    p = np.exp(a1 @ W2 + b2)
    d2 = (p / p.sum(axis=1, keepdims=True) - labels) / len(images)
    d1 = d2 @ W2.T
    dW1 = images.T @ d1
    dW1[4, 1] += 10
    return {"dW1": dW1, "db1": d1.sum(axis=0), "dW2": a1.T @ d2, "db2": d2.sum(axis=0)}
"""
NUMPY_WORDS = ["mine.py:gradient", "--layout=numpy_dict", "--labels=one_hot", "--layer_sizes=6,3,2"]


def test_the_answer_has_the_names_and_indices_of_the_layout(capsys):
    Path("mine.py").write_text(NUMPY_STYLE)
    assert check.main(NUMPY_WORDS) == 1
    printed = capsys.readouterr().out
    assert re.search(r"^  W1 .* 4,1 .* wrong$", printed, re.MULTILINE)
    assert "slope-missing at dZ1" in printed
    assert "    yours  dZ1 = dZ2 @ W2.T\n    right  dZ1 = dZ2 @ W2.T * f'(Z1)\n" in printed
    assert not re.search("/weight|δ|ᵀ|delta", printed)


def test_a_gradient_that_is_right_for_another_activation_is_told_so(capsys):
    tanh = NUMPY_STYLE.replace("np.maximum(z1, 0)", "np.tanh(z1)").replace("+= 10", "+= 0")
    Path("mine.py").write_text(tanh.replace("d2 @ W2.T", "d2 @ W2.T * (1 - a1**2)"))
    assert check.main([*NUMPY_WORDS, "--activation=tanh"]) == 0
    capsys.readouterr()
    assert check.main(NUMPY_WORDS) == 1
    assert capsys.readouterr().out.endswith(
        "  other-activation at every leaf: it is right for a network with tanh: correct f, or "
        "use --activation=tanh\n    yours  f = tanh\n    right  f = relu\n"
    )


def test_an_exception_is_told_with_the_flags_that_decide_the_arguments(capsys):
    Path("mine.py").write_text(NUMPY_STYLE)
    assert check.main([*NUMPY_WORDS, "--layout=layers"]) == 2
    assert capsys.readouterr().err.endswith(
        "  try:      correcting mine.py, or another value of a flag: --layer_sizes=6,3,2 "
        "--layout=layers --labels=one_hot\n"
    )


def test_a_wrong_shape_is_told_with_the_size_of_the_batch(capsys):
    Path("mine.py").write_text(NUMPY_STYLE.replace("d1.sum(axis=0)", "d1.sum(axis=1)"))
    assert check.main(NUMPY_WORDS) == 2
    assert capsys.readouterr().err.endswith(
        "must have the shape (3,)\n  got:      (7,), on a batch of 7 examples\n"
        "  try:      a sum over the examples instead of the units\n"
    )


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ("δ² = W³ᵀ δ³ ⊙ f'(z²)", "dZ2 = dZ3 @ W3.T * f'(Z2)"),
        ("δ¹ = W² δ²", "dZ1 = dZ2 @ W2"),
        ("δ¹ = −1 · W²ᵀ (δ² ⊙ (1 − a²)) ⊙ a¹", "dZ1 = −1 · (dZ2 * (1 − A2)) @ W2.T * A1"),
        ("δ¹ = (∂C/∂W²)ᵀ δ²", "dZ1 = dZ2 @ dW2.T"),
        ("∂C/∂W² = 2 · δ² (a¹)ᵀ + 0.1 W²", "dW2 = 2 · A1.T @ dZ2 + 0.1 W2"),
        ("∂C/∂W¹ = softmax(a^L) − y (f(a⁰))ᵀ", "dW1 = f(A0).T @ (softmax(a^L) − y)"),
        ("z¹² = W¹² @ a¹¹ + b¹²", "Z12 = A11 @ W12 + b12"),
        ("∂C/∂b¹ = δ¹", "db1 = dZ1"),
        ("f'(a¹) is used instead of f'(z¹)", "f'(A1) is used instead of f'(Z1)"),
    ],
)
def test_a_formula_in_columns_is_written_as_numpy_code_with_examples_in_rows(columns, rows):
    assert in_rows(columns) == rows
