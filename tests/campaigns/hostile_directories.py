"""Makes a hostile run directory by random changes to a valid one."""

import contextlib
import json
import os
import random
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.numpy

from mnist_jax.runs import checkpoints, directory

READ = 2**24
"""This module does not read files that are larger. The files of a run are smaller."""

Draw = random.Random
ODD = [
    *(None, True, False, -1, 0, 2**31, 2**63, 10**30, -0.5, 1e308, float("nan"), float("inf")),
    *("", "\0", "\x1b[2J", "\ud800", "../..", "/etc/passwd", "None", "9" * 500, "\u202e", []),
    *({}, [[]], [784, 10], [784, -3, 10], [784, 10**9, 10], [784, "3", 10], {"format": 1}),
]


def truncated(content: bytes, draw: Draw) -> bytes:
    """Cuts off the end."""
    return content[: draw.randrange(len(content) + 1)]


def noisy(content: bytes, draw: Draw) -> bytes:
    """Replaces a few bytes, or all bytes."""
    if draw.random() < 0.3:
        return draw.randbytes(draw.choice([0, 1, 8, 1000, 100_000]))
    damaged = bytearray(content)
    for _ in range(draw.choice([1, 3, 30]) if content else 0):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return bytes(damaged)


def deep(content: bytes, draw: Draw) -> bytes:
    """Replaces the content by very deeply nested JSON."""
    depth = draw.choice([900, 20_000, 400_000])
    return draw.choice([b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth])


def other_values(content: bytes, draw: Draw) -> bytes:
    """Replaces, removes or repeats a value in the JSON, or in each line of JSON."""
    lines = content.splitlines() if content.count(b"\n{") else [content]
    chosen = draw.randrange(len(lines)) if lines else 0
    with contextlib.suppress(ValueError, IndexError, RecursionError):
        value = json.loads(lines[chosen])
        place = value
        while isinstance(place, dict) and place:
            name = draw.choice(sorted(place))
            if isinstance(place[name], dict) and draw.random() < 0.8:
                place = place[name]
                continue
            if draw.random() < 0.2:
                del place[name]
            else:
                place[draw.choice([name, name, "\udcff", "workdir"])] = draw.choice(ODD)
            break
        text = json.dumps(value)
        if draw.random() < 0.1:
            text = text.replace("1", draw.choice(["1e999", "9" * 5000, "-1", "01"]), 1)
        lines[chosen] = text.encode(errors="surrogatepass")
    return b"\n".join(lines)


def other_header(content: bytes, draw: Draw) -> bytes:
    """Changes lengths, types, shapes or names in the header of a safetensors file."""
    length = int.from_bytes(content[:8], "little")
    if draw.random() < 0.3 or length > len(content):
        return draw.choice([0, 1, 2**40, 2**63, 2**64 - 1]).to_bytes(8, "little") + content[8:]
    header = other_values(content[8 : 8 + length], draw)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def other_tensors(content: bytes, draw: Draw) -> bytes:
    """Changes values, types, shapes or names of tensors, and updates the checksum."""
    try:
        tensors = dict(safetensors.numpy.load(content))
    except (safetensors.SafetensorError, ValueError, KeyError):
        return content
    for name in draw.sample(sorted(tensors), min(len(tensors), draw.choice([1, 1, 2, 9]))):
        old = tensors[name]
        values = {"f": [-1, np.nan, np.inf, 1e38], "i": [-1, 2**31 - 1], "u": [255]}
        np.seterr(over="ignore")  # 1e38 is infinity in float16
        filled = [np.full_like(old, value) for value in [0, 1, 7, *values[old.dtype.kind]]]
        other = [old.astype("float16"), old[..., None], np.zeros((0, 3)), np.zeros(3, "int8")]
        tensors[name] = np.ascontiguousarray(draw.choice([*filled, *filled, *other]))
    if draw.random() < 0.1:
        del tensors[draw.choice(sorted(tensors))]
    return safetensors.numpy.save(tensors, checkpoints._metadata(tensors))


def changed(path: Path, outside: Path, draw: Draw) -> str:
    """Makes one hostile change to a file or folder, and returns its name."""
    plain = path.is_file() and not path.is_symlink() and path.stat().st_size < READ
    content = path.read_bytes() if plain else b""
    damages: list[Callable[[bytes, Draw], bytes]] = [truncated, noisy, deep]
    damages += [other_values] * 5 if path.suffix in (".json", ".jsonl") else []
    damages += [other_header, other_tensors] * 3 if path.suffix == ".safetensors" else []
    if content and draw.random() < 0.7:
        damage = draw.choice(damages)
        path.write_bytes(damage(content, draw))
        return damage.__name__
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return draw.choice([linked, special, huge, misplaced])(path, outside, draw)


def linked(path: Path, outside: Path, draw: Draw) -> str:
    """Makes a symbolic link, or a hard link to a file outside the run directory."""
    if draw.random() < 0.2:
        path.hardlink_to(outside / "file")
        return "hard link"
    aims = [outside / "file", outside / "folder", outside / path.name, outside / "none", path]
    path.symlink_to(draw.choice([*aims, Path("/dev/zero"), Path("..")]))
    return "link"


def special(path: Path, outside: Path, draw: Draw) -> str:
    """Makes a pipe or a socket."""
    if draw.random() < 0.5:
        os.mkfifo(path)
        return "pipe"
    with socket.socket(socket.AF_UNIX) as door:
        here = Path.cwd()
        os.chdir(path.parent)  # the path of a socket may have about 100 characters
        door.bind(path.name)
        os.chdir(here)
    return "socket"


def huge(path: Path, outside: Path, draw: Draw) -> str:
    """Makes a sparse file of gigabytes or terabytes that uses no disk space."""
    with path.open("wb") as file:
        file.truncate(draw.choice([2**31, 2**42]))
    return "huge"


def misplaced(path: Path, outside: Path, draw: Draw) -> str:
    """Makes a folder that is not empty, an empty file, or nothing."""
    kind = draw.choice(["nothing", "folder", "empty file"])
    if kind == "folder":
        path.mkdir()
        (path / draw.choice(["inside", "0000000002.safetensors", "\udcff"])).write_text("of a user")
    elif kind == "empty file":
        path.touch()
    return kind


def added(run: Path, outside: Path, draw: Draw) -> str:
    """Adds a file or folder with an unusual name."""
    names = ["\udcff\udcfe", "\x1b[2J", "\u202egnp", "a" * 255, "0000000000", "9999999999"]
    names += [f"{number}.safetensors" for number in ("0000000001", "9999999999", "٣" * 10, "-1")]
    names += [".0000000002.safetensors.1", ".metrics.jsonl.1", f".config.json.{os.getpid()}"]
    folder = draw.choice([run, run / "checkpoints", run / "checkpoints"])
    if folder.is_symlink() or not folder.is_dir():
        return "nothing added"
    path = folder / draw.choice(names)
    if os.path.lexists(path):
        return "nothing added"
    path.write_bytes(draw.randbytes(50))
    changed(path, outside, draw)
    return "odd name"


def make_hostile(run: Path, outside: Path, seed: int) -> list[str]:
    """Makes one to three hostile changes to a copy of a run, and returns their names."""
    draw = Draw(seed)
    done = []
    for _ in range(draw.choice([1, 1, 2, 3])):
        if draw.random() < 0.15:
            done.append(added(run, outside, draw))
            continue
        names = [*directory.FILES, *directory.EVALUATION, ".lock", "checkpoints"]
        names += ["config.json", "checkpoints", "metrics.jsonl", "parameters.safetensors"]
        held = run / "checkpoints"
        inside = sorted(held.iterdir()) if held.is_dir() and not held.is_symlink() else []
        path = draw.choice([*(run / name for name in names), *inside, *inside])
        if path.parent.is_dir():
            done.append(f"{path.suffix or path.name}: {changed(path, outside, draw)}")
    if draw.random() < 0.03:
        shutil.rmtree(run)
        done = [f"run directory: {linked(run, outside, draw)}"]
    return done
