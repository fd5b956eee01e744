"""The error that every command prints: what must hold, what arrived, and the likely repair."""


class InputError(ValueError):
    """Bad input, said in three parts: what must hold, what arrived, the likely repair."""

    def __init__(self, must_hold: str, arrived: str, repair: str):
        super().__init__(printable(f"{must_hold}\n  arrived: {arrived}\n  repair:  {repair}"))


class FlagError(InputError):
    """A command line that cannot be read as flags."""


def printable(text: str) -> str:
    """The text without the control characters that a user or a file has brought into it."""
    return "".join(
        character if character.isprintable() or character == "\n" else ascii(character)[1:-1]
        for character in text
    )
