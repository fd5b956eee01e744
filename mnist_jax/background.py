"""Runs a function in a background thread."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def started(work: Callable[[], Result]) -> "Future[Result]":
    """Calls `work` in a new thread, and returns a future of its result or exception.

    The thread is a daemon, so that it cannot keep the process alive. Meanwhile the main thread must
    not import modules that are in a cycle with those that `work` imports: if two threads would
    deadlock on an import lock, Python lets one continue with a partially initialized module.
    """
    future: Future[Result] = Future()

    def call():
        try:
            future.set_result(work())
        except BaseException as error:  # raised again where the result is read
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future
