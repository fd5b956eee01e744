"""Describes and opens paths. Only regular files are opened, because a pipe or device can block."""

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

FILE, FOLDER, NOTHING = "a file", "a folder", "no such file or folder"
KINDS = {
    stat.S_ISREG: FILE,
    stat.S_ISDIR: FOLDER,
    stat.S_ISFIFO: "a pipe",
    stat.S_ISSOCK: "a socket",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
}


def of_user(text: str | Path) -> Path:
    """The path that a user wrote, with `~` expanded."""
    with contextlib.suppress(RuntimeError):  # no user has the name after `~`
        return Path(text).expanduser()
    return Path(text)


def what_is(path: Path) -> str:
    """What is at the path, such as "a folder" or "a link to /x: no such file or folder"."""
    try:
        link = f"a link to {path.readlink()}: " if path.is_symlink() else ""
    except OSError as error:
        return _reason(error)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return link + _reason(error)
    return link + next(words for is_kind, words in KINDS.items() if is_kind(mode))


def open_plain(path: Path, follow_links: bool) -> BinaryIO:
    """Opens a file for reading. Raises `OSError`, or `ValueError` if it is not a regular file."""
    leads_nowhere = path.is_symlink() and not path.exists()
    if leads_nowhere or not stat.S_ISREG(path.stat(follow_symlinks=follow_links).st_mode):
        raise ValueError(what_is(path))
    flags = os.O_RDONLY | os.O_NONBLOCK | (0 if follow_links else os.O_NOFOLLOW)
    return os.fdopen(os.open(path, flags), "rb")


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NOTHING
    return error.strerror or type(error).__name__
