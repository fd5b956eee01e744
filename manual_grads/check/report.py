"""The report of a gradient check as a table, as an image and as JSON."""

import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from manual_grads.check.diagnosis import Cause
from manual_grads.check.layouts import in_names_of

SHOWN = ("mistake", "where", "message", "yours", "right")
COLUMNS = ("leaf", "error", "allowed", "at", "handwritten", "autodiff", "verdict")


class Leaf(NamedTuple):
    """The worst entry of a leaf: the entry with the largest error / allowed difference.

    The values come from the first tested part of the batch on which any leaf is wrong, or from the
    whole batch if no leaf is wrong.
    """

    leaf: str
    shape: tuple[int, ...]
    max_error: float  # the largest |handwritten − autodiff| in the leaf
    bound: float  # the allowed difference at the worst entry
    worst_index: tuple[int, ...]
    handwritten: float
    autodiff: float
    agrees: bool
    arbiter: str  # the gradient that agrees with finite differences; empty if `agrees`


class Report(NamedTuple):
    """The result of a check. Each list in `causes` is one explanation of the wrong gradient.

    The allowed difference depends on `precision`, the dtype of the handwritten gradient. `errors`
    has |handwritten − autodiff| / allowed difference of each entry, by leaf. The printed report
    uses the names and indices of `layout`.
    """

    agrees: bool
    precision: str
    leaves: list[Leaf]
    causes: list[list[Cause]]
    errors: dict[str, np.ndarray]
    layout: str = "layers"

    @property
    def diagnoses(self) -> list[Cause]:
        """The mistakes of all explanations in one list."""
        return [mistake for cause in self.causes for mistake in cause]

    def to_json(self) -> str:
        """The verdict, leaves and diagnoses as JSON; `tie` is the index of the explanation."""
        record: dict[str, Any] = {
            "agrees": self.agrees,
            "precision": self.precision,
            "leaves": [leaf._asdict() for leaf in self.leaves],
            "diagnoses": [
                {name: getattr(mistake, name) for name in SHOWN}
                | {"tie": tie if len(self.causes) > 1 else None}
                for tie, cause in enumerate(self.causes)
                for mistake in cause
            ],
        }
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def heatmap(self, path: str | Path) -> None:
        """Writes an image of error / allowed difference for each entry, by leaf, on a log scale."""
        from matplotlib.figure import Figure  # imported here because its import is slow
        from matplotlib.ticker import MaxNLocator

        figure = Figure(figsize=(8, 1 + 1.6 * len(self.errors)), layout="constrained")
        axes = figure.subplots(len(self.errors), squeeze=False)[:, 0]
        shares = {leaf: np.log10(np.maximum(e, 1e-2)) for leaf, e in self.errors.items()}
        top = max(2.0, *(float(share.max()) for share in shares.values()))
        look = {"cmap": "viridis", "vmin": -2, "vmax": top, "aspect": "auto"}
        for axis, (leaf, share) in zip(axes, shares.items(), strict=True):
            rows = share.reshape(1, -1) if share.ndim < 2 else share.reshape(share.shape[0], -1)
            axis.imshow(rows, interpolation="nearest", **look)
            axis.set_title(leaf, loc="left", fontsize=10)
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.yaxis.set_major_locator(MaxNLocator(integer=True))
            axis.set_xlabel("unit" if share.ndim < 2 else "input", fontsize=8)
            axis.set_ylabel("" if share.ndim < 2 else "unit", fontsize=8)
            axis.tick_params(labelsize=8, left=share.ndim > 1, labelleft=share.ndim > 1)
        label = "log₁₀ (error / allowed difference); above 0: wrong"
        figure.colorbar(axes[0].images[0], ax=list(axes), label=label)
        figure.savefig(path, dpi=150)

    def __str__(self) -> str:
        """The leaves as a table, followed by the verdict and the causes."""
        from rich.box import SIMPLE  # imported here because its import is slow
        from rich.console import Console
        from rich.table import Table

        table = Table(*COLUMNS, box=SIMPLE)
        for leaf in self.leaves:
            index = leaf.worst_index if self.layout == "layers" else leaf.worst_index[::-1]
            at, verdict = ",".join(map(str, index)), ["wrong", "agrees"][leaf.agrees]
            sizes = f"{leaf.max_error:.2g}", f"{leaf.bound:.2g}"
            values = f"{leaf.handwritten:.6g}", f"{leaf.autodiff:.6g}"
            table.add_row(in_names_of(self.layout, leaf.leaf), *sizes, at, *values, verdict)
        text = io.StringIO()
        Console(file=text, width=80).print(table)
        lines = [line.rstrip() for line in text.getvalue().strip("\n").splitlines()]
        return "\n".join([*filter(None, lines), "", self.verdict()])

    def verdict(self) -> str:
        """The text below the table: the verdict and the mistakes of each explanation."""
        bad = ", ".join(leaf.leaf for leaf in self.leaves if not leaf.agrees)
        lines = [f"The gradient disagrees with autodiff, in {self.precision}: {bad}."]
        if self.agrees:
            lines = [f"The gradient agrees with autodiff, in {self.precision}."]
        for number, cause in enumerate(self.causes):
            lines += ["or these mistakes, which explain the gradient equally well:"] * (number > 0)
            for mistake in cause:
                lines.append(f"  {mistake.mistake} at {mistake.where}: {mistake.message}")
                if mistake.yours:
                    lines += [f"    yours  {mistake.yours}", f"    right  {mistake.right}"]
        return in_names_of(self.layout, "\n".join(lines))
