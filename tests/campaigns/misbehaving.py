"""Runs the gradient check on code that exits, never returns, or returns no valid gradient.

    python -m tests.campaigns.misbehaving
    python -m tests.campaigns.misbehaving --short

The command of the check is called with a file of each kind. It must end with status 2
and an error of three parts, without a traceback. The results are written to `misbehaving.json`
beside this file; the short form tries every eighth kind and writes nothing. The exit status is 1
if a command ends in another way.
"""

import os
import subprocess
import sys
import tempfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from rich.progress import track

from tests import ROOT
from tests.campaigns import record, run

CHECK = [
    *(sys.executable, "-m", "manual_grads.check"),
    *("--layer_sizes=3,2", "--biases=output", "--time_limit=20"),
]
IN_THE_FUNCTION = {
    "leaves with 0": "sys.exit(0)",
    "leaves with 1": "sys.exit(1)",
    "leaves with a sentence": "sys.exit('The gradient agrees')",
    "leaves at once with 0": "os._exit(0)",
    "leaves at once with 1": "os._exit(1)",
    "leaves at once in a thread": "threading.Thread(target=os._exit, args=(0,)).start()\n"
    "time.sleep(60)",
    "becomes another program": "os.execv('/bin/true', ['true'])",
    "leaves a copy of itself behind": "if os.fork() > 0: os._exit(0)\ntime.sleep(60)",
    "Ctrl-C": "raise KeyboardInterrupt",
    "Ctrl-C by a signal": "os.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)",
    "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)",
    "an alarm": "signal.alarm(1)\ntime.sleep(60)",
    "a crash": "ctypes.string_at(0)",
    "abort": "os.abort()",
    "stops itself": "os.kill(os.getpid(), signal.SIGSTOP)",
    "endless loop": "while True: pass",
    "endless loop that catches all": "while True:\n    try:\n        time.sleep(1)\n"
    "    except BaseException:\n        pass",
    "endless loop without signals": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n"
    "while True: time.sleep(1)",
    "sleep": "time.sleep(1e6)",
    "deadlock": "lock = threading.Lock()\nlock.acquire()\nlock.acquire()",
    "waits for input": "while not sys.stdin.read(1): time.sleep(1)",
    "endless recursion": "return gradient(params, images, labels)",
    "no memory": "return np.ones(2**60)",
    "an exception that is no Exception": "raise GeneratorExit",
    "an exception that cannot be printed": "class Mute(Exception):\n"
    "    def __str__(self): return 1 / 0\nraise Mute",
    "an exception with control characters": "raise ValueError('\\x1b[2J\\r\\x00')",
    "nothing": "return None",
    "a generator": "yield params",
    "a text": "return 'The gradient agrees'",
    "an object that is every number": "class Any:\n"
    "    def __array__(self, *a, **k): return exit(0)\n"
    "return [{}, {'weight': Any(), 'bias': Any()}]",
    "a list in itself": "itself = []\nitself.append(itself)\nreturn itself",
    "keys that cannot be sorted": "return [{}, {1: bias, 'weight': weight}]",
    "an imaginary part": "return right(params, images, labels, 1 + 1j, complex)",
    "a mask": "given = right(params, images, labels)\n"
    "given[1]['bias'] = np.ma.masked_array(given[1]['bias'], True)\nreturn given",
    "objects": "return [{}, {'weight': weight.astype(object), 'bias': bias.astype(object)}]",
    "whole numbers": "return [{}, {'weight': weight.astype(int), 'bias': bias.astype(int)}]",
    "half precision": "return right(params, images, labels, np.float16(1), np.float16)",
    "dates": "return [{}, {'weight': weight.astype('M8[s]'), 'bias': bias.astype('M8[s]')}]",
    "NaN": "return right(params, images, labels, np.nan)",
    "infinity": "return right(params, images, labels, np.inf)",
    "a huge array": "return [{}, {'weight': np.broadcast_to(0.0, (10**6, 10**6)), 'bias': bias}]",
    "an array that was given back": "gone = jnp.ones(2)\ngone.delete()\n"
    "return [{}, {'weight': weight, 'bias': gone}]",
    "abs replaced": "np.abs = lambda *_: 0.0\nreturn params",
    "all replaced": "np.all = lambda *_, **__: True\nreturn params",
    "json replaced": "json.dumps = lambda *_, **__: '{}'\nreturn params",
    "the bound replaced": "from manual_grads.check import gradient as check\n"
    "check.allowed_difference = lambda *_: {'1/weight': np.full((2, 3), 9.), "
    "'1/bias': np.full(2, 9.)}\n"
    "return params",
    "modules removed": "sys.modules.clear()\nreturn params",
    "temporary files removed": "import shutil, tempfile\n"
    "shutil.rmtree(os.environ['TMPDIR'])\nreturn params",
}
IN_THE_MODULE = {
    "module leaves with 0": "sys.exit(0)",
    "module leaves at once": "os._exit(0)",
    "module Ctrl-C": "raise KeyboardInterrupt",
    "module never ends": "while True: pass",
    "module removes the function": "del gradient",
    "module replaces grad": "jax.grad = lambda *_, **__: gradient",
    "module replaces builtins": "import builtins\nbuiltins.min = lambda *_, **__: 'handwritten'",
    "module is an async function": "async def gradient(params, images, labels): return params",
    "module is a number": "gradient = 3",
    "module of two arguments": "def gradient(params, images): return params",
    "module asks for input": "input()",
    "module of a syntax error": "def gradient(:",
    "module with a zero byte": "\0",
}
RIGHT = """
import ctypes, json, os, signal, sys, threading, time
import jax, jax.numpy as jnp
import numpy as np

def right(params, images, labels, factor=1.0, dtype=float):
    weight, bias = params[1]["weight"], params[1]["bias"]
    z = images @ weight.T + bias
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(labels)), labels] -= 1
    delta = (p / len(labels) * factor).astype(dtype)
    return [{}, {"weight": delta.T @ images.astype(dtype), "bias": delta.sum(axis=0)}]

def gradient(params, images, labels):
    weight, bias = params[1]["weight"], params[1]["bias"]
"""


def kinds() -> dict[str, str]:
    """The source code of each kind of file, keyed by the name of the kind."""
    functions = {
        kind: f"{RIGHT}{textwrap.indent(code, '    ')}\n" for kind, code in IN_THE_FUNCTION.items()
    }
    modules = {
        kind: f"{RIGHT}    return right(params, images, labels)\n\n{code}\n"
        for kind, code in IN_THE_MODULE.items()
    }
    return functions | modules


def checked(code: str) -> tuple[str, str]:
    """Runs the command of the check on this code; returns the outcome and the printed text."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "mine.py").write_text(code)
        temporary = Path(folder) / "temporary"
        temporary.mkdir()
        done = subprocess.run(
            [*CHECK, f"{folder}/mine.py:gradient"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    said = done.stdout + done.stderr
    parts = [done.stderr.count(part) for part in ("error:\n  expected: ", "\n  got: ", "\n  try: ")]
    if "Traceback" in said:
        return "a traceback", said
    if done.returncode != 2:
        return f"status {done.returncode}", said
    return ("refused" if parts == [1, 1, 1] else "refused without three parts"), said


def main(every: int = 1, publish: bool = False) -> int:
    """Runs the campaign, writes and prints the results, and returns the exit status."""
    tried = dict(list(kinds().items())[::every])
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        running = threads.map(checked, tried.values())
        done = list(track(running, "misbehaving in the check", len(tried)))
    wrong = {
        kind: {"came": came, "said": said}
        for kind, (came, said) in zip(tried, done, strict=True)
        if came != "refused"
    }
    numbers = {"kinds": len(tried), "refused": len(tried) - len(wrong), "wrong": wrong}
    record("misbehaving", numbers, publish)
    return 1 if wrong else 0


if __name__ == "__main__":
    run(__doc__, partial(main, publish=True), short=partial(main, every=8))
