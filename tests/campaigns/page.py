"""Uses the page as people, many clients and broken programs do.

    MNIST_DATA_DIR=FOLDER python -m tests.campaigns.page
    python -m tests.campaigns.page --short

Trains the network of `base.flags`, or takes the run in --workdir=RUN, and serves it with the
command `python -m mnist_jax.page`. Draws ten digits in Chromium at three sizes and positions, and
checks axe's accessibility rules. Measures the time from the end of a stroke to its answer, and the
times for 16 clients at once. Sends 5,000 malformed requests. The results are written to `page.json`
beside this file, and two screenshots to `mnist_jax/page/`. The short form trains on scikit-learn's
digits, does less, and writes nothing. Both forms need Chromium. The exit status is 1 if anything is
wrong or, except for the short form, if a limit is not met.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import jax
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, Phase, given, settings
from playwright.sync_api import Browser, Page

from tests import ROOT
from tests.campaigns import asked, record
from tests.mnist_jax.page.browser import chromium, draw, opened, settle
from tests.mnist_jax.page.conftest import QUESTION
from tests.mnist_jax.page.requests import malformed
from tests.mnist_jax.page.strokes import DIGITS, PLACES, Points, placed

BASE = ["--flagfile=experiments/base.flags"]
SHORT = ["--dataset=digits", "--layer_sizes=784,64,10", "--epochs=10"]
DURATION = """async () => {
  for (let count = 0; count < 1000; count++) {
    const [entry] = performance.getEntriesByName("stroke to answer")
    if (entry) return entry.duration
    await new Promise(done => setTimeout(done, 10))
  }
}"""
"""Waits up to ten seconds for the page's first measurement since the last clearing."""

LIMITS = {"right": 27, "median_ms": 50.0, "percentile_99_ms": 250.0}


@contextlib.contextmanager
def serving(workdir: str) -> Iterator[str]:
    """Serves the page of a run with the command, and yields the page's address."""
    words = [sys.executable, "-m", "mnist_jax.page", f"--workdir={workdir}", "--port=0"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "http://" in line)
        try:
            yield line.split("page is at ")[1].split()[0]
            assert process.poll() is None
        finally:
            process.terminate()


def recognised(page: Page) -> list[list[str]]:
    """The digits that the page names for the ten drawings; one row per size and position."""
    answers = []
    for place in PLACES:
        row = []
        for strokes in DIGITS:
            page.click("#clear")
            draw(page, placed(strokes, *place))
            row.append(page.inner_text("#answer") if page.evaluate("answer !== null") else "none")
        answers.append(row)
    return answers


def of_allowed(page: Page, digits: list[list[Points]]) -> float:
    """The largest difference of both gradients, as a fraction of what rounding can cause.

    The maximum is over all drawn digits and all targets.
    """
    largest = 0.0
    for strokes in digits:
        page.click("#clear")
        draw(page, placed(strokes, *PLACES[0]))
        for target in range(10):
            page.check(f"input[name=target][value='{target}']")
            settle(page)
            shares = page.evaluate("answer.leaves.map(leaf => leaf.of_allowed)")
            largest = max(largest, *shares)
    return largest


def stroke_to_answer(page: Page, strokes: int) -> list[float]:
    """The milliseconds from the end of a stroke until its answer is on the page."""
    taken: list[float] = []
    for count in range(strokes):
        if count % 2 == 0:
            page.click("#clear")
            settle(page)
            time.sleep(0.1)
        page.evaluate("performance.clearMeasures()")
        draw(page, [placed(DIGITS[4], *PLACES[0])[count % 2]])
        taken.append(page.evaluate(DURATION))
    return taken


def clients(address: str, count: int, seconds: float) -> tuple[Counter[int], list[float]]:
    """The statuses and times, in ms, of requests from `count` clients, five a second from each."""
    statuses: Counter[int] = Counter()
    taken: list[float] = []
    started = time.perf_counter() + 0.2

    def client(number: int) -> None:
        connection = HTTPConnection(urlsplit(address).netloc, timeout=30)
        for turn in range(round(5 * seconds)):
            due = started + turn / 5 + number / 5 / count
            time.sleep(max(0.0, due - time.perf_counter()))
            strokes = placed(DIGITS[turn % 10], *PLACES[number % 3])
            points = [[(round(280 * x), round(280 * y)) for x, y in stroke] for stroke in strokes]
            body = json.dumps({**QUESTION, "strokes": points, "target": number % 10})
            connection.request("POST", "/derivatives", body, {"content-type": "application/json"})
            response = connection.getresponse()
            response.read()
            taken.append(1000 * (time.perf_counter() - due))
            statuses[response.status] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses, taken


def malformed_requests(address: str, count: int) -> Counter[str]:
    """Sends malformed requests, and a valid one after every hundred; returns the outcomes."""
    outcomes: Counter[str] = Counter()
    with httpx2.Client(base_url=address) as client:

        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
        )
        @given(request=malformed())
        def send(request):
            method, path, headers, body = request
            status = client.request(method, path, headers=headers, content=body).status_code
            outcomes["refused" if 400 <= status < 500 else f"status {status}"] += 1
            if outcomes.total() % 100 == 0:
                good = client.post("/derivatives", json=QUESTION)
                assert good.status_code == 200

        while outcomes.total() < count:  # hypothesis stops early when it finds repetitions
            send()
    return outcomes


def barriers(browser: Browser, address: str) -> dict[str, int]:
    """The number of violations of axe's rules: in light and dark, on a desktop and a phone."""
    found = {}
    for name, size in (("desktop", (1280, 900)), ("phone", (390, 844))):
        for scheme in ("light", "dark"):
            window = {"viewport": {"width": size[0], "height": size[1]}, "color_scheme": scheme}
            with opened(browser, address, **window) as page:
                page.check("input[name=target][value='8']")
                page.click("#step")
                settle(page)
                found[f"{name}, {scheme}"] = Axe().run(page).violations_count
    return found


def screenshots(browser: Browser, address: str) -> None:
    """Writes the READMEs' two images of the page: on a desktop, and on a phone in dark mode."""
    for name, width, height, scheme in (
        ("desktop", 1180, 1250, "light"),
        ("phone", 390, 1250, "dark"),
    ):
        window = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
        with opened(browser, address, **window) as page:
            page.check("input[name=target][value='8']")
            settle(page)
            page.evaluate("scrollTo(0, 0)")
            page.screenshot(path=ROOT / f"mnist_jax/page/{name}.png")


def in_a_browser(address: str, short: bool) -> dict[str, Any]:
    """The results of drawing in Chromium."""
    with chromium() as browser:
        with opened(browser, address, viewport={"width": 1280, "height": 900}) as page:
            times = stroke_to_answer(page, 6 if short else 50)
            answers = recognised(page)
            largest = of_allowed(page, DIGITS[:1] if short else DIGITS)
        if not short:
            screenshots(browser, address)
        return {
            "drawn": 30,
            "right": sum(row[digit] == str(digit) for row in answers for digit in range(10)),
            "answers": answers,
            "of_allowed": largest,
            "strokes": len(times),
            "median_ms": statistics.median(times),
            "axe_violations": barriers(browser, address),
        }


def main(workdir: str, short: bool) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    numbers: dict[str, Any] = {"device": jax.devices()[0].device_kind, "cores": os.cpu_count()}
    with serving(workdir) as address:
        numbers |= in_a_browser(address, short)
        statuses, taken = clients(address, 16, 2 if short else 30)
        percentile = statistics.quantiles(taken, n=100)[98]
        numbers |= {"clients": 16, "statuses": statuses, "percentile_99_ms": percentile}
        numbers["malformed"] = malformed_requests(address, 100 if short else 5000)
    record("page", numbers, publish=not short)
    exact = numbers["of_allowed"] <= 1 and not any(numbers["axe_violations"].values())
    sound = statuses.keys() == {200} and numbers["malformed"].keys() == {"refused"}
    fast = percentile <= LIMITS["percentile_99_ms"] and numbers["median_ms"] <= LIMITS["median_ms"]
    good = fast and numbers["right"] >= LIMITS["right"]
    return 0 if exact and sound and (short or good) else 1


def trained(flags: list[str], folder: str) -> str:
    """Trains a network; returns its run directory."""
    words = [sys.executable, "-m", "mnist_jax.train", *flags, f"--workdir={folder}/run"]
    subprocess.run(words, cwd=ROOT, check=True)
    return f"{folder}/run"


if __name__ == "__main__":
    words = asked(__doc__)
    is_short = "--short" in words
    given_run = [word.partition("=")[2] for word in words if word.startswith("--workdir=")]
    with tempfile.TemporaryDirectory() as place:
        run = str(Path(given_run[0]).resolve()) if given_run else ""
        status = main(run or trained(SHORT if is_short else BASE, place), is_short)
    sys.exit(status)
