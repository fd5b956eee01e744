"""The formulas of the check: each can be computed, and each is printed as mathematics."""

import re

import numpy as np
import pytest

from manual_grads import Architecture
from manual_grads.check import draw, problem_of
from manual_grads.check.formulas import names_of, scene_of, tables, value_of
from manual_grads.check.formulas.expressions import matches, rounded, written

SQUARE = Architecture(
    layer_sizes=(5, 5, 5, 5),
    activation="tanh",
    input_layer="active",
    biases=("input", "hidden", "output"),
    loss="squared_error",
    label_smoothing=0.0,
)


def scene_and_names(layer):
    """A scene in which all arrays have one shape, and everything that formulas can use there."""
    problem = problem_of(SQUARE)
    params, (images, rows) = draw(SQUARE, 4, 0)
    scene = scene_of(problem, [params], [(images, rows)])
    deltas = {k: np.sin(k + scene.z[k]) for k in range(layer, 4)}
    above = [np.outer(d, d) for d in np.cos(scene.z[1]).T]
    return scene, names_of(scene, layer, deltas, above) | {"P": scene.a[3] ** 2, "Y": scene.y}


PLACES = {
    "slopes": tables.SLOPES,
    "slopes of other layers": [each.format(k=2) for each in tables.OF_OTHER_LAYERS],
    "operands": tables.OPERANDS,
    "what is added": tables.ADDED,
    "outputs": tables.OUTPUT_TABLE,
    "targets": tables.TARGETS,
    "derivatives": tables.DERIVATIVES,
    "factors": tables.FACTORS,
    "columns": tables.COLUMNS,
    "rows": tables.ROWS,
    "other losses": tables.WHOLE_OUTPUTS,
}


@pytest.mark.parametrize("place", PLACES)
def test_every_formula_has_values_where_all_arrays_have_one_shape(place):
    """A formula with a mistyped name would never be found, without any other sign."""
    scene, names = scene_and_names(1)
    names["E"] = names["P"] - names["Y"]
    with np.errstate(all="ignore"):
        values = {each: value_of(each, names, scene.z[1].shape) for each in PLACES[place]}
    assert [each for each, value in values.items() if value is None] == []


WRITTEN = {
    "V * df(z)": "W{n}ᵀ δ{n} ⊙ f'(z{l})",
    "2*(o - y)": "2 (a^L − y)",
    "z * density(z)": "z{l} ⊙ φ(z{l})",
    "dtanh(a)": "tanh'(a{l})",
    "back(max(D, 0))": "W{n}ᵀ (max(δ{n}, 0))",
    "a_2 * d_1": "a^2 ⊙ δ^1",
    "1 - a**2": "1 − (a{l})²",
    "df(z)**2": "f'(z{l})²",
    "2**a": "2**a{l}",
    "back(D**2)": "W{n}ᵀ ((δ{n})²)",
    "1/V": "1/(W{n}ᵀ δ{n})",
    "T_3(o - y)": "W^3ᵀ (a^L − y)",
    "d + padded(db)": "δ{l} + ∂C/∂b{n}",
    "rows(dW_2)": "row sums of (∂C/∂W^2)",
    "W @ am - b": "W{l} @ a{m} − b{l}",
}


WORDS = """softmax sigmoid tanh relu leaky_relu gelu exp log sqrt abs sign min max where round
    arctan reshape partial sums of the first last unit without its slope units inputs class number
    shifted one back reverse order row column sum with in y by"""


def test_the_texts_have_no_words_but_those_of_mathematics_and_plain_ones():
    """The tables have short names, such as `T_2` or `below`, which nobody else would understand."""
    formulas = [each for place in PLACES.values() for each in place]
    formulas += [*tables.BIASES, *tables.FORWARD_SUMS, *tables.FORWARD_ACTIVATIONS]
    words = {word for each in formulas for word in re.findall(r"[A-Za-z_]{3,}", written(each))}
    assert words <= {*WORDS.split()}


@pytest.mark.parametrize(("formula", "text"), WRITTEN.items())
def test_a_formula_is_written_as_mathematics(formula, text):
    assert written(formula) == text


def test_the_right_formula_is_preferred_then_one_difference_then_a_factor():
    x = np.random.default_rng(0).normal(size=(3, 4))
    names = {"x": x, "y": x**2, "z": x**3}

    def found(observed):
        formula = matches(observed, {"L": ["x", "y", "z"]}, names, 1e-10)
        return formula and (formula.text, round(formula.factor, 9), formula.cost)

    assert found(x) == ("x", 1, 0)
    assert found(x**2) == ("y", 1, 1)
    assert found(-3 * x**3) == ("z", -3, 2)
    assert found(x + x**2) is None
    assert found(0 * x) is None


def test_a_coefficient_is_written_with_a_fraction_and_a_minus_sign():
    assert [rounded(k) for k in (0.5, -0.25, 1 / 3, -2.0, 0.1)] == ["½", "−¼", "⅓", "−2", "0.1"]
