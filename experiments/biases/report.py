"""The report on biases, drawn from the experiment's JSON alone: Markdown and three figures."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from experiments.biases import first_task
from experiments.biases.variants import VARIANTS
from experiments.common import markdown
from mnist_jax import figures, runs

REPORT = "biases.md"
Numbers = dict[str, Any]


class Style(NamedTuple):
    """A line's colour and dashes, and the hatching of its band."""

    color: str
    dashes: str
    hatch: str


SHOWN = {
    "no biases": Style("black", ":", ""),
    "all biases, right": Style("tab:blue", "-", ""),
    "both leaked": Style("tab:orange", "--", "//"),
}
"""The variants of the figures; light and dark, and told apart by their dashes besides."""

EXPLAINED = {
    "no biases": "weights alone are trained",
    "all biases, right": "each derivative in its own slot",
    "output's leaked": "the output's in the last hidden unit's slot, its own left at 0",
    "input's leaked": "the input's in the last hidden unit's slot, its own left at 0",
    "both leaked": "both of these, as in the author's first program",
    "left out": "biases are trained that the forward pass does not use",
    "left out, both leaked": "the author's first program as it was published",
    "summed": "bias derivatives summed over the batch, those of weights averaged",
}


def draw(source: Path, folder: Path) -> list[Path]:
    """Writes the report and its figures into `folder`, from the numbers in `source`."""
    numbers = json.loads(source.read_text())
    made: dict[str, Callable[[Numbers], Figure]] = {
        "biases_cost.png": cost_figure,
        "biases_fit.png": fit_figure,
        "biases_mnist.png": mnist_figure,
    }
    figures.write(folder, {name: figure(numbers) for name, figure in made.items()})
    runs.write(folder / REPORT, report(numbers))
    return [folder / REPORT, *(folder / name for name in made)]


def task(numbers: Numbers, activation: str, target: str, variant: str) -> Numbers:
    """The numbers of one way to train, on the author's first task."""
    wanted = {"activation": activation, "target": target, "variant": variant}
    return next(row for row in numbers["tasks"] if wanted.items() <= row.items())


def cost_figure(numbers: Numbers) -> Figure:
    """The cost over steps on the step function: medians, and the bands of 80 % of the seeds."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    panels = figure.subplots(1, len(first_task.TASK_ACTIVATIONS), sharey=True, squeeze=False)[0]
    for axes, activation in zip(panels, first_task.TASK_ACTIVATIONS, strict=True):
        for variant, style in SHOWN.items():
            row = task(numbers, activation, "step", variant)
            steps = np.array(row["steps"]) + 1
            low, middle, high = (
                np.array([TOP if value is None else value for value in row[part]])
                for part in ("low", "median", "high")
            )
            axes.plot(steps, middle, color=style.color, linestyle=style.dashes, label=variant)
            axes.fill_between(
                steps, low, high, color=style.color, alpha=0.2, hatch=style.hatch, linewidth=0
            )
        there = task(numbers, activation, "step", "no biases")["target_cost"]
        axes.axhline(there, color="grey", linewidth=0.8)
        axes.set(xscale="log", yscale="log", xlabel="step, counted from 1", ylim=(1e-4, TOP))
        axes.set_title(activation.replace("_", " "), fontsize="medium")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("cost (mean squared error)")
    panels[0].legend(fontsize="small", loc="lower left")
    return figure


TOP = 10.0
"""Where costs beyond it, and costs that are not finite, leave the figure."""


def fit_figure(numbers: Numbers) -> Figure:
    """What the seed with the median cost has learned, with leaky ReLU, for each target."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panels = figure.subplots(1, len(first_task.TARGETS), sharey=True, squeeze=False)[0]
    x = np.asarray(first_task.points())[:: first_task.POINTS // 100, 0]
    for axes, (target, function) in zip(panels, first_task.TARGETS.items(), strict=True):
        axes.plot(x, np.asarray(function(x)), color="lightgrey", linewidth=6, label="target")
        for variant, style in SHOWN.items():
            outputs = task(numbers, "leaky_relu", target, variant)["outputs_of_median_seed"]
            values = [np.nan if value is None else value for value in outputs]
            axes.plot(x, values, color=style.color, linestyle=style.dashes, label=variant)
        axes.set(xlabel="x", ylim=(-0.3, 1.3))
        axes.set_title(target, fontsize="medium")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("output of the network")
    panels[0].legend(fontsize="small", loc="upper left")
    return figure


def mnist_figure(numbers: Numbers) -> Figure:
    """Each seed's final accuracy, a row for each way to train."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.subplots()
    rows = list(reversed(numbers["mnist"]))
    for height, row in enumerate(rows):
        if row["diverged"]["count"] == row["diverged"]["of"]:
            middle = axes.get_yaxis_transform()
            axes.text(
                0.5, height, "every seed diverged", ha="center", va="center", transform=middle
            )
            continue
        final = 100 * np.array(row["by_epoch"][-1])
        spread = height + np.linspace(-0.2, 0.2, len(final))
        axes.plot(final, spread, "o", color="tab:blue", markersize=4, alpha=0.7)
        axes.plot(final.mean(), height, "|", color="black", markersize=18)
    axes.set_yticks(range(len(rows)), [row["variant"] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel("test accuracy (%); dots: seeds, bar: their mean")
    axes.grid(axis="x", alpha=0.3)
    return figure


def report(numbers: Numbers) -> str:
    """The whole report as Markdown; each number in it is one of `numbers`."""

    def row(variant):
        return task(numbers, "leaky_relu", "step", variant)

    right, none, leaked = row("all biases, right"), row("no biases"), row("both leaked")
    mnist = {each["variant"]: each["test_accuracy"]["mean"] for each in numbers["mnist"]}
    return TEMPLATE.read_text(encoding="utf-8").format(
        **{key: numbers[key] for key in ("command", "dataset", "seeds")},
        **{key: numbers[key] for key in ("mnist_seeds", "mnist_epochs")},
        points=f"{first_task.POINTS:,}",
        left=f"{first_task.SHARE_LEFT:.0%}",
        none=_cost(none["final_cost"]["median"]),
        none_range=_interval(none["final_range"]),
        right=_cost(right["final_cost"]["median"]),
        right_interval=_interval(right["final_cost"]["interval"]),
        right_diverged=_share(right["diverged"]),
        leaked=_cost(leaked["final_cost"]["median"]),
        leaked_interval=_interval(leaked["final_cost"]["interval"]),
        leaked_diverged=_share(leaked["diverged"]),
        leaked_reached=_share(leaked["reached"]),
        mnist_none=markdown.percent(mnist["no biases"]),
        mnist_right=markdown.percent(mnist["all biases, right"]),
        mnist_leaked=markdown.percent(mnist["both leaked"]),
        worth=f"{100 * (mnist['all biases, right'] - mnist['no biases']):+.2f}",
        ways=markdown.table("way | what is trained", [[n, EXPLAINED[n]] for n in VARIANTS]),
        tasks=_tasks(numbers),
        later=_later(numbers),
        checks=_checks(numbers),
    )


TEMPLATE = Path(__file__).parent / "report.template.md"
"""The report's words, with names in braces where its numbers and tables go."""


def _cost(value: float | None) -> str:
    return "∞" if value is None else f"{value:.2g}"


def _interval(interval: Sequence[float | None]) -> str:
    return "–".join(map(_cost, interval))


def _share(share: Numbers) -> str:
    low, high = share["interval"]
    return f"{share['count']} ({low:.0%}–{high:.0%})"


def _tasks(numbers: Numbers) -> str:
    return markdown.table(
        "target | activation | way | final cost, median (95 %) | 10–90 % | diverged | reached",
        [
            [
                row["target"],
                row["activation"].replace("_", " "),
                row["variant"],
                f"{_cost(cost['median'])} ({_interval(cost['interval'])})",
                _interval(row["final_range"]),
                _share(row["diverged"]),
                _share(row["reached"]),
            ]
            for row in numbers["tasks"]
            for cost in [row["final_cost"]]
        ],
    )


def _later(numbers: Numbers) -> str:
    return markdown.table(
        "way | test accuracy, mean ± standard deviation | 95 % of the mean | best | diverged",
        [
            [
                row["variant"],
                markdown.spread(accuracy),
                "–".join(map(markdown.percent, accuracy["interval"])),
                markdown.percent(row["best_seed"]),
                _share(row["diverged"]),
            ]
            for row in numbers["mnist"]
            for accuracy in [row["test_accuracy"]]
        ],
    )


def _checks(numbers: Numbers) -> str:
    return markdown.table(
        "network | activation | way | verdict",
        [
            [
                row["network"].replace(",", "-"),
                row["activation"].replace("_", " "),
                row["variant"],
                "agrees" if row["agrees"] else "; or ".join(map(" and ".join, row["causes"])),
            ]
            for row in numbers["checks"]
        ],
    )
