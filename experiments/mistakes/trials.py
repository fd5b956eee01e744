"""Injects mistakes into the gradient of one network, and judges what the check reports."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from experiments.mistakes.cases import correct, injections, loss, point
from experiments.mistakes.gradient import MISTAKES, Injected, handwritten
from manual_grads import Architecture, check_gradient

IDENTITY = "changes nothing"
"""The verdict if a mistake does not change the gradient and the check reports no mistake."""

NOT_PAIRED = {("not-cleared", ""), ("kink", "")}
NOT_PAIRED |= {*MISTAKES["scaled"], *MISTAKES["finished"], *MISTAKES["gradient"]}
"""Mistakes that pairs exclude: they concern several layers, or are only another convention."""


class Case(NamedTuple):
    """A network, the mistakes in its gradient, the verdict, and the causes that the check found."""

    network: Architecture
    injected: list[Injected]
    verdict: str
    causes: list[list[str]]


def trials_of(places: int | None, pairs: int, seed: int, network: Architecture) -> list[Case]:
    """The cases of one network: each mistake in its first `places` places, then random pairs."""
    cases: list[Case] = []
    for one in injections(network):
        before = sum(case.injected[0].mistake == one.mistake for case in cases)
        if places is None or before < places:
            cases.append(tried(network, [one], seed))
    changing = [case.injected[0] for case in cases if case.verdict != IDENTITY]
    lines = [one for one in changing if one[:2] not in NOT_PAIRED]
    random = np.random.default_rng(seed)
    for _ in range(pairs):
        first = lines[random.integers(len(lines))]
        others = [one for one in lines if one.layer != first.layer]
        cases.append(tried(network, [first, others[random.integers(len(others))]], seed))
    jax.clear_caches()  # compiled functions hold memory maps; Linux allows a process 65,530
    return cases


def tried(network: Architecture, injected: list[Injected], seed: int) -> Case:
    """Runs the check on the gradient with these mistakes, and judges what the check reports."""
    params, batch = point(network, injected, seed)
    gradient, of = handwritten(network, injected), loss(network, injected)
    report = check_gradient(gradient, of, params, batch, network=network)
    causes = [
        [each.mistake for each in cause for _ in each.places] for cause in report.causes
    ]  # each mistake, repeated for each of its places
    same = changes_nothing(network, injected, params, batch)
    return Case(network, injected, verdict(injected, report.agrees, causes, same), causes)


def changes_nothing(
    network: Architecture, injected: Sequence[Injected], params: list, batch: tuple
) -> bool:
    """Whether the mistakes change the gradient by at most rounding errors, on several batches."""
    gradients = handwritten(network, injected), handwritten(network, correct(injected))
    close = partial(np.allclose, rtol=1e-12, atol=1e-14)
    for rows in (slice(None), slice(-2), slice(1), slice(None)):
        images, labels = (array[rows] for array in batch)
        pair = (gradient(params, images, labels) for gradient in gradients)
        if not jax.tree.all(jax.tree.map(close, *pair)):
            return False
    return True


def verdict(
    injected: Sequence[Injected], agrees: bool, causes: Sequence[Sequence[str]], same: bool
) -> str:
    """The verdict: "named" if one of the reported causes contains every injected mistake."""
    wanted = Counter(one.mistake for one in injected)
    if any(wanted <= Counter(cause) for cause in causes):
        return "named"
    if agrees:
        return IDENTITY if same else "not detected"
    if ["unknown"] in causes:
        return "unknown"
    return "wrong" if len(causes) == 1 else "wrong tie"  # a tie: several causes, all wrong
