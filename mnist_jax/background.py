"""Work in a thread beside the main one."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

Result = TypeVar("Result")


def started(work: Callable[[], Result]) -> "Future[Result]":
    """What `work` returns or raises, once a thread has called it.

    The thread is a daemon, so that it cannot keep the process alive. `work` must not import modules
    that import each other with those that the main thread imports meanwhile: Python hands out
    unfinished modules where two threads wait for each other.
    """
    future: Future[Result] = Future()

    def call():
        try:
            future.set_result(work())
        except BaseException as error:  # raised again where the result is read
            future.set_exception(error)

    Thread(target=call, daemon=True).start()
    return future
