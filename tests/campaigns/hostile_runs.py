"""Tests all code that reads or writes a run directory on hostile directories.

    python -m tests.campaigns.hostile_runs
    python -m tests.campaigns.hostile_runs --short

Each directory is a complete run with one to three random hostile changes. They add links, pipes,
devices, folders and unusual names; huge, deeply nested, truncated or random files; values of wrong
types; and valid checkpoints with other values. `mnist_jax.load`, `mnist_jax.evaluate`, `--resume`
and `--overwrite` are each called with a new copy. A call must succeed, or fail with an error of
three parts and change no file. It must not read or change the target of a link. It must return
within 10 s and use at most 1 GiB. The results are written to `hostile_runs.json` beside this file,
except by the short form. The exit status is 1 if one of these rules is violated.
"""

import contextlib
import io
import multiprocessing
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

from rich.progress import track

import mnist_jax
from manual_grads.cli import InputError
from mnist_jax import evaluate, train
from tests.campaigns import record, run
from tests.campaigns.hostile_directories import READ, make_hostile

DIRECTORIES, SECONDS, BYTES = 1000, 10, 2**30
TO_A_PROCESS = 50
"""Number of directories per process. The limit keeps JAX's compilation caches small."""

FLAGS = [
    *("--dataset=digits", "--train_examples=64", "--layer_sizes=784,3,10", "--batch_size=32"),
    *("--epochs=2", "--block_steps=1"),
]


def snapshot(folder: Path) -> dict[str, tuple]:
    """The entries of a folder and its subfolders, and the content of the smaller files."""
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
    """A Python audit hook that records which files in a folder this process opens."""

    def __init__(self):
        self.folder: str | None = None
        self.opened: list[str] = []
        sys.addaudithook(self.note)

    def note(self, event: str, arguments: tuple) -> None:
        """Records the path of an opened file; links in the path are resolved."""
        if event == "open" and self.folder and isinstance(arguments[0], str | bytes):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if path.startswith(self.folder) or path == "/dev/zero":
                self.opened.append(path)


watch = cache(Watch)


def trained(workdir: Path, *words: str) -> int:
    """Runs the training command and returns its exit status."""
    return train.main([*FLAGS, f"--workdir={workdir}", *words])


DOORS: dict[str, Callable[[Path], Any]] = {
    "load": mnist_jax.load,
    "evaluate": lambda run: evaluate.main([f"--workdir={run}"]),
    "--resume": lambda run: trained(run, "--resume"),
    "--overwrite": lambda run: trained(run, "--overwrite"),
}


def met(door: str, seed: int, source: Path) -> tuple[str, str]:
    """Calls one entry point on one hostile directory; returns the outcome and details of errors."""
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
        meant = Path(os.path.realpath(run))  # --workdir itself may be a link
        watching.folder, watching.opened = os.path.realpath(outside), []
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak memory
        said, refusal, started = io.StringIO(), "", time.perf_counter()
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = DOORS[door](run)
            refused = door != "load" and status != 0
            refusal = said.getvalue() if refused else ""
        except InputError as error:
            refused, refusal = True, f"error:{error}"
        except BaseException:
            return "a traceback", f"{door} {seed} {done}\n{traceback.format_exc()}"
        finally:
            watching.folder = None
        seconds = time.perf_counter() - started
        parts = [refusal.count(part) for part in ("error:\n  expected: ", "\n  got: ", "\n  try: ")]
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
    """Whether the earlier entries are unchanged, and all new entries are in the run directory."""
    after = snapshot(outside)
    new = [outside.resolve() / name for name in after.keys() - before]
    return before.items() <= after.items() and all(meant in path.parents for path in new)


def all_doors(seed: int, source: Path) -> dict[str, tuple[str, str]]:
    """Calls every entry point on copies of one hostile directory; returns the outcomes."""
    return {door: met(door, seed, source) for door in DOORS}


def whole_run(folder: Path) -> Path:
    """Trains and evaluates a run; returns its directory."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert trained(folder / "source") == 0
        assert evaluate.main([f"--workdir={folder / 'source'}"]) == 0
    return folder / "source"


def main(directories: int = DIRECTORIES, publish: bool = False) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
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
    numbers = {"directories": directories, "outcomes": outcomes}
    record("hostile_runs", numbers, publish)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, directories=8))
