"""The formulas that can stand in a line that computes δ.

    δ^L = E(P, Y) ⊙ S                  the output line: outputs P, targets Y, their error E
    δ^l = (W^{l+1}ᵀ δ^{l+1}) ⊙ S       a line of backpropagation

S is the slope f'(z^l), or nothing where the layer has no activation.
"""

from collections.abc import Callable

import numpy as np

from manual_grads.check.diagnosis.formulas import (
    Choice,
    Formula,
    combination,
    matches,
    rounded,
)
from manual_grads.check.diagnosis.scene import (
    FUNCTIONS,
    Array,
    Scene,
    normal_distribution,
    sigmoid,
    softmax,
)

MOST_COLUMNS = 12
"""The number of columns of weights that are tried as left out."""

NEAR = 1e-3
"""A relative difference up to which a line is called right but for a small constant."""


def slope_choices(s: Scene, layer: int, active: bool) -> list[Choice]:
    """What can stand for f'(z); the right one first."""
    z, a = s.z[layer], s.a[layer]
    missing = "f'(z) is missing; multiply by it"
    none = Choice("", np.ones_like(z), "slope-missing", missing)
    right = Choice("f'(z{l})", s.slope_of(layer))
    extra = "this layer has no activation; remove the factor f'(z)"
    choices = [right, none] if active else [none._replace(name="formula", words=""), right]
    if not active:
        choices[1] = right._replace(name="other-loss", words=extra)
    twice, inside = "f'(z) is there twice; multiply once", "the slope is f'(a); use f'(z)"
    choices += [
        Choice("f'(a{l})", s.slope(a), "slope-at-a", inside),
        Choice("f'(f'(z{l}))", s.slope(s.slope(z)), "slope-at-a", "f' is applied to f'(z)"),
        Choice(
            "f'(z{l})²",
            s.slope(z) ** 2,
            "slope-of-other" if layer < s.depth else "other-loss",
            twice,
        ),
        Choice("1/f'(z{l})", 1 / s.slope(z), "formula", "the slope is divided by; multiply by it"),
    ]
    own = s.problem.network.activation
    for name, (f, slope) in FUNCTIONS.items():
        strength = s.problem.network.negative_slope
        for at, values in (("z{l}", z), ("a{l}", a)):
            if name != own:
                words = f"this is the slope of {name}; use that of {own}, f'(z)"
                text = f"{name}'({at})"
                choices.append(Choice(text, slope(values, strength), "slope-of-other", words))
            words = f"the value of {name} is used as the slope; use f'(z)"
            value = Choice(f"{name}({at})", f(values, strength), "slope-of-other", words)
            choices.append(value)
    for text, value in {
        "a{l}": a,
        "(1 − a{l})": 1 - a,
        "(1 + a{l})": 1 + a,
        "a{l} ⊙ (1 − a{l})": a * (1 - a),
        "a{l} ⊙ (1 + a{l})": a * (1 + a),
        "(1 − a{l}²)": 1 - a * a,
        "(1 + a{l}²)": 1 + a * a,
        "(1 − a{l})²": (1 - a) ** 2,
        "a{l}²": a * a,
        "z{l}": z,
        "(1 − z{l})": 1 - z,
        "z{l} ⊙ (1 − z{l})": z * (1 - z),
        "(1 − z{l}²)": 1 - z * z,
        "(1 + z{l}²)": 1 + z * z,
        "z{l}²": z * z,
        "a{l} ⊙ (1 − z{l})": a * (1 - z),
        "z{l} ⊙ (1 − a{l})": z * (1 - a),
        "1/cosh²(a{l})": 1 / np.cosh(a) ** 2,
        "1/cosh(z{l})": 1 / np.cosh(z),
        "e^−z{l}": np.exp(-z),
        "e^−z{l} / (1 + e^−z{l})": 1 - sigmoid(z),
        "[z{l} > 0]": (z > 0) * 1.0,
        "[z{l} ≤ 0]": (z <= 0) * 1.0,
        "[a{l} > 0]": (a > 0) * 1.0,
        "(1 − Σ a{l}²)": np.ones_like(a) * (1 - np.sum(a * a, axis=0)),
        "(1 − a{l}³)": 1 - a**3,
        "(1 − a{l}⁴)": 1 - a**4,
        "(1 − 1/a{l}²)": 1 - 1 / (a * a),
        "(1 − 2^a{l})": 1 - 2**a,
        "(1 − tanh²(a{l}))²": (1 - np.tanh(a) ** 2) ** 2,
        "Φ(z{l})": (phi := normal_distribution(z)),
        "Φ(−z{l})": 1 - phi,
        "φ(z{l})": (density := np.exp(-z * z / 2) / (2 * np.pi) ** 0.5),
        "z{l} φ(z{l})": z * density,
        "a{l}/z{l}": a / z,
        **(
            {"(1 − b{l}²)": np.ones_like(a) * (1 - theta**2), "f'(b{l})": s.slope(theta + 0 * z)}
            if (theta := _bias(s, layer)) is not None
            else {}
        ),
    }.items():
        words = f"{text} is used as the slope; use f'(z)"
        linear = "Σ" not in text
        choices.append(Choice(text, value, "slope-of-other", words, linear))
    for other in range(s.depth + 1):
        if other == layer:
            continue
        for text, values in ((f"z^{other}", s.z[other]), (f"a^{other}", s.a[other])):
            if values.shape == z.shape:
                words = f"the slope is taken at {text}; take it at z of its own layer"
                choices.append(Choice(f"f'({text})", s.slope(values), "formula", words))
    for other in range(layer + 1, s.depth + 1):
        if s.z[other].shape == z.shape:
            product = s.slope(z) * s.slope(s.z[other])
            words = f"f'(z^{other}) is a factor too; multiply only by the layer's own f'(z)"
            choices.append(Choice(f"f'(z{{l}}) ⊙ f'(z^{other})", product, "formula", words))
    if not active:
        choices[1:] = [one._replace(name="other-loss", words=extra) for one in choices[1:]]
    return choices


def _bias(s: Scene, layer: int) -> Array | None:
    """The bias of the layer for each example, or None if it has none."""
    if not s.has(layer, "bias"):
        return None
    return np.stack(s.theta(layer, "bias"), axis=1)


def hidden_line(s: Scene, layer: int, above: Array, seen: Array, tolerance: float, extra):
    """The formulas of δ^l, given the δ above that the user's own code has."""
    active = s.is_active(layer)
    back = s.back(layer + 1, above)
    places = [
        [Choice("W{n}ᵀ δ{n}", back), *_operands(s, layer, above, back, extra)],
        slope_choices(s, layer, active),
    ]

    def write(operand, slope):
        return f"δ{{l}} = ({operand}) ⊙ {slope}" if slope else f"δ{{l}} = {operand}"

    found = matches(seen, places, np.multiply, write, tolerance)
    if not found or found[0].cost > 1:
        sides = _two_sided(s, layer, back, seen, tolerance) + _inside(
            s, layer, back, seen, tolerance
        )
        found = [*sides, *found] if sides and (not found or found[0].cost >= 1) else found
    elif found[0].cost == 1 and active:
        found += _two_sided(s, layer, back, seen, tolerance, only_leaky=True)
    if not found:
        found = _sums(s, layer, back, above, seen, tolerance, extra)
    return found or _nearly(back * places[1][0].value, seen, write(*(p[0].text for p in places)))


def _operands(s: Scene, layer: int, above: Array, back: Array, extra) -> list[Choice]:
    """What can stand for W^{l+1}ᵀ δ^{l+1}."""
    shape, weight = back.shape, f"W{{n}}"
    choices = []

    def add(text, value, name="formula", words="", linear=True):
        if np.shape(value) == shape:
            choices.append(Choice(text, value, name, words, linear))

    sizes = [len(a) for a in s.a]
    if sizes[layer] == sizes[layer + 1]:
        straight = s.each(lambda params, part: params[layer + 1]["weight"] @ above[:, part])
        words = "δ is multiplied by the weights; multiply by their transpose"
        add(f"{weight} δ{{n}}", straight, "weights-not-transposed", words)
    reshaped = s.each(
        lambda params, part: params[layer + 1]["weight"].reshape(sizes[layer], -1) @ above[:, part]
    )
    words = "the weights are reshaped instead of transposed; use Wᵀ"
    add(f"reshape({weight}) δ{{n}}", reshaped, "weights-not-transposed", words)
    add("δ{n}", above, words="the weights are missing; multiply δ by Wᵀ")
    ones = np.ones(shape)
    add("1", ones, words="nothing is backpropagated: Wᵀδ is missing", linear=False)
    add("Σ δ{n}", ones * above.sum(axis=0), words="the weights are missing; multiply δ by Wᵀ")
    add(
        "mean(W{n}ᵀ δ{n})",
        ones * back.mean(axis=0),
        words="Wᵀδ is averaged over the units; keep one number for each unit",
    )
    colsum = s.each(
        lambda params, part: np.repeat(
            params[layer + 1]["weight"].sum(axis=0)[:, None], part.stop - part.start, axis=1
        )
    )
    add("Σ W{n}", colsum, words="δ is missing; multiply Wᵀ by it", linear=False)
    for text, error in extra.items():
        if error.shape == above.shape and not np.array_equal(error, above):
            words = f"{text} is backpropagated instead of δ; use δ"
            linear = not text.startswith("(∂C")
            add(f"{weight}ᵀ {text}", s.back(layer + 1, error), words=words, linear=linear)
        if len(error) == 1 or error.shape == shape:
            linear = not text.startswith("(∂C")
            add(text, ones * error, words=f"{text} takes the place of Wᵀδ", linear=linear)
    for other in range(1, s.depth + 1):
        same = s.draws[0][other]["weight"].shape == s.draws[0][layer + 1]["weight"].shape
        if other != layer + 1 and same:
            words = f"these are the weights of layer {other}; use those of the layer above"
            add(f"W^{other}ᵀ δ{{n}}", s.back(layer + 1, above, other), words=words)
    for text, of in {
        "relu(δ{n})": np.maximum(above, 0),
        "|δ{n}|": np.abs(above),
        "f(δ{n})": s.f(above),
        "f'(δ{n})": s.slope(above),
        "δ{n} ⊙ f'(δ{n})": above * s.slope(above),
        "δ{n}²": above * above,
        "sign(δ{n})": np.sign(above),
        "[δ{n} > 0]": (above > 0) * 1.0,
        "δ{n} ⊙ f'(z{n})": above * s.slope(s.z[layer + 1]),
        "δ{n} ⊙ a{n}": above * s.a[layer + 1],
        "a{n}": s.a[layer + 1],
        "z{n}": s.z[layer + 1],
    }.items():
        words = f"{text} is backpropagated instead of δ; use δ"
        linear = text in ("relu(δ{n})", "|δ{n}|", "δ{n} ⊙ f'(z{n})", "δ{n} ⊙ a{n}")
        add(f"{weight}ᵀ ({text})", s.back(layer + 1, of), words=words, linear=linear)
    for text, of in {
        "relu(W{n}ᵀ δ{n})": np.maximum(back, 0),
        "|W{n}ᵀ δ{n}|": np.abs(back),
        "f(W{n}ᵀ δ{n})": s.f(back),
        "f'(W{n}ᵀ δ{n})": s.slope(back),
        "σ'(W{n}ᵀ δ{n})": sigmoid(back) * (1 - sigmoid(back)),
        "σ(1 − σ(W{n}ᵀ δ{n}))": sigmoid(1 - sigmoid(back)),
        "(W{n}ᵀ δ{n}) ⊙ f'(W{n}ᵀ δ{n})": back * s.slope(back),
        "(W{n}ᵀ δ{n}) ⊙ [W{n}ᵀ δ{n} > 0]": back * (back > 0),
        "(W{n}ᵀ δ{n}) ⊙ (1 − W{n}ᵀ δ{n})": back * (1 - back),
        "(W{n}ᵀ δ{n})²": back * back,
        "sign(W{n}ᵀ δ{n})": np.sign(back),
        "W{n}ᵀ δ{n} + a{l}": back + s.a[layer],
        "(W{n}ᵀ δ{n}) ⊙ a{l}": back * s.a[layer],
        "(W{n}ᵀ δ{n}) ⊙ z{l}": back * s.z[layer],
    }.items():
        linear = text.startswith(("relu", "|", "(W{n}ᵀ δ{n}) ⊙ a", "(W{n}ᵀ δ{n}) ⊙ z"))
        linear = linear or "> 0]" in text
        add(text, of, words=f"{text} takes the place of Wᵀδ", linear=linear)
    counts = np.arange(len(above), 0, -1.0)[:, None]
    partial_sums = s.back(layer + 1, counts * above)
    add(
        "partial sums of W{n}ᵀ δ{n}",
        partial_sums,
        words="partial sums are passed on; pass each term once",
    )
    if "bias" in s.draws[0][layer + 1]:
        of_bias = s.each(lambda params, part: params[layer + 1]["bias"][None] @ above[:, part])
        for column in range(min(len(back), MOST_COLUMNS)):
            rest = np.delete(back, column, axis=0)
            words = "a column of weights is left out instead of the bias; use all of W"
            for parts in ((of_bias, rest), (rest, of_bias)):
                text = f"(W{{n}} with b{{n}}, without column {column})ᵀ δ{{n}}"
                add(text, np.concatenate(parts), words=words)
    for unit, of in ((0, "first"), (-1, "last")):
        one = np.zeros_like(above)
        one[unit] = above[unit]
        words = f"only the {of} unit of the layer above counts; sum over all of them"
        add(f"W{{n}}ᵀ δ{{n}} of the {of} unit", s.back(layer + 1, one), words=words)
    if layer > 0:
        below = s.a[layer]
        missing = "Wᵀδ is missing; multiply by it"
        add("a{l}", below, words=missing, linear=False)
        add("z{l}", s.z[layer], words=missing, linear=False)
        if s.has(layer + 1, "bias"):
            of_bias = s.each(
                lambda params, part: (
                    params[layer + 1]["weight"].T
                    @ np.repeat(params[layer + 1]["bias"][:, None], part.stop - part.start, axis=1)
                )
            )
            add("W{n}ᵀ b{n}", of_bias, words="b is multiplied by Wᵀ; multiply δ", linear=False)
    return choices


def _two_sided(
    s: Scene, layer: int, back: Array, seen: Array, tolerance: float, only_leaky: bool = False
) -> list[Formula]:
    """A slope that is one constant where z > 0 and another where z ≤ 0."""
    positive = s.z[layer] > 0
    found = combination(seen, [back * positive, back * ~positive], tolerance)
    if found is None or found[0] == found[1]:
        return []
    if only_leaky and "relu" not in s.problem.network.activation:
        return []
    above, below = found
    text = f"δ{{l}} = (W{{n}}ᵀ δ{{n}}) ⊙ ({rounded(above)} if z{{l}} > 0 else {rounded(below)})"
    words = f"the slope is {rounded(above)} for z > 0 and {rounded(below)} for z ≤ 0; use f'(z)"
    values = back * np.where(positive, above, below)
    return [Formula(text, 1.0, 1, "slope-of-other", words, values)]


def _inside(s: Scene, layer: int, back: Array, seen: Array, tolerance: float) -> list[Formula]:
    """Values clipped on their way back."""
    slope = s.slope(s.z[layer]) if s.is_active(layer) else np.ones_like(back)
    with np.errstate(all="ignore"):
        ratio = np.where(np.abs(slope) > 1e-6, seen / slope, 0.0)
    limit = float(np.max(np.abs(ratio)))
    for text, values in (
        ("clip(W{n}ᵀ δ{n}) ⊙ f'(z{l})", np.clip(back, -limit, limit) * slope),
        (
            "clip((W{n}ᵀ δ{n}) ⊙ f'(z{l}))",
            np.clip(back * slope, -np.abs(seen).max(), np.abs(seen).max()),
        ),
    ):
        if np.max(np.abs(values - seen)) <= tolerance * np.max(np.abs(seen)):
            bound = limit if text.startswith("clip(W") else float(np.abs(seen).max())
            words = f"the derivative is clipped at ±{rounded(bound)}; clip only in the optimiser"
            return [Formula(f"δ{{l}} = {text}", 1.0, 1, "clipped", words, values, False)]
    for text, values in (("W{n}ᵀ δ{n}", back), ("(W{n}ᵀ δ{n}) ⊙ f'(z{l})", back * slope)):
        norms = np.sqrt(np.sum(values**2, axis=0))
        right = back * slope
        sizes = np.sum(right**2, axis=0)
        if np.any(sizes == 0):
            continue
        k = np.sum(seen * right, axis=0) / sizes
        clipped = np.abs(k - 1) > 1e-6
        if np.max(np.abs(seen - k * right)) > tolerance * np.max(np.abs(seen)):
            continue
        limits = (k * norms)[clipped]
        if len(limits) > 1 and np.ptp(limits) <= 1e-6 * limits[0] and np.all(k <= 1 + 1e-6):
            words = f"the derivative is clipped to norm {rounded(float(limits[0]))}; clip only in "
            words += "the optimiser"
            text = f"δ{{l}} = {text}, clipped to a norm"
            return [Formula(text, 1.0, 1, "clipped", words, seen, False)]
    return []


def _sums(
    s: Scene, layer: int, back: Array, above: Array, seen: Array, tolerance: float, extra
) -> list[Formula]:
    """The right formula with something added to it."""
    slope = s.slope(s.z[layer]) if s.is_active(layer) else np.ones_like(back)
    terms = {
        "W{n}ᵀ δ{n}": back,
        "δ{n}": above,
        "a{l}": s.a[layer],
        "z{l}": s.z[layer],
        "1": np.ones_like(back),
        "f'(z{l})": slope,
        "(W{n}ᵀ δ{n}) ⊙ a{l}": back * s.a[layer],
        "(W{n}ᵀ δ{n}) ⊙ z{l}": back * s.z[layer],
        "(W{n}ᵀ δ{n}) ⊙ a{l}²": back * s.a[layer] ** 2,
        "(W{n}ᵀ δ{n}) ⊙ Φ(z{l})": back * normal_distribution(z := s.z[layer]),
        "(W{n}ᵀ δ{n}) ⊙ z{l} φ(z{l})": back * z * np.exp(-z * z / 2) / (2 * np.pi) ** 0.5,
        "(W{n}ᵀ δ{n}) ⊙ φ(z{l})": back * np.exp(-z * z / 2) / (2 * np.pi) ** 0.5,
        **extra,
        **{
            f"{name}) ⊙ f'(z{{l}})": each * slope
            for name, each in extra.items()
            if name.startswith("(∂C/∂W")
        },
    }
    right = back * slope
    for text, term in terms.items():
        if term.shape != seen.shape:
            continue
        mains = [("(W{n}ᵀ δ{n}) ⊙ f'(z{l})", right), ("W{n}ᵀ δ{n}", back)]
        if "φ" in text:
            mains.append(("(W{n}ᵀ δ{n}) ⊙ Φ(z{l})", terms["(W{n}ᵀ δ{n}) ⊙ Φ(z{l})"]))
        for main, base in mains:
            found = combination(seen, [base, term], tolerance)
            if found is None or 0 in found:
                continue
            written = f"δ{{l}} = {_times(found[0])}{main} + {_times(found[1])}{text}"
            words = f"{_times(found[1])}{text} is added; remove it"
            values = found[0] * base + found[1] * term
            return [Formula(written, 1.0, 2, "formula", words, values, "δ" in text)]
    return []


def _times(k: float) -> str:
    return "" if k == 1 or abs(k - 1) < 1e-9 else f"{rounded(k)} · "


def _nearly(right: Array, seen: Array, text: str) -> list[Formula]:
    """The right formula, if the observed values differ from it only by a small constant."""
    largest = np.max(np.abs(seen), initial=0.0)
    share = np.max(np.abs(right - seen), initial=0.0) / largest if largest > 0 else np.inf
    if share > NEAR:
        return []
    words = (
        f"it is right but for a part of {share:.0e}: look for a small constant, such as ε in a "
        "denominator or logarithm, or for a lower precision"
    )
    return [Formula(f"{text}, but for a small part", 1.0, 2, "small-constant", words, seen)]


def output_errors(s: Scene) -> dict[str, Array]:
    """The errors at the output that somebody could backpropagate: without slopes, and raw."""
    a, y = s.a[-1], s.y
    p = softmax(a)
    errors = {"(a^L − y)": a - y, "(p − y)": p - y, "(σ(a^L) − y)": sigmoid(a) - y, "y": y}
    errors |= {"p": p, "exp(a^L)": np.exp(a), "exp(a^L − max)": np.exp(a - a.max(axis=0)), "a^L": a}
    return {**errors, "2 (a^L − y)": 2 * (a - y)}


def output_line(s: Scene, seen: Array, tolerance: float) -> list[Formula]:
    """The formulas of δ^L."""
    seen = seen / s.problem.factor(1)
    places, active = _output_places(s), s.is_active(s.depth)

    def combine(p, y, error, factor):
        return factor(error(p, y), p, y)

    found = matches(seen, places, combine, _write_output, tolerance)
    found = [_renamed(formula, s) for formula in found]
    if (not found or found[0].cost > 1) and active:
        found = _two_sided_output(s, seen, tolerance) or found
    if found:
        return found
    right = combine(*(place[0].value for place in places))
    return (
        _parts(s, seen, tolerance)
        or _output_sums(s, seen, tolerance)
        or _nearly(right, seen, right_output_text(s))
    )


def _output_choices(s: Scene) -> list[Choice]:
    a, z = s.a[-1], s.z[-1]
    loss = s.problem.loss
    p = softmax(a)
    every = {
        "softmax": Choice("p", p, words="the outputs are a softmax here"),
        "plain": Choice("a{l}", a, words="the outputs a are used; use the probabilities"),
        "sigmoid": Choice("σ(a{l})", sigmoid(a), words="the outputs are a sigmoid here"),
    }
    first = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss, "plain")
    right = every.pop(first)
    twice = "the softmax is applied twice; apply it once"
    others = {
        "z{l}": (z, "the outputs lack their activation"),
        "softmax(p)": (softmax(p), twice),
        "softmax(σ(a{l}))": (softmax(sigmoid(a)), "a sigmoid is applied before the softmax"),
        "σ(σ(a{l}))": (sigmoid(sigmoid(a)), "the sigmoid is applied twice; apply it once"),
        "σ(p)": (sigmoid(p), "a sigmoid is applied after the softmax"),
        "f(a{l})": (s.f(a), "the activation is applied to the outputs once more"),
        "f(z{l})": (s.f(z), "the outputs have an activation here, which the network has not"),
        "softmax(z{l})": (softmax(z), "the softmax is that of z"),
        "exp(a{l})": (np.exp(a), "the softmax is not normalised"),
        "exp(a{l} − max)": (np.exp(a - a.max(axis=0)), "the softmax is not normalised"),
        "softmax(−a{l})": (softmax(-a), "the sign in the softmax is wrong"),
        "softmax(|a{l}|)": (softmax(np.abs(a)), "the softmax is that of absolute values"),
        "e^a / Σ e^|a|": (
            np.exp(a) / np.exp(np.abs(a)).sum(axis=0),
            "the softmax has another denominator",
        ),
        "a / Σ a": (a / a.sum(axis=0), "the outputs are divided by their sum, without exp"),
        "tanh(a{l})": (np.tanh(a), "the outputs have a tanh here"),
        "relu(a{l})": (np.maximum(a, 0), "the outputs have a relu here"),
        "log p": (np.log(p), "the logarithm of p is used; use p"),
        "[a{l} = max]": ((a == a.max(axis=0)) * 1.0, "the prediction is used; use p"),
        "round(a{l})": (np.round(a), "the outputs are rounded"),
        "0": (np.zeros_like(a), "the outputs are missing"),
        "1": (np.ones_like(a), "the outputs are missing"),
        "exp(a{l})/‖…‖": (
            (e := np.exp(a - a.max(axis=0))) / np.sqrt((e * e).sum(axis=0)),
            "the exponentials are divided by their norm",
        ),
        "tanh(a{l} − max)": (np.tanh(a - a.max(axis=0)), "tanh stands for exp"),
        "(a{l} − max)": (a - a.max(axis=0), "the exponential is missing"),
        "Σ exp(a{l} − max)": (np.ones_like(a) * e.sum(axis=0), "the sum stands for p"),
        "exp ⊙ Σ exp": (e * e.sum(axis=0), "the exponentials are multiplied by their sum"),
        "exp − Σ exp": (e - e.sum(axis=0), "the sum is subtracted; divide by it"),
        "Σ exp / exp": (e.sum(axis=0) / e, "the softmax is upside down"),
        "1 / Σ exp": (np.ones_like(a) / e.sum(axis=0), "the numerator of the softmax is missing"),
        "a / Σ exp": (a / e.sum(axis=0), "the exponential in the numerator is missing"),
        "exp / Σ a": (e / a.sum(axis=0), "the exponential in the denominator is missing"),
        "exp(a max a)": (
            np.exp(a * a.max(axis=0))
            / (1 if s.problem.loss != "cross_entropy" else np.exp(a * a.max(axis=0)).sum(axis=0)),
            "the maximum is multiplied; subtract it",
        ),
    }
    theta = _bias(s, s.depth)
    if theta is not None:
        plain = z - theta
        others |= {
            "b{l}": (theta, "the bias stands for the outputs"),
            "softmax(W{l} a{m} ⊙ b{l})": (softmax(plain * theta), "the bias is multiplied; add it"),
            "softmax(b{l})": (softmax(theta), "the outputs lack W a"),
        }
    if s.depth > 1:
        for below in (s.z[-2], *(s.a[-3:-2] if s.depth > 2 else ())):
            if len(below) == len(s.a[-2]):
                of = s.each(lambda p, part, b=below: p[s.depth]["weight"] @ b[:, part])
                of = of + (theta if theta is not None else 0.0)
                words = "the outputs are computed from other activations than those below"
                others["outputs of other activations"] = (of, words)
                others["softmax of outputs of other activations"] = (softmax(of), words)
    return [right, *every.values(), *(Choice(t, v, words=w) for t, (v, w) in others.items())]


def _target_choices(s: Scene) -> list[Choice]:
    y = s.y
    missing = "the targets y are not subtracted; subtract them"
    classes = np.arange(len(y))[:, None]
    hot = (y == y.max(axis=0)) * 1.0
    label = np.broadcast_to(np.argmax(y, axis=0) * 1.0, y.shape)
    choices = [Choice("y", y), Choice("0", np.zeros_like(y), "one-hot-missing", missing)]
    shifted = "the classes are off by one; use the class of each example"
    for shift in (1, -1):
        rolled = np.roll(hot, shift, axis=0)
        cut = np.where((classes == (0 if shift == 1 else len(y) - 1)), 0.0, rolled)
        choices.append(Choice(f"y of class {-shift:+d}", rolled, "labels-shifted", shifted))
        choices.append(Choice(f"y of class {-shift:+d}, cut off", cut, "labels-shifted", shifted))
    numbers = "the number of the class is used; use one-hot targets"
    for text, value in {
        "the class number": label,
        "the class number + 1": label + 1,
    }.items():
        choices.append(Choice(text, value, words=numbers))
    reverse = "the classes are in reverse order"
    choices += [
        Choice("1", np.ones_like(y), words="the targets are 1 everywhere"),
        Choice("(1 − y)", 1 - y, words="the targets are inverted"),
        Choice("y in reverse order", y[::-1], words=reverse),
        Choice("one-hot y", hot, words="the targets are not smoothed"),
        Choice("(2y − 1)", 2 * y - 1, words="the targets are ±1"),
        Choice("y²", y * y, words="the targets are squared"),
        Choice("−y", -y, words="the targets are added; subtract them"),
        Choice("z{l}", s.z[-1], words="z is subtracted; subtract the targets"),
        Choice("exp(a{l} − max)", np.exp(s.a[-1] - s.a[-1].max(axis=0)), words="subtract y"),
        *(
            [Choice("b{l}", theta, words="the bias is subtracted; subtract the targets")]
            if (theta := _bias(s, s.depth)) is not None
            else []
        ),
        Choice("f(y)", s.f(y), words="the activation is applied to the targets"),
        Choice("softmax(y)", softmax(y), words="a softmax is applied to the targets"),
    ]
    for share in (0.1, 0.05, 0.01, 0.2):
        words = f"the targets are smoothed with ε = {share}"
        smoothed = (1 - share) * y + share / len(y)
        choices.append(Choice(f"({1 - share:g} y + {share:g}/K)", smoothed, words=words))
    return choices


def _error_choices(loss: str) -> list[Choice]:
    """What can stand for the derivative of the cost by the outputs; functions of P and Y."""
    difference = Choice("(P − Y)", lambda p, y: p - y)
    double = Choice("2 (P − Y)", lambda p, y: 2 * (p - y))
    right, *rest = [double, difference] if loss == "squared_error" else [difference, double]
    other = "this is the derivative of another loss"
    more = {
        "(−Y/P)": lambda p, y: -y / p,
        "(−Y/softmax(P))": lambda p, y: -y / softmax(p),
        "(−Y/P + (1 − Y)/(1 − P))": lambda p, y: -y / p + (1 - y) / (1 - p),
        "((1 − Y)/(1 − P))": lambda p, y: (1 - y) / (1 - p),
        "Y/P + (1 − Y)/(1 − P)": lambda p, y: y / p + (1 - y) / (1 - p),
        "((P − Y)/P)": lambda p, y: (p - y) / p,
        "Y ⊙ (P − 1)": lambda p, y: y * (p - 1),
        "(1 − Y) ⊙ P": lambda p, y: (1 - y) * p,
        "P": lambda p, y: p,
        "Y": lambda p, y: y,
        "P ⊙ Y": lambda p, y: p * y,
        "(P − Y)²": lambda p, y: (p - y) ** 2,
        "(P² − Y)": lambda p, y: p * p - y,
        "(P − Y)³": lambda p, y: (p - y) ** 3,
        "|P − Y|": lambda p, y: np.abs(p - y),
        "sign(P − Y)": lambda p, y: np.sign(p - y),
        "Y ⊙ log P": lambda p, y: y * np.log(p),
        "log P": lambda p, y: np.log(p),
        "(Y/P)": lambda p, y: y / p,
        "(1/P)": lambda p, y: 1 / p,
        "1": lambda p, y: np.ones_like(p),
        "1/(P − Y)": lambda p, y: 1 / (p - y),
        "Σ (P − Y)": lambda p, y: np.ones_like(p) * np.sum(p - y, axis=0),
        "Σ (P − Y)²": lambda p, y: np.ones_like(p) * np.sum((p - y) ** 2, axis=0),
        "max(P − Y, 0)": lambda p, y: np.maximum(p - y, 0),
        "(P − Y)/‖P − Y‖": lambda p, y: (p - y) / np.sqrt(np.sum((p - y) ** 2, axis=0)),
        "−Y log P": lambda p, y: -y * np.log(p),
        "Y log P + (1 − Y) log(1 − P)": lambda p, y: y * np.log(p) + (1 - y) * np.log(1 - p),
    }
    return [right, *rest, *(Choice(t, v, "other-loss", other) for t, v in more.items())]


def _factor_choices(s: Scene, active: bool) -> list[Choice]:
    """What the error can be multiplied by, as functions of the error, P and Y."""
    choices = []
    for choice in slope_choices(s, s.depth, active):
        text = f"E ⊙ {choice.text}" if choice.text else "E"
        value = choice.value
        choices.append(choice._replace(text=text, value=lambda e, p, y, v=value: e * v))
    extra = "a factor of the outputs is there too; remove it"
    more: dict[str, Callable[..., Array]] = {
        "E ⊙ P": lambda e, p, y: e * p,
        "E ⊙ (1 − P)": lambda e, p, y: e * (1 - p),
        "E ⊙ P ⊙ (1 − P)": lambda e, p, y: e * p * (1 - p),
        "E ⊙ P² ⊙ (1 − P)²": lambda e, p, y: e * (p * (1 - p)) ** 2,
        "E ⊙ P² ⊙ (1 − P)": lambda e, p, y: e * p * p * (1 - p),
        "E / (P ⊙ (1 − P))": lambda e, p, y: e / (p * (1 - p)),
        "E / P": lambda e, p, y: e / p,
        "E / (1 − P)": lambda e, p, y: e / (1 - p),
        "E ⊙ Y": lambda e, p, y: e * y,
        "E / a": lambda e, p, y: e / s.a[-1],
        "E / exp(a − max)": lambda e, p, y: e / np.exp(s.a[-1] - s.a[-1].max(axis=0)),
        **(
            {"E / b": lambda e, p, y: e / theta} if (theta := _bias(s, s.depth)) is not None else {}
        ),
        "E ⊙ (1 − Y)": lambda e, p, y: e * (1 - y),
        "E ⊙ (1 − P²)": lambda e, p, y: e * (1 - p * p),
        "P ⊙ (E − Σ P E)": lambda e, p, y: p * (e - np.sum(p * e, axis=0)),
        "softmax(a) ⊙ (E − Σ softmax(a) E)": lambda e, p, y: (
            (true := softmax(s.a[-1])) * (e - np.sum(true * e, axis=0))
        ),
        "E − Σ P E": lambda e, p, y: e - np.sum(p * e, axis=0),
        "E − P Σ E": lambda e, p, y: e - p * np.sum(e, axis=0),
        "P ⊙ (E − Σ E)": lambda e, p, y: p * (e - np.sum(e, axis=0)),
        "E ⊙ P − Σ P E": lambda e, p, y: e * p - np.sum(p * e, axis=0),
        "P ⊙ (E − z Σ E)": lambda e, p, y: p * e - p * np.sum(e * s.z[-1], axis=0),
        "P ⊙ Σ_j (E_j (1 − z_j))": lambda e, p, y: p * e - p * s.z[-1] * np.sum(e, axis=0),
        "E ⊙ P + P Σ P E": lambda e, p, y: p * (e + np.sum(p * e, axis=0)),
        "−P Σ P E": lambda e, p, y: -p * np.sum(p * e, axis=0),
        "E ⊙ P ⊙ (1 − P) for k = y, else −P_k P_y E": lambda e, p, y: (
            e * p * (1 - p) * y - p * np.sum(p * e * y, axis=0) * (1 - y)
        ),
        "E + P": lambda e, p, y: e + p,
        "log-softmax's Jacobian with log P": lambda e, p, y: e - np.log(p) * np.sum(e, axis=0),
        "E − Σ log(P) E": lambda e, p, y: e - np.sum(np.log(p) * e, axis=0),
        "log P ⊙ (E − Σ E log P)": lambda e, p, y: np.log(p) * (e - np.sum(e * np.log(p), axis=0)),
    }
    return [*choices, *(Choice(t, v, "other-loss", extra) for t, v in more.items())]


def right_error(s: Scene) -> Array:
    """The derivative of the cost of each example by the network's outputs."""
    p, y, error, _ = (place[0] for place in _output_places(s))
    return error.value(p.value, y.value)


def right_output_text(s: Scene) -> str:
    """The right formula of δ^L."""
    return _write_output(*(place[0].text for place in _output_places(s)))


def _output_places(s: Scene) -> list[list[Choice]]:
    """The outputs, the targets, their error, and the factor of the error."""
    active = s.is_active(s.depth)
    errors = _error_choices(s.problem.loss)
    return [_output_choices(s), _target_choices(s), errors, _factor_choices(s, active)]


def _write_output(p: str, y: str, error: str, factor: str) -> str:
    inner = error.replace("P", p).replace("Y", y)
    return "δ{l} = " + factor.replace("E", inner).replace("P", p).replace("Y", y)


NAMED_OUTPUTS = {
    ("cross_entropy", "δ{l} = (−y/p) ⊙ p ⊙ (1 − p)"): (
        "softmax-diagonal",
        "only the diagonal of the softmax's Jacobian is used; with all its entries, δ is p − y",
    ),
    ("cross_entropy", "δ{l} = y ⊙ (p − 1)"): (
        "softmax-diagonal",
        "only the diagonal of the softmax's Jacobian is used; with all its entries, δ is p − y",
    ),
    ("cross_entropy", "δ{l} = 2 (p − y)"): (
        "other-loss",
        "δ is the derivative of squared error without the softmax's Jacobian, or has a factor 2",
    ),
    ("squared_error", "δ{l} = (p − y)"): (
        "other-loss",
        "δ^L is the derivative of cross-entropy; for squared error it is 2 (a − y) f'(z)",
    ),
}


def _renamed(formula: Formula, s: Scene) -> Formula:
    name = NAMED_OUTPUTS.get((s.problem.loss, formula.text))
    return formula._replace(name=name[0], words=name[1]) if name else formula


def _two_sided_output(s: Scene, seen: Array, tolerance: float) -> list[Formula]:
    """A slope of the output layer that is one constant where z > 0 and another where z ≤ 0."""
    positive, error = s.z[-1] > 0, right_error(s)
    found = combination(seen, [error * positive, error * ~positive], tolerance)
    if found is None or found[0] == found[1]:
        return []
    above, below = (rounded(one) for one in found)
    error_text = right_output_text(s).split(" = ")[1].split(" ⊙ ")[0]
    text = f"δ{{l}} = {error_text} ⊙ ({above} if z{{l}} > 0 else {below})"
    words = f"the slope is {above} for z > 0 and {below} for z ≤ 0; use f'(z)"
    return [Formula(text, 1.0, 1, "slope-of-other", words, seen)]


def _output_sums(s: Scene, seen: Array, tolerance: float) -> list[Formula]:
    """The error with the slope added to it instead of multiplied by it, and the like."""
    error, slope = right_error(s), s.slope(s.z[-1])
    for name, main in (("(P − Y)", error), ("(P − Y) ⊙ f'(z{l})", error * slope)):
        for text, term in (
            ("f'(z{l})", slope),
            ("1", np.ones_like(slope)),
            ("a{l}", s.a[-1]),
            ("z{l}", s.z[-1]),
            ("(P − Y) ⊙ a{l}", error * s.a[-1]),
        ):
            found = combination(seen, [main, term], tolerance)
            if found is None or 0 in found:
                continue
            written = f"δ{{l}} = {_times(found[0])}{name} + {_times(found[1])}{text}"
            words = f"{_times(found[1])}{text} is added; remove it"
            return [Formula(written, 1.0, 2, "formula", words, seen, "P" in text)]
    return []


def _parts(s: Scene, seen: Array, tolerance: float) -> list[Formula]:
    """The outputs, the targets and a constant, each with its own coefficient."""
    a = s.a[-1]
    slope = s.slope(s.z[-1]) if s.is_active(s.depth) else np.ones_like(a)
    outputs = {"p": softmax(a), "a{l}": a, "σ(a{l})": sigmoid(a)}
    for text, p in outputs.items():
        found = combination(seen, [p * slope, s.y * slope, slope], tolerance)
        if found is not None and found[0] and found[1]:
            of_p, of_y, rest = found
            written = f"δ{{l}} = {_times(of_p)}{text} + {rounded(of_y)} · y + {rounded(rest)}"
            words = "outputs and targets have other coefficients than in the derivative"
            values = (of_p * p + of_y * s.y + rest) * slope
            return [Formula(written, 1.0, 2, "formula", words, values)]
    return []
