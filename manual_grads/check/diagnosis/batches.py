"""How the gradient of a batch is made of those of its single examples: each should count once.

    M(batch) = r Σ_n w_n M(example n) + ρ θ

M is the user's own gradient, so this is a question apart from all formulas. w_n = 1 and ρ = 0 are
right. Where no weights explain a leaf, examples are mixed with each other; then the formulas that
mix them are tried, and for a weight the matrix C in M = r Σ C_nm δ_n a_mᵀ is read off.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from manual_grads.check.diagnosis.delta_lines import right_error
from manual_grads.check.diagnosis.formulas import combination, rounded
from manual_grads.check.diagnosis.scene import Array, Params, Scene, scene_of, softmax
from manual_grads.check.diagnosis.search import Answer, right_output
from manual_grads.check.diagnosis.problem import Problem

Leaves = Mapping[tuple[str, int], Array]


class Batch(NamedTuple):
    """A batch, the user's gradient of it, and of each of its examples alone."""

    params: Params
    images: Array
    rows: Array  # the targets
    whole: Leaves
    singles: Sequence[Leaves]

    @property
    def examples(self) -> int:
        """N, the number of examples."""
        return len(self.images)


ONLY_ONE = "it is 0 for one example, but not for several"


class Counted(NamedTuple):
    """How the examples count in one leaf of one batch: the weights w, or None; and ρ."""

    weights: Array | None
    decay: float
    reduced: str = ""  # what is taken over the examples instead of the sum


def counted(batch: Batch, leaf: tuple[str, int], reduction: float, tolerance: float) -> Counted:
    """The weights of the examples in a leaf. Patterns that people write are tried first."""
    whole = np.ravel(batch.whole[leaf])
    singles = np.stack([np.ravel(one[leaf]) for one in batch.singles], axis=1) * reduction
    n = batch.examples
    largest = max(np.abs(whole).max(initial=0.0), np.abs(singles).max(initial=0.0) / 10)
    everywhere = max(np.abs(value).max(initial=0.0) for value in batch.whole.values())
    if largest <= 1e-13 * everywhere:
        return Counted(np.ones(n), 0.0)  # rounding errors of a sum that is 0
    allowed = tolerance * largest * 10

    def fits(weights):
        return np.max(np.abs(singles @ weights - whole), initial=0.0) <= allowed

    if fits(np.ones(n)):
        return Counted(np.ones(n), 0.0)
    if not np.any(whole):
        return Counted(np.zeros(n), 0.0)
    total = singles.sum(axis=1)
    size = float(total @ total)
    if size > (100 * allowed) ** 2:
        c = float(total @ whole) / size
        if fits(np.full(n, c)):
            return Counted(np.full(n, c), 0.0)
    for pattern in _patterns(n):
        for scale in (1.0, n, n / max(np.count_nonzero(pattern), 1)):
            if fits(pattern * scale):
                return Counted(pattern * scale, 0.0)
    kind, layer = leaf
    theta = np.ravel(batch.params[layer][kind])
    for term in (theta, np.ones_like(theta)):
        if len(whole) > 2:
            found = combination(whole, [total, term], tolerance)
            if found is not None and found[0]:
                return Counted(np.full(n, found[0]), found[1])
    for name, reduced in (
        ("maximum", singles.max(axis=1)),
        ("minimum", singles.min(axis=1)),
        ("product", singles.prod(axis=1)),
        ("norm", np.sqrt((singles**2).sum(1))),
    ):
        if np.max(np.abs(reduced - whole)) <= allowed:
            return Counted(np.zeros(n), 0.0, name)
    if len(whole) > n + 1:
        found = combination(whole, list(singles.T), tolerance * 10)
        if found is not None:
            return Counted(np.array(found), 0.0)
    return Counted(None, 0.0)


def _patterns(n: int) -> list[Array]:
    """Weights with one example left out or counted twice, or with only the first or last few."""
    one, patterns = np.eye(n), []
    patterns += [(-1.0) ** (n - np.arange(n)), -((-1.0) ** (n - np.arange(n)))]
    patterns += [1 - row for row in one] + [1 + row for row in one] + list(one)
    for kept in range(2, n - 1):
        patterns += [np.arange(n) < kept, np.arange(n) >= n - kept]
    return [np.asarray(pattern, float) for pattern in patterns]


def batch_answers(
    batches: Sequence[Batch],
    reduction: Callable[[int], float],
    tolerance: float,
) -> tuple[list[Answer], list[tuple[str, int]]]:
    """The answers on how examples count, and the leaves that weights do not explain."""
    leaves = list(batches[0].whole)
    found: dict[tuple[str, int], list[Counted]] = {
        leaf: [counted(batch, leaf, reduction(batch.examples), tolerance) for batch in batches]
        for leaf in leaves
    }
    for number, batch in enumerate(batches):
        _share_weights(batch, reduction(batch.examples), found, number, tolerance)
    loud = [leaf for leaf in leaves if _is_loud(batches, leaf)]
    mixed = [leaf for leaf in loud if any(one.weights is None for one in found[leaf])]
    sizes = [batch.examples for batch in batches]
    groups: dict[tuple[str, str, str, float], list[tuple[str, int]]] = {}
    for leaf in leaves:
        if leaf in mixed:
            continue
        said = (
            _spoken(list(zip(sizes, found[leaf], strict=True)))
            if leaf in loud
            else ("unwritten", "0 for one example", ONLY_ONE, 1.0)
            if any(np.any(batch.whole[leaf]) for batch in batches)
            else None
        )
        if said is not None:
            groups.setdefault(said, []).append(leaf)
    answers = []
    for said, where in groups.items():
        answers += _placed(said, where, loud)
    return answers, mixed


def _placed(
    said: tuple[str, str, str, float], where: list[tuple[str, int]], loud: list[tuple[str, int]]
) -> list[Answer]:
    """One answer for all leaves, or for the δ of the layer from which on all are concerned."""
    name, yours, words, number = said
    right = "every example once"
    in_delta = {"bias-scale": "sum-not-mean" if "is summed" in words else "averaged-twice"}
    if set(loud) <= set(where):
        return [Answer("batch", 0, yours, right, in_delta.get(name, name), words, 1.0, number)]
    top = max(layer for _, layer in where)
    below = [leaf for leaf in loud if leaf[1] <= top]
    if len(below) > 1 and set(below) <= set(where) and ("bias", top) in where:
        return [Answer("delta", top, yours, right, in_delta.get(name, name), words, 1.0)]
    return [Answer(kind, layer, yours, right, name, words, 1.0) for kind, layer in where]


def _share_weights(
    batch: Batch,
    reduction: float,
    found: Mapping[tuple[str, int], list[Counted]],
    number: int,
    tolerance: float,
) -> None:
    """Gives a leaf too small to tell the weights of another leaf, if they explain it."""
    known = [
        each[number].weights
        for each in found.values()
        if each[number].weights is not None and np.ptp(each[number].weights) > 0
    ]
    for leaf, each in found.items():
        if each[number].weights is not None:
            continue
        singles = np.stack([np.ravel(one[leaf]) for one in batch.singles], axis=1) * reduction
        whole = np.ravel(batch.whole[leaf])
        for weights in known:
            if np.max(np.abs(singles @ weights - whole)) <= 1e3 * tolerance * np.abs(whole).max():
                each[number] = Counted(weights, 0.0)
                break


def _is_loud(batches: Sequence[Batch], leaf: tuple[str, int]) -> bool:
    """Whether the leaf is different from 0 in the single examples."""
    return any(np.any(one[leaf]) for batch in batches for one in batch.singles)


def _spoken(each: Sequence[tuple[int, Counted]]) -> tuple[str, str, str, float] | None:
    """Name, formula and words for the weights in all batches; None if they are right."""
    reduced = {one.reduced for _, one in each}
    if len(reduced) == 1 and "" not in reduced:
        what = next(iter(reduced))
        words = f"the {what} over the examples is taken; take the sum"
        return "wrong-axis", f"{what} over the examples", words, 1.0
    weights = [(n, one.weights) for n, one in each if one.weights is not None]
    decays = {n: one.decay for n, one in each if one.decay}
    uniform = all(np.ptp(w) <= 1e-6 * max(1, np.abs(w).max()) for _, w in weights)
    if decays and uniform:
        text = ", ".join(f"{rounded(k)} θ for {n} examples" for n, k in decays.items())
        words = f"the regulariser depends on the batch: beyond the mean there are {text}"
        ratio = {n: w[0] for n, w in weights}
        if all(abs(w - n) < 1e-6 * n for n, w in ratio.items()):
            return (
                "bias-scale",
                "Σ over the examples",
                "it is summed over the batch, and the regulariser is not; divide the sum by the "
                "batch size",
                1.0,
            )
        return "regulariser", "Σ … + ρ θ", words, 1.0
    if uniform:
        ratios = {n: float(w[0]) for n, w in weights}
        if all(abs(k - 1) < 1e-6 for k in ratios.values()):
            return None
        return _uniform(ratios)
    return _uneven(weights)


def _uniform(ratios: Mapping[int, float]) -> tuple[str, str, str, float]:
    """The words for examples that all count alike, but not once."""
    if all(abs(k - n) < 1e-6 * n for n, k in ratios.items()):
        words = "it is summed over the batch; divide by the batch size"
        return "bias-scale", "Σ over the examples", words, 1.0
    if all(abs(k - 1 / n) < 1e-6 / n for n, k in ratios.items()):
        words = "it is divided by the batch size twice; divide once"
        return "bias-scale", "(1/N) mean over the examples", words, 1.0
    if all(abs(k) < 1e-9 for k in ratios.values()):
        words = "it is 0 for batches of several examples, but not for one; compute it for all"
        return "unwritten", "0 for several examples", words, 1.0
    text = ", ".join(f"{rounded(k)} times for {n}" for n, k in sorted(ratios.items()))
    words = f"the factor depends on the number of examples: {text}; divide by their number"
    each = [*ratios.values()]
    number = float(f"{each[0]:.6g}") if np.ptp(each) < 1e-6 * abs(each[0]) else 1.0
    return "nominal-batch", "a factor that depends on N in another way", words, number


def _uneven(weights: Sequence[tuple[int, Array]]) -> tuple[str, str, str, float]:
    """The words for examples that count differently."""
    n, largest = max(weights, key=lambda pair: (np.ptp(pair[1]) > 0, pair[0]))
    w = np.round(largest, 9)
    counts = ", ".join(
        f"example {place} counts {rounded(float(value))} times"
        for place, value in enumerate(w)
        if abs(value - 1) > 1e-6
    )
    only = np.flatnonzero(w)
    if len(only) == 1:
        place = "the last" if only[0] == n - 1 else "the first" if only[0] == 0 else "one"
        counts = f"only {place} example counts, perhaps because of = instead of +="
        if abs(w[only[0]] - n) < 1e-6 * n:
            counts += ", and it is not averaged"
    words = f"of {n} examples: {counts}; count each example once"
    return "overwritten", f"weights {', '.join(rounded(float(k)) for k in w)}", words, 1.0


def are_usual(weights: str) -> bool:
    """Whether the weights of `Answer.yours` are multiples of ½, and so a way to miscount."""
    return all(abs(2 * float(k) - round(2 * float(k))) < 1e-6 for k in _numbers(weights))


def _numbers(weights: str) -> list[str]:
    plain = weights.removeprefix("weights ").replace("−", "-")
    return [{"½": "0.5", "¼": "0.25", "⅓": "0.333333"}.get(k, k) for k in plain.split(", ")]


class Mixing(NamedTuple):
    """A way to mix examples in δ^L or in a weight line: the text, the words, and the name."""

    text: str
    words: str
    name: str
    delta: Callable[[Scene], Array]


def mixings(examples: int) -> list[Mixing]:
    """The formulas of δ^L, without the reduction, in which examples are mixed."""

    def with_targets(change):
        def delta(s):
            return right_output(s._replace(y=change(s.y)))

        return delta

    found = [
        Mixing(
            f"targets shifted by {shift} examples",
            f"the labels are shifted by {shift} examples; use each image with its own label",
            "labels-shifted",
            with_targets(lambda y, k=shift: np.roll(y, k, axis=1)),
        )
        for shift in (1, -1, 2, -2, 3)
        if abs(shift) < examples
    ]
    reverse = "the labels are in reverse order; use each image with its own label"
    found.append(
        Mixing("targets reversed", reverse, "labels-shifted", with_targets(lambda y: y[:, ::-1]))
    )
    for place, of in ((0, "first"), (-1, "last")):
        words = f"the {of} example's label is used for all; use each image with its own label"
        change = with_targets(lambda y, p=place: np.repeat(y[:, [p]], y.shape[1], axis=1))
        found.append(Mixing(f"the {of} target for all", words, "labels-shifted", change))
    union = "each label is subtracted from every example; subtract it from its own example"
    for text, change in (
        ("p − (classes in the batch)", lambda y: np.repeat(y.max(1, keepdims=True), y.shape[1], 1)),
        ("p − Σ y over the batch", lambda y: np.repeat(y.sum(1, keepdims=True), y.shape[1], 1)),
        (
            "p − mean of y over the batch",
            lambda y: np.repeat(y.mean(1, keepdims=True), y.shape[1], 1),
        ),
    ):
        found.append(Mixing(text, union, "labels-shifted", with_targets(change)))
    axis = "the softmax is taken over the examples; take it over the classes"
    found += [
        Mixing(
            "softmax over the examples", axis, "softmax-axis", lambda s: softmax(s.a[-1].T).T - s.y
        ),
        Mixing(
            "exp(a) / Σ of the whole batch",
            "the softmax is divided by the sum over the whole batch; divide by that of the example",
            "softmax-axis",
            lambda s: np.exp(s.a[-1]) / np.exp(s.a[-1]).sum() - s.y,
        ),
        Mixing(
            "exp(a − max) / Σ of the whole batch",
            "the softmax is divided by the sum over the whole batch; divide by that of the example",
            "softmax-axis",
            lambda s: (e := np.exp(s.a[-1] - s.a[-1].max(axis=0))) / e.sum() - s.y,
        ),
        Mixing(
            "exp(a − max) / Σ over the examples",
            axis,
            "softmax-axis",
            lambda s: (
                (e := np.exp(s.a[-1] - s.a[-1].max(axis=0))) / e.sum(axis=1, keepdims=True) - s.y
            ),
        ),
        Mixing(
            "(N, 1) − (N,)",
            "arrays of the shapes (N, 1) and (N,) are subtracted, which gives (N, N); give both one "
            "shape",
            "broadcast",
            lambda s: _broadcast(s, s.y.shape[1]),
        ),
        Mixing(
            "(N, 1) − (N,), averaged",
            "arrays of the shapes (N, 1) and (N,) are subtracted, which gives (N, N); give both one "
            "shape",
            "broadcast",
            lambda s: _broadcast(s, 1) / 1.0,
        ),
    ]
    for place, of in ((0, "first"), (-1, "last")):
        words = f"the {of} example's δ is used for all; use that of each example"
        found.append(
            Mixing(
                f"the {of} example's error for all",
                words,
                "formula",
                lambda s, p=place: np.repeat(right_output(s)[:, [p]], s.y.shape[1], axis=1),
            )
        )
        words = f"the {of} example's error is used for all; use that of each example"
        found.append(
            Mixing(
                f"the {of} example's error, with each slope",
                words,
                "formula",
                lambda s, p=place: (
                    np.repeat(right_error(s)[:, [p]], s.y.shape[1], axis=1)
                    * (s.slope(s.z[-1]) if s.is_active(s.depth) else 1.0)
                ),
            )
        )
    words = "the error is averaged over the batch before it is backpropagated"
    found.append(
        Mixing(
            "the mean error for all",
            words,
            "formula",
            lambda s: np.repeat(right_output(s).mean(1, keepdims=True), s.y.shape[1], axis=1),
        )
    )
    return found


def _broadcast(s: Scene, times: int) -> Array:
    error = s._replace(y=np.repeat(s.y.mean(axis=1, keepdims=True), s.y.shape[1], axis=1))
    return right_output(error) * times


def gradient_of(
    s: Scene, params: Params, delta: Array, decay: float = 0.0
) -> dict[tuple[str, int], Array]:
    """The right gradient of a batch from δ^L, a sum over its examples."""
    leaves = {}
    for layer in reversed(range(len(params))):
        if layer < len(params) - 1:
            delta = s.back(layer + 1, delta)
            delta = delta * s.slope(s.z[layer]) if s.is_active(layer) else delta
        if layer > 0:
            leaves["weight", layer] = delta @ s.a[layer - 1].T + decay * params[layer]["weight"]
        if "bias" in params[layer]:
            leaves["bias", layer] = delta.sum(axis=1)
    return leaves


def mixed_answers(
    problem: Problem,
    batches: Sequence[Batch],
    mixed: Sequence[tuple[str, int]],
    tolerance: float,
) -> list[Answer]:
    """The answers for leaves in which examples are mixed; empty if nothing explains them."""
    scenes = [scene_of(problem, [b.params], [(b.images, b.rows)]) for b in batches]
    depth = problem.network.depth
    for mixing in mixings(min(batch.examples for batch in batches)):
        if all(
            _explains(problem, s, b, mixing.delta(s), tolerance)
            for s, b in zip(scenes, batches, strict=True)
        ):
            return [
                Answer(
                    "delta",
                    depth,
                    f"δ{{l}} with {mixing.text}",
                    "δ{l}",
                    mixing.name,
                    mixing.words,
                    1.0,
                )
            ]
    parts = _parts(problem, scenes, batches, tolerance) or _reordered_targets(
        problem, scenes, batches, tolerance
    )
    if parts is not None:
        return [parts]
    answers = []
    crossed = {layer for kind, layer in mixed if kind == "weight"}
    for kind, layer in mixed:
        if kind != "weight":
            if layer in crossed:
                continue
            return []
        answer = _crossed(problem, scenes, batches, layer, tolerance)
        if answer is None:
            return []
        answers.append(answer)
    return answers


def _explains(problem: Problem, s: Scene, batch: Batch, delta: Array, tolerance: float) -> bool:
    """Whether this δ^L gives the gradient of the whole batch, times one factor of all leaves."""
    if not np.all(np.isfinite(delta)):
        return False
    factor = problem.factor(batch.examples) / problem.factor(1)
    leaves = gradient_of(s, batch.params, delta * factor, problem.l2)
    return all(
        np.max(np.abs(values - leaves[leaf])) <= 10 * tolerance * np.abs(values).max()
        for leaf, values in batch.whole.items()
    )


def _parts(
    problem: Problem, scenes: Sequence[Scene], batches: Sequence[Batch], tolerance: float
) -> Answer | None:
    """Outputs and targets that are averaged differently."""
    found = []
    for s, batch in zip(scenes, batches, strict=True):
        y_part = right_output(s) - right_output(s._replace(y=0 * s.y))
        p_part = right_output(s) - y_part
        factor = problem.factor(batch.examples) / problem.factor(1)
        leaves = [gradient_of(s, batch.params, part * factor) for part in (p_part, y_part)]
        columns = [np.concatenate([each[leaf].ravel() for leaf in batch.whole]) for each in leaves]
        whole = np.concatenate([batch.whole[leaf].ravel() for leaf in batch.whole])
        coefficients = combination(whole, columns, tolerance * 10)
        if coefficients is None:
            return None
        found.append((batch.examples, coefficients))
    if all(abs(p - 1) + abs(y - 1) < 1e-6 for _, (p, y) in found):
        return None
    text = ", ".join(f"{rounded(p)} and {rounded(y)} for {n}" for n, (p, y) in found)
    words = f"outputs and targets are not averaged alike: they count {text} examples"
    return Answer(
        "delta",
        problem.network.depth,
        "δ{l} = p − y, with different factors",
        "δ{l} = p − y",
        "formula",
        words,
        1.0,
    )


def _reordered_targets(
    problem: Problem, scenes: Sequence[Scene], batches: Sequence[Batch], tolerance: float
) -> Answer | None:
    """Targets of other examples: read δ^L of each example off, and find the target it belongs to."""
    layer, shown = problem.network.depth, ""
    for s, batch in zip(scenes, batches, strict=True):
        n, a = batch.examples, s.a[layer - 1]
        if np.linalg.matrix_rank(a) < n:
            continue
        factor = problem.factor(n) / problem.factor(1)
        delta = batch.whole["weight", layer] @ np.linalg.pinv(a.T) / factor
        order = []
        for place in range(n):
            fitting = [
                other
                for other in range(n)
                if np.max(
                    np.abs(
                        right_output(s._replace(y=s.y[:, [other] * n]))[:, place] - delta[:, place]
                    )
                )
                <= 1e4 * tolerance * np.abs(delta).max()
            ]
            if not fitting:
                return None
            order.append(place if place in fitting else fitting[0])
        pairs = [f"image {i} with label {j}" for i, j in enumerate(order) if i != j]
        shown = shown or ", ".join(pairs)
    if not shown:
        return None
    words = f"images have the labels of other images: {shown}; use each image with its own label"
    return Answer(
        "delta", layer, "δ{l} with y of other examples", "δ{l}", "labels-shifted", words, 1.0
    )


def _crossed(
    problem: Problem,
    scenes: Sequence[Scene],
    batches: Sequence[Batch],
    layer: int,
    tolerance: float,
) -> Answer | None:
    """Reads the matrix C off, with which the δ and a of different examples are multiplied."""
    text = None
    for s, batch in zip(scenes, batches, strict=True):
        n = batch.examples
        a = s.a[layer - 1]
        deltas = []
        for place, one in enumerate(batch.singles):
            size = float(a[:, place] @ a[:, place])
            deltas.append(one["weight", layer] @ a[:, place] / (size or 1.0))
        delta = np.stack(deltas, axis=1) * problem.factor(n) / problem.factor(1)
        if min(np.linalg.matrix_rank(a), np.linalg.matrix_rank(delta)) < n:
            continue
        c = np.linalg.pinv(delta) @ batch.whole["weight", layer] @ np.linalg.pinv(a.T)
        back = delta @ c @ a.T
        seen = batch.whole["weight", layer]
        if np.max(np.abs(back - seen)) > 1e4 * tolerance * np.abs(seen).max():
            return None
        text = _crossing(np.round(c, 6))
    if text is None:
        return None
    return Answer(
        "weight",
        layer,
        f"∂C/∂W{{l}} = Σ C_nm δ_n a_mᵀ, {text}",
        "∂C/∂W{l} = Σ_n δ_n a_nᵀ",
        "formula",
        f"δ of one example is multiplied by a of another: {text}",
        1.0,
    )


def _crossing(c: Array) -> str:
    n = len(c)
    off = c - np.diag(np.diag(c))
    if np.ptp(c) < 1e-5:
        return f"every δ with every a, times {rounded(float(c.mean()))}"
    if np.array_equal(c, np.triu(np.full_like(c, c[0, 0]))) or np.array_equal(
        c, np.tril(np.full_like(c, c[0, 0]))
    ):
        return "each example with those before it too, as if δ were not cleared"
    pairs = ", ".join(
        f"δ of example {i} with a of example {j}" for i, j in np.argwhere(off != 0)[: min(4, n)]
    )
    return pairs
