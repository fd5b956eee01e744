"""The numbers in the READMEs: each function makes one block of text from the committed JSON."""

import json
import statistics
from collections.abc import Callable
from typing import Any

from experiments.common.record import PUBLISHED
from experiments.speed.peers import PROGRAM_NAMES
from manual_grads.cli import options
from mnist_jax import Config
from tests import ROOT
from tests.campaigns.summary import campaign, page, pictures, promises, table


def result(name: str) -> dict[str, Any]:
    """A committed result of `experiments`."""
    return json.loads((PUBLISHED / f"{name}.json").read_text())


def first_use() -> str:
    """The times of a new user's first steps."""
    seconds = campaign("first_use")["seconds"]
    return (
        f"On 2 cores, installing takes about {seconds['installation']:.0f} s, with the test "
        f"dependencies {seconds['installation with tests']:.0f} s, training\n"
        f"{seconds['training']:.0f} s, and the tests {seconds['tests'] / 60:.1f} minutes. Two "
        f"shorter commands test that both gradients agree ({seconds['agreement tests']:.0f} s), "
        f"and\ncompare trainings with both in a report ({seconds['quick comparison']:.0f} s):"
    )


def accuracy() -> str:
    """The test accuracy that each flag file in `experiments` reaches."""

    def row(name, network):
        numbers = result(f"{name}_accuracy")
        sizes = options.parse(Config, [f"--flagfile={ROOT}/experiments/{name}.flags"]).architecture
        return (
            f"`{name}.flags`",
            f"{'-'.join(map(str, sizes.layer_sizes))}, {network}",
            len(numbers["seeds"]),
            f"{numbers['median']:.2%}",
            f"{numbers['mean']:.2%} ± {numbers['standard_deviation']:.2%}",
            f"{numbers['best']:.2%}",
            f"{numbers['median_seconds']['total']:.0f} s",
        )

    return table(
        "flag file | network | seeds | median accuracy | mean ± standard deviation | best "
        "| time of a run, without imports",
        [
            row("fast", "relu, cross-entropy, adamw"),
            row("base", "relu, cross-entropy, adamw"),
            row("document", "leaky relu, squared error, sgd"),
        ],
    )


def open_problem() -> str:
    """The result of each way to train biases, on the author's first task and on MNIST."""
    numbers = result("biases")
    mnist = {row["variant"]: row for row in numbers["mnist"]}
    rows = []
    for task in numbers["tasks"]:
        if (task["activation"], task["target"]) != ("leaky_relu", "step"):
            continue
        cost, later = task["final_cost"]["median"], mnist[task["variant"]]
        diverged = later["diverged"]["count"] > 0
        rows.append(
            (
                task["variant"],
                "∞" if cost is None else f"{cost:.1e}",
                task["diverged"]["count"],
                task["reached"]["count"],
                "diverged" if diverged else f"{later['test_accuracy']['mean']:.2%}",
            )
        )
    head = "way to train biases | median cost | seeds that diverge | seeds that reach the target"
    return table(f"{head} | MNIST accuracy", rows)


def open_problem_in_short() -> str:
    """The result on the document's open problem, in one sentence."""
    numbers = result("biases")
    of = {
        task["variant"]: task
        for task in numbers["tasks"]
        if (task["activation"], task["target"]) == ("leaky_relu", "step")
    }
    right, leaked = of["all biases, right"], of["both leaked"]
    return (
        f"With this mistake, {leaked['diverged']['count']} of {numbers['seeds']} trainings from "
        f"random starts diverge; without it, {right['diverged']['count']} diverge."
    )


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


def speed() -> str:
    """The time of each part of a run."""
    seconds = result("base_accuracy")["median_seconds"]
    return (
        f"On 2 cores, a run of `base.flags` compiles for {seconds['compile']:.1f} s, trains for "
        f"{seconds['train']:.1f} s and evaluates for {seconds['evaluate']:.1f} s."
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


def comparison() -> str:
    """The differences between two trainings that use different gradients."""
    numbers = result("base_compare")
    means = {name: each["mean"] for name, each in numbers["accuracy"].items()}
    low, high = (100 * end for end in numbers["difference"]["interval"])
    by_step = {
        name: {row["step"]: row["distance"] for row in rows}
        for name, rows in numbers["trajectories"].items()
    }
    steps = [step for step in (1, 10, 100, 1000) if step in by_step["manual"]]
    distances = table(
        "relative parameter distance after | " + " | ".join(f"{step} steps" for step in steps),
        [
            [name, *(f"{by_step[key][step]:.1e}" for step in steps)]
            for key, name in (
                ("manual", "handwritten gradient and autodiff"),
                ("one rounding", "autodiff twice, with one initial weight changed by a rounding"),
            )
        ],
    )
    return (
        f"The mean test accuracy of `base.flags` over {len(numbers['seeds'])} seeds is "
        f"{means['autodiff']:.2%} with autodiff and {means['manual']:.2%}\nwith the handwritten "
        f"gradient. The 95 % confidence interval of the difference is {low:+.3f} to {high:+.3f}\n"
        "percentage points.\n\n"
        f"{distances}"
    )


def injected() -> str:
    """The number of injected mistakes that the check names."""
    numbers = result("mistakes")
    verdicts = (
        *("injected", "named", "unknown", "wrong", "wrong tie", "not detected"),
        "changes nothing",
    )
    rows = [
        (
            words,
            *(f"{numbers[key].get(verdict, 0):,}" for verdict in verdicts),
        )
        for key, words in (("single", "one mistake"), ("pairs", "two mistakes"))
    ]
    right = campaign("right_gradients")
    alarms = right["called wrong in"]
    return (
        table(
            "injected | number | named | unknown | one cause, wrong | several causes, all wrong | "
            "not detected | changes no gradient",
            rows,
        )
        + f"\n\nOf {right['checks in a precision']:,} correct gradients, {alarms['float64']} were "
        f"called wrong in float64 and {alarms['float32']} in float32."
    )


def real_mistakes() -> str:
    """The verdicts of the check on other people's mistakes, and on right gradients."""
    real, mutants = campaign("real_mistakes"), campaign("program_mutants")
    of_mutants = mutants["counts"]["verdicts"]

    def row(what, number, verdicts):
        counts = [verdicts.get(name, 0) for name in ("explained", "unknown", "wrong cause")]
        return [what, number, number - verdicts.get("not detected", 0), *counts]

    people = "mistakes from public threads"
    every = "single edits, each of which makes one of five right programs wrong"
    rows = [
        row(people, len(real["cases"]), real["counts"]),
        row(every, mutants["counts"]["checked"], of_mutants),
    ]
    rows[1][-1] = "not judged"
    right = campaign("right_gradients")
    alarms = (
        f"The check calls {real['false_alarms']} of the {len(real['cases'])} corrected programs "
        f"wrong, and {right['called wrong']} of {right['checks']:,} right gradients\nof "
        f"{right['networks']} random networks with every loss, reduction and layout."
    )
    head = "mistakes | number | detected | explained | unknown | wrong cause"
    return f"{table(head, rows)}\n\n{alarms}"


def check_times() -> str:
    """The time of a check."""
    numbers = result("check_time")
    small, large = numbers["command_median"].values()
    return (
        f"On 2 cores, the command of the check takes {small:.1f} s for a 784-32-10 network and "
        f"{large:.1f} s for 784-1024-1024-10.\nA second call of the check from Python takes "
        f"{numbers['after_compilation_median']:.2f} s for 784-32-10."
    )


def mutants() -> str:
    """How many mutants of the derivative files were killed, crashed or are equivalent."""
    counts = campaign("mutation")["counts"]
    return (
        f"Of {sum(counts.values()):,} mutants, the tests detect {counts['killed']:,}. "
        f"{counts['crashed']} cannot be imported, and {counts['equivalent']} compute the same "
        "as the original."
    )


def checkpoint_cost() -> str:
    """The time of checkpoints, and the memory for reading damaged files."""
    share = result("checkpoint_cost")["share_median"]
    return (
        f"Checkpoints take {max(share, 0):.1%} of the time of a `base.flags` run. Reading damaged "
        f"files takes at most {campaign('fuzzing')['memory']:.2f} times\nthe memory of reading "
        "undamaged ones."
    )


def commands() -> str:
    """The command that made each committed result."""
    results = sorted(path.stem for path in PUBLISHED.glob("*.json"))
    return "\n".join(
        ["```sh", *(f".venv/bin/{result(name)['command']}" for name in results), "```"]
    )


BLOCKS: dict[str, Callable[[], str]] = {
    block.__name__: block
    for block in (
        first_use, accuracy, open_problem, open_problem_in_short, steps, speed,
        peers, comparison, injected, real_mistakes, check_times, mutants, promises, checkpoint_cost,
        commands, page, pictures,
    )
}  # fmt: skip
