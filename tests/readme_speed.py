"""The READMEs' numbers about speed; see `tests/tables.py`."""

import json
import statistics
from typing import Any

from experiments.common.record import PUBLISHED
from experiments.speed.peers import PROGRAM_NAMES
from tests.campaigns.summary import campaign, table


def result(name: str) -> dict[str, Any]:
    """A committed result of `experiments`."""
    return json.loads((PUBLISHED / f"{name}.json").read_text())


def steps() -> str:
    """The time of a training step with each gradient."""
    rows = []
    for name, words in (
        ("base", "`base.flags`"),
        ("document", "`document.flags`"),
        ("large", "`base.flags` with two wide layers"),
    ):
        numbers = result(f"{name}_step_time")
        rows.append(
            (
                f"{words}, {'-'.join(map(str, numbers['layer_sizes']))}",
                numbers["batch_size"],
                *(f"{numbers['ratios'][mode]['median']:.2f}" for mode in ("manual", "checked")),
            )
        )
    return table("network | batch | by hand ÷ autodiff | checked ÷ autodiff", rows)


def start() -> str:
    """How long the training command and its parts take, and its memory."""
    rows = []
    for name in ("fast", "base", "document"):
        numbers = result(f"{name}_start")
        parts = ("whole", "compile in it", "train in it", "evaluate in it", "files in it")
        seconds = [f"{numbers['median_seconds'][part]:.1f}" for part in parts]
        rows.append((f"`{name}.flags`", *seconds, f"{numbers['mebibytes']:.0f} MiB"))
    return table(
        "flags | seconds from start to end | compiling | training | evaluating | files and figures "
        "| largest memory",
        rows,
    )


def scaling() -> str:
    """What a second process gains, and what the model says about more devices."""
    numbers = result("scaling")
    widths = numbers["gains"]["strong"]
    kinds = {"strong": "1,024 together", "weak": "1,024 each"}
    measured = table(
        f"examples in a batch | {' | '.join(f'w = {width}' for width in widths)}",
        [(kinds[kind], *numbers["gains"][kind].values()) for kind in kinds],
    )
    devices = numbers["worth"]["strong"]
    worth = table(
        f"examples in a batch | {' | '.join(f'{int(count):,} devices' for count in devices)}",
        [
            (kinds[kind], *(width or "at no width" for width in numbers["worth"][kind].values()))
            for kind in kinds
        ],
    )
    return (
        "The first table is measured. It has the examples per second of two processes with a core\n"
        f"each, divided by those of one process on one core, for 784-w-w-10.\n\n{measured}\n\n"
        "The second table is computed from the model. It has the smallest width w from 16 to\n"
        "16,384 at which n devices train at least n/2 times as many examples per second as one.\n\n"
        f"{worth}"
    )


def peers() -> str:
    """The time of a whole training and the examples per second, also of other libraries."""
    numbers = result("fast_peers")
    seconds, accuracies = (numbers["start_to_answer"][key] for key in ("seconds", "accuracy"))
    median = statistics.median
    whole = table(
        "program | time ÷ PyTorch's | seconds | range | median accuracy",
        [
            (
                words,
                f"{numbers['start_ratios'][name]:.2f}",
                f"{median(seconds[name]):.1f}",
                f"{min(seconds[name]):.1f}–{max(seconds[name]):.1f}",
                f"{median(accuracies[name]):.2%}",
            )
            for name, words in PROGRAM_NAMES.items()
            if name in seconds
        ],
    )
    libraries = ("ours", "pytorch", "plain_jax", "scikit_learn")
    rates = table(
        "layer sizes and batch size | `mnist_jax` | PyTorch | plain JAX | scikit-learn | "
        "`mnist_jax` ÷ the best other | share of a matrix product's operations per second",
        [
            (
                of,
                *(f"{median(each[name]):,.0f}" if each[name] else "" for name in libraries),
                f"{numbers['rate_ratios'][of]:.2f}",
                f"{numbers['of_product'][of]:.2f}",
            )
            for of, each in numbers["examples_a_second"].items()
        ],
    )
    units = ", ".join(numbers["vector_and_matrix_units"])
    return (
        f"The median time of the whole process, in {len(seconds['warm'])} rounds on "
        f"{numbers['cores']} cores with {units}:\n\n{whole}\n\nTraining examples per second:"
        f"\n\n{rates}"
    )


def check_times() -> str:
    """The time of a check."""
    numbers = result("check_time")
    small, large = numbers["command_median"].values()
    return (
        f"On 2 cores, the command of the check takes {small:.1f} s for a 784-32-10 network and "
        f"{large:.1f} s for 784-1024-1024-10.\nA second call of the check from Python takes "
        f"{numbers['after_compilation_median']:.2f} s for 784-32-10."
    )


def checkpoint_cost() -> str:
    """The time of checkpoints, and the memory for reading damaged files."""
    share = result("base_start")["checkpoint_share"]
    return (
        f"Checkpoints take {max(share, 0):.1%} of the time of a `base.flags` run. Reading damaged "
        f"files takes at most {campaign('fuzzing')['memory']:.2f} times\nthe memory of reading "
        "undamaged ones."
    )
