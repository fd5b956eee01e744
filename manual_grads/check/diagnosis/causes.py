"""A cause: a mistake, its places, the formula of the user's code and the right formula."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from manual_grads.check.lines import Answer

EVERYWHERE = "every leaf"
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Cause(NamedTuple):
    """A mistake in one or more lines.

    A place is `delta 1`, `forward 1`, `every leaf`, or a leaf such as `1/bias`. If `is_convention`,
    the user's formula follows another valid convention. `yours` and `right` can be empty.
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


def merged(lines: Sequence[Answer], counts: Sequence[Answer], top: int) -> list[Answer]:
    """Joins the answers about lines and batches, without answers that follow from others.

    A line that is not proportional to δ is also wrong for batches, because δ contains 1/N. A line's
    factor 1/k and a sum over the batch are one mistake: division by k. `top` is the output layer.
    """
    bent = [line.layer for line in lines if not line.is_linear]
    is_rough = any(line.name in ("low-precision", "small-constant") for line in lines)

    def follows(count):
        if is_rough and count.name in ("unknown", "not-cleared"):
            return True
        if count.kind == "batch":
            return top in bent or len(bent) > 1
        return any(count.layer <= layer for layer in bent)

    counts = [count for count in counts if not follows(count)]
    scaled = [line for line in lines if line.name in ("factor", "averaged-twice")]
    factors = [line for line in scaled if line.kind in ("delta", "batch")]
    for count in counts:
        if count.kind != "batch" or not factors:
            continue
        k, others = factors[0].number, [line for line in lines if line is not factors[0]]
        if count.name == "sum-not-mean" and 0 < k < 1 and count.right.startswith("(1/N)"):
            words = f"every batch's sum is divided by {1 / k:.6g}; divide by the actual batch size"
            yours = f"1/{1 / k:.6g} Σ over the examples"
            return [*others, count._replace(name="nominal-batch", yours=yours, words=words)]
        if count.name == "nominal-batch" and abs(count.number * k - 1) < 1e-6:
            words = f"one example's gradient is multiplied by {k:.6g}; larger batches are right"
            return [*others, count._replace(words=words)]
    return [*lines, *counts]


def causes_of(answers: Sequence[Answer]) -> list[Cause]:
    """The causes for these answers. The same mistake in several lines becomes one cause."""
    groups: dict[tuple[str, str, str], list[Answer]] = {}
    for answer in answers:
        groups.setdefault(answer.alike, []).append(answer)
    causes = []
    for alike in groups.values():
        first = alike[0]
        places = tuple(dict.fromkeys(place(*answer.place) for answer in alike))
        words = first.words or f"it is {first.yours.rpartition(' = ')[2]}"
        words += f"; begin with {places[0]}" if first.name == "unknown" else ""
        words, yours, right = (
            _written(text, first.layer) for text in (words, first.yours, first.right)
        )
        causes.append(Cause(first.name, places, words, yours, right, first.name == "kink"))
    return causes


def place(kind: str, layer: int) -> str:
    """A place's name in the report: `1/bias`, `delta 1`, `every leaf`, or the name of a leaf."""
    if kind in ("weight", "bias"):
        return f"{layer}/{kind}"
    return {"batch": EVERYWHERE}.get(
        kind, f"{kind} {layer}" if kind in ("delta", "forward") else kind
    )


def _written(text: str, layer: int) -> str:
    """Replaces {l}, {m} and {n} by layer numbers, as in δ¹ = (W²ᵀ δ²) ⊙ f'(z¹)."""
    for letter, number in (("l", layer), ("m", layer - 1), ("n", layer + 1)):
        text = text.replace(f"{{{letter}}}", f"^{number}")
    return re.sub(r"\^\d+", lambda found: found[0][1:].translate(SUPERSCRIPTS), text)
