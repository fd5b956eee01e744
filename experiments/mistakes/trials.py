"""One network: mistakes are injected into its gradient, and the checker's verdicts are judged.

The command calls these functions in processes of their own.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.mistakes.cases import correct, injections, loss, point
from experiments.mistakes.gradient import REGULARISED, Injected, handwritten
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture, check_gradient
from manual_grads.check import draw, network_loss

IDENTITY = "changes nothing"
"""The verdict on a mistake that leaves the gradient as it is, and that no one reports."""

OF_NO_LINE = {
    *("sum-not-mean", "averaged-twice", "bias-scale", "nominal-batch", "not-cleared"),
    *("clipped", "low-precision", "leaked-slot", "kink", "weights", "all", *REGULARISED),
}
"""Mistakes, and variants, that are in no single line, or are none, as another slope at a kink."""


class Case(NamedTuple):
    """A network, what is injected into its gradient, and what the checker said of it."""

    network: Architecture
    injected: list[Injected]
    verdict: str
    said: list[list[str]]


def trials_of(pairs: int, seed: int, network: Architecture) -> list[Case]:
    """Each mistake in each place of one network, and then pairs of them."""
    single = [tried(network, [one], seed) for one in injections(network)]
    lines = [
        case.injected[0]
        for case in single
        if case.verdict != IDENTITY and not OF_NO_LINE & {*case.injected[0]}
    ]
    random = np.random.default_rng(seed)
    drawn = [draw_pair(lines, random) for _ in range(pairs)]
    cases = [*single, *(tried(network, pair, seed) for pair in drawn)]
    _forget_programs()
    return cases


def tried(network: Architecture, injected: list[Injected], seed: int) -> Case:
    """The checker's verdict on the gradient with these mistakes, judged."""
    params, batch = point(network, injected, seed)
    gradient, of = handwritten(network, injected), loss(network, injected)
    report = check_gradient(gradient, of, params, batch, network=network)
    said = [
        [diagnosis.mistake for diagnosis in cause for _ in diagnosis.where.split(", ")]
        for cause in report.causes
    ]  # once for each place that it names
    same = changes_nothing(network, injected, params, batch)
    return Case(network, injected, verdict(injected, report.agrees, said, same), said)


def changes_nothing(
    network: Architecture, injected: Sequence[Injected], params: list, batch: tuple
) -> bool:
    """Whether the gradient with the mistakes is the right one but for rounding, batch by batch."""
    wrong, right = handwritten(network, injected), handwritten(network, correct(injected))
    return all(
        np.allclose(one, other, rtol=1e-12, atol=1e-14)
        for rows in (slice(None), slice(-2), slice(1), slice(None))
        for one, other in zip(
            *(
                jax.tree.leaves(gradient(params, *(array[rows] for array in batch)))
                for gradient in (wrong, right)
            ),
            strict=True,
        )
    )


def verdict(
    injected: Sequence[Injected], agrees: bool, said: Sequence[Sequence[str]], same: bool
) -> str:
    """How good the checker's verdict is.

    Named, alone or in a tie; unknown; a wrong cause, alone or in a tie; not detected; or rightly
    silent, for the mistake changes nothing.
    """
    wanted = Counter(one.mistake for one in injected)
    if any(wanted <= Counter(cause) for cause in said):
        return "named"
    if agrees:
        return IDENTITY if same else "not detected"
    if ["unknown"] in said:
        return "unknown"
    return "wrong" if len(said) == 1 else "wrong tie"


def draw_pair(lines: Sequence[Injected], random: np.random.Generator) -> list[Injected]:
    """Two mistakes, in different layers."""
    first = lines[int(random.integers(len(lines)))]
    others = [one for one in lines if one.layer != first.layer]
    return [first, others[int(random.integers(len(others)))]]


def false_alarms(draws: int, precision: str, number: int) -> int:
    """How many correct gradients of the random architecture `number` are found fault with."""
    network, batch_size = random_network(np.random.default_rng(number))
    gradient = in_precision(handwritten(network, []), precision)
    count = 0
    for seed in range(draws):
        params, batch = draw(network, batch_size, seed)
        report = check_gradient(gradient, network_loss(network), params, batch, network=network)
        count += not report.agrees
    _forget_programs()
    return count


def _forget_programs() -> None:
    """Compiled programs hold memory maps, of which Linux grants a process 65,530."""
    jax.clear_caches()


def random_network(random: np.random.Generator) -> tuple[Architecture, int]:
    """Depth 1–4, widths 1–20, all biased, and a batch of 1–9 examples."""
    depth = int(random.integers(1, 5))
    biases = ("input", "hidden", "output") if depth > 1 else ("input", "output")
    network = Architecture(
        layer_sizes=tuple(int(units) for units in random.integers(1, 21, depth + 1)),
        activation=str(random.choice(ACTIVATION_NAMES)),
        loss=str(random.choice(LOSS_NAMES)),
        input_layer=str(random.choice(["plain", "active"])),
        biases=biases,
        label_smoothing=0.0,
    )
    return network, int(random.integers(1, 10))


def in_precision(gradient: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """The gradient computed in `precision`, whatever it is given."""

    def narrow(leaf):
        return leaf.astype(precision) if leaf.dtype == np.float64 else leaf

    return lambda *arguments: gradient(*jax.tree.map(narrow, arguments))
