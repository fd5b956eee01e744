"""The report on the two gradients: Markdown and figures, drawn from the experiment's JSON alone."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.common import drawing

Numbers = drawing.Numbers
STYLES = {"autodiff": ("tab:orange", "--", "s"), "manual": ("tab:blue", "-", "o")}
NAMES = {"autodiff": "autodiff", "manual": "by hand"}
TEMPLATE = Path(__file__).parent / "report.template.md"


def draw(source: Path) -> list[Path]:
    """Writes the report and its figures beside the numbers in `source`, and returns all paths."""
    pictures = {"errors": errors_figure, "epochs": epochs_figure, "apart": apart_figure}
    return drawing.draw(source, report, pictures)


def errors_figure(numbers: Numbers) -> Figure:
    """The distribution of the errors, in units in the last place, over the whole run."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    edges = np.array(numbers["agreement"]["ulp_edges"])
    places = np.arange(len(edges))
    for name, (color, dashes, _) in STYLES.items():
        counts = np.array(numbers["agreement"]["ulp_counts"][name])
        shares = counts / counts.sum()
        axes.step(places, shares, c=color, ls=dashes, where="post", label=NAMES[name])
    shown = places[1::3]
    axes.set_xticks(shown, [f"$2^{{{np.log2(edges[place]):.0f}}}$" for place in shown])
    axes.set_xlabel("error against float64 (units in the last place of float32)")
    axes.set(yscale="log", ylabel="share of all entries")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def epochs_figure(numbers: Numbers) -> Figure:
    """The largest error of each leaf, divided by its bound, after each epoch."""
    leaves = by_leaf(numbers)
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panels = figure.subplots(1, len(leaves), sharey=True, squeeze=False)[0]
    for axes, (leaf, gradients) in zip(panels, leaves.items(), strict=True):
        for name, rows in gradients.items():
            color, dashes, marker = STYLES[name]
            epochs, errors = [r["epoch"] for r in rows], [r["of_bound"] for r in rows]
            axes.plot(epochs, errors, c=color, ls=dashes, marker=marker, ms=3, label=NAMES[name])
        axes.set_title(leaf, fontsize="medium")
        axes.set(xlabel="epoch", yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("largest error over its bound")
    panels[0].legend(fontsize="small")
    return figure


def by_leaf(numbers: Numbers) -> dict[str, dict[str, list[Numbers]]]:
    """For each leaf and each gradient, the errors before the first epoch and after every epoch."""
    leaves: dict[str, dict[str, list[Numbers]]] = {}
    for row in numbers["agreement"]["rows"]:
        leaves.setdefault(row["leaf"], {name: [] for name in STYLES})[row["gradient"]].append(row)
    return leaves


def apart_figure(numbers: Numbers) -> Figure:
    """How fast two trainings diverge if they differ in the gradient, or in one initial weight."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    distance, accuracy = figure.subplots(1, 2)
    for name, label, (color, dashes, marker) in (
        ("manual", "by hand, not autodiff", STYLES["manual"]),
        ("one rounding", "one rounding at the start", ("black", ":", "^")),
    ):
        rows = numbers["trajectories"][name]
        style = {"color": color, "linestyle": dashes, "marker": marker, "markersize": 4}
        steps = [row["step"] for row in rows]
        distance.plot(steps, [row["distance"] for row in rows], label=label, **style)
        accuracy.plot(steps, [100 * row["accuracy_difference"] for row in rows], **style)
    distance.set(yscale="log", ylabel="relative distance of parameters")
    distance.legend(fontsize="small")
    accuracy.set_ylabel("difference in test accuracy (points)")
    for axes in (distance, accuracy):
        axes.set(xscale="log", xlabel="step")
        axes.grid(alpha=0.3)
    return figure


def report(numbers: Numbers) -> str:
    """The report as Markdown; every number in it comes from `numbers`."""
    apart = zip(*numbers["trajectories"].values(), strict=True)
    return drawing.render(TEMPLATE, **numbers, names=NAMES, leaves=by_leaf(numbers), apart=apart)
