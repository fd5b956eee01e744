"""Seconds of a call, and rounds in which several things are timed in turn."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from rich.progress import track

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What `work` returns, and the seconds that it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def in_turn(names: Sequence[str], rounds: int, what: str) -> Iterator[tuple[int, str]]:
    """Yields the number of each round with each name; every other round reverses the order."""
    for number in track(range(rounds), what):
        for name in names[:: -1 if number % 2 else 1]:
            yield number, name
