"""One network: mistakes are injected into its gradient, and the checker's verdicts are judged."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from experiments.mistakes.cases import correct, injections, loss, point
from experiments.mistakes.gradient import MISTAKES, Injected, handwritten
from manual_grads import ACTIVATION_NAMES, LOSS_NAMES, Architecture, check_gradient
from manual_grads.check import draw, network_loss

IDENTITY = "changes nothing"
"""The verdict on a mistake that leaves the gradient as it is, and that no one reports."""

OF_NO_LINE = {("not-cleared", ""), ("kink", "")}
OF_NO_LINE |= {*MISTAKES["scaled"], *MISTAKES["finished"], *MISTAKES["gradient"]}
"""Mistakes that are in no single line, or are none, as another slope at a kink."""


class Case(NamedTuple):
    """A network, what is injected into its gradient, and what the checker said of it."""

    network: Architecture
    injected: list[Injected]
    verdict: str
    said: list[list[str]]


def trials_of(pairs: int, seed: int, network: Architecture) -> list[Case]:
    """Each mistake in each place of one network, and then pairs of them."""
    cases = [tried(network, [one], seed) for one in injections(network)]
    changing = [case.injected[0] for case in cases if case.verdict != IDENTITY]
    lines = [one for one in changing if one[:2] not in OF_NO_LINE]
    random = np.random.default_rng(seed)
    for _ in range(pairs):
        first = lines[random.integers(len(lines))]
        others = [one for one in lines if one.layer != first.layer]
        cases.append(tried(network, [first, others[random.integers(len(others))]], seed))
    jax.clear_caches()  # programs hold memory maps, of which Linux grants a process 65,530
    return cases


def tried(network: Architecture, injected: list[Injected], seed: int) -> Case:
    """The checker's verdict on the gradient with these mistakes, judged."""
    params, batch = point(network, injected, seed)
    gradient, of = handwritten(network, injected), loss(network, injected)
    report = check_gradient(gradient, of, params, batch, network=network)
    said = [
        [each.mistake for each in cause for _ in each.where.split(", ")] for cause in report.causes
    ]  # once for each place that it names
    same = changes_nothing(network, injected, params, batch)
    return Case(network, injected, verdict(injected, report.agrees, said, same), said)


def changes_nothing(
    network: Architecture, injected: Sequence[Injected], params: list, batch: tuple
) -> bool:
    """Whether the gradient with the mistakes is the right one but for rounding, batch by batch."""
    gradients = handwritten(network, injected), handwritten(network, correct(injected))
    close = partial(np.allclose, rtol=1e-12, atol=1e-14)
    for rows in (slice(None), slice(-2), slice(1), slice(None)):
        images, labels = (array[rows] for array in batch)
        pair = (gradient(params, images, labels) for gradient in gradients)
        if not jax.tree.all(jax.tree.map(close, *pair)):
            return False
    return True


def verdict(
    injected: Sequence[Injected], agrees: bool, said: Sequence[Sequence[str]], same: bool
) -> str:
    """How good the checker's verdict is; a mistake is named where one of tied causes names it."""
    wanted = Counter(one.mistake for one in injected)
    if any(wanted <= Counter(cause) for cause in said):
        return "named"
    if agrees:
        return IDENTITY if same else "not detected"
    if ["unknown"] in said:
        return "unknown"
    return "wrong" if len(said) == 1 else "wrong tie"


def false_alarms(draws: int, precision: str, number: int) -> int:
    """How many correct gradients of the random architecture `number` are found fault with."""
    network, batch_size = random_network(np.random.default_rng(number))
    right = handwritten(network, [])

    def gradient(*given):
        return right(*jax.tree.map(lambda x: x.astype(precision) if x.dtype == float else x, given))

    count = 0
    for seed in range(draws):
        params, batch = draw(network, batch_size, seed)
        report = check_gradient(gradient, network_loss(network), params, batch, network=network)
        count += not report.agrees
    jax.clear_caches()  # as after the trials
    return count


def random_network(random: np.random.Generator) -> tuple[Architecture, int]:
    """Depth 1–4, widths 1–20, all biased, and a batch of 1–9 examples."""
    depth = int(random.integers(1, 5))
    network = Architecture(
        layer_sizes=tuple(int(units) for units in random.integers(1, 21, depth + 1)),
        activation=str(random.choice(ACTIVATION_NAMES)),
        loss=str(random.choice(LOSS_NAMES)),
        input_layer=str(random.choice(["plain", "active"])),
        biases=("input", "hidden", "output") if depth > 1 else ("input", "output"),
        label_smoothing=0.0,
    )
    return network, int(random.integers(1, 10))
