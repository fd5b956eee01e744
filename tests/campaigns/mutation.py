"""Mutation testing of the derivative files: makes one change at a time and runs the tests.

    python -m tests.campaigns.mutation
    python -m tests.campaigns.mutation --changed
    python -m tests.campaigns.mutation --short

`KILL_SUITE` runs on every mutation that cosmic-ray generates for every derivative file. Each
mutant needs a new process, because JAX caches traces and would reuse those of an earlier mutant.
The process is forked after JAX is imported, and before a module of this project is. It imports the
mutated source; the file itself is not changed. The results are written to `mutation.json` beside
this file. The exit status is 1 if a mutant times out, or survives without an explanation in
`equivalent_mutants.json`. `--changed` tries only the mutants of lines that are newer than the last
commit of `mutation.json`, and those that it lists as survived, equivalent or timed out. All others
keep their outcome.
`--short` tries 12 random mutants, and writes nothing.
"""

import collections
import importlib
import importlib.machinery
import itertools
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from rich.progress import track

from tests import ROOT
from tests.campaigns import asked
from tests.compiling import AS_XLA_FLAGS

DERIVATIVES = ("document", "activations", "loss", "network", "rounding_bound")
"""The files of `manual_grads/derivatives` that compute derivatives or error bounds."""

KILL_SUITE = ("rounding_bound", "loss", "activations", "document", "finite_differences")
"""Test files in `tests/manual_grads/derivatives`. The tests of the mutated file run first."""

IMPORTED_ONCE = ("beartype", "jax.numpy", "optax")
"""Modules imported before the processes are forked, because each import takes seconds."""

RECORD = ROOT / "tests/campaigns/mutation.json"
EQUIVALENT = ROOT / "tests/campaigns/equivalent_mutants.json"

SECONDS = 60
"""Time limit for a mutant. The kill suite takes less than 10 s."""


class Mutant(NamedTuple):
    """One change of one derivative file: its position, its operator, and the changed line."""

    file: str
    line_number: int
    operator: str
    line: str
    source: str


class Verdict(NamedTuple):
    """The outcome of a mutant, and the name of the test that killed the mutant, or None."""

    outcome: str
    killer: str | None


def mutations(name: str) -> Iterator[tuple[str, str, int]]:
    """All mutations of `NAME.py`: the name, an operator, and which occurrence it changes."""
    source = (ROOT / f"manual_grads/derivatives/{name}.py").read_text()
    nodes = list(ast_nodes(get_ast(source)))
    known = {operator: get_operator(operator) for operator in operator_names()}
    for operator_name in (operator for operator in known if not known[operator].arguments()):
        operator = known[operator_name]()
        for occurrence in range(sum(len(list(operator.mutation_positions(n))) for n in nodes)):
            yield name, operator_name, occurrence


def mutated(name: str, operator_name: str, occurrence: int) -> Mutant:
    """The mutant that one of the `mutations` makes."""
    file = f"manual_grads/derivatives/{name}.py"
    source = (ROOT / file).read_text()
    changed = mutate_code(source, get_operator(operator_name)(), occurrence)
    assert changed is not None
    pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
    number = next(n for n, (old, new) in enumerate(pairs, start=1) if old != new)
    line = changed.splitlines()[number - 1].strip()
    return Mutant(file, number, operator_name.removeprefix("core/"), line, changed)


def mutants(name: str) -> Iterator[Mutant]:
    """All mutants of the derivative file `NAME.py`."""
    return itertools.starmap(mutated, mutations(name))


def judge(mutant: Mutant | None) -> Verdict:
    """Runs the kill suite in a new process, on a mutant or on the unchanged files."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=_run_kill_suite, args=(mutant, sender))
    process.start()
    sender.close()
    try:
        verdict = receiver.recv() if receiver.poll(SECONDS) else Verdict("timed out", None)
    except EOFError:
        verdict = Verdict("crashed", None)
    process.kill()
    process.join()
    return verdict


def _run_kill_suite(mutant: Mutant | None, sender) -> None:
    name = Path(mutant.file).stem if mutant else ""
    suite = sorted(KILL_SUITE, key=lambda test: test != name)
    files = [f"tests/manual_grads/derivatives/test_{test}.py" for test in suite]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    os.chdir(ROOT)
    sys.dont_write_bytecode = True
    if mutant is not None:
        _read_in_place_of_the_file(mutant)
    os.environ["XLA_FLAGS"] = AS_XLA_FLAGS
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    # Only the run without a mutant writes JAX's compilation cache; parallel runs only read it.
    least = 0.0 if mutant is None else 1e9
    jax.config.update("jax_persistent_cache_min_compile_time_secs", least)
    failed = []
    plugin = SimpleNamespace(
        pytest_runtest_logreport=lambda report: report.failed and failed.append(report.nodeid)
    )
    with tempfile.TemporaryDirectory() as folder:
        words = ["--exitfirst", "--quiet", "--override-ini=addopts=", "--assert=plain"]
        words += ["-p", "no:cacheprovider"]
        status = pytest.main([*words, f"--basetemp={folder}/tests", *files], [plugin])
    if status == pytest.ExitCode.TESTS_FAILED:
        sender.send(Verdict("killed", failed[0].split("::")[-1]))
    else:
        sender.send(Verdict("survived" if status == pytest.ExitCode.OK else "crashed", None))


def _read_in_place_of_the_file(mutant: Mutant) -> None:
    """Makes Python import the mutated source instead of the file and its bytecode."""
    file = ROOT / mutant.file
    read = importlib.machinery.SourceFileLoader.get_data

    def get_data(self, path):
        if Path(path) == file:
            return mutant.source.encode()
        if Path(path).name.startswith(f"{file.stem}.") and Path(path).suffix == ".pyc":
            raise OSError("the bytecode is that of the unchanged file")
        return read(self, path)

    importlib.machinery.SourceFileLoader.get_data = get_data


def main() -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    words = asked(__doc__)
    with tempfile.TemporaryDirectory() as cache:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        warnings.filterwarnings("ignore", message=".*fork.*")
        multiprocessing.set_start_method("fork")
        for name in IMPORTED_ONCE:
            importlib.import_module(name)
        if "--short" in words:
            return _try_some(12)
        command = " ".join(["python -m tests.campaigns.mutation", *words])
        return _try_all(command, _recorded_outcome() if "--changed" in words else lambda _: None)


def _try_some(count: int) -> int:
    """Tries `count` random mutants that `equivalent_mutants.json` does not explain."""
    drawn = [mutation for name in DERIVATIVES for mutation in mutations(name)]
    random.SystemRandom().shuffle(drawn)
    reasons = json.loads(EQUIVALENT.read_text())
    unexplained = (
        mutant
        for mutant in itertools.starmap(mutated, drawn)
        if mutant.line not in reasons.get(mutant.file, {})
    )
    tried = [*itertools.islice(unexplained, count)]
    verdicts = _judged(tried)
    alive = [
        _place(mutant)
        for mutant, verdict in zip(tried, verdicts, strict=True)
        if verdict.outcome in ("survived", "timed out")
    ]
    print(f"{count} mutants tried, {len(alive)} not killed: {alive}")
    return 1 if alive else 0


def _judged(tried: list[Mutant]) -> list[Verdict]:
    assert judge(None) == Verdict("survived", None), "the kill suite fails on the unchanged files"
    with ProcessPoolExecutor() as pool:
        return list(track(pool.map(judge, tried), "trying mutants", len(tried)))


def _try_all(command: str, recorded: Callable[[Mutant], str | None]) -> int:
    """Tries all mutants for which `recorded` returns no outcome, and writes the record."""
    everyone = [mutant for name in DERIVATIVES for mutant in mutants(name)]
    outcomes = [recorded(mutant) for mutant in everyone]
    tried = [mutant for mutant, known in zip(everyone, outcomes, strict=True) if known is None]
    verdicts = iter(_judged(tried))
    reasons = json.loads(EQUIVALENT.read_text())
    listed = {"equivalent": [], "survived": [], "crashed": [], "timed out": []}
    counts = collections.Counter()
    for mutant, known in zip(everyone, outcomes, strict=True):
        outcome = known or next(verdicts).outcome
        reason = reasons.get(mutant.file, {}).get(mutant.line)
        if outcome == "survived" and reason:
            outcome = "equivalent"
        counts[outcome] += 1
        if outcome in listed:
            listed[outcome].append(_place(mutant) | ({"reason": reason} if reason else {}))
    record = {
        "command": command,
        "mutants": len(everyone),
        "counts": counts,
        **listed,
    }
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(everyone)} mutants, {len(tried)} of them tried: {dict(counts)}")
    return 1 if listed["survived"] or listed["timed out"] else 0


def _recorded_outcome() -> Callable[[Mutant], str | None]:
    """A function of a mutant: its outcome in `mutation.json`, or None if it must be tried."""

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout

    commit = git("log", "-1", "--format=%H", "--", str(RECORD)).strip()
    files = [f"manual_grads/derivatives/{name}.py" for name in DERIVATIVES]
    then = {file: git("show", f"{commit}:{file}").splitlines() for file in files}
    now = {file: (ROOT / file).read_text().splitlines() for file in files}
    record = json.loads(RECORD.read_text())
    known = {
        (place["file"], then[place["file"]][place["line"] - 1], place["becomes"]): outcome
        for outcome in ("survived", "timed out", "crashed", "equivalent")
        for place in record[outcome]
    }

    def outcome(mutant: Mutant) -> str | None:
        line = now[mutant.file][mutant.line_number - 1]
        if line not in then[mutant.file]:
            return None
        found = known.get((mutant.file, line, mutant.line), "killed")
        return found if found in ("killed", "crashed") else None

    return outcome


def _place(mutant: Mutant) -> dict[str, Any]:
    return {"file": mutant.file, "line": mutant.line_number, "becomes": mutant.line}


if __name__ == "__main__":
    sys.exit(main())
