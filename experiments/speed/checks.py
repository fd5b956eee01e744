"""How long the gradient check takes: after compilation, and as a whole command.

    python -m experiments.speed.checks

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

from experiments.common import record, timing
from experiments.mistakes import Injected, handwritten
from manual_grads import Architecture, check_gradient
from manual_grads.check import draw, network_loss
from manual_grads.cli import AT_LEAST_1, command, options

SMALL = Architecture(layer_sizes=(784, 32, 10), activation="tanh", label_smoothing=0.0)
LARGE = Architecture(layer_sizes=(784, 1024, 1024, 10), label_smoothing=0.0)
MISTAKE = Injected("bias-scale", "bias", 0)
BATCHES = {SMALL: 64, LARGE: 7}

AUTHOR = """
from experiments.mistakes import handwritten
from experiments.speed.checks import MISTAKE
from manual_grads import Architecture

gradient = handwritten(Architecture(
    layer_sizes={0.layer_sizes}, activation="{0.activation}", label_smoothing=0.0
), [MISTAKE])
"""


@dataclass(frozen=True)
class Options(record.Output):
    """How often each is timed."""

    times: Annotated[int, "the median of so many counts", AT_LEAST_1] = 5


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    return record.run(measure, Options, __doc__, argv)


def measure(argv: Sequence[str], chosen: Options) -> None:
    """Times the check and the commands, and writes and prints the medians."""
    out = record.folder(chosen.out, "check_time")
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
    record.save(out / "check_time.json", "experiments.speed.checks", argv, numbers)
    record.publish(chosen, out / "check_time.json")
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
    return [timing.timed(check)[1] for _ in track(range(times + 1), "checking")][1:]


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
            ended, seconds = timing.timed(run)
            assert b"bias-scale" in ended.stdout, ended.stderr
            taken.append(seconds)
    return taken


if __name__ == "__main__":
    command.leave(main())
