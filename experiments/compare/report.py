"""The report on the two gradients: Markdown and a figure, drawn from the JSON alone."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from experiments.common import drawing

Numbers = drawing.Numbers
STYLES = {"autodiff": ("tab:orange", "--"), "manual": ("tab:blue", "-")}
NAMES = {"autodiff": "autodiff", "manual": "by hand"}
TEMPLATE = Path(__file__).parent / "report.template.md"


def draw(source: Path) -> list[Path]:
    """Writes the report and its figure into the folder of `source`, and returns their paths."""
    return drawing.draw(source, report, {"errors": errors_figure})


def errors_figure(numbers: Numbers) -> Figure:
    """The distribution of the errors, in units in the last place, over the whole run."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    edges = np.array(numbers["agreement"]["ulp_edges"])
    places = np.arange(len(edges))
    for name, (color, dashes) in STYLES.items():
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


def report(numbers: Numbers) -> str:
    """The report as Markdown; every number in it comes from `numbers`."""
    apart = zip(*numbers["trajectories"].values(), strict=True)
    return drawing.render(TEMPLATE, **numbers, names=NAMES, apart=apart)
