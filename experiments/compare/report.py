"""The report on the two gradients, drawn from the experiment's JSON alone: Markdown and figures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.common import markdown
from mnist_jax import figures, runs

Numbers = dict[str, Any]
STYLES = {"autodiff": ("tab:orange", "--", "s"), "manual": ("tab:blue", "-", "o")}
NAMES = {"autodiff": "autodiff", "manual": "by hand"}
TEMPLATE = Path(__file__).parent / "report.template.md"


def draw(source: Path, folder: Path) -> list[Path]:
    """Writes the report and its figures into `folder`, from the numbers in `source`."""
    numbers = json.loads(source.read_text())
    name = numbers["name"]
    made = {
        f"{name}_compare_errors.png": errors_figure(numbers),
        f"{name}_compare_epochs.png": epochs_figure(numbers),
        f"{name}_compare_apart.png": apart_figure(numbers),
    }
    figures.write(folder, made)
    runs.write(folder / f"{name}_compare.md", report(numbers))
    return [folder / f"{name}_compare.md", *(folder / figure for figure in made)]


def errors_figure(numbers: Numbers) -> Figure:
    """How many entries are wrong by how many units in the last place, over the whole run."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    edges = np.array(numbers["agreement"]["ulp_edges"])
    places = np.arange(len(edges))
    for name, (color, dashes, _) in STYLES.items():
        counts = np.array(numbers["agreement"]["ulp_counts"][name])
        axes.step(
            places, counts / counts.sum(), color=color, linestyle=dashes, where="post",
            label=NAMES[name],
        )  # fmt: skip
    axes.set_yscale("log")
    shown = places[1::3]
    axes.set_xticks(shown, [f"$2^{{{np.log2(edges[place]):.0f}}}$" for place in shown])
    axes.set_xlabel("error against float64 (units in the last place of float32)")
    axes.set_ylabel("share of all entries")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def epochs_figure(numbers: Numbers) -> Figure:
    """Of each leaf the largest error over the bound, after each epoch."""
    leaves = list(dict.fromkeys(row["leaf"] for row in numbers["agreement"]["rows"]))
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    panels = figure.subplots(1, len(leaves), sharey=True, squeeze=False)[0]
    for axes, leaf in zip(panels, leaves, strict=True):
        for name, (color, dashes, marker) in STYLES.items():
            rows = [
                row
                for row in numbers["agreement"]["rows"]
                if (row["leaf"], row["gradient"]) == (leaf, name)
            ]
            axes.plot(
                [row["epoch"] for row in rows], [row["of_bound"] for row in rows], color=color,
                linestyle=dashes, marker=marker, markersize=3, label=NAMES[name],
            )  # fmt: skip
        axes.set_title(leaf, fontsize="medium")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("largest error over its bound")
    panels[0].legend(fontsize="small")
    return figure


def apart_figure(numbers: Numbers) -> Figure:
    """How two trainings come apart: by the gradient, and by one rounding."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    distance, accuracy = figure.subplots(1, 2)
    styles = {"manual": STYLES["manual"], "one rounding": ("black", ":", "^")}
    labels = {"manual": "by hand, not autodiff", "one rounding": "one rounding at the start"}
    for name, (color, dashes, marker) in styles.items():
        rows = numbers["trajectories"][name]
        style = {"color": color, "linestyle": dashes, "marker": marker, "markersize": 4}
        steps = [row["step"] for row in rows]
        distance.plot(steps, [row["distance"] for row in rows], label=labels[name], **style)
        accuracy.plot(steps, [100 * row["accuracy_difference"] for row in rows], **style)
    distance.set_yscale("log")
    distance.set_ylabel("relative distance of parameters")
    distance.legend(fontsize="small")
    accuracy.set_ylabel("difference in test accuracy (points)")
    for axes in (distance, accuracy):
        axes.set_xscale("log")
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    return figure


def report(numbers: Numbers) -> str:
    """The whole report as Markdown; each number in it is one of `numbers`."""
    cost, accuracy, difference = numbers["cost"], numbers["accuracy"], numbers["difference"]
    rows, seeds = numbers["agreement"]["rows"], [*map(str, numbers["seeds"])]
    step_ratio = cost["ratios"]["manual"]["median"]
    return TEMPLATE.read_text(encoding="utf-8").format(
        **{key: numbers[key] for key in ("command", "name", "dataset", "batch_size", "epochs")},
        layer_sizes="-".join(map(str, numbers["layer_sizes"])),
        seeds=len(seeds),
        accuracies=markdown.table(
            " | ".join(["gradient", "test accuracy, mean ± standard deviation", *seeds]),
            [
                [
                    NAMES[name],
                    markdown.spread(of),
                    *map(markdown.percent, numbers["test_accuracy"][name]),
                ]
                for name, of in accuracy.items()
            ],
        ),
        difference=f"{100 * difference['mean']:+.3f}",
        interval=" to ".join(f"{100 * end:+.3f}" for end in difference["interval"]),
        p=markdown.number(numbers["p_value"], ".2f"),
        costs=markdown.table(
            " | autodiff | by hand | ratio",
            [
                _cost_row("a step (µs)", cost["median_step_seconds"], 1e6, step_ratio),
                _cost_row("compiling (ms)", cost["compile_median"], 1e3, cost["compile_ratio"]),
                _cost_row("peak memory (MB)", cost["peak_bytes"], 1e-6),
                _cost_row("instructions", cost["instructions"], 1.0),
            ],
        ),
        agreement=markdown.table(
            "leaf | gradient | largest error over the bound | in units in the last place | "
            "of the median entry",
            [
                [
                    leaf,
                    NAMES[name],
                    *_worst([r for r in rows if (r["leaf"], r["gradient"]) == (leaf, name)]),
                ]
                for leaf in dict.fromkeys(row["leaf"] for row in rows)
                for name in STYLES
            ],
        ),
        apart=markdown.table(
            "step | distance, by hand | distance, one rounding | test accuracy, by hand | "
            "test accuracy, one rounding",
            [
                [
                    f"{one['step']}",
                    markdown.number(one["distance"], ".1e"),
                    markdown.number(other["distance"], ".1e"),
                    f"{100 * one['accuracy_difference']:+.2f}",
                    f"{100 * other['accuracy_difference']:+.2f}",
                ]
                for one, other in zip(*numbers["trajectories"].values(), strict=True)
            ],
        ),
        matrix=markdown.table(
            "activation | loss | precision | of 2 bounds, first | last | distance | autodiff | "
            "by hand",
            [
                [
                    row["activation"].replace("_", " "),
                    row["loss"].replace("_", "-"),
                    row["precision"],
                    markdown.number(row["of_bound_first"], ".2g"),
                    markdown.number(row["of_bound_last"], ".2g"),
                    markdown.number(row["distance"], ".1e"),
                    *(markdown.percent(row["test_accuracy"][name]) for name in STYLES),
                ]
                for row in numbers["matrix"]
            ],
        ),
        matrix_steps=numbers["matrix"][0]["steps"],
    )


def _cost_row(
    name: str, of: dict[str, float] | dict[str, int], unit: float, ratio: float | None = None
) -> list[str]:
    ratio = of["manual"] / of["autodiff"] if ratio is None else ratio
    return [name, *(f"{unit * of[gradient]:,.0f}" for gradient in STYLES), f"{ratio:.3f}"]


def _worst(rows: list[Numbers]) -> list[str]:
    """Over the epochs: the largest of the largest, and the largest of the medians."""
    keys = ("of_bound", "largest_in_ulps", "median_in_ulps")
    return [f"{max(row[key] for row in rows):.2g}" for key in keys]
