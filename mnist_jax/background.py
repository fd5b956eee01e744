"""Runs a function in a background thread."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def started(work: Callable[[], Result]) -> "Future[Result]":
    """Calls `work` in a new thread, and returns a future of its result or exception.

    The thread is a daemon, so that it cannot keep the process alive. Meanwhile the main thread must
    not import modules that are in an import cycle with those that `work` imports: to avoid a
    deadlock of two threads, Python would let one use a partially initialized module.
    """
    future: Future[Result] = Future()

    def call():
        try:
            future.set_result(work())
        except BaseException as error:  # raised again where the result is read
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future
