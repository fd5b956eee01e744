"""How long a run takes, part by part, over all the processes that it has been resumed in."""

import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

Seconds = dict[str, float]
PARTS = ("load", "compile", "train", "evaluate")


def busy(seconds: Seconds) -> float:
    """The seconds of training and evaluation together."""
    return seconds["train"] + seconds["evaluate"]


class Clock(NamedTuple):
    """When the clock was started, and the seconds of each part, which grow."""

    started: float
    parts: Seconds


def start_clock() -> Clock:
    """A clock that starts now."""
    return Clock(time.perf_counter(), dict.fromkeys((*PARTS, "before"), 0.0))


def go_on(clock: Clock, earlier: Seconds) -> None:
    """Adds the `seconds_of` an earlier clock, whose run this one goes on with."""
    for part in PARTS:
        clock.parts[part] += earlier[part]
    clock.parts["before"] += earlier["total"]


@contextlib.contextmanager
def timed(clock: Clock, part: str) -> Iterator[None]:
    """Adds to a part of the clock the time that the block takes."""
    started = time.perf_counter()
    try:
        yield
    finally:
        clock.parts[part] += time.perf_counter() - started


def seconds_of(clock: Clock) -> Seconds:
    """The seconds of each part until now, and in all."""
    total = clock.parts["before"] + time.perf_counter() - clock.started
    return {part: clock.parts[part] for part in PARTS} | {"total": total}
