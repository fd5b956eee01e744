"""How numbers and tables stand in the reports."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float) -> str:
    """A share of 1 as a percentage of two decimals."""
    return f"{share:.2%}"


def number(value: float | None, form: str) -> str:
    """A number in Python's format, or a dash for one that was not finite."""
    return "—" if value is None else f"{value:{form}}"
