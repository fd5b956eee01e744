"""A cause: a mistake, its places, what the code computes there and what is right."""

from collections.abc import Sequence
from typing import NamedTuple

from manual_grads.check.diagnosis.answers import Answer

EVERYWHERE = "every leaf"
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Cause(NamedTuple):
    """A mistake in one or more lines.

    A place is a leaf such as `1/bias`, or `delta 1`, `forward 1` or `every leaf`. `is_convention` is
    true for what is another choice and not a mistake. `yours` and `right` are formulas, or empty.
    """

    mistake: str
    places: tuple[str, ...]
    message: str
    yours: str = ""
    right: str = ""
    is_convention: bool = False

    @property
    def where(self) -> str:
        """The places, separated by commas."""
        return ", ".join(self.places)


def causes_of(answers: Sequence[Answer]) -> list[Cause]:
    """The causes of a path; answers that are one mistake in several lines are one cause."""
    groups: dict[tuple[str, str, str], list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.alike, []).append(answer)
    causes = []
    for alike in groups.values():
        first = alike[0]
        places = tuple(dict.fromkeys(map(_place, alike)))
        words = first.words or f"it is {first.yours.partition(' = ')[2]}"
        words += f"; begin with {places[0]}" if first.name == "unknown" else ""
        texts = [_written(text, first.layer) for text in (words, first.yours, first.right)]
        causes.append(Cause(first.name, places, *texts, first.name == "kink"))
    return causes


def _place(answer: Answer) -> str:
    if answer.kind == "batch":
        return EVERYWHERE
    if answer.kind in ("delta", "forward"):
        return f"{answer.kind} {answer.layer}"
    return f"{answer.layer}/{answer.kind}"


def _written(text: str, layer: int) -> str:
    """A formula with the numbers of its layers, such as δ¹ = (W²ᵀ δ²) ⊙ f'(z¹)."""
    numbers = {"l": layer, "m": layer - 1, "n": layer + 1}
    for letter, number in numbers.items():
        text = text.replace(f"{{{letter}}}", str(number).translate(SUPERSCRIPTS))
    head, *rest = text.split("^")
    return head + "".join(
        part[0].translate(SUPERSCRIPTS) + part[1:] if part[:1].isdigit() else "^" + part
        for part in rest
    )
