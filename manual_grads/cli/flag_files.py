"""Flag files: `--flagfile=PATH` stands for the flags in a file, one a line."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from manual_grads.cli import paths
from manual_grads.cli.errors import FlagError

SHIPPED = Path(__file__).parents[2] / "experiments"
NAMES = ("--flagfile", "-flagfile")
MOST = 2**20
"""Bytes of a flag file."""


def expand(argv: Sequence[str], inside: tuple[Path, ...] = ()) -> tuple[list[str], list[Path]]:
    """The words with those of each flag file in its place, and the files that were read.

    In a file, empty lines and lines that begin with `#` or `//` are left out. A file may name
    another; `inside` are those that led here. A path that does not exist may be the name of a
    shipped file. Raises `FlagError` for a file that cannot be read, or that leads back to itself.
    """
    words, files = [], []
    rest = iter(argv)
    for word in rest:
        flag, equals, name = word.partition("=")
        if word == "--":
            return [*words, word, *rest], files
        if flag not in NAMES:
            words.append(word)
            continue
        name = name if equals else next(rest, "")
        if not name:
            raise FlagError("--flagfile must name a file", word, "--flagfile=PATH")
        path = _shipped_or(paths.of_user(name))
        if path.absolute() in inside:
            raise FlagError("a flag file must not lead back to itself", name, "one flag file less")
        found, deeper = expand(list(_lines(path)), (*inside, path.absolute()))
        words += found
        files += [path, *deeper]
    return words, files


def _lines(path: Path) -> Iterator[str]:
    try:
        with paths.open_plain(path, follow_links=True) as file:
            content = file.read(MOST + 1)
        if len(content) > MOST:
            raise ValueError(f"more than {MOST:,} bytes")
        lines = content.decode().splitlines()
    except (OSError, ValueError) as error:
        found = paths.what_is(path) if isinstance(error, FileNotFoundError) else error
        raise FlagError(
            "--flagfile must name a text file that can be read",
            f"{path}: {found}",
            f"--flagfile=PATH from the folder you stand in, or one of {', '.join(_shipped())} of "
            f"{SHIPPED}",
        ) from None
    for line in map(str.strip, lines):
        if line and not line.startswith(("#", "//")):
            yield line


def _shipped_or(path: Path) -> Path:
    """The shipped file for `base.flags` or `experiments/base.flags`, if there is no such file."""
    shipped = path.name in _shipped() and path.parent in (Path(), Path("experiments"))
    return SHIPPED / path.name if shipped and not os.path.lexists(path) else path


def _shipped() -> list[str]:
    return sorted(file.name for file in SHIPPED.glob("*.flags"))
