"""Every loss, reduction and layout of the check, and losses that a user defines."""

from functools import partial

import jax
import numpy as np
import pytest
from scipy.special import expit, softmax

from manual_grads import Architecture, check_gradient
from manual_grads.check import (
    Problem,
    draw,
    loss_of,
    network_loss,
    problem_of,
)
from manual_grads.check import __main__ as check
from manual_grads.check.formulas import COSTS
from manual_grads.check.layouts import LAYOUTS, REDUCTIONS, in_layout, names_of, template

SIZES = (6, 5, 4)


def network(**changes):
    return Architecture(layer_sizes=SIZES, label_smoothing=0.0, **changes)


F = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda a: 1.0 * (a > 0)),
}
"""Each activation and its slope, as a function of the activation's value."""

SLOPES = {
    "cross_entropy": lambda a, y: softmax(a, axis=1) * y.sum(axis=1, keepdims=True) - y,
    "squared_error": lambda a, y: 2 * (a - y),
    "half_squared_error": lambda a, y: a - y,
    "binary_cross_entropy": lambda a, y: expit(a) - y,
}
"""The derivative of each example's cost with respect to the outputs."""


def by_hand(problem: Problem):
    """A right gradient in NumPy, with another forward and backward pass than the check's."""
    f, slope = F[problem.network.activation]
    last_is_active = problem.network.loss == "squared_error"

    def gradient(params, images, labels):
        a = [images]
        for layer, leaves in enumerate(params[1:], start=1):
            z = a[-1] @ leaves["weight"].T + leaves["bias"]
            a.append(f(z) if layer < len(params) - 1 or last_is_active else z)
        y = labels if labels.ndim == 2 else np.eye(SIZES[-1])[labels]
        divisor = {"mean": len(images), "sum": 1, "mean_over_all": len(images) * SIZES[-1]}
        delta = SLOPES[problem.loss](a[-1], y) / divisor[problem.reduction]
        if last_is_active:
            delta = delta * slope(a[-1])
        result: list[dict] = [{}]
        for layer in reversed(range(1, len(params))):
            weight = params[layer]["weight"]
            own = {
                "weight": delta.T @ a[layer - 1] + problem.l2 * weight,
                "bias": delta.sum(axis=0),
            }
            result.insert(1, own)
            delta = delta @ weight * slope(a[layer - 1])
        return result

    return gradient


LOSS_CASES = [
    (loss, ("activation", "linear")[(k + n) % 2], REDUCTIONS[(k + n) % 3])
    for k, loss in enumerate(COSTS)
    for n in range(2)
]


@pytest.mark.parametrize(("loss", "output", "reduction"), LOSS_CASES)
def test_a_right_gradient_of_every_loss_agrees_and_a_factor_is_named(loss, output, reduction):
    problem = problem_of(network(activation="tanh"), loss, output, reduction, 0.1)
    params, batch = draw(problem, 7, 0)
    right = by_hand(problem)
    report = check_gradient(right, loss_of(problem), params, batch, network=problem)
    assert report.agrees, str(report)

    def sign(*arguments):
        gradient = right(*arguments)
        gradient[1]["bias"] = -gradient[1]["bias"]
        return gradient

    report = check_gradient(sign, loss_of(problem), params, batch, network=problem)
    assert [(d.mistake, d.where) for d in report.diagnoses] == [("sign", "1/bias")]


def test_the_names_of_the_losses_are_those_of_their_costs():
    assert set(check.LOSSES) == set(COSTS)


OWN = {
    "binary cross-entropy": ("cross_entropy", "binary_cross_entropy"),
    "a linear squared error": ("cross_entropy", "squared_error"),
    "half a squared error": ("squared_error", "half_squared_error"),
}


@pytest.mark.parametrize(("flag", "real"), OWN.values(), ids=OWN)
def test_a_loss_of_ones_own_is_the_measure_and_not_that_of_the_flags(flag, real):
    """It was once called wrong, at points where only the loss of the flags has a small bound."""
    of_flags = network(activation="relu", loss=flag)
    problem = problem_of(of_flags, real, "linear" if flag == "cross_entropy" else "activation")
    for seed in range(5):
        params, (images, rows) = draw(problem, 7, seed)
        params[1]["bias"] -= 3.0  # most ReLUs are dead
        own = loss_of(problem)
        right = by_hand(problem)
        batch = images, np.asarray(rows, float)
        loss = partial(lambda own, *arguments: own(*arguments), own)
        assert check_gradient(right, loss, params, batch, network=of_flags).agrees


def test_a_mistake_under_a_loss_of_ones_own_is_named_by_what_autodiff_computes():
    problem = problem_of(network(activation="tanh"), "binary_cross_entropy")
    params, batch = draw(problem, 7, 0)
    right = by_hand(problem)

    def gradient(*arguments):
        return [{k: 2 * v for k, v in leaves.items()} for leaves in right(*arguments)]

    report = check_gradient(
        gradient, lambda *a: loss_of(problem)(*a), params, batch, network=problem.network
    )
    (cause,) = report.diagnoses
    assert (cause.mistake, cause.where) == ("factor", "delta 2")
    assert "sigma" in cause.right or "σ" in cause.right


def test_if_finite_differences_support_the_user_the_error_is_about_the_loss():
    @jax.custom_jvp
    def twice_too_steep(value):
        return value

    twice_too_steep.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))
    plain = network()
    params, batch = draw(problem_of(plain), 7, 0)
    right = by_hand(problem_of(plain))
    with pytest.raises(check.InputError, match="finite differences of the loss"):
        check_gradient(
            right,
            lambda *arguments: twice_too_steep(network_loss(plain)(*arguments)),
            params,
            batch,
            network=plain,
        )


RESULTS = {
    "a list": lambda names, arrays: arrays,
    "a tuple": lambda names, arrays: tuple(arrays),
    "a dict": lambda names, arrays: dict(zip(names, arrays, strict=True)),
    "a dict of dW1": lambda names, arrays: {
        f"d{name}": array for name, array in zip(names, arrays, strict=True)
    },
    "biases as rows": lambda names, arrays: [a[None] if a.ndim == 1 else a for a in arrays],
    "biases as columns": lambda names, arrays: [a[:, None] if a.ndim == 1 else a for a in arrays],
}


@pytest.mark.parametrize("layout", LAYOUTS[1:])
@pytest.mark.parametrize("form", RESULTS)
def test_every_layout_of_numpy_is_read(layout, form):
    problem = problem_of(network())
    names = [name for name, _, _ in names_of(problem.network)]
    right = by_hand(problem)

    def gradient(given, images, labels):
        w1, b1, w2, b2 = given.values() if layout == "numpy_dict" else given
        assert w1.shape == (6, 5)
        params = [{}, {"weight": w1.T, "bias": b1}, {"weight": w2.T, "bias": b2}]
        result = right(params, images, labels)
        arrays = [result[k][kind] for k in (1, 2) for kind in ("weight", "bias")]
        return RESULTS[form](names, [a.T if a.ndim == 2 else a for a in arrays])

    params, batch = draw(problem, 7, 0)
    wrapped = in_layout(problem.network, layout, gradient)
    assert check_gradient(wrapped, loss_of(problem), params, batch, network=problem).agrees


STRUCTURES = {
    "a forgotten return": (lambda right: None, "the function returned None"),
    "no empty dict": (lambda right: right[1:], "empty dict is for the input layer"),
    "a tuple": (tuple, "a list instead of a tuple"),
    "arrays": (lambda right: [a for d in right for a in d.values()], "--layout=numpy"),
    "columns": (
        lambda right: [{k: v if v.ndim == 2 else v[:, None] for k, v in d.items()} for d in right],
        ".ravel()",
    ),
}


@pytest.mark.parametrize(("change", "words"), STRUCTURES.values(), ids=STRUCTURES)
def test_a_wrong_structure_is_told_with_the_literal_that_is_expected(change, words):
    problem = problem_of(network())
    params, batch = draw(problem, 7, 0)
    right = by_hand(problem)
    with pytest.raises(check.InputError) as error:
        check_gradient(
            lambda *a: change(right(*a)), loss_of(problem), params, batch, network=problem
        )
    assert words in str(error.value)
    assert "PyTreeDef" not in str(error.value)


@pytest.mark.parametrize(("layout", "loss"), list(zip(LAYOUTS, COSTS, strict=False)))
def test_the_template_runs_and_only_its_gradient_is_missing(layout, loss):
    flags = check.Network(layer_sizes=SIZES, activation="gelu", loss=loss)
    problem = problem_of(flags, loss)
    namespace: dict = {}
    exec(template(flags, layout, "integers"), namespace)  # noqa: S102 - what the command prints
    params, batch = draw(problem, 7, 0)
    gradient = in_layout(problem.network, layout, namespace["gradient"])
    report = check_gradient(gradient, loss_of(problem), params, batch, network=problem)
    assert [(d.mistake, d.where) for d in report.diagnoses] == [("unwritten", "every leaf")]
    assert report.diagnoses[0].message == "every leaf is zero; compute the derivatives"


@pytest.mark.parametrize(
    ("reduction", "power", "name", "formulas"),
    [
        ("mean", 1, "sum-not-mean", ("Σ over the examples", "(1/N) Σ over the examples")),
        ("mean", -1, "averaged-twice", ("(1/N²) Σ over the examples", "(1/N) Σ over the examples")),
        ("sum", 1, "sum-not-mean", ("N Σ over the examples", "Σ over the examples")),
        ("sum", -1, "averaged-twice", ("(1/N) Σ over the examples", "Σ over the examples")),
    ],
)
def test_a_wrong_reduction_is_told_with_that_of_the_loss(reduction, power, name, formulas):
    """The gradient is multiplied by the number of examples to a power; in part, it is named so."""
    problem = problem_of(network(activation="tanh"), "cross_entropy", reduction=reduction)
    params, batch = draw(problem, 7, 0)
    right = by_hand(problem)

    def every_leaf(*arguments):
        return jax.tree.map(lambda leaf: leaf * len(arguments[1]) ** power, right(*arguments))

    (cause,) = check_gradient(
        every_leaf, loss_of(problem), params, batch, network=problem
    ).diagnoses
    assert (cause.mistake, cause.where) == (name, "every leaf")
    assert (cause.yours, cause.right) == formulas

    def one_leaf(*arguments):
        gradient = right(*arguments)
        gradient[1]["bias"] = every_leaf(*arguments)[1]["bias"]
        return gradient

    (cause,) = check_gradient(one_leaf, loss_of(problem), params, batch, network=problem).diagnoses
    assert (cause.mistake, cause.where) == ("bias-scale", "1/bias")
