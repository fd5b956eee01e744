"""Damages data files and checkpoints in many ways, and checks that no damaged file is used.

    python -m tests.campaigns.fuzzing
    python -m tests.campaigns.fuzzing --short

There are 2,000 folders with the real MNIST, each with one damaged file, and 200 folders with
damaged checkpoints. Reading a folder must fail with an error of three parts, or give correct data.
An older, undamaged checkpoint is correct. So is a data file if its decompressed bytes still equal
the published ones. A separate process reads the data; its peak memory is compared with that of a
process that reads undamaged files. The results are written to `fuzzing.json` beside this file,
except by the short form. The exit status is 1 if a damaged file is used or the memory is too large.
The campaign needs MNIST_DATA_DIR.
"""

import gzip
import multiprocessing
import os
import random
import resource
import shutil
import struct
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import jax
import numpy as np
from rich.progress import track

from manual_grads import Architecture, named_leaves
from manual_grads.cli import InputError
from mnist_jax import data
from mnist_jax.config import Config
from mnist_jax.runs import checkpoints
from mnist_jax.training import mode, start
from mnist_jax.training.state import RunState, begin
from tests.campaigns import record, run

FILES, CHECKPOINTS = 2000, 200
WHOLE = {
    *("the newest", "an older one, said", "an older one, the newest is gone"),
    *("refused", "none left"),
}
"""Correct outcomes for damaged checkpoints. The program cannot notice a removed file."""

MEMORY = 1.5


def flip(content: bytes, draw: random.Random) -> bytes:
    """Flips one bit."""
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def truncate(content: bytes, draw: random.Random) -> bytes:
    """Cuts off the end."""
    return content[: draw.randrange(len(content))]


def header(content: bytes, draw: random.Random) -> bytes:
    """Changes the magic number, or the lengths of the array, in the header."""
    raw = bytearray(gzip.decompress(content))
    place = 4 * draw.randrange(4 if len(raw) > 10**6 else 2)
    raw[place : place + 4] = struct.pack(">I", draw.choice([0, 1, 2**31, 2**32 - 1, 60_001]))
    return gzip.compress(bytes(raw), 1)


def bomb(content: bytes, draw: random.Random) -> bytes:
    """Replaces the array by 1 to 4 GB of zeros, compressed to a few MB. The header is correct."""
    raw = gzip.decompress(content)[:16]
    compressed = gzip.compress(bytes(2**26), 1)
    return gzip.compress(raw, 1) + compressed * draw.choice([16, 32, 64])


def longer(content: bytes, draw: random.Random) -> bytes:
    """Adds bytes, before or after compression."""
    more = draw.randbytes(draw.choice([1, 100, 10_000]))
    if draw.random() < 0.5:
        return content + more
    return gzip.compress(gzip.decompress(content) + more, 1)


def noise(content: bytes, draw: random.Random) -> bytes:
    """Replaces the content by the same number of random bytes."""
    return draw.randbytes(len(content))


def flip_header(content: bytes, draw: random.Random) -> bytes:
    """Flips one bit of a safetensors header, or of the length of the header."""
    end = 8 + int.from_bytes(content[:8], "little")
    return flip(content[:end], draw) + content[end:]


def longer_tensors(content: bytes, draw: random.Random) -> bytes:
    """Adds bytes at the end."""
    return content + draw.randbytes(draw.choice([1, 100, 10_000]))


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "flipped bit": flip,
    "truncated": truncate,
    "wrong header": header,
    "bomb": bomb,
    "longer": longer,
    "noise": noise,
}
RARE = {"bomb": 0.02, "wrong header": 0.15}
"""The fractions of the slow kinds of damage. All other kinds have equal fractions."""


def read(folder: str) -> dict[str, str] | str:
    """Reads MNIST from a folder; returns the digests of the data, or a text after an error."""
    try:
        return data.load(Config(dataset="mnist", data_dir=folder)).sha256
    except InputError as error:
        parts = str(error).count("\n  got: "), str(error).count("\n  try: ")
        return "refused" if parts == (1, 1) else "refused without three parts"
    except Exception as error:
        return f"crashed: {type(error).__name__}"


def peak() -> int:
    """The peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reader() -> ProcessPoolExecutor:
    """A pool with one new process, which only reads data."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def damaged_files(folder: str, count: int, seed: int) -> tuple[dict[str, Counter], float]:
    """Reads `count` folders with one damaged file each; returns the outcomes and the peak memory.

    The peak memory is divided by that of a process that reads undamaged files.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    source = Path(folder)
    contents = {path.name: path.read_bytes() for path in sorted(source.glob("*ubyte*"))}
    names = [*DAMAGES, "swapped"]
    rest = (1 - sum(RARE.values())) / (len(names) - len(RARE))
    outcomes: dict[str, Counter] = {name: Counter() for name in names}
    with tempfile.TemporaryDirectory() as place, reader() as of_good, reader() as of_damaged:
        good = of_good.submit(read, folder).result()
        for name in contents:
            (Path(place) / name).symlink_to(source / name)
        for _ in track(range(count), "reading damaged files"):
            (damage,) = draw.choices(names, [RARE.get(name, rest) for name in names])
            name, other = draw.sample(sorted(contents), 2)
            file = Path(place) / name
            file.unlink()
            if damage == "swapped":
                file.write_bytes(contents[other])
            else:
                file.write_bytes(DAMAGES[damage](contents[name], draw))
            found = of_damaged.submit(read, place).result()
            if isinstance(found, dict):
                found = "the published bytes" if found == good else "accepted"
            outcomes[damage][found] += 1
            file.unlink()
            file.symlink_to(source / name)
        memory = of_damaged.submit(peak).result() / of_good.submit(peak).result()
    return outcomes, memory


def damaged_checkpoints(count: int, seed: int) -> Counter:
    """Reads `count` run directories with one to three damaged files; returns the outcomes."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    config = Config(
        architecture=Architecture(layer_sizes=(784, 16, 10)), dataset="digits", workdir="unused"
    )
    dataset = data.load(config)
    state = start(config, dataset).state
    fresh = begin(config, dataset, state, mode(config).no_record(state.params))
    outcomes: Counter = Counter()
    with tempfile.TemporaryDirectory() as place:
        source, workdir = Path(place) / "source", Path(place) / "damaged"
        source.mkdir()
        runs = {}
        with checkpoints.writing(source) as save:
            for step in (6, 12, 18):
                run = fresh._replace(
                    step=step, state=jax.tree.map(lambda leaf, by=step: leaf + by, fresh.state)
                )
                runs[step] = run
                save(step, run, 0)
        for _ in track(range(count), "reading damaged checkpoints"):
            shutil.rmtree(workdir, ignore_errors=True)
            shutil.copytree(source, workdir)
            files = sorted(path for path in workdir.rglob("*") if path.is_file())
            for path in draw.sample(files, draw.choice([1, 1, 2, 3])):
                content = path.read_bytes()
                damage = draw.choice([None, truncate, flip, flip_header, longer_tensors])
                if damage is None:
                    path.unlink()
                else:
                    path.write_bytes(damage(content, draw))
            outcomes[_restored(workdir, fresh, runs)] += 1
    return outcomes


def _restored(workdir: Path, fresh: RunState, runs: dict[int, RunState]) -> str:
    """Loads the newest undamaged checkpoint and returns the outcome in words."""
    said = []
    try:
        found = checkpoints.newest(workdir, fresh, said.append)
    except InputError as error:
        return "refused" if str(error).count("\n  try: ") == 1 else "refused without three parts"
    except Exception as error:
        return f"crashed: {type(error).__name__}"
    if found is None:
        return "none left" if not any(workdir.rglob("*.safetensors")) else "all passed over"
    wanted, arrived = named_leaves(runs[found.step]), named_leaves(found)
    same = all(np.array_equal(wanted[name], arrived[name]) for name in wanted)
    if not same:
        return "wrong"
    if found.step == 18:
        return "the newest"
    if not checkpoints.path_of(workdir / checkpoints.FOLDER, 18).exists() and not said:
        return "an older one, the newest is gone"
    return "an older one, said" if said else "an older one, not said"


def main(
    files: int = FILES, damaged: int = CHECKPOINTS, seed: int = 0, publish: bool = False
) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    outcomes, memory = damaged_files(os.environ["MNIST_DATA_DIR"], files, seed)
    of_checkpoints = damaged_checkpoints(damaged, seed)
    numbers = {"files": files, "data": outcomes, "memory": memory, "checkpoints": of_checkpoints}
    record("fuzzing", numbers, publish)
    allowed = {"refused", "the published bytes"}
    sound = all(allowed >= counter.keys() for counter in outcomes.values())
    return 0 if sound and of_checkpoints.keys() <= WHOLE and memory <= MEMORY else 1


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, files=20, damaged=40))
