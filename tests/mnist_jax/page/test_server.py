"""What the page's server answers, and what it refuses."""

import base64
import json

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient

from mnist_jax.page import server
from mnist_jax.page.drawing import network_pixels
from tests.mnist_jax.page.conftest import QUESTION, SEVEN, network_of
from tests.mnist_jax.page.requests import malformed
from tests.mnist_jax.page.test_derivatives import KINDS


def ask(client, **changes):
    response = client.post("/derivatives", json={**QUESTION, **changes})
    assert response.status_code == 200, response.text
    return response.json()


def floats(text):
    return np.frombuffer(base64.b64decode(text), "<f4")


def refused(response):
    """The sentence of a refusal."""
    assert 400 <= response.status_code < 500
    if "Invalid host" in response.text:
        return response.text
    sentence = response.json()["error"]
    assert sentence[0].isupper()
    assert sentence[-1] == "."
    return sentence


def test_the_answer_has_the_numbers_of_the_drawing(client, network):
    got = ask(client, target=3, unit=[1, 7])
    pixels = network_pixels(SEVEN)
    assert pixels is not None
    assert base64.b64decode(got["pixels"]) == pixels.tobytes()
    image = pixels.ravel().astype(np.float32) / 255
    inputs = image, np.int32(3), np.array([-1, 7, -1], np.int32)
    found = network.compute(*inputs)
    assert got["cost"] == float(found.cost)
    assert got["output"] == found.output.tolist()
    assert got["target"] == 3
    for layer in range(3):
        assert np.array_equal(floats(got["a"][layer]), found.a[layer])
        assert np.array_equal(floats(got["delta"][layer]), found.handwritten[layer]["bias"])
    assert np.array_equal(floats(got["input_autodiff"]), found.autodiff[0]["bias"])
    assert len(got["leaves"]) == 5
    assert all(leaf["of_allowed"] <= 1 for leaf in got["leaves"])


def test_the_numbers_of_a_unit_fit_the_formulas_of_its_line(client):
    """The unit with the second-largest |δ|: not the default, and not one whose δ is 0."""
    second = int(np.argsort(np.abs(floats(ask(client, target=3)["delta"][1])))[-2])
    got = ask(client, target=3, unit=[1, second])
    assert got["unit"]["delta"] != 0
    unit, weights = got["unit"], floats(got["unit"]["weights"])
    a, delta = floats(got["a"][0]), floats(got["delta"][2])
    assert (unit["layer"], unit["unit"]) == (1, second)
    assert unit["z"] == pytest.approx(weights @ a + unit["bias"], rel=1e-4)
    assert unit["a"] == max(unit["z"], 0)
    assert unit["slope"] == (unit["z"] > 0)
    total = floats(unit["weights_above"]) @ delta
    assert unit["delta"] == pytest.approx(total * unit["slope"], rel=1e-4)
    assert unit["delta_autodiff"] == pytest.approx(unit["delta"], rel=1e-4)
    np.testing.assert_allclose(floats(unit["by_hand"]), unit["delta"] * a, rtol=1e-5)
    np.testing.assert_allclose(floats(unit["by_autodiff"]), unit["delta"] * a, rtol=1e-4)


def test_without_a_choice_the_target_is_the_second_guess_and_the_unit_has_the_largest_delta(client):
    got = ask(client)
    assert got["target"] == np.argsort(got["output"])[-2]
    assert got["unit"]["layer"] == 1
    assert got["unit"]["unit"] == np.argmax(np.abs(floats(got["delta"][1])))


def test_the_weights_are_not_sent_except_those_of_the_unit(client, network):
    weights = sum(leaf.size for leaf in jax.tree.leaves(network.params))
    assert len(client.post("/derivatives", json=QUESTION).content) < weights


def test_steps_move_the_pages_own_copy_and_no_other(client, network):
    kept = jax.tree.map(np.array, network.params)
    first = ask(client, target=3)
    assert first["before"] == {"cost": first["cost"], "output": first["output"]}
    step = {"pixels": first["pixels"], "target": 3, "rate": 0.01}
    costs = [ask(client, target=3, steps=[step] * count)["cost"] for count in range(4)]
    assert costs == sorted(costs, reverse=True)
    assert costs[3] < costs[0]
    moved = ask(client, target=3, steps=[step] * 3)
    assert moved["before"]["cost"] == pytest.approx(first["cost"], rel=1e-5)
    assert ask(client, target=3) == first
    assert jax.tree.all(jax.tree.map(np.array_equal, kept, network.params))


def test_a_drawing_that_is_no_single_digit_has_no_derivatives(client):
    assert ask(client, strokes=[]) == {"pixels": None}
    two = [[(20, 20), (20, 240)], [(250, 20), (250, 240)]]
    assert ask(client, strokes=two) == {"pixels": None}


def test_steps_after_which_the_numbers_are_not_finite_are_refused_with_the_way_back():
    diverging = network_of(**KINDS["input bias"])
    client = TestClient(server.application(diverging), "http://127.0.0.1:8000")
    step = {"pixels": base64.b64encode(b"\xff" * 784).decode(), "target": 3, "rate": 1.0}
    steps = [{**step, "target": count % 10} for count in range(20)]
    response = client.post("/derivatives", json={**QUESTION, "steps": steps})
    assert response.status_code == 422
    assert "Press Back" in refused(response)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(request_=malformed())
def test_a_malformed_request_gets_a_sentence_and_the_next_good_one_an_answer(client, request_):
    method, path, headers, body = request_
    refused(client.request(method, path, headers=headers, content=body))


def test_a_good_request_after_malformed_ones_is_answered(client):
    for body in (b"", b"[" * 9999, b"\xff", b'{"\xff": 1}', b'{"strokes": NaN}'):
        headers = {"content-type": "application/json"}
        sentence = refused(client.post("/derivatives", content=body, headers=headers))
        assert "does not have the expected form" in sentence
    assert ask(client)["pixels"]


def test_a_request_of_another_site_is_refused(client):
    mine = {"origin": "http://127.0.0.1:8000", "content-type": "application/json"}
    body = json.dumps(QUESTION)
    assert client.post("/derivatives", content=body, headers=mine).status_code == 200
    for origin in ("http://a.example", "null", "http://127.0.0.1:8001"):
        theirs = {**mine, "origin": origin}
        response = client.post("/derivatives", content=body, headers=theirs)
        assert response.status_code == 403
        assert "another origin" in refused(response)
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("served", "asked", "status"),
    [
        ("127.0.0.1", "localhost:8000", 200),
        ("127.0.0.1", "a.example", 400),
        ("192.0.2.1", "a.example", 200),
    ],
)
def test_a_page_on_this_machine_only_answers_under_its_own_names(network, served, asked, status):
    client = TestClient(server.application(network, served), "http://127.0.0.1:8000")
    assert client.get("/", headers={"host": asked}).status_code == status


def test_a_large_body_is_refused_before_it_is_read_to_the_end(client):
    read = []

    def body():
        for count in range(1000):
            read.append(count)
            yield b" " * 2**14

    kind = {"content-type": "application/json"}
    response = client.post("/derivatives", content=body(), headers=kind)
    assert response.status_code == 413


def test_the_page_fetches_nothing_from_elsewhere_and_says_the_runs_name_as_text(client):
    response = client.get("/")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "://" not in response.text
    assert "\\u003cmine>" in response.text
    assert "<mine>" not in response.text
