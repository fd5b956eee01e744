"""Trains the document's network on handwritten digits.

    python -m mnist_jax.train --flagfile=experiments/base.flags

leaves a folder under runs/ with the numbers, the figures and the trained parameters.
"""

import signal
import sys
from collections.abc import Sequence

from manual_grads import options
from manual_grads.options import InputError
from mnist_jax import data, progress, run_directory, training
from mnist_jax.config import Config


class Terminated(BaseException):
    """SIGTERM asked the command to end."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command on the words behind its name, and returns its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if "--help" in argv:
        print(options.help_text(__doc__ or "", Config))
        return 0
    workdir = None
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        config = options.parse(Config, argv)
        seconds: training.Seconds = {}
        with training.timed(seconds, "load"):
            dataset = data.load(config)
        workdir = run_directory.create(config)
        with progress.training(config.epochs) as report:
            result = training.fit(config, dataset, workdir, report, seconds)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Terminated) as stop:
        kept = f"; what was written is in {workdir}" if workdir else ""
        print(f"stopped{kept}", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    finally:
        signal.signal(signal.SIGTERM, previous)
    print(
        f"{result['test_accuracy']:.2%} of {result['test_examples']:,} test examples of "
        f"{result['dataset']} right ({result['test_errors']} wrong); all files in {workdir}"
    )
    return 0


def _terminate(signal_number, frame):
    raise Terminated


if __name__ == "__main__":
    sys.exit(main())
