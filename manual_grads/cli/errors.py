"""The error that every command prints: what is expected, what it got, and what to try."""


class InputError(ValueError):
    """Bad input. Its text has three lines: what is expected, what was got, and what to try."""

    def __init__(self, expected: str, got: str, repair: str):
        parts = f"\n  expected: {expected}\n  got:      {got}\n  try:      {repair}"
        super().__init__(printable(parts))


class FlagError(InputError):
    """A command line that cannot be read as flags."""


def printable(text: str) -> str:
    """The text with each control character, which a user or a file brought into it, escaped."""
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )
