"""Runs a function in a background thread."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def started(work: Callable[[], Result]) -> "Future[Result]":
    """Calls `work` in a new thread, and returns a future of its result or exception.

    The thread is a daemon, so the process can end before the thread. If `work` imports modules that
    form an import cycle, no other thread may import one of them at the same time. To avoid a
    deadlock, Python would let one of the threads use a partially initialized module.
    """
    future: Future[Result] = Future()

    def call():
        try:
            future.set_result(work())
        except BaseException as error:  # `Future.result` raises it again
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future
