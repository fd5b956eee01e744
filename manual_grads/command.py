"""What every command does around its work: flags in, errors and signals out as exit status."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn, TypeVar

from manual_grads import options
from manual_grads.options import InputError

Options = TypeVar("Options")


class Stopped(BaseException):
    """A signal asked the command to end; `status` is the exit status that says which."""

    def __init__(self, signal_number: int):
        super().__init__()
        self.status = 128 + signal_number


def run(
    work: Callable[[Options], int | None],
    options_class: type[Options],
    description: str | None,
    argv: Sequence[str] | None = None,
    bad_input: int = 1,
) -> int:
    """Calls `work` with the options that `argv`, or the command line, says; returns the status.

    That is what `work` returns, 0 for nothing and after `--help`; `bad_input` after an
    `InputError`, printed in its three parts; 130 after Ctrl-C and 143 after SIGTERM, printed with
    the notes that the exception carries.
    """
    argv = sys.argv[1:] if argv is None else argv
    if {"--help", "-help", "-h"} & set(argv):
        say(options.help_text(description or "", options_class))
        return 0
    try:
        with stoppable():
            status = work(options.parse(options_class, argv))
    except InputError as error:
        say(f"error: {error}", to_errors=True)
        return bad_input
    except Stopped as stop:
        say("; ".join(["stopped", *getattr(stop, "__notes__", [])]), to_errors=True)
        return stop.status
    return status or 0


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM raise `Stopped` inside.

    And again a second later, until it has left the block: an exception that comes while the
    interpreter is in a callback, of its garbage collector say, is swallowed there.
    """
    arrived = []

    def stop(signal_number, frame):
        arrived.append(signal_number)
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        raise Stopped(arrived[0])

    watched = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
    previous = {number: signal.signal(number, stop) for number in watched}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in previous.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def deferred() -> Iterator[Callable[[], Stopped | None]]:
    """Inside, the first Ctrl-C or SIGTERM waits to be asked for; a second raises `Stopped`.

    Yields what to ask: it returns a `Stopped` to raise once one has arrived. What was not asked for
    is raised at the end.
    """
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


def say(line: str, to_errors: bool = False) -> None:
    """Prints a line. That nobody reads on, or the disk is full, is no reason to lose a run."""
    stream = sys.stderr if to_errors else sys.stdout
    try:
        print(line, file=stream, flush=True)
    except UnicodeEncodeError:
        say(line.encode("ascii", "backslashreplace").decode(), to_errors)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # or Python would complain when it flushes at the end


def leave(status: int) -> NoReturn:
    """Ends the process. After a signal at once: the device may still compute what was stopped, and
    Python must not take down what that needs.
    """
    if status > 128:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
