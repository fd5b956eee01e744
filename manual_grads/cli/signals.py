"""Handlers for Ctrl-C and SIGTERM: they end the process, raise `Stopped` or record the signal."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn


class Stopped(KeyboardInterrupt):
    """Raised when a signal asks the command to stop; `status` is the command's exit status."""

    def __init__(self, signal_number: int):
        super().__init__()
        self.status = 128 + signal_number


def end_at_once(package: str) -> None:
    """In a command of the package, makes Ctrl-C and SIGTERM print one line and end the process.

    The `__init__` of the package calls this function, but only `python -m PACKAGE.…` is affected.
    These handlers raise no exception: during the imports that follow, Python could discard it, or
    it could crash a C++ module. Later, `stoppable` replaces these handlers.
    """
    being_located = sys.argv[:1] == ["-m"]  # true until Python has found the module to run
    if being_located and any(f"{package}." in word for word in sys.orig_argv):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)


def _end(signal_number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"stopped\n")
    os._exit(128 + signal_number)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """In the block, Ctrl-C and SIGTERM raise `Stopped`; during an import, they end the process.

    `Stopped` is raised again every second until the block is left. This is necessary because Python
    discards exceptions in some callbacks, for example those of the garbage collector.
    """
    received = []
    previous_hook = sys.unraisablehook

    def stop(signal_number, frame):
        received.append(signal_number)
        if _importing(frame):
            _end(received[0], frame)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        raise Stopped(received[0])

    def raise_again(unraisable):
        if unraisable.exc_type is Stopped:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        else:
            previous_hook(unraisable)

    sys.unraisablehook = raise_again
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    previous = {number: signal.signal(number, stop) for number in watched}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)
        sys.unraisablehook = previous_hook


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], Stopped | None]]:
    """In the `with` block, the first Ctrl-C or SIGTERM is only recorded; a second raises `Stopped`.

    Yields a function, which returns a `Stopped` if a signal has been received, else None. At the
    end of the block, a recorded signal raises `Stopped`.
    """
    if threading.current_thread() is not threading.main_thread():  # only it can set handlers
        yield lambda: None
        return
    received: list[int] = []
    raising = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def record(signal_number, frame):
        received.append(signal_number)
        for number, handler in raising.items():
            signal.signal(number, handler)

    for number in raising:
        signal.signal(number, record)
    try:
        yield lambda: Stopped(received[0]) if received else None
    finally:
        for number, handler in raising.items():
            signal.signal(number, handler)
    if received:
        raise Stopped(received[0])
