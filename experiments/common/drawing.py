"""Reports and their figures, drawn from an experiment's JSON alone."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from mnist_jax import figures, runs

Numbers = dict[str, Any]


def draw(
    source: Path,
    report: Callable[[Numbers], str],
    pictures: Mapping[str, Callable[[Numbers], Figure]],
) -> list[Path]:
    """Writes `NAME.md`, and `NAME_PICTURE.png` for each picture, into the folder of `NAME.json`.

    `source` is the path of `NAME.json`. Returns the paths of these files and `source`.
    """
    numbers = json.loads(source.read_text())
    made = {f"{source.stem}_{name}.png": picture(numbers) for name, picture in pictures.items()}
    figures.write(source.parent, made)
    runs.write(source.with_suffix(".md"), report(numbers))
    return [source.with_suffix(".md"), source, *(source.parent / name for name in made)]


def render(template: Path, **values: Any) -> str:
    """The jinja2 template with its values filled in; `{{ value | as(".2f") }}` rounds a value."""
    environment = Environment(  # noqa: S701 - Markdown, not HTML
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["as"] = _formatted
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)


def _formatted(value: Any, form: str, missing: str = "—") -> str:
    """The value in a Python format, or `missing` if it is None, which stands for NaN or ∞."""
    return missing if value is None else format(value, form)
