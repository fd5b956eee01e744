"""What every command does around its work: flags in, errors and signals out as exit status."""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from manual_grads import options
from manual_grads.options import InputError

Options = TypeVar("Options")


class Terminated(BaseException):
    """SIGTERM asked the command to end."""


def run(
    work: Callable[[Options], None],
    options_class: type[Options],
    description: str | None,
    argv: Sequence[str] | None = None,
    bad_input: int = 1,
) -> int:
    """Calls `work` with the options that `argv`, or the command line, says; returns the status.

    0 when done, `--help` too; `bad_input` after an `InputError`, printed in its three parts; 130
    after Ctrl-C and 143 after SIGTERM, printed with the notes that the exception carries.
    """
    argv = sys.argv[1:] if argv is None else argv
    if "--help" in argv:
        print(options.help_text(description or "", options_class))
        return 0
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        work(options.parse(options_class, argv))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return bad_input
    except (KeyboardInterrupt, Terminated) as stop:
        print("; ".join(["stopped", *getattr(stop, "__notes__", [])]), file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0


def _terminate(signal_number, frame):
    raise Terminated
