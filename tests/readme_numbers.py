"""The numbers in the READMEs: each function makes one block of text from the committed JSON."""

from collections.abc import Callable

from experiments.common.record import PUBLISHED
from manual_grads.cli import options
from mnist_jax import Config
from tests import ROOT
from tests.campaigns.summary import campaign, page, pictures, promises, several, table
from tests.readme_speed import (
    check_times,
    checkpoint_cost,
    peers,
    result,
    scaling,
    start,
    steps,
)


def first_use() -> str:
    """The times of a new user's first steps."""
    seconds = campaign("first_use")["seconds"]
    return (
        f"On 2 cores, installing takes about {seconds['installation']:.0f} s, with the test "
        f"dependencies {seconds['installation with tests']:.0f} s, training\n"
        f"{seconds['training']:.0f} s, and the tests {seconds['tests'] / 60:.1f} minutes. Two "
        f"shorter commands test that both gradients agree ({seconds['agreement tests']:.0f} s), "
        "and\ncompare trainings with both gradients in a report "
        f"({seconds['quick comparison']:.0f} s):"
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
            f"{result(f'{name}_start')['median_seconds']['whole']:.0f} s",
        )

    return table(
        "flag file | network | seeds | median accuracy | mean ± standard deviation | best "
        "| time of the command",
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
        "relative parameter distance after | " + " | ".join(f"step {step}" for step in steps),
        [
            [name, *(f"{by_step[key][step]:.1e}" for step in steps)]
            for key, name in (
                ("manual", "handwritten gradient and autodiff"),
                (
                    "one rounding",
                    "autodiff twice, with one initial weight changed to the next float32 number",
                ),
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
            "injected | number | right cause named | cause unknown | a wrong cause named | "
            "several causes named, none right | not detected | changes no gradient",
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
        f"Of the {len(real['cases'])} corrected programs, the check calls {real['false_alarms']} "
        f"wrong. Of {right['checks']:,} right gradients, it calls {right['called wrong']} wrong; "
        f"these come\nfrom {right['networks']} random networks, which together have every loss, "
        "reduction and layout."
    )
    head = "mistakes | number | detected | explained | unknown | wrong cause"
    return f"{table(head, rows)}\n\n{alarms}"


def mutants() -> str:
    """How many mutants of the derivative files were killed, crashed or are equivalent."""
    counts = campaign("mutation")["counts"]
    return (
        f"Of {sum(counts.values()):,} mutants, the tests detect {counts['killed']:,}. "
        f"{counts['crashed']} cannot be imported, and {counts['equivalent']} compute the same "
        "as the original."
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
        first_use, accuracy, open_problem, open_problem_in_short, steps, start,
        scaling, peers, comparison, injected, real_mistakes, check_times, mutants, promises,
        checkpoint_cost, commands, page, pictures, several,
    )
}  # fmt: skip
