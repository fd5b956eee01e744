"""Reports in Markdown, from jinja2 templates."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined


def render(template: Path, **values: Any) -> str:
    """The template with its values filled in; it may format them by `{{ value | as(".2f") }}`."""
    environment = Environment(  # noqa: S701 - Markdown, not HTML
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["as"] = _formatted
    return environment.from_string(template.read_text(encoding="utf-8")).render(values)


def _formatted(value: Any, form: str, missing: str = "—") -> str:
    """A value in Python's format, or `missing` for a number that was not finite."""
    return missing if value is None else format(value, form)
