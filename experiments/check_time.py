"""How long the gradient check takes: after compilation, and as a whole command.

    python -m experiments.check_time

The mean cross-entropy of a tanh network 784-32-10 on 64 examples with both bias gradients summed
where the loss averages; and 784-1024-1024-10, relu, with the same mistake.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from rich.progress import track

from experiments import results
from experiments.planting import Plant, handwritten
from experiments.timing import timed
from manual_grads import Architecture, check_gradient
from manual_grads.check import draw, network_loss
from manual_grads.cli import A_PATH, ANY, AT_LEAST_1, command, options

SMALL = Architecture(layer_sizes=(784, 32, 10), activation="tanh", label_smoothing=0.0)
LARGE = Architecture(layer_sizes=(784, 1024, 1024, 10), label_smoothing=0.0)
MISTAKE = Plant("bias-scale", "bias", 0)
BATCHES = {SMALL: 64, LARGE: 7}

AUTHOR = """
from experiments.check_time import BATCHES, MISTAKE
from experiments.planting import handwritten
from manual_grads import Architecture

gradient = handwritten(Architecture(
    layer_sizes={0.layer_sizes}, activation="{0.activation}", label_smoothing=0.0
), [MISTAKE])
"""


@dataclass(frozen=True)
class Options:
    """How often each is timed."""

    times: Annotated[int, "the median of so many counts", AT_LEAST_1] = 5
    out: Annotated[str | None, "where to write; runs/check_time if not given", A_PATH] = None
    publish: Annotated[bool, "replace the committed results too", ANY] = False

    def __post_init__(self):
        options.check(self)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    return command.run(partial(measure, argv), Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times the check and the commands, and writes and prints the medians."""
    out = results.folder(chosen.out, "check_time")
    compiled = after_compilation(chosen.times)
    whole = {
        options.text(network.layer_sizes): whole_command(network, chosen.times)
        for network in (SMALL, LARGE)
    }
    numbers = {
        "after_compilation_seconds": compiled,
        "after_compilation_median": statistics.median(compiled),
        "command_seconds": whole,
        "command_median": {sizes: statistics.median(taken) for sizes, taken in whole.items()},
    }
    results.save(out / "check_time.json", "experiments.check_time", argv, numbers)
    if chosen.publish:
        results.publish(out / "check_time.json", "check_time.json")
    medians = ", ".join(f"{s:.2f} s for {n}" for n, s in numbers["command_median"].items())
    command.say(
        f"compiled, the check of 784,32,10 takes {numbers['after_compilation_median']:.2f} s; the "
        f"whole command {medians}; all files in {out}"
    )


def after_compilation(times: int) -> list[float]:
    """Seconds of the small check, the first one left out."""
    params, batch = draw(SMALL, BATCHES[SMALL], 0)
    check = partial(
        check_gradient,
        handwritten(SMALL, [MISTAKE]),
        network_loss(SMALL),
        params,
        batch,
        network=SMALL,
    )
    return [timed(check)[1] for _ in track(range(times + 1), "checking")][1:]


def whole_command(network: Architecture, times: int) -> list[float]:
    """Seconds of the command from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "author.py"
        file.write_text(AUTHOR.format(network))
        words = [
            *(sys.executable, "-m", "manual_grads.check", f"{file}:gradient"),
            f"--layer_sizes={options.text(network.layer_sizes)}",
            f"--activation={network.activation}",
            f"--batch_size={BATCHES[network]}",
        ]
        run = partial(subprocess.run, words, capture_output=True, check=False)
        taken = []
        for _ in track(range(times), f"running the command on {words[4]}"):
            ended, seconds = timed(run)
            assert b"bias-scale" in ended.stdout, ended.stderr
            taken.append(seconds)
    return taken


if __name__ == "__main__":
    command.leave(main())
