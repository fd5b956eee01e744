"""The report on biases: Markdown and two figures, drawn from the experiment's JSON alone."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.biases import first_task
from experiments.common import drawing

Numbers = drawing.Numbers
SHOWN = {
    "no biases": ("black", ":", ""),
    "all biases, right": ("tab:blue", "-", ""),
    "both leaked": ("tab:orange", "--", "//"),
}
"""The variants in the figures, with the colour, the line style, and the hatching of the band."""

TOP = 10.0
"""The top of the cost axis; costs that are not finite are drawn there."""

TEMPLATE = Path(__file__).parent / "report.template.md"


def draw(source: Path) -> list[Path]:
    """Writes the report and its figures beside the JSON file `source`, and returns all paths."""
    return drawing.draw(source, report, {"cost": cost_figure, "fit": fit_figure})


def task(numbers: Numbers, activation: str, target: str, variant: str) -> Numbers:
    """The results of one variant on the author's first task."""
    wanted = {"activation": activation, "target": target, "variant": variant}
    return next(row for row in numbers["tasks"] if wanted.items() <= row.items())


def cost_figure(numbers: Numbers) -> Figure:
    """The cost during training on the target `step`: median, and a band of 80 % of the seeds."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    panels = figure.subplots(1, len(first_task.TASK_ACTIVATIONS), sharey=True, squeeze=False)[0]
    for axes, activation in zip(panels, first_task.TASK_ACTIVATIONS, strict=True):
        for variant, (color, dashes, hatch) in SHOWN.items():
            row = task(numbers, activation, "step", variant)
            steps = np.array(row["steps"]) + 1
            low, middle, high = (
                np.nan_to_num(np.array(row[part], float), nan=TOP)
                for part in ("low", "median", "high")
            )
            axes.plot(steps, middle, color=color, linestyle=dashes, label=variant)
            axes.fill_between(steps, low, high, color=color, alpha=0.2, hatch=hatch, linewidth=0)
        target_cost = task(numbers, activation, "step", "no biases")["target_cost"]
        axes.axhline(target_cost, color="grey", linewidth=0.8)
        axes.set(xscale="log", yscale="log", xlabel="step, counted from 1", ylim=(1e-4, TOP))
        axes.set_title(activation.replace("_", " "), fontsize="medium")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("cost (mean squared error)")
    panels[0].legend(fontsize="small", loc="lower left")
    return figure


def fit_figure(numbers: Numbers) -> Figure:
    """For each target, the outputs of the leaky ReLU network whose final cost is the median."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panels = figure.subplots(1, len(first_task.TARGETS), sharey=True, squeeze=False)[0]
    x = np.asarray(first_task.points())[:: first_task.POINTS // 100, 0]
    for axes, (target, function) in zip(panels, first_task.TARGETS.items(), strict=True):
        axes.plot(x, np.asarray(function(x)), color="lightgrey", linewidth=6, label="target")
        for variant, (color, dashes, _) in SHOWN.items():
            outputs = task(numbers, "leaky_relu", target, variant)["outputs_of_median_seed"]
            values = np.array(outputs, float)  # None becomes NaN
            axes.plot(x, values, color=color, linestyle=dashes, label=variant)
        axes.set(xlabel="x", ylim=(-0.3, 1.3))
        axes.set_title(target, fontsize="medium")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("output of the network")
    panels[0].legend(fontsize="small", loc="upper left")
    return figure


def report(numbers: Numbers) -> str:
    """The report as Markdown, made from the experiment's `numbers`."""
    bare, right, leaked = (task(numbers, "leaky_relu", "step", variant) for variant in SHOWN)
    return drawing.render(
        TEMPLATE,
        **numbers,
        points=first_task.POINTS,
        share_left=first_task.SHARE_LEFT,
        bare=bare,
        right=right,
        leaked=leaked,
        accuracy={row["variant"]: row["test_accuracy"]["mean"] for row in numbers["mnist"]},
    )
