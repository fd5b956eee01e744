"""The code that all commands share: parsing flags, printing, and the exit status."""

import contextlib
import functools
import gc
import logging
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from manual_grads.cli import compilation_cache, options
from manual_grads.cli.errors import InputError, printable
from manual_grads.cli.signals import Stopped, stoppable

Options = TypeVar("Options")

COLLECTED_EVERY = 50_000
"""Python collects garbage after this number of new objects. With Python's default, collecting takes
up to a tenth of the time of importing JAX and tracing; these make many objects, little garbage."""


def run(
    work: Callable[..., int | None],
    options_class: type[Options],
    description: str | None,
    argv: Sequence[str] | None = None,
    bad_input: int = 1,
    takes_words: bool = False,
) -> int:
    """Parses `argv` (or `sys.argv`), calls `work` with the options, and returns the exit status.

    With `takes_words`, `work` also receives the words that are not flags; otherwise such words are
    an error. The status is what `work` returns, or 0 if that is None. After `--help`, it is 0.
    After an `InputError`, which is printed, the status is `bad_input`. It is 130 after Ctrl-C and
    143 after SIGTERM; then the notes of the `Stopped` exception are printed.
    """
    argv = sys.argv[1:] if argv is None else argv
    gc.set_threshold(COLLECTED_EVERY)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # else it logs a path
    if {"--help", "-help", "-h"} & set(argv):
        say(options.help_text(description or "", options_class))
        return 0
    try:
        with stoppable():
            words: list[str] = []
            given = words if takes_words else None
            chosen, everywhere = options.parse_with_common(options_class, argv, given)
            compilation_cache.use(everywhere.compilation_cache, say)
            status = work(chosen, words) if takes_words else work(chosen)
    except InputError as error:
        say(f"error:{error}", to_errors=True)
        return bad_input
    except Stopped as stop:
        say("; ".join(["stopped", *getattr(stop, "__notes__", [])]), to_errors=True)
        return stop.status
    return status or 0


def say(line: str, to_errors: bool = False, wrapped: bool = True) -> None:
    """Prints text; on a terminal, long lines are broken between words if `wrapped` is true.

    An `OSError`, such as a closed pipe or a full disk, is ignored: it must not end a run.
    """
    stream = sys.stderr if to_errors else sys.stdout
    try:
        width = shutil.get_terminal_size().columns if wrapped and stream.isatty() else None
        print(_wrapped(printable(line), width), file=stream, flush=True)
    except UnicodeEncodeError:
        say(
            line.translate(IN_ASCII).encode("ascii", "backslashreplace").decode(),
            to_errors,
            wrapped,
        )
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # else Python's flush at exit prints an error


def _wrapped(text: str, width: int | None) -> str:
    """Breaks lines longer than `width`; continuation lines align with the text after a label."""
    lines: list[str] = []
    wrap = functools.partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)
    for line in text.split("\n"):
        label = re.match(r" *(?:(?:expected|got|try): *)?", line)
        indent = " " * (label.end() if label else 0)
        fits = width is None or len(line) <= width
        lines += [line] if fits else wrap(line, width, subsequent_indent=indent)
    return "\n".join(lines)


REPLACEMENTS = (
    "δ=delta σ=sigma ε=epsilon λ=lambda θ=theta Σ=sum ∂=d √=sqrt ½=1/2 ²=^2 ³=^3 ⁰=^0 ᵀ=^T ×=x "
    "·=* ⊙=* −=- –=- —=- ─=- ±=+- →=-> ≤=<= ≥=>= …=... ‖=|| █=#"
)
IN_ASCII = {ord(pair[0]): pair[2:] for pair in REPLACEMENTS.split()}
"""ASCII text that replaces characters which a terminal cannot print."""


def leave(status: int) -> NoReturn:
    """Exits at once, without Python's normal shutdown.

    The shutdown can crash XLA while the device still computes. A signal during the shutdown would
    kill the process, because Python has removed the signal handlers by then.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # the stream is closed
            stream.flush()
    os._exit(status)
