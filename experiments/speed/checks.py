"""Times the gradient check: calls after compilation, and the whole command.

The checked networks are 784-32-10 with tanh, on 64 examples, and 784-1024-1024-10 with relu, on 7.
In the gradients that are checked, the bias gradients are sums over the batch instead of means.
"""

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import track

from experiments.common import timing
from experiments.mistakes import Injected, handwritten
from manual_grads import Architecture, check_gradient
from manual_grads.check import draw, network_loss
from manual_grads.cli import options
from mnist_jax import Config

FILE = "check_time.json"
ROUNDS = 5
SUMMARY = (
    "for 784,32,10, a check after compilation takes {after_compilation_median:.2f} s, and the "
    "whole command {command_median[784,32,10]:.2f} s; the command for 784,1024,1024,10 takes "
    "{command_median[784,1024,1024,10]:.2f} s"
)
SMALL = Architecture(layer_sizes=(784, 32, 10), activation="tanh", label_smoothing=0.0)
LARGE = Architecture(layer_sizes=(784, 1024, 1024, 10), label_smoothing=0.0)
BATCHES = {SMALL: 64, LARGE: 7}
MISTAKE = Injected("bias-scale", "bias", 0)

AUTHOR = """
from experiments.mistakes import Injected, handwritten
from manual_grads import Architecture

gradient = handwritten({network}, [{mistake}])
"""


def measure(_config: Config, rounds: int, out: Path) -> dict[str, Any]:
    """The seconds of each check and of each command, and their medians."""
    compiled = after_compilation(rounds)
    whole = {options.text(each.layer_sizes): whole_command(each, rounds, out) for each in BATCHES}
    return {
        "after_compilation_seconds": compiled,
        "after_compilation_median": statistics.median(compiled),
        "command_seconds": whole,
        "command_median": {sizes: statistics.median(taken) for sizes, taken in whole.items()},
    }


def after_compilation(rounds: int) -> list[float]:
    """Seconds of checks of the small network; the first, which compiles, is left out."""
    gradient, loss = handwritten(SMALL, [MISTAKE]), network_loss(SMALL)
    params, batch = draw(SMALL, BATCHES[SMALL], 0)
    check = partial(check_gradient, gradient, loss, params, batch, network=SMALL)
    return [timing.timed(check)[1] for _ in track(range(rounds + 1), "checking")][1:]


def whole_command(network: Architecture, rounds: int, out: Path) -> list[float]:
    """Seconds of the command from its start to its end, on a file that is written to `out`."""
    file, sizes = out / "author.py", options.text(network.layer_sizes)
    file.write_text(AUTHOR.format(network=network, mistake=MISTAKE))
    words = [
        *(sys.executable, "-m", "manual_grads.check", f"{file}:gradient"),
        f"--layer_sizes={sizes}",
        f"--activation={network.activation}",
        f"--batch_size={BATCHES[network]}",
    ]
    run = partial(subprocess.run, words, capture_output=True, check=False)
    taken = []
    for _ in track(range(rounds), f"running the command on {sizes}"):
        ended, seconds = timing.timed(run)
        assert b"bias-scale" in ended.stdout, ended.stderr
        taken.append(seconds)
    return taken
