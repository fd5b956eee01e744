"""Drives the page in Chromium, as a person with a mouse does."""

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from mnist_jax.page import server
from mnist_jax.page.__main__ import listening
from mnist_jax.page.answers import Network
from tests.mnist_jax.page.strokes import Points

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
"""The browser's program, or None if there is none. Debian's package is `chromium`."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A running browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def served(network: Network) -> Iterator[str]:
    """The address of a page of `network`, which a thread serves."""
    with contextlib.closing(listening("127.0.0.1", 0)) as listener:
        application = server.application(network)
        serving = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
        thread = threading.Thread(target=serving.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not serving.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            serving.should_exit = True
            thread.join()


@contextlib.contextmanager
def opened(browser: Browser, address: str, **settings) -> Iterator[Page]:
    """The page in a window of its own, once it has shown its example. No script may fail."""
    context = browser.new_context(**settings)
    page = context.new_page()
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    page.set_default_timeout(20_000)
    page.goto(address)
    settle(page)
    try:
        yield page
    finally:
        context.close()
    assert failures == []


def settle(page: Page) -> None:
    """Waits until everything that was asked for is shown."""
    settled = page.evaluate(
        """async () => {
          for (let count = 0; count < 4000 && (waiting > 0 || again); count++)
            await new Promise(done => setTimeout(done, 5))
          return waiting === 0
        }"""
    )
    assert settled


def draw(page: Page, strokes: list[Points]) -> None:
    """Draws strokes, in fractions of the drawing area, with the mouse, and waits for the answer."""
    box = page.locator("#draw").bounding_box()
    assert box is not None
    for stroke in strokes:
        at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*at[0])
        page.mouse.down()
        for x, y in at[1:]:
            page.mouse.move(x, y)
        page.mouse.up()
    settle(page)
