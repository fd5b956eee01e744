"""Batches whose examples are mixed with each other, which no weights of the examples explain.

Formulas of δ^L that mix examples are tried on the whole batch. For a weight derivative the matrix C
in M = r Σ_nm C_nm δ_n a_mᵀ is read off; it should be the identity.
"""

from collections.abc import Sequence

import numpy as np

from manual_grads.check import formulas
from manual_grads.check.diagnosis.batches import placed
from manual_grads.check.diagnosis.measured import Batch, Leaves, Measured, Question, tried
from manual_grads.check.formulas import Array, Problem, Scene, tables
from manual_grads.check.lines import Answer, Leaf, leaves_of, right_deltas, right_output

Pairs = Sequence[tuple[Scene, Batch]]


def mixed_answers(
    problem: Problem, batches: Sequence[Batch], mixed: Sequence[Leaf]
) -> list[Answer]:
    """The answers for leaves in which examples are mixed; empty if nothing explains them."""
    pairs = [(batch.scene(problem), batch) for batch in batches]
    for text, formula in tables.MIXED.items():
        if all(_explains(*pair, formula) for pair in pairs):
            name = "softmax-axis" if "exp(" in formula or "softmax" in formula else "formula"
            words = tables.SENTENCES.get(name, "δ of one example contains those of others")
            return [_of_delta(problem, f"δ{{l}} {text}", name, words)]
    factors = [_of_parts(*pair) for pair in pairs]
    if all(each is not None and each != (1.0, 1.0) for each in factors):
        sizes = [len(batch.images) for batch in batches]
        text = ", ".join(f"{formulas.rounded(each[0])} and {formulas.rounded(each[1])} for {n}"
                         for n, each in zip(sizes, factors, strict=True) if each)  # fmt: skip
        words = f"outputs and targets are not averaged alike: they count {text} examples"
        yours = "outputs and targets with different factors"
        return [_of_delta(problem, yours, "formula", words)]
    weights = {layer for kind, layer in mixed if kind == "weight"}
    crossed = [_crossed(pairs, layer) for layer in sorted(weights, reverse=True)]
    if None in crossed or not {layer for _, layer in mixed} <= weights:
        return []
    return [answer for answer in crossed if answer is not None]


def _of_delta(problem: Problem, yours: str, name: str, words: str) -> Answer:
    right = "δ{l} of each example"
    return Answer("delta", problem.network.depth, f"δ{{l}} = {yours}", right, name, words)


def _gradient_of(s: Scene, batch: Batch, delta: Array) -> Leaves:
    """The gradient of a batch from its δ^L, without a regulariser."""
    deltas = right_deltas(s, delta * batch.share)
    each = leaves_of(s, deltas, [*batch.whole], {})
    return {leaf: np.sum([one[leaf] for one in each], axis=0) for leaf in batch.whole}


def _explains(s: Scene, batch: Batch, formula: str) -> bool:
    """Whether this formula of δ^L gives the gradient of the whole batch."""
    slope, n = s.slope(s.depth), s.y.shape[1]
    names = formulas.names_of(s, s.depth, {}) | {
        "err": lambda y: right_output(s._replace(y=y)),
        "raw": lambda y: right_output(s._replace(y=y)) / np.where(slope == 0, np.nan, slope),
        "spread": lambda v: np.repeat(v.reshape(-1, 1), n, axis=1),
        "slope": slope,
    }
    delta = formulas.value_of(formula, names, s.y.shape)
    if delta is None or not np.all(np.isfinite(delta)):
        return False
    leaves = _gradient_of(s, batch, delta)
    for (kind, layer), values in batch.whole.items():
        decay = s.problem.l2 * batch.params[layer][kind] if kind == "weight" else 0.0
        error = np.abs(values - leaves[kind, layer] - decay)
        if np.max(error) > 10 * batch.tolerance * np.abs(values).max():
            return False
    return True


def _of_parts(s: Scene, batch: Batch) -> tuple[float, ...] | None:
    """How often the outputs and the targets count, if they are averaged differently."""
    outputs = right_output(s._replace(y=0 * s.y))
    parts = [_gradient_of(s, batch, part) for part in (outputs, right_output(s) - outputs)]
    columns = [np.concatenate([part[leaf].ravel() for leaf in batch.whole]) for part in parts]
    whole = np.concatenate([value.ravel() for value in batch.whole.values()])
    return formulas.combination(whole, columns, 10 * batch.tolerance)


def _crossed(pairs: Pairs, layer: int) -> Answer | None:
    """Reads the matrix C off, with which δ and a of different examples are multiplied."""
    text = ""
    for s, batch in pairs:
        n, a = len(batch.images), s.a[layer - 1]
        sizes = np.sum(a * a, axis=0)
        each = [one["weight", layer] @ a[:, k] / (sizes[k] or 1)
                for k, one in enumerate(batch.singles)]  # fmt: skip
        delta, seen = np.stack(each, axis=1) * batch.share, batch.whole["weight", layer]
        if min(np.linalg.matrix_rank(a), np.linalg.matrix_rank(delta)) < n:
            continue
        c = np.linalg.pinv(delta) @ seen @ np.linalg.pinv(a.T)
        if np.max(np.abs(delta @ c @ a.T - seen)) > 1e4 * batch.tolerance * np.abs(seen).max():
            return None
        c = np.round(c, 6)
        crossing = np.argwhere((c != 0) & ~np.eye(n, dtype=bool))[:3]
        text = ", ".join(f"δ of example {i} with a of example {j}" for i, j in crossing)
        if np.ptp(c) < 1e-5:
            text = "every δ with every a"
        elif np.ptp(c[np.triu_indices(n)]) < 1e-5 and not np.any(np.tril(c, -1)):
            text = "δ of each example with a of those after it too, as if it were not cleared"
    words, right = f"examples are mixed: it has {text}", "∂C/∂W{l} = Σ_n δ_n a_nᵀ"
    yours = "∂C/∂W{l} = Σ C_nm δ_n a_mᵀ"
    return Answer("weight", layer, yours, right, "formula", words) if text else None


def order_matters(question: Question, one: Measured, mixed: Sequence[Leaf]) -> list[Answer]:
    """The answers for leaves in which examples are mixed in an unknown way."""
    forward, backward = (
        tried(question, one.given, one.images[::step].copy(), one.labels[::step].copy())
        for step in (1, -1)
    )
    if all(
        np.allclose(v, backward.get(k, v), 0, 1e-6 * np.abs(v).max()) for k, v in forward.items()
    ):
        words = (
            "the gradient of a batch is not made of those of its examples, and nothing explains "
        )
        words += "how"
        (kind, layer), right = mixed[0], "each example once"
        return [Answer(kind, layer, "?", right, "unknown", words, 6.0)]
    words = (
        "examples of a batch influence each other: its gradient depends on their order, though the "
        "mean over them does not; clear what is kept from one example to the next"
    )
    yours, right = "depends on the order of the examples", "does not"
    return placed(Answer("batch", 0, yours, right, "not-cleared", words, 2.0), mixed, [*forward])
