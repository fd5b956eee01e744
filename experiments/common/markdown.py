"""How numbers and tables stand in the reports."""

from collections.abc import Sequence


def table(head: str, rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; `head` has the names of its columns, with " | " between them."""
    columns = head.split(" | ")
    return "\n".join(f"| {' | '.join(line)} |" for line in [columns, ["---"] * len(columns), *rows])


def percent(share: float) -> str:
    """A share of 1 as a percentage of two decimals."""
    return f"{share:.2%}"


def spread(of: dict[str, float]) -> str:
    """A mean share and its standard deviation."""
    return f"{percent(of['mean'])} ± {percent(of['standard_deviation'])}"


def number(value: float | None, form: str) -> str:
    """A number in Python's format, or a dash for one that was not finite."""
    return "—" if value is None else f"{value:{form}}"
