"""Tests of `check_gradient`, with any pytree and any loss, and with a network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.mistakes import handwritten
from manual_grads import Architecture, check_gradient
from manual_grads.check import GradientError, draw, network_loss
from manual_grads.cli import InputError

RANDOM = np.random.default_rng(0)
PARAMS = {"w": RANDOM.normal(size=(3, 3)), "b": RANDOM.normal(size=3), "c": RANDOM.normal(size=2)}
BATCH = (RANDOM.normal(size=(7, 3)), RANDOM.normal(size=(7, 3)))


def loss(params, x, y):
    """An arbitrary loss, averaged over the batch; its parameters are not those of a network."""
    z = jnp.tanh(x @ params["w"] + params["b"]) * params["c"][0] + params["c"][1]
    return jnp.mean(jnp.sum((z - y) ** 2, axis=1))


def right(params, x, y):
    """The gradient of `loss` in NumPy."""
    t = np.tanh(x @ params["w"] + params["b"])
    error = 2 * (t * params["c"][0] + params["c"][1] - y) / len(x)
    inner = error * params["c"][0] * (1 - t**2)
    return {
        "w": x.T @ inner,
        "b": inner.sum(axis=0),
        "c": np.array([np.sum(error * t), np.sum(error)]),
    }


def changed(change):
    """A function that returns `change(gradient, params, n)` of the correct gradient."""
    return lambda params, x, y: change(right(params, x, y), params, len(x))


def test_a_right_gradient_of_any_pytree_agrees_and_has_no_diagnosis():
    report = check_gradient(right, loss, PARAMS, BATCH)
    assert report.agrees
    assert report.diagnoses == []
    assert [leaf.leaf for leaf in report.leaves] == ["b", "c", "w"]
    assert all(leaf.agrees for leaf in report.leaves)


def leak(gradient):
    gradient["b"][-1] += gradient["c"][1]
    gradient["c"][1] = 0.0
    return gradient


WITHOUT_NETWORK = {
    "sum-not-mean": (lambda g, p, n: jax.tree.map(lambda leaf: n * leaf, g), "every leaf"),
    "averaged-twice": (lambda g, p, n: jax.tree.map(lambda leaf: leaf / n, g), "every leaf"),
    "sign": (lambda g, p, n: g | {"b": -g["b"]}, "b"),
    "factor": (lambda g, p, n: g | {"w": 2 * g["w"]}, "w"),
    "transposed": (lambda g, p, n: g | {"w": g["w"].T}, "w"),
    "permuted": (lambda g, p, n: g | {"b": np.roll(g["b"], 1)}, "b"),
    "unwritten": (lambda g, p, n: g | {"w": 0 * g["w"]}, "w"),
    "regulariser": (lambda g, p, n: g | {"w": g["w"] + 0.1 * p["w"]}, "w"),
    "leaked-slot": (lambda g, p, n: leak(g), "b"),
    "nominal-batch": (lambda g, p, n: jax.tree.map(lambda leaf: leaf * n / 7, g), "every leaf"),
    "unknown": (
        lambda g, p, n: g | {"w": g["w"] + 0.01 * np.sin(np.arange(9.0)).reshape(3, 3)},
        "w",
    ),
}


@pytest.mark.parametrize("mistake", WITHOUT_NETWORK)
def test_without_a_network_mistakes_in_the_leaves_are_named(mistake):
    change, where = WITHOUT_NETWORK[mistake]
    report = check_gradient(changed(change), loss, PARAMS, BATCH)
    assert not report.agrees
    assert [(d.mistake, d.where) for d in report.diagnoses] == [(mistake, where)]
    assert all(leaf.arbiter == "autodiff" for leaf in report.leaves if not leaf.agrees)


MISCOUNTS = {
    "the last alone": ("b", [0, 0, 0, 0, 0, 0, 1], "example 0 is counted 0 times, example 1 is"),
    "the first dropped": ("b", [0, 1, 1, 1, 1, 1, 1], "example 0 is counted 0 times;"),
    "two dropped, one twice": (
        "w",
        [1, 0, 0, 1, 2, 1, 1],
        "example 2 is counted 0 times, example 4 is counted 2",
    ),
}


@pytest.mark.parametrize("case", MISCOUNTS)
def test_without_a_network_examples_that_do_not_count_once_are_named(case):
    leaf, weights, words = MISCOUNTS[case]

    def gradient(params, x, y):
        result = right(params, x, y)
        each = [right(params, x[n : n + 1], y[n : n + 1])[leaf] for n in range(len(x))]
        result[leaf] = sum(w * one for w, one in zip(weights, each, strict=False)) / len(x)
        return result

    report = check_gradient(gradient, loss, PARAMS, BATCH)
    assert [(d.mistake, d.where) for d in report.diagnoses] == [("overwritten", leaf)]
    assert words in report.diagnoses[0].message


def test_sums_that_are_kept_between_calls_are_named():
    kept = []

    def gradient(params, x, y):
        kept.append(right(params, x, y))
        return jax.tree.map(lambda *leaves: sum(leaves), *kept)

    report = check_gradient(gradient, loss, PARAMS, BATCH)
    assert not report.agrees
    assert [d.mistake for d in report.diagnoses] == ["not-cleared"]


def test_the_gradient_can_overwrite_its_arguments_because_they_are_copies():
    def gradient(params, x, y):
        result = right(params, x, y)
        params["w"][:] = 0
        x[:] = 0
        return result

    assert check_gradient(gradient, loss, PARAMS, BATCH).agrees


def narrow(params, x, y):
    """The correct gradient, computed in float32."""
    return right(*jax.tree.map(lambda leaf: leaf.astype(np.float32), (params, x, y)))


def test_a_float32_gradient_is_compared_in_float32_and_the_report_says_so():
    params, batch = jax.tree.map(np.float32, (PARAMS, BATCH))
    report = check_gradient(narrow, loss, params, batch)
    assert report.agrees
    assert report.precision == "float32"
    assert "in float32" in str(report)


RELU = Architecture(layer_sizes=(4, 3, 2), label_smoothing=0.0)


def relu_gradient(slope_at_0):
    """A handwritten gradient of the network `RELU`, with f'(0) = `slope_at_0`."""

    def gradient(params, images, labels):
        z = images @ params[1]["weight"].T + params[1]["bias"]
        outputs = np.maximum(z, 0) @ params[2]["weight"].T + params[2]["bias"]
        p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
        last = (p - np.eye(2)[labels]) / len(labels)
        slope = np.where(z == 0, slope_at_0, z > 0)
        first = last @ params[2]["weight"] * slope
        return [
            {},
            {"weight": first.T @ images, "bias": first.sum(axis=0)},
            {"weight": last.T @ np.maximum(z, 0), "bias": last.sum(axis=0)},
        ]

    return gradient


@pytest.mark.parametrize("slope", [0.0, 0.5, 1.0])
def test_another_slope_at_exactly_0_is_a_convention_and_not_an_error(slope):
    params, (images, labels) = draw(RELU, 7, 0)
    params[1]["bias"][:] = 0
    images[2:4] = 0
    gradient = relu_gradient(slope)
    report = check_gradient(gradient, network_loss(RELU), params, (images, labels), network=RELU)
    assert report.agrees
    assert [d.mistake for d in report.diagnoses] == ([] if slope == 0 else ["kink"])


@pytest.mark.parametrize("rate", [0.0, 0.2, -0.1])
def test_a_regulariser_of_the_loss_must_be_in_the_gradient_once(rate):
    params, batch = draw(RELU, 7, 0)

    def regularised(params, images, labels):
        squares = sum(jnp.sum(leaves["weight"] ** 2) for leaves in params[1:])
        return network_loss(RELU)(params, images, labels) + 0.05 * squares

    def gradient(params, images, labels):
        result = relu_gradient(0.0)(params, images, labels)
        for leaves, theta in zip(result[1:], params[1:], strict=True):
            leaves["weight"] += (0.1 + rate) * theta["weight"]
        return result

    report = check_gradient(gradient, regularised, params, batch, network=RELU)
    assert report.agrees == (rate == 0)
    said = [(d.mistake, d.where) for d in report.diagnoses]
    assert said == ([] if rate == 0 else [("regulariser", "2/weight, 1/weight")])


def test_an_unknown_mistake_is_reported_at_the_first_wrong_leaf_from_the_output():
    params, batch = draw(RELU, 7, 0)

    def gradient(params, images, labels):
        result = relu_gradient(0.0)(params, images, labels)
        result[1]["bias"] += 0.01 * np.array([1.0, -2.5, 0.3])
        return result

    report = check_gradient(gradient, network_loss(RELU), params, batch, network=RELU)
    assert [(d.mistake, d.where) for d in report.diagnoses] == [("unknown", "1/bias")]


def test_a_result_with_another_structure_raises_an_error():
    with pytest.raises(GradientError, match="must have the form"):
        check_gradient(lambda params, x, y: {"w": params["w"]}, loss, PARAMS, BATCH)


OTHER_NUMBERS = {
    "complex": (lambda leaf: leaf + 1j, "an array of complex128"),
    "masked": (lambda leaf: np.ma.masked_array(leaf, leaf > 0), "a masked array"),
    "object": (lambda leaf: leaf.astype(object), "an array of object"),
    "text": (lambda leaf: leaf.astype(str), "an array of <U"),
    "half precision": (lambda leaf: leaf.astype(np.float16), "an array of float16"),
    "whole numbers": (lambda leaf: leaf.astype(int), "an array of int64"),
    "true or false": (lambda leaf: leaf > 0, "an array of bool"),
}


@pytest.mark.parametrize(("change", "words"), OTHER_NUMBERS.values(), ids=OTHER_NUMBERS.keys())
def test_the_error_for_a_leaf_that_is_no_float_array_names_it_and_its_type(change, words):
    """Converting such a leaf to float64 would change its values."""
    gradient = changed(lambda right, params, n: jax.tree.map(change, right))
    with pytest.raises(GradientError, match=rf"gradient of b must be an array(.|\n)*{words}"):
        check_gradient(gradient, loss, PARAMS, BATCH)


LINEAR = {"w": np.ones(3)}
BATCHES = {
    "a single example": (np.ones(3), np.array(1.0)),
    "two sizes": (np.ones((4, 3)), np.ones(5)),
    "no array": (),
    "no example": (np.ones((0, 3)), np.ones(0)),
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_arrays_that_are_no_batch_are_refused(batch):
    with pytest.raises(InputError, match="batch must be a tuple of arrays"):
        check_gradient(lambda *_: LINEAR, lambda params, *_: 0.0, LINEAR, batch)


@pytest.mark.parametrize("images", [np.ones(4), np.ones((7, 5)), np.ones((7, 4), int)])
def test_images_that_do_not_fit_the_network_are_refused(images):
    network = Architecture(layer_sizes=(4, 3), biases=("output",), label_smoothing=0.0)
    params, (_, labels) = draw(network, 7, 0)
    batch = images, labels[: len(images)]
    with pytest.raises(InputError, match="images must"):
        check_gradient(lambda *_: params, network_loss(network), params, batch, network=network)


def test_values_of_an_earlier_call_are_found_without_a_network():
    kept = []

    def gradient(params, x, y):
        kept.append((x, y)) if len(x) == 1 and not kept else None
        return right(params, *(kept[0] if len(x) == 1 else (x, y)))

    report = check_gradient(gradient, loss, PARAMS, BATCH)
    assert [d.mistake for d in report.diagnoses] == ["stale"]


@pytest.mark.parametrize(("factor", "agrees"), [(1.0, True), (1.005, False)])
def test_half_a_percent_is_seen_in_a_float32_gradient_too(factor, agrees):
    network = Architecture(layer_sizes=(784, 32, 10), activation="sigmoid", label_smoothing=0.0)
    params, batch = draw(network, 7, 0)
    by_hand = handwritten(network, [])

    def gradient(params, images, labels):
        narrow = jax.tree.map(np.float32, (params, images))
        found = jax.tree.map(np.float32, by_hand(*narrow, labels))
        found[1]["weight"] = found[1]["weight"] * np.float32(factor)
        return found

    report = check_gradient(gradient, network_loss(network), params, batch, network=network)
    assert (report.agrees, report.precision) == (agrees, "float32")
