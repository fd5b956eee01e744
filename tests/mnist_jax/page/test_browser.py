"""The page in a real browser: drawing, steps, units, and access for everybody."""

import re

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from mnist_jax.page.answers import Question, answer
from tests.mnist_jax.page.browser import CHROMIUM, chromium, draw, opened, served, settle
from tests.mnist_jax.page.conftest import network_of
from tests.mnist_jax.page.strokes import DIGITS, placed
from tests.mnist_jax.page.test_derivatives import KINDS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
SEVEN = placed(DIGITS[7], 1, 0, 0)
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(network):
    with served(network) as address:
        yield address


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page


def shown(page):
    """The numbers beside the ten bars."""
    return page.locator(".digit .number").all_inner_texts()


def test_a_drawing_with_the_mouse_is_answered_with_its_numbers(page, network):
    draw(page, SEVEN)
    (stroke,) = page.evaluate("strokes")
    strokes = [[(x, y) for x, y in stroke]]
    expected = answer(network, Question(strokes, None, [], None))
    assert shown(page) == [f"{100 * share:.1f}\u00a0%" for share in expected["output"]]
    assert page.inner_text("#answer") == str(np.argmax(expected["output"]))
    assert re.search(rf"reads an? {np.argmax(expected['output'])}", page.inner_text("#status"))


def test_undo_takes_back_a_stroke_and_clear_all_of_them(page):
    draw(page, SEVEN)
    one = shown(page)
    draw(page, [[(0.3, 0.5), (0.7, 0.5)]])
    assert shown(page) != one
    page.click("#undo")
    settle(page)
    assert shown(page) == one
    page.click("#clear")
    settle(page)
    assert shown(page) == [""] * 10
    assert page.locator(".digit.best").count() == 0
    assert "Draw one digit" in page.inner_text("#status")
    assert not page.locator("#by-hand").is_visible()
    assert page.is_disabled("#step")


def test_the_map_says_what_ink_does_to_the_target(page):
    """Ink can make the network less sure: above its smoothed target, more of p raises the cost."""
    draw(page, SEVEN)
    second = page.evaluate("answer.output.indexOf(answer.output.toSorted((p, q) => q - p)[1])")
    assert f"Your target is {second}" in page.inner_text("#meaning")
    assert "nearer to the target" in page.inner_text("#meaning")
    sentence = page.evaluate("{ answer.output[answer.target] = 0.95; meaning() }")
    assert "95.0\u00a0%" in sentence
    assert "more than the 91.0\u00a0%" in sentence
    assert "blue pixels lowers this" in sentence


def test_a_step_lowers_the_cost_and_back_restores_every_number(page):
    draw(page, SEVEN)
    page.check("input[name=target][value='4']")
    settle(page)
    before, cost = shown(page), page.evaluate("answer.cost")
    page.click("#step")
    settle(page)
    assert page.evaluate("answer.cost") < cost
    assert page.evaluate("answer.before.cost") == pytest.approx(cost, rel=1e-5)
    assert "1 step taken" in page.inner_text("#steps")
    page.click("#back")
    settle(page)
    assert (shown(page), page.evaluate("answer.cost")) == (before, cost)


def test_a_chosen_unit_is_written_out_with_its_numbers(page):
    page.select_option("#unit-layer", "2")
    page.fill("#unit-number", "4")
    page.press("#unit-number", "Enter")
    settle(page)
    assert page.evaluate("[answer.unit.layer, answer.unit.unit]") == [2, 4]
    by_hand, by_autodiff = page.locator("#backward dl >> nth=0 >> dd").all_inner_texts()
    assert by_hand[:6] == by_autodiff[:6]
    canvas = page.locator("#a-1 canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 20.5 / 35, "y": box["height"] / 2})
    settle(page)
    assert page.evaluate("[answer.unit.layer, answer.unit.unit]") == [1, 20]
    assert page.input_value("#unit-number") == "20"


def test_everything_can_be_done_by_keyboard(page):
    page.focus("#draw")
    for key in [" ", *["ArrowDown"] * 8, " "]:
        page.keyboard.press(key)
    settle(page)
    assert page.evaluate("strokes.length") == 1
    assert page.inner_text("#answer") != "\u00a0"
    drawn = page.evaluate("strokes[0]")
    assert len(drawn) == 9
    page.keyboard.press("Tab")
    reached = set()
    for _ in range(14):
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
        page.keyboard.press("Tab")
    assert {"undo", "clear", "example", "target", "step", "rate", "unit-number"} <= reached
    page.focus("#draw")
    page.keyboard.press("Backspace")
    settle(page)
    assert page.evaluate("strokes.length") == 0


def test_a_finger_draws_on_a_phone_and_nothing_is_wider_than_its_window(browser, address):
    with opened(browser, address, **PHONE) as page:
        box = page.locator("#draw").bounding_box()
        assert box is not None
        wire = page.context.new_cdp_session(page)
        for kind, y in [("touchStart", 0.1), *[("touchMove", y / 10) for y in range(2, 10)]]:
            point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + y * box["height"]}
            wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
        wire.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        settle(page)
        (stroke,) = page.evaluate("strokes")
        assert stroke[-1][1] - stroke[0][1] > 0.7 * 280
        assert page.evaluate("scrollY") == 0
        assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize(
    ("scheme", "window"), [("light", {}), ("dark", PHONE)], ids=["light desktop", "dark phone"]
)
def test_axe_finds_no_barrier(browser, address, scheme, window):
    with opened(browser, address, color_scheme=scheme, **window) as page:
        page.click("#step")
        settle(page)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("kind", ["document", "input bias"])
def test_every_kind_of_network_is_shown(browser, kind):
    network = network_of(**KINDS[kind])
    with served(network) as address, opened(browser, address) as page:
        depth = network.architecture.depth
        assert page.locator("#layers h3").count() == depth + 1
        assert page.locator("#leaves tr").count() == 2 * depth + 1
        for layer in range(depth + 1):
            page.select_option("#unit-layer", str(layer))
            settle(page)
            by_hand, by_autodiff = page.locator("#backward dl >> nth=0 >> dd").all_inner_texts()
            assert by_hand[:5] == by_autodiff[:5]
        assert ("added" in page.inner_text("#added")) == (kind != "input bias")
