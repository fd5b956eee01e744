"""The check names the place of a wrong line, and prints both formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from manual_grads import Architecture, check_gradient
from manual_grads.check import draw, network_loss
from manual_grads.check.formulas import loss_of, problem_of
from tests.manual_grads.check.test_comparison import RELU, relu_gradient


def test_two_wrong_lines_are_two_answers_with_both_formulas():
    network = Architecture(layer_sizes=(5, 4, 3), activation="tanh", label_smoothing=0.0)
    params, batch = draw(network, 7, 0)

    def gradient(params, images, labels):
        a = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
        outputs = a @ params[2]["weight"].T + params[2]["bias"]
        p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        last = (p - np.eye(3)[labels]) / len(labels)
        first = np.maximum(last @ params[2]["weight"], 0) * (1 - a**2)
        return [
            {},
            {"weight": first.T @ images, "bias": first.sum(axis=0)},
            {"weight": last.T @ a, "bias": 2 * last.sum(axis=0)},
        ]

    report = check_gradient(gradient, network_loss(network), params, batch, network=network)
    (one, two) = report.diagnoses
    assert (one.where, two.where) == ("delta 1", "2/bias")
    assert one.yours == "δ¹ = max(W²ᵀ δ², 0) ⊙ f'(z¹)"
    assert one.right == "δ¹ = W²ᵀ δ² ⊙ f'(z¹)"
    assert two.yours == "∂C/∂b² = 2 · δ²"


@pytest.mark.parametrize("below", [0.0, 0.01, 0.3])
def test_another_negative_slope_is_said_as_it_is(below):
    network = Architecture(layer_sizes=(5, 4, 3), activation="leaky_relu", label_smoothing=0.0)
    params, batch = draw(network, 7, 0)

    def gradient(params, images, labels):
        z = images @ params[1]["weight"].T + params[1]["bias"]
        a = np.where(z > 0, z, 0.1 * z)
        outputs = a @ params[2]["weight"].T + params[2]["bias"]
        p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        last = (p - np.eye(3)[labels]) / len(labels)
        first = last @ params[2]["weight"] * np.where(z > 0, 1.0, below)
        return [
            {},
            {"weight": first.T @ images, "bias": first.sum(axis=0)},
            {"weight": last.T @ a, "bias": last.sum(axis=0)},
        ]

    report = check_gradient(gradient, network_loss(network), params, batch, network=network)
    assert {d.where for d in report.diagnoses} == {"delta 1"}
    said = [d.yours + d.message for d in report.diagnoses]
    assert any(f"{below:g} for z ≤ 0" in each or (below == 0 and "relu" in each) for each in said)


def test_a_loss_that_no_formula_describes_still_lets_the_other_lines_be_judged():
    network = Architecture(layer_sizes=(5, 4, 3), activation="tanh", label_smoothing=0.0)
    params, (images, _) = draw(network, 7, 0)
    rows = np.random.default_rng(0).uniform(-1, 1, (7, 3))

    def loss(params, images, targets):
        a = jnp.tanh(images @ params[1]["weight"].T + params[1]["bias"])
        outputs = a @ params[2]["weight"].T + params[2]["bias"]
        return jnp.mean(jnp.sum(jnp.log(jnp.cosh(outputs - targets)), axis=1))

    def gradient(params, images, targets):
        a = np.tanh(images @ params[1]["weight"].T + params[1]["bias"])
        outputs = a @ params[2]["weight"].T + params[2]["bias"]
        last = np.tanh(outputs - targets) / len(targets)
        first = last @ params[2]["weight"]
        return [
            {},
            {"weight": first.T @ images, "bias": first.sum(axis=0)},
            {"weight": last.T @ a, "bias": last.sum(axis=0)},
        ]

    report = check_gradient(gradient, loss, params, (images, rows), network=network)
    assert [(d.mistake, d.where) for d in report.diagnoses] == [("slope-missing", "delta 1")]


def test_examples_with_only_dead_units_say_nothing_and_hide_nothing():
    network = Architecture(layer_sizes=(5, 2, 3), label_smoothing=0.0)
    params, batch = draw(network, 7, 0)

    def gradient(params, images, labels):
        z = images @ params[1]["weight"].T + params[1]["bias"]
        a = np.maximum(z, 0)
        outputs = a @ params[2]["weight"].T + params[2]["bias"]
        p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        last = (p - np.eye(3)[labels]) / len(labels)
        first = last @ params[2]["weight"] * (z > 0)
        return [
            {},
            {"weight": first.T @ images, "bias": first.sum(axis=0)},
            {"weight": np.abs(last).T @ a, "bias": last.sum(axis=0)},
        ]

    report = check_gradient(gradient, network_loss(network), params, batch, network=network)
    (cause,) = report.diagnoses
    assert (cause.where, cause.yours) == ("2/weight", "∂C/∂W² = abs(δ²) (a¹)ᵀ")


def test_a_slope_of_another_layer_is_said_without_letters_that_stand_for_other_formulas():
    network = Architecture(layer_sizes=(5, 4, 4, 3), label_smoothing=0.0)
    params, batch = draw(network, 7, 0)

    def gradient(params, images, labels):
        a, z = [images], []
        for leaves in params[1:]:
            z.append(a[-1] @ leaves["weight"].T + leaves["bias"])
            a.append(np.maximum(z[-1], 0))
        p = np.exp(z[-1]) / np.exp(z[-1]).sum(axis=1, keepdims=True)
        deltas = [(p - np.eye(3)[labels]) / len(labels)]
        deltas.insert(0, deltas[0] @ params[3]["weight"] * (z[1] > 0))
        deltas.insert(0, deltas[0] @ params[2]["weight"] * (z[1] > 0))  # should be z[0]
        each = zip(deltas, a, strict=False)
        return [{}, *({"weight": d.T @ x, "bias": d.sum(axis=0)} for d, x in each)]

    report = check_gradient(gradient, network_loss(network), params, batch, network=network)
    (cause,) = report.diagnoses
    assert cause.where == "delta 1"
    assert cause.message == "f'(z²) is used instead of f'(z¹)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda theta: 0.1, "0.1 is added"),
        (lambda theta: 0.1 * theta, "0.1 W¹ is added, but the loss has no such term; remove it"),
        (lambda theta: 0.1 * np.sign(theta), "0.1 sign θ is added, where θ is the parameter"),
    ],
    ids=["1", "θ", "sign θ"],
)
def test_what_is_added_to_a_derivative_is_named(change, words):
    params, batch = draw(RELU, 7, 0)

    def gradient(params, images, labels):
        result = relu_gradient(0.0)(params, images, labels)
        result[1]["weight"] += change(params[1]["weight"])
        return result

    report = check_gradient(gradient, network_loss(RELU), params, batch, network=RELU)
    assert [(d.mistake, d.message) for d in report.diagnoses] == [("regulariser", words)]


def test_a_missing_regulariser_and_an_added_term_are_both_named():
    problem = problem_of(RELU, l2=0.1)
    params, batch = draw(problem, 7, 0)

    def gradient(params, images, labels):
        result = relu_gradient(0.0)(params, images, labels)
        result[1]["weight"] += 0.05 * np.sign(params[1]["weight"])
        result[2]["weight"] += 0.1 * params[2]["weight"]
        return result

    report = check_gradient(gradient, loss_of(problem), params, batch, network=problem)
    ((where, message),) = [(d.where, d.message) for d in report.diagnoses]
    assert where == "1/weight"
    assert "0.05 sign θ is added" in message
    assert "the regulariser of the loss is missing; add it" in message


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_factor_that_depends_on_the_batch_size_is_to_be_divided_by_it_only_in_a_mean(reduction):
    problem = problem_of(RELU, reduction=reduction)
    params, batch = draw(problem, 7, 0)

    def gradient(params, images, labels):
        mean, n = relu_gradient(0.0)(params, images, labels), len(images)
        return jax.tree.map(lambda leaf: leaf / (n + 1) * {"sum": n, "mean": 1}[reduction], mean)

    report = check_gradient(gradient, loss_of(problem), params, batch, network=problem)
    (message,) = [d.message for d in report.diagnoses if d.mistake == "nominal-batch"]
    expected = {"mean": "divide by the number of examples", "sum": "do not divide by any number"}
    assert message.endswith(f"; {expected[reduction]}")
