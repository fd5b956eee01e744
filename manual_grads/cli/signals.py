"""Ctrl-C and SIGTERM: an exception where the work can stop anywhere, a question where it cannot."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import NoReturn


class Stopped(KeyboardInterrupt):
    """A signal asked the command to end; `status` is the exit status that says which."""

    def __init__(self, signal_number: int):
        super().__init__()
        self.status = 128 + signal_number


def end_at_once(package: str) -> None:
    """Lets Ctrl-C and SIGTERM end a command of the package, with a line and without an exception.

    Called as the package is imported; without effect unless the process is `python -m PACKAGE.…`.
    For the time in which modules are imported: an exception may be lost there, or crash a module of
    C++, and there is nothing to save. `stoppable` takes over from it.
    """
    being_located = sys.argv[:1] == ["-m"]  # until Python has found the module that it is to run
    if being_located and any(f"{package}." in word for word in sys.orig_argv):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _end)


def _end(signal_number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"stopped\n")
    os._exit(128 + signal_number)


def _importing(frame: FrameType | None) -> bool:
    """Whether the frame belongs to the import of a module."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise `Stopped` inside, and while a module is imported they `end_at_once`.

    And again a moment later, until it has left the block: an exception that comes while the
    interpreter is in a callback, of its garbage collector say, is lost there, and only reported.
    """
    arrived = []
    report = sys.unraisablehook

    def stop(signal_number, frame):
        arrived.append(signal_number)
        if _importing(frame):
            _end(arrived[0], frame)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        raise Stopped(arrived[0])

    def lost(unraisable):
        if unraisable.exc_type is Stopped:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        else:
            report(unraisable)

    sys.unraisablehook = lost
    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    previous = {number: signal.signal(number, stop) for number in watched}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)
        sys.unraisablehook = report


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], Stopped | None]]:
    """Inside, the first Ctrl-C or SIGTERM waits to be asked for; a second raises `Stopped`.

    Yields what to ask: it returns a `Stopped` to raise once one has arrived. What was not asked for
    is raised at the end.
    """
    if threading.current_thread() is not threading.main_thread():  # Python allows no handler here
        yield lambda: None
        return
    arrived: list[int] = []
    raising = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def wait(signal_number, frame):
        arrived.append(signal_number)
        for number, handler in raising.items():
            signal.signal(number, handler)

    for number in raising:
        signal.signal(number, wait)
    try:
        yield lambda: Stopped(arrived[0]) if arrived else None
    finally:
        for number, handler in raising.items():
            signal.signal(number, handler)
    if arrived:
        raise Stopped(arrived[0])
