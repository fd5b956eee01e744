"""`--gradient=checked` trains like autodiff, records differences, and stops if one is too large."""

import json
from pathlib import Path

import jax
import pytest

from manual_grads import derivatives
from manual_grads.derivatives import network
from mnist_jax.train import main

pytestmark = pytest.mark.usefixtures("undrawn")
WORDS = ["--dataset=digits", "--layer_sizes=784,8,10", "--epochs=1", "--batch_size=479"]


UNSHARED = "--layer_sizes=784,9,10"
"""JAX keeps traces by function and shapes; no other test may find those of an injected mistake."""


def metrics(workdir):
    return [json.loads(line) for line in Path(workdir, "metrics.jsonl").read_text().splitlines()]


def test_checked_leaves_the_bits_of_autodiff():
    for gradient in ("autodiff", "checked"):
        assert main([*WORDS, f"--gradient={gradient}", f"--workdir={gradient}"]) == 0
    plain, checked = (Path(name, "parameters.safetensors") for name in ("autodiff", "checked"))
    assert plain.read_bytes() == checked.read_bytes()


def test_checked_records_the_largest_disagreement_of_each_leaf_in_each_epoch():
    assert main([*WORDS, "--gradient=checked", "--workdir=here"]) == 0
    for line in metrics("here"):
        assert set(line["disagreement"]) == {"1/weight", "1/bias", "2/weight", "2/bias"}
        for leaf in line["disagreement"].values():
            assert 0 < leaf["largest"] < 1e-5
            assert 0 < leaf["of_bound"] <= 1


@pytest.mark.parametrize(
    "words",
    [
        ["--loss=squared_error", "--label_smoothing=0", "--input_layer=active",
         "--biases=input,hidden,output", "--activation=leaky_relu"],
        ["--biases=none", "--activation=tanh", "--optimizer=sgd", "--weight_decay=0.1"],
        ["--label_smoothing=0.2", "--schedule=constant", "--warmup_epochs=0.5",
         "--batch_size=2000", "--layer_sizes=784,10", "--biases=output"],
        ["--precision=bfloat16"],
    ],
    ids=["squared error and every bias", "no bias", "one batch, no hidden layer", "bfloat16"],
)  # fmt: skip
def test_the_handwritten_gradient_trains_with_every_flag(words):
    """`checked` gives the same bits as autodiff, as the first test shows."""
    for name in ("manual", "checked"):
        assert main([*WORDS, *words, f"--gradient={name}", f"--workdir={name}"]) == 0
    by_hand, plain = (
        json.loads(Path(name, "result.json").read_text()) for name in ("manual", "checked")
    )
    assert (by_hand["gradient"], plain["gradient"]) == ("manual", "checked")
    assert by_hand["train_loss"] == pytest.approx(plain["train_loss"], rel=1e-3)


def test_bfloat16_trains_another_network_than_float32():
    for precision in ("float32", "bfloat16"):
        assert main([*WORDS, f"--precision={precision}", f"--workdir={precision}"]) == 0
        result = json.loads(Path(precision, "result.json").read_text())
        assert result["precision"] == precision
    first, second = (Path(name, "parameters.safetensors") for name in ("float32", "bfloat16"))
    assert first.read_bytes() != second.read_bytes()


def plant(monkeypatch, change):
    """Applies `change` to every gradient that the handwritten backward pass returns."""
    right = network.leaf_derivatives
    monkeypatch.setattr(network, "leaf_derivatives", lambda *a: change(right(*a)))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_wrong_formula_stops_the_run_at_its_first_step_in_float64(precision, monkeypatch, capsys):
    """The injected error of 0.05 % is too small for a check in float32."""

    def change(gradient):
        gradient[1]["weight"] = 1.0005 * gradient[1]["weight"]
        return gradient

    plant(monkeypatch, change)
    words = [*WORDS, UNSHARED, f"--precision={precision}", "--gradient=checked"]
    assert main([*words, "--workdir=here"]) == 1
    _, first, second, third, fourth, yours, right = capsys.readouterr().err.splitlines()
    assert "must agree within twice the float64 rounding bound" in first
    assert second.startswith("  got:      1/weight, flattened index ")
    assert "handwritten " in second
    assert ", autodiff " in second
    assert second.endswith("in epoch 1, at step 1")
    assert third.endswith("The gradient disagrees with autodiff, in float64: 1/weight.")
    words = "it is multiplied by 1.0005; remove this factor"
    assert fourth.strip() == f"factor at 1/weight: {words}"
    assert yours.endswith("yours  ∂C/∂W¹ = 1.0005 · δ¹ (a⁰)ᵀ")
    assert right.endswith("right  ∂C/∂W¹ = δ¹ (a⁰)ᵀ")
    assert {path.name for path in Path("here").iterdir()} == {"config.json", ".lock", "checkpoints"}


def test_a_factor_that_is_not_rounded_stops_a_run_in_bfloat16(monkeypatch, capsys):
    """The gradient check, which does not round, finds nothing; the message names the rounding."""
    right = network.leaf_derivatives
    monkeypatch.setattr(network, "leaf_derivatives", lambda *point: right(*point[:3]))
    words = [*WORDS, UNSHARED, "--precision=bfloat16", "--gradient=checked", "--workdir=here"]
    assert main(words) == 1
    shown = capsys.readouterr().err
    assert "must agree within twice the float64 rounding bound" in shown
    assert "look for a matrix product whose inputs are not all rounded to bfloat16" in shown


def test_a_disagreement_at_a_later_step_is_stopped_in_float32(monkeypatch, capsys):
    """The gradient is wrong only for the last batch, of 237, so the first step is correct."""

    def value_and_grad(architecture, params, images, targets, weights=None, factors=None):
        loss, gradient = right(architecture, params, images, targets, weights, factors)
        if weights is not None:
            gradient[2]["bias"] *= jax.numpy.where(weights[-1] == 0, -1, 1)
        return loss, gradient

    right = derivatives.value_and_grad
    monkeypatch.setattr(derivatives, "value_and_grad", value_and_grad)
    words = [*WORDS, UNSHARED, "--batch_size=400"]
    assert main([*words, "--gradient=checked", "--workdir=here"]) == 1
    _, first, second, third = capsys.readouterr().err.splitlines()
    assert "must agree within twice the float32 rounding bound" in first
    assert second.startswith("  got:      2/bias, ")
    assert second.endswith("in epoch 1, at step 4")
    assert "look for code that is wrong only for some batches" in third
