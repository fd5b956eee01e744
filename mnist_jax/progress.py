"""Progress: one bar on a terminal, plain lines otherwise, never both."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from manual_grads.cli import command

Metrics = dict[str, Any]


@contextlib.contextmanager
def training(epochs: int) -> Iterator[Callable[[Metrics], None]]:
    """Yields what to call with each epoch's metrics."""
    console = Console()
    if not console.is_terminal:
        yield lambda metrics: command.say(_line(metrics, epochs))
        return
    columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(f"epoch 1/{epochs}", total=epochs)
        yield lambda metrics: bar.update(
            task, completed=metrics["epoch"], description=_line(metrics, epochs)
        )


def _line(metrics: Metrics, epochs: int) -> str:
    return (
        f"epoch {metrics['epoch']}/{epochs}  loss {metrics['train_loss']:.4f}  "
        f"train {metrics['train_accuracy']:.2%}  test {metrics['test_accuracy']:.2%}  "
        f"{metrics['seconds']:.1f} s"
    )


@contextlib.contextmanager
def download(name: str) -> Iterator["DownloadBar | bool"]:
    """Yields the `progressbar` argument of pooch's downloader."""
    console = Console()
    if not console.is_terminal:
        command.say(f"downloading {name}")
        yield False
        return
    columns = (BarColumn(), TextColumn("{task.description}"), DownloadColumn())
    with Progress(*columns, console=console) as bar:
        yield DownloadBar(bar, bar.add_task(name, total=None))


class DownloadBar:
    """A bar with the four names that pooch calls; it sets `total` before the first update."""

    total = 0

    def __init__(self, bar: Progress, task: TaskID):
        self._bar, self._task = bar, task

    def update(self, count: int) -> None:
        self._bar.update(self._task, total=self.total, advance=count)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        self._bar.stop_task(self._task)
