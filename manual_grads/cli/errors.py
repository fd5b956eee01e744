"""Error messages that say what was expected, what was given instead, and what to try."""


class InputError(ValueError):
    """Invalid input. The message has three lines: `expected`, `got`, and what to `try`."""

    def __init__(self, expected: str, got: str, repair: str):
        parts = f"\n  expected: {expected}\n  got:      {got}\n  try:      {repair}"
        super().__init__(printable(parts))


class FlagError(InputError):
    """A command line that cannot be parsed as flags."""


def printable(text: str) -> str:
    """The text with unprintable characters escaped, because it can come from a user or a file."""
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )
