"""Times a call, orders repeated measurements, and counts the operations of an epoch."""

import itertools
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


def operations(sizes: Sequence[int], examples: int) -> int:
    """The number of additions and multiplications in the matrix products of an epoch.

    It is 2·examples·(2·n₀n₁ + 3·Σ_{l≥2} n_{l−1}n_l): each layer has one product in the forward
    pass and one for the weight gradient; from layer 2 on, a third one backpropagates δ.
    """
    first, *others = (a * b for a, b in itertools.pairwise(sizes))
    return 2 * examples * (2 * first + 3 * sum(others))


def in_turn(names: Sequence[str], rounds: int, what: str) -> Iterator[tuple[int, str]]:
    """Yields each round's number with each name; every other round reverses the order of names."""
    for number in track(range(rounds), what):
        for name in names[:: -1 if number % 2 else 1]:
            yield number, name
