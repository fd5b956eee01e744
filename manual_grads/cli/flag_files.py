"""Flag files: `--flagfile=PATH` inserts the flags that a file contains, one per line."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from manual_grads.cli import paths
from manual_grads.cli.errors import FlagError

SHIPPED = Path(__file__).parents[2] / "experiments"
NAMES = ("--flagfile", "-flagfile")
MAX_BYTES = 2**20


def expand(argv: Sequence[str], inside: tuple[Path, ...] = ()) -> tuple[list[str], list[Path]]:
    """Replaces each `--flagfile` in `argv` by the flags in the file; also returns the files' paths.

    Empty lines and lines that begin with `#` or `//` are ignored. A file can include another;
    `inside` has the files that are being expanded. If a path NAME or `experiments/NAME` does not
    exist, the file NAME in this project's `experiments` is used. Raises `FlagError` if a file is
    unreadable or includes itself.
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
            raise FlagError("a flag file must not include itself", name, "removing this --flagfile")
        found, deeper = expand(list(_lines(path)), (*inside, path.absolute()))
        words += found
        files += [path, *deeper]
    return words, files


def _lines(path: Path) -> Iterator[str]:
    try:
        with paths.open_plain(path, follow_links=True) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES:,} bytes")
        lines = content.decode().splitlines()
    except (OSError, ValueError) as error:
        found = paths.what_is(path) if isinstance(error, FileNotFoundError) else error
        raise FlagError(
            "--flagfile must name a text file that can be read",
            f"{path}: {found}",
            f"--flagfile=PATH, relative to the current folder, or one of {', '.join(_shipped())} "
            f"in {SHIPPED}",
        ) from None
    for line in map(str.strip, lines):
        if line and not line.startswith(("#", "//")):
            yield line


def _shipped_or(path: Path) -> Path:
    """The path; if no file is there, the path of the project's flag file with this name, if any."""
    shipped = path.name in _shipped() and path.parent in (Path(), Path("experiments"))
    return SHIPPED / path.name if shipped and not os.path.lexists(path) else path


def _shipped() -> list[str]:
    return sorted(file.name for file in SHIPPED.glob("*.flags"))
