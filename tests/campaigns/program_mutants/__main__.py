"""Gives the gradient check every program that differs from a right one by one edit.

    python -m tests.campaigns.program_mutants
    python -m tests.campaigns.program_mutants --short

    mutate     the mutants of a program
    edits      the edits of one node of a program
    bench      whether a mutant changes the gradient, and the verdict of the check
    workers    processes that work on mutants, each with a time limit
    programs   five right programs in five styles

The five programs in `programs/` are right. The edits are those of `mutate.py`. A mutant is
skipped if it has the same gradient as its program, within 1e-12, on batches of 7, 5 and 1 examples
and for four draws of the parameters; each is computed twice. It is refused if it raises an
exception, returns infinity, NaN or another structure, or does not end within 60 s. If more than 900
mutants remain, 600 of them are chosen at random, with a seed, and checked.

The results are written to `program_mutants.json` beside this folder, or to `--out=PATH`: first the
counts, then for each checked mutant the edit, the line before, the line after, the verdict and the
causes, each with its mistake, its place and its message. A person must judge whether they name
the line. A mutant on which the check fails counts as refused and is printed. The short form checks
the first 25 of the chosen and writes only with `--out`. The exit status is 1 if a mutant changes
the gradient and the check does not detect it.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from rich.progress import track

from tests import ROOT
from tests.campaigns.program_mutants.bench import PROGRAMS
from tests.campaigns.program_mutants.mutate import mutants
from tests.campaigns.program_mutants.workers import Task, Worker

RECORD = ROOT / "tests/campaigns/program_mutants.json"
MOST, CHOSEN, LEAST, FEW = 900, 600, 200, 25


class Mutant(NamedTuple):
    """A mutant, and the name of its program."""

    program: str
    description: str
    source: str


Outcome = tuple[Mutant, dict[str, Any]]
_OF_THE_THREAD = threading.local()


def everyone(seed: int) -> list[Mutant]:
    """All mutants of all programs, in an order that the seed decides."""
    found = [
        Mutant(path.stem, description, source)
        for path in sorted(PROGRAMS.glob("*.py"))
        for description, source in mutants(path.read_text())
    ]
    random.Random(seed).shuffle(found)  # noqa: S311 - no secret
    return found


def done(work: str, tried: Sequence[Mutant], threads: ThreadPoolExecutor) -> list[Outcome]:
    """Each mutant with its outcome."""

    def call(mutant: Mutant) -> dict[str, Any]:
        if not hasattr(_OF_THE_THREAD, "worker"):
            _OF_THE_THREAD.worker = Worker()
        return _OF_THE_THREAD.worker(Task(mutant.program, work, mutant.source))

    results = track(threads.map(call, tried), f"{work} of mutants", len(tried))
    return list(zip(tried, results, strict=True))


def of(program: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The outcomes of the mutants of one program."""
    return [outcome for outcome in outcomes if outcome[0].program == program]


def counts(surveyed: Sequence[Outcome], judged: Sequence[Outcome]) -> dict[str, Any]:
    """The number of mutants with each outcome."""
    kinds = Counter(result["verdict"] for _, result in surveyed)
    verdicts = Counter(result["verdict"] for _, result in judged)
    return {"mutants": len(surveyed), **kinds, "checked": len(judged), "verdicts": verdicts}


def entry(mutant: Mutant, result: dict[str, Any]) -> dict[str, Any]:
    """The record of a mutant that was checked."""
    edit, before, after = mutant.description.split("\n")
    said = {key: value for key, value in result.items() if key != "seconds"}
    return {"program": mutant.program, "edit": edit, "before": before, "after": after, **said}


def main(short: bool = False, workers: int = 2, out: Path | None = None, seed: int = 0) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    started = time.perf_counter()
    tried = everyone(seed)
    step = 4 * FEW if short else len(tried)
    surveyed: list[Outcome] = []
    changing: list[Mutant] = []
    with ThreadPoolExecutor(workers) as threads:
        while len(surveyed) < len(tried) and not (short and len(changing) >= FEW):
            surveyed += done("survey", tried[len(surveyed) :][:step], threads)
            changing = [m for m, result in surveyed if result["verdict"] == "changes the gradient"]
        assert len(changing) >= (FEW if short else LEAST), "too few mutants change the gradient"
        most = FEW if short else CHOSEN if len(changing) > MOST else MOST
        judged = done("judge", changing[:most], threads)
    judged.sort(key=lambda each: (each[0].program, int(each[0].description.split()[1][:-1])))
    refused = [r["error"].split(":")[0] for _, r in surveyed if r["verdict"] == "refused"]
    programs = sorted({mutant.program for mutant in tried})
    numbers = {
        "command": "python -m tests.campaigns.program_mutants",
        "seconds": round(time.perf_counter() - started),
        "slowest_check_seconds": round(max(r.get("seconds", 0.0) for _, r in judged), 1),
        "counts": counts(surveyed, judged),
        "programs": {name: counts(of(name, surveyed), of(name, judged)) for name in programs},
        "refused": dict(Counter(refused).most_common()),
    }
    print(json.dumps(numbers, indent=1, ensure_ascii=False))
    if out is not None:
        record = {**numbers, "checked": [entry(*each) for each in judged]}
        out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    ends = {
        verdict: [entry(*each) for each in judged if each[1]["verdict"] == verdict]
        for verdict in ("not detected", "refused")
    }
    for verdict, found in ends.items():
        print(f"{len(found)} {verdict} by the check", *found, sep="\n")
    return 1 if ends["not detected"] else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The check on every mutant of right programs.")
    parser.add_argument("--short", action="store_true", help="25 random mutants; writes nothing")
    parser.add_argument("--workers", type=int, default=2, help="number of processes")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    chosen = parser.parse_args()
    out = chosen.out or (None if chosen.short else RECORD)
    sys.exit(main(chosen.short, chosen.workers, out))
