"""Processes that work on mutants, each with a time limit."""

import contextlib
import multiprocessing
import warnings
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np

from tests.campaigns.program_mutants.bench import Bench

SECONDS = 60
CONTEXT = multiprocessing.get_context("spawn")  # JAX does not survive a fork


class Task(NamedTuple):
    """The work on a mutant: `survey` or `judge`."""

    program: str
    work: str
    source: str


class Worker:
    """A process that works on mutants. It is replaced if a mutant hangs or ends the process."""

    def __init__(self):
        self._start()

    def __call__(self, task: Task) -> dict[str, Any]:
        self.pipe.send(task)
        assert self.pipe.recv() == "ready"  # the time limit begins when the program is prepared
        with contextlib.suppress(EOFError, ConnectionResetError):
            if self.pipe.poll(SECONDS):
                result = self.pipe.recv()
                if isinstance(result, Exception):
                    raise result
                return result
        self.process.kill()
        self.process.join()
        self._start()
        error = f"it ended its process, or did not end within {SECONDS} s, in the {task.work}"
        return {"verdict": "refused", "error": error}

    def _start(self) -> None:
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()


def _serve(pipe: Connection) -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    benches: dict[str, Bench] = {}
    with contextlib.suppress(EOFError):
        while True:
            task = pipe.recv()
            if task.program not in benches:
                benches[task.program] = Bench(task.program)
            pipe.send("ready")
            try:
                result = getattr(benches[task.program], task.work)(task.source)
            except Exception as error:  # a mistake in this campaign, not in a mutant
                result = error
            pipe.send(result)
