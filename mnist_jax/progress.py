"""Shows the progress of a run: one bar on a terminal, otherwise plain lines."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from manual_grads.cli import command

Metrics = dict[str, Any]


class Report(NamedTuple):
    """The functions that the training loop calls to report its progress.

    `compiling()` is called before compilation, and `epoch(metrics)` after each epoch. `advance` is
    called before training and after each block, with the number of epochs done so far, such as 1.5.
    """

    compiling: Callable[[], None] = lambda: None
    advance: Callable[[float], None] = lambda epochs: None
    epoch: Callable[[Metrics], None] = lambda metrics: None


class _Remaining(TimeRemainingColumn):
    """A column with the remaining time; empty until the time can be estimated."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.time_remaining is not None else Text()


@contextlib.contextmanager
def training(epochs: int) -> Iterator[Report]:
    """Yields a `Report` that shows a bar on a terminal, else lines for compiling and each epoch."""
    console = Console()
    if not console.is_terminal:
        yield Report(
            compiling=lambda: command.say("compiling"),
            epoch=lambda metrics: command.say(_line(metrics, epochs)),
        )
        return
    columns = (BarColumn(None), TextColumn("{task.description}"), _Remaining())
    with Progress(*columns, console=console, expand=True) as bar:
        task = bar.add_task("starting", total=None)

        def advance(done: float) -> None:
            if bar.tasks[0].total is None:  # the first call, after compiling
                bar.update(task, total=epochs, description=f"epoch {int(done) + 1}/{epochs}")
            bar.update(task, completed=done)

        yield Report(
            compiling=lambda: bar.update(task, description="compiling"),
            advance=advance,
            epoch=lambda metrics: bar.update(
                task, completed=metrics["epoch"], description=_line(metrics, epochs)
            ),
        )


def _line(metrics: Metrics, epochs: int) -> str:
    return (
        f"epoch {metrics['epoch']}/{epochs}  loss {metrics['train_loss']:.4f}  "
        f"train {metrics['train_accuracy']:.2%}  test {metrics['test_accuracy']:.2%}  "
        f"{metrics['seconds']:.1f} s"
    )
