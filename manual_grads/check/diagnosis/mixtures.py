"""Batches whose examples are mixed with each other, which no weights of the examples explain.

Formulas of δ^L that mix examples are tried on the whole batch. For a weight derivative the matrix C
in M = r Σ_nm C_nm δ_n a_mᵀ is read off; it should be the identity.
"""

from collections.abc import Sequence

import numpy as np

from manual_grads.check.diagnosis.batches import Batch, Leaf
from manual_grads.check.formulas import (
    Array,
    Params,
    Problem,
    Scene,
    combination,
    names_of,
    rounded,
    scene_of,
    tables,
    value_of,
)
from manual_grads.check.lines import Answer, right_output


def mixed_answers(
    problem: Problem, batches: Sequence[Batch], mixed: Sequence[Leaf], tolerance: float
) -> list[Answer]:
    """The answers for leaves in which examples are mixed; empty if nothing explains them."""
    scenes = [scene_of(problem, [b.params], [(b.images, b.rows)]) for b in batches]
    pairs, depth = list(zip(scenes, batches, strict=True)), problem.network.depth
    for text, formula in tables.MIXED.items():
        if all(_explains(s, batch, _mixed_delta(s, formula), tolerance) for s, batch in pairs):
            is_softmax = "exp(" in formula or "softmax" in formula
            name = "softmax-axis" if is_softmax else "formula"
            words = tables.SENTENCES.get(name, "δ of one example contains those of others")
            return [_of_delta(depth, f"δ{{l}} {text}", name, words)]
    found = _parts(pairs, tolerance)
    if found is not None:
        return [found._replace(layer=depth)]
    crossed = {
        layer: _crossed(pairs, layer, tolerance) for kind, layer in mixed if kind == "weight"
    }
    if None in crossed.values() or not {layer for _, layer in mixed} <= set(crossed):
        return []
    return [answer for answer in crossed.values() if answer is not None]


def _of_delta(layer: int, yours: str, name: str, words: str) -> Answer:
    return Answer("delta", layer, f"δ{{l}} = {yours}", "δ{l} of each example", name, words, 1.0)


def _mixed_delta(s: Scene, formula: str) -> Array | None:
    n = s.y.shape[1]
    slope = s.slope(s.depth)
    names = names_of(s, s.depth, {}) | {
        "err": lambda y: right_output(s._replace(y=y)),
        "raw": lambda y: right_output(s._replace(y=y)) / np.where(slope == 0, np.nan, slope),
        "spread": lambda v: np.repeat(v.reshape(-1, 1), n, axis=1),
        "slope": slope,
    }
    return value_of(formula, names, s.y.shape)


def _gradient_of(s: Scene, params: Params, delta: Array, decay: float) -> dict[Leaf, Array]:
    """The gradient of a batch from its δ^L, a sum over the examples plus the regulariser."""
    leaves: dict[Leaf, Array] = {}
    for layer in reversed(range(len(params))):
        if layer < s.depth:
            delta = s.back(layer + 1, delta) * s.slope(layer)
        if layer > 0:
            leaves["weight", layer] = delta @ s.a[layer - 1].T + decay * params[layer]["weight"]
        if "bias" in params[layer]:
            leaves["bias", layer] = delta.sum(axis=1)
    return leaves


def _explains(s: Scene, batch: Batch, delta: Array | None, tolerance: float) -> bool:
    """Whether this δ^L, without the reduction, gives the gradient of the whole batch."""
    if delta is None or not np.all(np.isfinite(delta)):
        return False
    factor = s.problem.factor(batch.examples) / s.problem.factor(1)
    leaves = _gradient_of(s, batch.params, delta * factor, s.problem.l2)
    return all(
        np.max(np.abs(values - leaves[leaf])) <= 10 * tolerance * np.abs(values).max()
        for leaf, values in batch.whole.items()
    )


def _parts(pairs: Sequence[tuple[Scene, Batch]], tolerance: float) -> Answer | None:
    """Outputs and targets that are averaged differently."""
    found = []
    for s, batch in pairs:
        of_outputs = right_output(s._replace(y=0 * s.y))
        factor = s.problem.factor(batch.examples) / s.problem.factor(1)
        columns = []
        for part in (of_outputs, right_output(s) - of_outputs):
            leaves = _gradient_of(s, batch.params, part * factor, 0.0)
            columns.append(np.concatenate([leaves[leaf].ravel() for leaf in batch.whole]))
        whole = np.concatenate([batch.whole[leaf].ravel() for leaf in batch.whole])
        coefficients = combination(whole, columns, 10 * tolerance)
        if coefficients is None or coefficients == (1.0, 1.0):
            return None
        found.append((batch.examples, coefficients))
    text = ", ".join(f"{rounded(p)} and {rounded(y)} for {n}" for n, (p, y) in found)
    words = f"outputs and targets are not averaged alike: they count {text} examples"
    return _of_delta(0, "outputs and targets with different factors", "formula", words)


def _crossed(pairs: Sequence[tuple[Scene, Batch]], layer: int, tolerance: float) -> Answer | None:
    """Reads the matrix C off, with which δ and a of different examples are multiplied."""
    text = ""
    for s, batch in pairs:
        n, a = batch.examples, s.a[layer - 1]
        sizes, singles = np.sum(a * a, axis=0), enumerate(batch.singles)
        deltas = [one["weight", layer] @ a[:, k] / (sizes[k] or 1) for k, one in singles]
        delta = np.stack(deltas, axis=1) * s.problem.factor(n) / s.problem.factor(1)
        if min(np.linalg.matrix_rank(a), np.linalg.matrix_rank(delta)) < n:
            continue
        seen = batch.whole["weight", layer]
        c = np.linalg.pinv(delta) @ seen @ np.linalg.pinv(a.T)
        if np.max(np.abs(delta @ c @ a.T - seen)) > 1e4 * tolerance * np.abs(seen).max():
            return None
        c = np.round(c, 6)
        crossing = np.argwhere((c != 0) & ~np.eye(n, dtype=bool))[:3]
        text = ", ".join(f"δ of example {i} with a of example {j}" for i, j in crossing)
        if np.ptp(c) < 1e-5:
            text = "every δ with every a"
        elif np.ptp(c[np.triu_indices(n)]) < 1e-5 and not np.any(np.tril(c, -1)):
            text = "δ of each example with a of those after it too, as if it were not cleared"
    if not text:
        return None
    words = f"examples are mixed: it has {text}"
    right = "∂C/∂W{l} = Σ_n δ_n a_nᵀ"
    return Answer("weight", layer, "∂C/∂W{l} = Σ C_nm δ_n a_mᵀ", right, "formula", words, 1.0)
