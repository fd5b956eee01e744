"""The time that each part of a run takes, including the time before the run was resumed."""

import contextlib
import time
from collections.abc import Iterator
from typing import NamedTuple

Seconds = dict[str, float]
PARTS = ("load", "compile", "train", "evaluate")
"""The parts whose seconds a checkpoint saves."""

AROUND = ("imports", "files")
"""The parts whose seconds no checkpoint saves: importing jax, and writing the final files."""


def busy(seconds: Seconds) -> float:
    """The seconds of training and evaluation together."""
    return seconds["train"] + seconds["evaluate"]


class Clock(NamedTuple):
    """The time at which the clock started, and the seconds of each part so far."""

    started: float
    parts: Seconds


def start_clock() -> Clock:
    """A clock that starts now, with 0 seconds for each part."""
    return Clock(time.perf_counter(), dict.fromkeys((*PARTS, *AROUND, "before"), 0.0))


def go_on(clock: Clock, earlier: Seconds) -> None:
    """Adds `earlier`, the seconds that a run took before it was resumed, to the clock."""
    for part in PARTS:
        clock.parts[part] += earlier[part]
    clock.parts["before"] += earlier["total"]


@contextlib.contextmanager
def timed(clock: Clock, part: str) -> Iterator[None]:
    """Adds the time that the `with` block takes to one part of the clock."""
    started = time.perf_counter()
    try:
        yield
    finally:
        clock.parts[part] += time.perf_counter() - started


def seconds_of(clock: Clock) -> Seconds:
    """The seconds of each of `PARTS` so far, and the total since the run began."""
    total = clock.parts["before"] + time.perf_counter() - clock.started
    return {part: clock.parts[part] for part in PARTS} | {"total": total}


def timings(clock: Clock) -> Seconds:
    """The seconds of all parts, `AROUND` included, and the total."""
    seconds = seconds_of(clock)
    return {part: clock.parts[part] for part in AROUND} | seconds


def timings_line(seconds: Seconds) -> str:
    """The `timings` in one line; `other` is the rest of the total, which belongs to no part."""
    parts = {name: value for name, value in seconds.items() if name != "total"}
    shown = parts | {"other": seconds["total"] - sum(parts.values()), "total": seconds["total"]}
    return "seconds: " + ", ".join(f"{name} {value:.2f}" for name, value in shown.items())
