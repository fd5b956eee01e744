"""Gives run directories from elsewhere to everything that reads or writes one.

    python -m tests.campaigns.hostile_runs
    python -m tests.campaigns.hostile_runs --short

Each directory is a whole run with one to three hostile changes, drawn at random: links, pipes,
devices, folders, huge, deep, truncated and random files, odd names, values of other types, whole
checkpoints of other numbers. `mnist_jax.load`, `mnist_jax.evaluate`, `--resume` and `--overwrite`
each meet a fresh copy. Each must do its work, or refuse in three parts and leave every byte of the
directory; it must read and change nothing that a link leads to, and answer within 10 s and 1 GiB.
Writes `hostile_runs.json` beside this file, which the short form does not; ends with 1 where
anything else happens.
"""

import contextlib
import io
import json
import multiprocessing
import os
import random
import re
import shutil
import socket
import stat
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from rich.progress import track

import mnist_jax
from manual_grads.cli import InputError
from mnist_jax import evaluate, train
from mnist_jax.runs import checkpoints, directory
from tests import ROOT

DIRECTORIES, SECONDS, BYTES = 1000, 10, 2**30
READ = 2**24
"""Larger files are no longer those of a run, and are not read here."""

TO_A_PROCESS = 50
"""What JAX has compiled stays in a process, and is no memory of a single answer."""

FLAGS = [
    *("--dataset=digits", "--train_examples=64", "--layer_sizes=784,3,10", "--batch_size=32"),
    *("--epochs=2", "--block_steps=1"),
]
Draw = random.Random

ODD = [
    *(None, True, False, -1, 0, 2**31, 2**63, 10**30, -0.5, 1e308, float("nan"), float("inf")),
    *("", "\0", "\x1b[2J", "\ud800", "../..", "/etc/passwd", "None", "9" * 500, "\u202e", []),
    *({}, [[]], [784, 10], [784, -3, 10], [784, 10**9, 10], [784, "3", 10], {"format": 1}),
]


def truncated(content: bytes, draw: Draw) -> bytes:
    """The end cut off."""
    return content[: draw.randrange(len(content) + 1)]


def noisy(content: bytes, draw: Draw) -> bytes:
    """A few bytes replaced, or all."""
    if draw.random() < 0.3:
        return draw.randbytes(draw.choice([0, 1, 8, 1000, 100_000]))
    damaged = bytearray(content)
    for _ in range(draw.choice([1, 3, 30]) if content else 0):
        damaged[draw.randrange(len(damaged))] = draw.randrange(256)
    return bytes(damaged)


def deep(content: bytes, draw: Draw) -> bytes:
    """JSON within JSON, without end."""
    depth = draw.choice([900, 20_000, 400_000])
    return draw.choice([b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth])


def other_values(content: bytes, draw: Draw) -> bytes:
    """A value of the JSON, or of each of its lines, replaced, removed, or said twice."""
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
    """A file of tensors whose header says other lengths, types, shapes or names."""
    length = int.from_bytes(content[:8], "little")
    if draw.random() < 0.3 or length > len(content):
        return draw.choice([0, 1, 2**40, 2**63, 2**64 - 1]).to_bytes(8, "little") + content[8:]
    header = other_values(content[8 : 8 + length], draw)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]


def other_tensors(content: bytes, draw: Draw) -> bytes:
    """A whole file with its checksum, of other numbers, types, shapes or leaves."""
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
    """Makes one hostile thing of what stands at the path, and says which."""
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
    """A link to something else, or the other name of a file elsewhere."""
    if draw.random() < 0.2:
        path.hardlink_to(outside / "file")
        return "hard link"
    aims = [outside / "file", outside / "folder", outside / path.name, outside / "none", path]
    path.symlink_to(draw.choice([*aims, Path("/dev/zero"), Path("..")]))
    return "link"


def special(path: Path, outside: Path, draw: Draw) -> str:
    """A pipe or a socket."""
    if draw.random() < 0.5:
        os.mkfifo(path)
        return "pipe"
    with socket.socket(socket.AF_UNIX) as door:
        here = Path.cwd()
        os.chdir(path.parent)  # the name of a socket has at most 100 characters
        door.bind(path.name)
        os.chdir(here)
    return "socket"


def huge(path: Path, outside: Path, draw: Draw) -> str:
    """Terabytes of zeros that take no room."""
    with path.open("wb") as file:
        file.truncate(draw.choice([2**31, 2**42]))
    return "huge"


def misplaced(path: Path, outside: Path, draw: Draw) -> str:
    """Nothing, a folder with something in it, or an empty file."""
    kind = draw.choice(["nothing", "folder", "empty file"])
    if kind == "folder":
        path.mkdir()
        (path / draw.choice(["inside", "0000000002.safetensors", "\udcff"])).write_text("of a user")
    elif kind == "empty file":
        path.touch()
    return kind


def added(run: Path, outside: Path, draw: Draw) -> str:
    """One entry more, of an odd name."""
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
    """Changes a copy of a whole run; returns what was done."""
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


def snapshot(folder: Path) -> dict[str, tuple]:
    """What stands in a folder, and all bytes of its smaller files."""
    found: dict[str, tuple] = {}
    if folder.is_symlink() or not folder.is_dir():
        return found
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        kind = stat.S_IFMT(status.st_mode)
        content: Any = None
        if path.is_symlink():
            content = path.readlink()
        elif stat.S_ISREG(kind):
            content = path.read_bytes() if status.st_size < READ else status.st_size
        if path.name != ".lock" or not stat.S_ISREG(kind) or status.st_size > 0:
            found[os.fspath(path.relative_to(folder))] = kind, content
    return found


class Watch:
    """Which files below a folder this process opens: Python tells an audit hook of each."""

    def __init__(self):
        self.folder: str | None = None
        self.opened: list[str] = []
        sys.addaudithook(self.note)

    def note(self, event: str, arguments: tuple) -> None:
        """Notes a file that is opened, followed to where its links lead."""
        if event == "open" and self.folder and isinstance(arguments[0], str | bytes):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if path.startswith(self.folder) or path == "/dev/zero":
                self.opened.append(path)


watch = cache(Watch)


def trained(workdir: Path, *words: str) -> int:
    """The exit status of the training command."""
    return train.main([*FLAGS, f"--workdir={workdir}", *words])


DOORS: dict[str, Callable[[Path], Any]] = {
    "load": mnist_jax.load,
    "evaluate": lambda run: evaluate.main([f"--workdir={run}"]),
    "--resume": lambda run: trained(run, "--resume"),
    "--overwrite": lambda run: trained(run, "--overwrite"),
}


def met(door: str, seed: int, source: Path) -> tuple[str, str]:
    """What came of one door that met one hostile directory; and the details of what is wrong."""
    with tempfile.TemporaryDirectory() as place:
        run, outside = Path(place) / "runs/run", Path(place) / "outside"
        shutil.copytree(source, run)
        shutil.copytree(source, outside)
        (outside / "folder").mkdir()
        for name in ("file", "folder/file"):
            (outside / name).write_text("of somebody else")
        done = make_hostile(run, outside, seed)
        before, away = snapshot(run), snapshot(outside)
        watching = watch()
        meant = Path(os.path.realpath(run))  # whoever names a link means where it leads
        watching.folder, watching.opened = os.path.realpath(outside), []
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
        said, refusal, started = io.StringIO(), "", time.perf_counter()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = DOORS[door](run)
            refused = door != "load" and status != 0
            refusal = said.getvalue() if refused else ""
        except InputError as error:
            refused, refusal = True, f"error: {error}"
        except BaseException:
            return "a traceback", f"{door} {seed} {done}\n{traceback.format_exc()}"
        finally:
            watching.folder = None
        seconds = time.perf_counter() - started
        parts = [refusal.count(part) for part in ("error: ", "\n  arrived: ", "\n  repair:  ")]
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        printed = set(said.getvalue() + refusal) - {"\n"}
        wrong = {
            "refused without three parts": refused and parts != [1, 1, 1],
            "refused and changed": refused and snapshot(run) != before,
            "changed outside": not outside_is_as_it_was(outside, away, meant),
            "read outside": [path for path in watching.opened if meant not in Path(path).parents],
            "slow": seconds > SECONDS and f"{seconds:.1f} s",
            "too much memory": int(peak) * 1024 > BYTES and f"{peak} kB",
            "a control character": any(not c.isprintable() for c in printed),
        }
        for what, details in wrong.items():
            if details:
                return what, f"{door} {seed} {done} {details}\n{said.getvalue()}{refusal}"
        return ("refused" if refused else "done"), ""


def outside_is_as_it_was(outside: Path, before: dict[str, tuple], meant: Path) -> bool:
    """Whether a folder holds what it held, and nothing new but in the run directory."""
    after = snapshot(outside)
    new = [outside.resolve() / name for name in after.keys() - before]
    return before.items() <= after.items() and all(meant in path.parents for path in new)


def all_doors(seed: int, source: Path) -> dict[str, tuple[str, str]]:
    """What came of every door on one hostile directory."""
    return {door: met(door, seed, source) for door in DOORS}


def whole_run(folder: Path) -> Path:
    """A run that has ended and was evaluated."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert trained(folder / "source") == 0
        assert evaluate.main([f"--workdir={folder / 'source'}"]) == 0
    return folder / "source"


def main(directories: int = DIRECTORIES, report: Path | None = None) -> int:
    """Tries all, writes and prints what came of it, and returns the exit status."""
    outcomes = {door: Counter() for door in DOORS}
    wrong = []
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as compiled, tempfile.TemporaryDirectory() as place:
        os.environ |= {
            "JAX_COMPILATION_CACHE_DIR": compiled,
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        with ProcessPoolExecutor(1, context) as pool:
            source = pool.submit(whole_run, Path(place)).result()

        def meet_all():
            for first in range(0, directories, TO_A_PROCESS):
                seeds = range(first, min(first + TO_A_PROCESS, directories))
                with ProcessPoolExecutor(os.cpu_count(), context) as pool:
                    yield from pool.map(all_doors, seeds, [source] * len(seeds))

        for each in track(meet_all(), "hostile run directories", directories):
            for door, (came, details) in each.items():
                outcomes[door][came] += 1
                wrong += [details] if details else []
    record = {
        "command": "python -m tests.campaigns.hostile_runs",
        "directories": directories,
        "outcomes": outcomes,
    }
    if report is not None:
        report.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record), *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    if "--short" in sys.argv:
        sys.exit(main(directories=20))
    sys.exit(main(report=ROOT / "tests/campaigns/hostile_runs.json"))
