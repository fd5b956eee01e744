"""Damages data files and checkpoints in every way, and sees that none is used.

    python -m tests.campaigns.fuzzing
    python -m tests.campaigns.fuzzing --short

2,000 folders of the real MNIST, each with one damaged file, and 200 checkpoint folders. Every one
must be refused in three parts, or be as good as the undamaged one: a checkpoint because an older,
whole one was taken, a data file because its decompressed bytes are the published ones. Data are
read in a process of their own, whose memory is compared with that of one that reads the good files.
Writes `fuzzing.json` beside this file, which the short form does not; ends with 1 where anything
else happens. Needs MNIST_DATA_DIR.
"""

import gzip
import multiprocessing
import os
import random
import resource
import shutil
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
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
from tests.campaigns import record

FILES, CHECKPOINTS = 2000, 200
WHOLE = {
    *("the newest", "an older one, said", "an older one, the newest is gone"),
    *("refused", "none left"),
}
"""What may come of damaged checkpoints; nobody can tell that a removed file has been there."""

MEMORY = 1.5


def flip(content: bytes, draw: random.Random) -> bytes:
    """One bit flipped."""
    at = draw.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << draw.randrange(8)]) + content[at + 1 :]


def truncate(content: bytes, draw: random.Random) -> bytes:
    """The end cut off."""
    return content[: draw.randrange(len(content))]


def header(content: bytes, draw: random.Random) -> bytes:
    """Another magic number, or other lengths, up to 2³² − 1 images."""
    raw = bytearray(gzip.decompress(content))
    place = 4 * draw.randrange(4 if len(raw) > 10**6 else 2)
    raw[place : place + 4] = struct.pack(">I", draw.choice([0, 1, 2**31, 2**32 - 1, 60_001]))
    return gzip.compress(bytes(raw), 1)


def bomb(content: bytes, draw: random.Random) -> bytes:
    """A good header, then 1 to 4 GB of zeros in a few MB."""
    raw = gzip.decompress(content)[:16]
    compressed = gzip.compress(bytes(2**26), 1)
    return gzip.compress(raw, 1) + compressed * draw.choice([16, 32, 64])


def longer(content: bytes, draw: random.Random) -> bytes:
    """Some bytes more, inside the compression or behind it."""
    more = draw.randbytes(draw.choice([1, 100, 10_000]))
    if draw.random() < 0.5:
        return content + more
    return gzip.compress(gzip.decompress(content) + more, 1)


def noise(content: bytes, draw: random.Random) -> bytes:
    """Random bytes of the same size."""
    return draw.randbytes(len(content))


def flip_header(content: bytes, draw: random.Random) -> bytes:
    """One bit flipped in the header of a file of tensors, or in its length."""
    end = 8 + int.from_bytes(content[:8], "little")
    return flip(content[:end], draw) + content[end:]


def longer_tensors(content: bytes, draw: random.Random) -> bytes:
    """Some bytes more at the end."""
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
"""Shares of the slow ones; the others, and `swapped`, have equal shares of the rest."""


def read(folder: str) -> dict[str, str] | str:
    """The digests of the MNIST in a folder; or in words, what came of reading it."""
    try:
        return data.load(Config(dataset="mnist", data_dir=folder)).sha256
    except InputError as error:
        parts = str(error).count("\n  got: "), str(error).count("\n  try: ")
        return "refused" if parts == (1, 1) else "refused without three parts"
    except Exception as error:
        return f"crashed: {type(error).__name__}"


def peak() -> int:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reader() -> ProcessPoolExecutor:
    """A fresh process, which reads and does nothing else."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def damaged_files(folder: str, count: int, seed: int) -> tuple[dict[str, Counter], float]:
    """What comes of `count` folders with a damaged file, and the reader's memory, of that of one
    that reads the good files.
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
    """What comes of `count` run directories with one to three damaged places."""
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
    """What came of reading the newest whole checkpoint."""
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
    """Tries all, writes and prints what came of it, and returns the exit status."""
    outcomes, memory = damaged_files(os.environ["MNIST_DATA_DIR"], files, seed)
    of_checkpoints = damaged_checkpoints(damaged, seed)
    numbers = {"files": files, "data": outcomes, "memory": memory, "checkpoints": of_checkpoints}
    record("fuzzing", numbers, publish)
    allowed = {"refused", "the published bytes"}
    sound = all(allowed >= counter.keys() for counter in outcomes.values())
    return 0 if sound and of_checkpoints.keys() <= WHOLE and memory <= MEMORY else 1


if __name__ == "__main__":
    if "--short" in sys.argv:
        sys.exit(main(files=20, damaged=40))
    sys.exit(main(publish=True))
