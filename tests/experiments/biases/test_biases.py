"""The experiment on biases: the gradient of each variant, the proof, and the report."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.biases import __main__ as biases
from experiments.biases import first_task, later_network, report
from experiments.biases.variants import VARIANTS, architecture_of, value_and_grad
from experiments.common import record
from manual_grads import Architecture, check, check_gradient
from manual_grads.cli import options
from manual_grads.derivatives import document, network
from mnist_jax import Config, data, training
from mnist_jax.progress import Report

TASK = first_task.task_architecture("leaky_relu")
PARAMS = first_task.initial(jax.random.key(0), biased=True)
X = first_task.points(20)
Y = first_task.TARGETS["sine"](X)
PICTURES = {"biases_cost.png", "biases_fit.png"}


def gradient(way, architecture=TASK, params=PARAMS):
    return value_and_grad(architecture, VARIANTS[way], params, X, Y)[1]


def same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)


def test_biases_trained_rightly_have_the_gradient_itself():
    same(gradient("all biases, right"), network.value_and_grad(TASK, PARAMS, X, Y)[1])


@pytest.mark.parametrize(
    ("way", "owners"),
    [("output's leaked", [2]), ("input's leaked", [0]), ("both leaked", [0, 2])],
)
def test_what_leaks_is_moved_to_the_last_hidden_unit_and_nothing_else_changes(way, owners):
    right, leaked = gradient("all biases, right"), gradient(way)
    moved = sum(right[owner]["bias"].sum() for owner in owners)
    assert leaked[1]["bias"][-1] == pytest.approx(float(right[1]["bias"][-1] + moved))
    for owner in owners:
        same(leaked[owner]["bias"], jnp.zeros(1))
        right[owner]["bias"] = leaked[owner]["bias"]
    right[1]["bias"] = right[1]["bias"].at[-1].set(leaked[1]["bias"][-1])
    same(leaked, right)


@pytest.mark.parametrize(
    ("way", "leaves"),
    [
        ("output's leaked", "2/bias"),
        ("input's leaked", "0/bias"),
        ("both leaked", "0/bias and 2/bias"),
    ],
)
def test_the_check_names_what_leaked_and_where_in_one_line(way, leaves):
    params, batch = check.draw(TASK, 7, 0)

    def leaked(*arguments):
        return value_and_grad(TASK, VARIANTS[way], *jax.tree.map(jnp.asarray, arguments))[1]

    report = check_gradient(leaked, check.network_loss(TASK), params, batch, network=TASK)
    [[cause]] = report.causes
    assert (cause.mistake, cause.where) == ("leaked-slot", "1/bias")
    assert cause.message.startswith(f"the derivatives of {leaves} are added to entry 4 of 1/bias, ")


def test_biases_left_out_of_the_forward_pass_leave_the_weights_those_of_a_network_without():
    without = [
        {kind: leaf for kind, leaf in leaves.items() if kind == "weight"} for leaves in PARAMS
    ]
    bare = gradient("no biases", architecture_of(TASK, VARIANTS["no biases"]), without)
    for way in ("left out", "left out, both leaked"):
        for leaves, expected in zip(gradient(way), bare, strict=True):
            same({k: leaf for k, leaf in leaves.items() if k == "weight"}, expected)


def test_summed_biases_have_as_many_times_the_gradient_as_there_are_points():
    right, summed = gradient("all biases, right"), gradient("summed")
    for leaves, others in zip(right, summed, strict=True):
        for kind, leaf in leaves.items():
            same(others[kind], leaf * 20 if kind == "bias" else leaf)


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
@settings(max_examples=50, deadline=None)
def test_leaky_relu_without_biases_is_linear_on_positive_inputs_whatever_the_weights(seed, units):
    """f(x) = x f(1) for x > 0: the sign of each unit is that of its weight, for every x."""
    random = np.random.default_rng(seed)
    weights = random.normal(size=units), random.normal(size=units)

    def f(x):
        return document.forward(without_biases(*weights), np.array(x)).a2

    for x in (1e-3, 0.5, 2.0, 1e3):
        assert f(x) == pytest.approx(x * f(1.0), rel=1e-12, abs=1e-15 * x)


def test_a_hidden_bias_is_enough_to_bend_it():
    bent = without_biases(np.ones(1), np.ones(1))._replace(b1=np.array([-1.0]))
    one, two = (document.forward(bent, np.array(x)).a2 for x in (1.0, 2.0))
    assert two != pytest.approx(2 * one)


def test_the_first_task_descends_along_the_gradient_of_all_points():
    costs, outputs = first_task.train("leaky_relu", "sine", VARIANTS["all biases, right"], 2, 3)
    keys = jax.random.split(jax.random.key(0), 2)
    params = first_task.initial(keys[1], biased=True)
    x = first_task.points()
    y = first_task.TARGETS["sine"](x)
    for step in range(3):
        cost, slope = network.value_and_grad(TASK, params, x, y)
        assert costs[step, 1] == pytest.approx(float(cost), rel=1e-5)
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, slope)
    end = network.forward(TASK, params, x.T).a[-1][0]
    np.testing.assert_allclose(outputs[1], end, rtol=1e-4, atol=1e-5)
    assert costs[3, 1] == pytest.approx(float(jnp.mean((end - y[:, 0]) ** 2)), rel=1e-4)


@pytest.mark.usefixtures("undrawn")
def test_the_later_network_trains_as_the_trainer_does_but_for_rounding():
    words = [
        f"--flagfile={biases.FLAGS}",
        "--dataset=digits",
        "--epochs=2",
        "--seed=5",
        "--learning_rate=0.001",
    ]
    config = options.parse(Config, words)
    dataset = data.load(config)
    history, _ = later_network.train(config, dataset, "all biases, right", [5, 6])
    seen = []
    training.train_and_save(config, dataset, Path(), Report(epoch=seen.append))
    for found, metrics in zip(history, seen, strict=True):
        for name in ("test_accuracy", "train_accuracy"):
            assert found[name] == pytest.approx(metrics[name], abs=0.006)
        assert found["test_loss"] == pytest.approx(metrics["test_loss"], rel=1e-3)


@pytest.mark.usefixtures("little_optimised")
def test_all_of_it_is_made_goes_on_where_it_stopped_and_is_published(capsys, monkeypatch):
    monkeypatch.setattr(record, "PUBLISHED", Path("published"))
    few = {name: VARIANTS[name] for name in ("no biases", "all biases, right", "both leaked")}
    monkeypatch.setattr(biases, "VARIANTS", few)
    monkeypatch.setattr(first_task, "TASK_ACTIVATIONS", ("leaky_relu",))
    monkeypatch.setattr(first_task, "TARGETS", {"step": first_task.TARGETS["step"]})
    words = ["--dataset=digits", "--seeds=3", "--steps=4", "--mnist_seeds=2", "--mnist_epochs=1"]
    with monkeypatch.context() as broken:
        broken.setattr(later_network, "row", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            biases.main(words)
    with monkeypatch.context() as again:
        again.setattr(first_task, "row", lambda *_: pytest.fail("made twice"))
        assert biases.main([*words, "--publish"]) == 0
    numbers = json.loads(Path("published/biases.json").read_text())
    assert len(numbers["tasks"]) == len(few)
    assert [row["variant"] for row in numbers["mnist"]] == list(few)
    assert Path("published/biases.md").read_text() == report.report(numbers)
    for picture in Path("published").glob("*.png"):
        picture.unlink()
    assert biases.main(["--draw", "--publish"]) == 0
    assert {path.name for path in Path("published").glob("*.png")} == PICTURES


def without_biases(w1, w2):
    """A 1-n-1 network of the document with leaky ReLU, whose biases are all 0."""
    zero, activation = np.array(0.0), document.ACTIVATIONS["leaky_relu"]
    return document.Network(zero, w1, np.zeros(len(w1)), w2, zero, activation)


def test_an_architecture_has_all_biases_or_none():
    bare = Architecture(layer_sizes=(1, 5, 1), biases=())
    assert architecture_of(bare, VARIANTS["summed"]).biases == ("input", "hidden", "output")
    assert architecture_of(TASK, VARIANTS["no biases"]).biases == ()
