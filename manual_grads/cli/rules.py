"""Conditions on the values of options."""

import contextlib
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """A condition on an option's value; `words` completes the sentence "--name must …"."""

    words: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


ANY = Rule("be given", lambda _: True)
LARGEST, SMALLEST = 2.0**127, 2.0**-126
"""Limits for positive values. Beyond them, a device may compute ∞ or 0 in float32."""

FINITE = Rule("be finite in float32", lambda value: -LARGEST <= value <= LARGEST)
POSITIVE = Rule("be above 0 and finite in float32", lambda value: SMALLEST <= value <= LARGEST)
NOT_NEGATIVE = Rule(
    "be 0, or above 0 and finite in float32", lambda value: value == 0 or POSITIVE.holds(value)
)
FRACTION = Rule(
    "be at least 0 and below 1 in float32",
    lambda value: value == 0 or SMALLEST <= value <= 1 - 2**-24,
)
A_PATH = Rule("be a path that is not empty", lambda value: value is None or _is_path(value))
AT_LEAST_1 = Rule(
    f"be at least 1 and below {2**31:,}", lambda value: value is None or 1 <= value < 2**31
)
SEED = Rule(f"be at least 0 and below {2**32:,}", lambda value: 0 <= value < 2**32)
FILE_NAME = Rule(
    "be the name of a folder, without / or \\, in printable characters",
    lambda value: (
        re.fullmatch(r"[^/\\]+", value) is not None
        and value.isprintable()
        and value not in (".", "..")
    ),
)


def _is_path(value: str) -> bool:
    """Whether the operating system accepts this text as a path."""
    with contextlib.suppress(UnicodeEncodeError):
        return b"\0" not in os.fsencode(value) and value != ""
    return False


def one_of(*names: str) -> Rule:
    """The rule that a value is one of `names`."""
    return Rule(f"be one of {', '.join(names)}", names.__contains__, names)
