"""The wrong formulas that are tried for each place of a line; `lines` adds the right formula.

z, a, b belong to the layer itself; zm, am to the layer below; zn, an to the layer above; z_2, a_2
to layer 2. d is δ of the layer itself, and D is δ of the layer above. With the weights W of the
layer above, V is Wᵀ D, `back(v)` is Wᵀ v, and G is the user's (∂C/∂W)ᵀ D. `T_2(v)` is W²ᵀ v. f is
the activation, df is its derivative, and o is the output. dW is the user's weight derivative of the
layer, and db is the user's bias derivative of the layer above. In the tables `FORWARD_…`, W is the
layer's own weight. Other names are defined in `scene`, or where the table is used.
"""

from manual_grads.architecture import ACTIVATION_NAMES


def table(text: str) -> list[str]:
    """The formulas in `text`, where semicolons separate them."""
    return [" ".join(each.split()) for each in text.split(";")]


SLOPES = table("""
    df(z); df(z)**2; df(a); df(df(z)); 1/df(z); a; 1 - a; 1 + a; a * (1 - a); a * (1 + a); 1 -
    a**2; 1 + a**2; -a**2; a**2; z; z * (1 - z); 1 - z**2; 1 - df(z); z > 0; a > 0; 1 - sum(a**2);
    1 - a**3; 1 - a**4; 1 - 1/a**2; 1 - 2**a; normal(z); density(z); df(b); 1 - b**2; df(-z); f(-z);
    a * (1 - z); z * (1 - a); (1 - a)**2; z > 1
""")
SLOPES += [f"d{name}({of})" for name in ACTIVATION_NAMES for of in "za"]
OF_OTHER_LAYERS = table("df(z_{k}); df(a_{k})")

ERRORS = table("2*(o - y); o - y; softmax(o) - y; sigmoid(o) - y; exp(o - top(o)); y")
OPERANDS = table("""
    through(D); reshaped(D); D; 1; sum(D); partial(D); back(first(D)); back(last(D)); G; back(f(D));
    back(df(D)); back(D / df(zn)); back(D * df(zn)); back(an); back(bn + 0*D); max(V, 0); abs(V);
    f(V); df(V); sigmoid(1 - sigmoid(V)); V * a; V * z; a; z; raw
""")
OPERANDS += ERRORS
ADDED = table("V; 1; a; df(z); V * a; V * z; V * normal(z); V * density(z); G; G * df(z)")
"""Terms that a wrong formula can add to V df(z) or to V, with any coefficient."""

OUTPUTS = {"cross_entropy": "softmax(a)", "binary_cross_entropy": "sigmoid(a)"}
"""The formula of the outputs P for each loss; for the squared errors it is `a`."""
OUTPUT_TABLE = table("""
    softmax(a); a; sigmoid(a); z; softmax(softmax(a)); softmax(sigmoid(a)); sigmoid(sigmoid(a));
    sigmoid(softmax(a)); f(a); f(z); exp(a); exp(a - top(a)); softmax(-a); a/sum(a); tanh(a);
    log(softmax(a)); a == top(a); 0; 1; 1/softmax(a); softmax(a * top(a)); exp(a - top(a)) *
    sum(exp(a - top(a))); exp(a - top(a)) - sum(exp(a - top(a))); exp(a - top(a))/sum(a); softmax(b)
""")
TARGETS = table("""
    0; shifted(y, 1); shifted(y, -1); roll(y, 1, 0); roll(y, -1, 0); label(y); 1; 1 - y; y[::-1];
    -y; y/2; 2*y; a; b; z
""")
DERIVATIVES = table("""
    P - Y; 2*(P - Y); -Y/P; -Y/softmax(P); -Y/P + (1 - Y)/(1 - P); (P - Y)/P; Y * (P - 1); (1 - Y)
    * P; P; Y; P * Y; (P - Y)**2; abs(P - Y); sign(P - Y); log(P); 1; 1/(P - Y); sum(P - Y); (P -
    Y)/(P * (1 - P))
""")
FACTORS = table("""
    E * P; E * (1 - P); E * P * (1 - P); E / (P * (1 - P)); E / P; E * Y; E * (1 - P**2); P * (E -
    sum(P * E)); E - P * sum(E); softmax(a) * (E - sum(softmax(a) * E)); E - sum(log(P) * E); E +
    P; E + df(z); E / a; E / exp(a - top(a))
""")

WHOLE_OUTPUTS = table("softmax(z) - y; softmax(a) - y; sigmoid(z) - y")

COLUMNS = table("""
    V; below(d); below(d) * df(zm); below(d) * am * (1 - am); d * df(z); d / df(z); d * a; d * z;
    d**2; abs(d); f(d); a; z; 1; sum(d); sum(d)/len(d); o - y; softmax(o) - y; 2*(o - y); y
""")
ROWS = table("zm; x; 255*x; df(zm); f(am); 1; am**2; 1 - am; am * df(zm)")
BIASES = table("d * b; rows(dW); rows(dW)/width(dW); columns(dW); d + padded(db); 1/d; b + d")

FORWARD_SUMS = table("""
    W @ am; W @ am - b; W @ am + b[0]; (W @ am) * b; W @ (am + b); W.T @ am + b; -(W @ am) + b; -(W
    @ am + b); W @ am / len(am) + b; W @ x + b; b + 0 * (W @ am)
""")
FORWARD_INPUTS = table("-x; x/255; 255*x; x - mean(x); (x - mean(x))/std(x)")
FORWARD_ACTIVATIONS = table("""
    z; f(f(z)); where(z > 0, s*z, z); where(z > 0, s*z, 0); where(z > 0, z, -s*z); softmax(z);
    -f(z); f(-z); f(z)/2; 2*f(z); df(z); arctan(z); exp(z); normal(z); z * normal(-z); z +
    normal(z); z - normal(z); z/normal(z); z * df(z); z * sigmoid(z); f(z)*z; z * (1 +
    tanh((2/pi)**0.5 * (z + 0.044715 * z**3)))/2; s*z; z**2; 4*f(z); where(z > 1, z, s*z)
""")
FORWARD_ACTIVATIONS += [f"{name}(z)" for name in ACTIVATION_NAMES]
FORWARD_ACTIVATIONS += [f"where(z > 0, z, {k} * z)" for k in (0.01, 0.1, 0.2, 0.3)]

MIXED = {
    "with the sum of all y": "err(spread(y.sum(axis=1)))",
    "with the mean of all y": "err(spread(y.mean(axis=1)))",
    "with shapes (N, 1) and (N,), broadcast to (N, N)": "err(spread(y.mean(axis=1))) * y.shape[1]",
    "with a softmax over the examples": "softmax(a.T).T - y",
    "with exp / Σ over the whole batch": "exp(a)/exp(a).sum() - y",
    "with exp(a − max) / Σ over the whole batch": "exp(a - top(a))/exp(a - top(a)).sum() - y",
    "with exp(a − max) / Σ over the examples": (
        "exp(a - top(a))/spread(exp(a - top(a)).sum(axis=1)) - y"
    ),
    "of the first example for all": "spread(err(y)[:, :1])",
    "with the error of the first example for all": "spread(raw(y)[:, :1]) * slope",
    "averaged over the batch before it is backpropagated": "spread(err(y).mean(axis=1))",
}
"""Wrong formulas of δ^L that mix examples. err(y) is δ^L for targets y, raw(y) is err(y) without
f', and spread(v) repeats the column v for every example."""

SENTENCES = {
    "sign": "the sign is wrong; change it",
    "slope-missing": "f'(z) is missing; multiply by it",
    "slope-at-a": "the slope is f'(a); use f'(z)",
    "one-hot-missing": "the targets y are not subtracted; subtract them",
    "softmax-diagonal": "only the diagonal of the softmax's Jacobian is used; δ is p − y",
    "weights-not-transposed": "δ is multiplied by the weights; multiply by their transpose",
    "wrong-axis": "δ is summed over the units too; sum it over the examples only",
    "softmax-axis": "the softmax is taken over the examples; take it over the classes",
    "labels-shifted": "images have the labels of other images; use each image with its own label",
}  # fmt: skip
NAMES = {
    ("S", "E"): "slope-missing",
    ("S", "E * df(a)"): "slope-at-a",
    ("S", "E * df(df(z))"): "slope-at-a",
    ("S", "E * Y"): "softmax-diagonal",
    ("E", "Y * (P - 1)"): "softmax-diagonal",
    ("E", "through(D)"): "weights-not-transposed",
    ("E", "reshaped(D)"): "weights-not-transposed",
    ("Y", "0"): "one-hot-missing",
    ("B", "sum(d)"): "wrong-axis",
    ("B", "sum(d)/len(d)"): "wrong-axis",
}  # fmt: skip
"""Names of mistakes by letter and formula. `delta_lines` defines the letters; B is a bias line."""
NAMES |= {("Y", each): "labels-shifted" for each in TARGETS if each[:5] in ("shift", "roll(")}
