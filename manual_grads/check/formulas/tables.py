"""The formulas that can stand in each place of a line; the first of a place is added by its line.

z, a, b are those of the layer, m marks the layer below and n the layer above, z_2 and a_2 are those
of layer 2. D is δ of the layer above, V = Wᵀ D, d the layer's own δ, G the user's (∂C/∂W)ᵀ D of the
layer above. f and df are the activation and its slope, o the outputs, `back(v)` is Wᵀ v with the
weights of the layer above, and `T_2(v)` is W²ᵀ v. dW and db are the user's weight derivative of the
layer and bias derivative of the layer above. What the other names mean stands in `namespace`.
"""

from manual_grads.architecture import ACTIVATION_NAMES


def table(text: str) -> list[str]:
    """The formulas of a table, which are separated by semicolons."""
    return [" ".join(each.split()) for each in text.split(";")]


OF_ACTIVATIONS = [
    formula.format(name)
    for name in ACTIVATION_NAMES
    for formula in ("d{}(z)", "d{}(a)", "{}(z)", "{}(a)")
]
SLOPES = table("""
    df(z); df(z)**2; df(a); df(df(z)); 1/df(z); a; 1 - a; 1 + a; a * (1 - a); a * (1 + a); 1 -
    a**2; 1 + a**2; -a**2; (1 - a)**2; a**2; z; 1 - z; z * (1 - z); 1 - z**2; 1 + z**2; z**2; a *
    (1 - z); z * (1 - a); 1 - df(z); 1/df(a); exp(-z); 1 - sigmoid(z); z > 0; z <= 0; a > 0; 1 -
    sum(a**2); 1 - a**3; 1 - a**4; 1 - 1/a**2; 1 - 2**a; normal(z); normal(-z); density(z); z *
    density(z); a/z; 1 - b**2; df(b); z > 1; df(-z); df(2*z); df(z)**3; sqrt(df(z)); abs(a); f(-z)
""")
SLOPES += OF_ACTIVATIONS
OF_OTHER_LAYERS = table("df(z_{k}); df(a_{k}); df(z) * df(z_{k}); z_{k}; a_{k}; z_{k} > 0")

ERRORS = table("2*(o - y); o - y; softmax(o) - y; sigmoid(o) - y; y; softmax(o); exp(o); "
               "exp(o - top(o)); o; (o - y)**2; abs(o - y)")  # fmt: skip
OPERANDS = table("""
    through(D); reshaped(D); D; 1; sum(D); sum(V)/len(V); back(1 + 0*D); through(1 + 0*D);
    partial(D); back(first(D)); back(last(D)); G; V - 0.1*G; V - 0.01*G; V - 0.5*G; V - G;
    back(max(D, 0)); back(abs(D)); back(f(D)); back(df(D)); back(D * df(D)); back(D**2);
    back(sign(D)); back(D > 0); back(D * df(zn)); back(D / df(zn)); back(D * an); back(an);
    back(zn); back(bn + 0*D); max(V, 0); abs(V); f(V); df(V); dsigmoid(V); sigmoid(1 - sigmoid(V));
    V * df(V); V * (V > 0); V * (1 - V); V**2; sign(V); V + a; V * a; V * z; a; z; b; V + D; V - D;
    V + 1; V * sum(a); V/len(V); V * len(D); V * (V < 0); min(V, 0); 1/V; back(1/D)
""")
OPERANDS += ["raw", "back(raw)", *ERRORS]
ADDED = table("""
    V; D; a; z; 1; df(z); V * a; V * z; V * a**2; V * normal(z); V * z * density(z); V *
    density(z); G; G * df(z)
""")
"""What can be added to V df(z), or to V; each with a coefficient."""

OUTPUTS = {"cross_entropy": "softmax(a)", "binary_cross_entropy": "sigmoid(a)"}
"""The outputs P of a loss; those of a squared error are a."""
OUTPUT_TABLE = table("""
    softmax(a); a; sigmoid(a); z; softmax(softmax(a)); softmax(sigmoid(a)); sigmoid(sigmoid(a));
    sigmoid(softmax(a)); f(a); f(z); softmax(z); exp(a); exp(a - top(a)); softmax(-a);
    softmax(abs(a)); a/sum(a); tanh(a); max(a, 0); log(softmax(a)); a == top(a); round(a); 0; 1;
    tanh(a - top(a)); a - top(a); sum(exp(a - top(a))); exp(a - top(a)) * sum(exp(a - top(a)));
    exp(a - top(a)) - sum(exp(a - top(a))); 1/softmax(a); 1/sum(exp(a - top(a))); a/sum(exp(a -
    top(a))); a/sum(exp(a)); exp(a - top(a))/sum(a); exp(a * top(a)); softmax(a * top(a));
    exp(a)/sqrt(sum(exp(a)**2)); b; softmax((z - b) * b); (z - b) * b; softmax(b); softmax(z - b);
    z - b; softmax(z - 2*b); exp(a)/sum(exp(abs(a)))
""")
TARGETS = table("""
    0; shifted(y, 1); shifted(y, -1); roll(y, 1, 0); roll(y, -1, 0); label(y); label(y) + 1; 1; 1 -
    y; y[::-1]; y == top(y); 2*y - 1; y**2; -y; f(y); softmax(y); 0.9*y + 0.1/len(y); 0.95*y +
    0.05/len(y); 0.99*y + 0.01/len(y); 0.8*y + 0.2/len(y); z; exp(a - top(a)); b; y/2; 2*y; a
""")
DERIVATIVES = table("""
    P - Y; 2*(P - Y); -Y/P; -Y/softmax(P); -Y/P + (1 - Y)/(1 - P); (1 - Y)/(1 - P); Y/P + (1 -
    Y)/(1 - P); (P - Y)/P; Y * (P - 1); (1 - Y) * P; P; Y; P * Y; (P - Y)**2; P**2 - Y; (P - Y)**3;
    abs(P - Y); sign(P - Y); Y * log(P); log(P); 1/P; 1; 1/(P - Y); sum(P - Y); sum((P - Y)**2);
    max(P - Y, 0); (P - Y)/sqrt(sum((P - Y)**2)); Y * log(P) + (1 - Y) * log(1 - P); P/Y; P + Y**2;
    P - Y + 1; (P - Y)/(P * (1 - P))
""")
FACTORS = table("""
    E * P; E * (1 - P); E * P * (1 - P); E * (P * (1 - P))**2; E * P**2 * (1 - P); E / (P * (1 -
    P)); E / P; E / (1 - P); E * Y; E * (1 - Y); E * (1 - P**2); P * (E - sum(P * E)); E - sum(P *
    E); E - P * sum(E); P * (E - sum(E)); E * P - sum(P * E); P * E - P * sum(E * z); P * E - P * z
    * sum(E); softmax(a) * (E - sum(softmax(a) * E)); P * (E + sum(P * E)); -P * sum(P * E); E * P
    * (1 - P) * Y - P * sum(P * E * Y) * (1 - Y); E + P; E - log(P) * sum(E); E - sum(log(P) * E);
    log(P) * (E - sum(E * log(P))); E / a; E / exp(a - top(a)); E / b; E + df(z); E - df(z)
""")

WHOLE_OUTPUTS = table("softmax(z) - y; softmax(a) - y; sigmoid(z) - y")

COLUMNS = table("""
    V; below(d); below(d) * df(zm); below(d) * am * (1 - am); below(d) * (1 - am**2); d * df(z); d
    / df(z); d * a; d * z; d * (1 - a); d**2; abs(d); f(d); df(d); max(d, 0); sign(d); d > 0; a; z;
    df(z); 1; sum(d); sum(d)/len(d); o - y; softmax(o) - y; 2*(o - y); y; d + 1
""")
ROWS = table("""
    zm; x; 255*x; df(zm); f(am); 1; am**2; 1 - am; am > 0; abs(am); am * df(zm); y; am + 1; max(am,
    0); sigmoid(am)
""")
BIASES = table("""
    d * b; d * b * df(z); d[0]; d[-1]; rows(W); columns(W); rows(dW); rows(dW)/width(dW);
    columns(dW); all(dW); column(dW, 0); column(dW, -1); d + padded(db); b + d; 1/d
""")

FORWARD_SUMS = table("""
    W @ am; W @ am - b; W @ am + 2*b; W @ am + b[0]; (W @ am) * b; W @ (am + b); W.T @ am + b; -(W
    @ am) + b; -(W @ am + b); W @ am / len(am) + b; W @ x + b; W @ am + 1; b + 0 * (W @ am); W @ am
    + 0.1 * b; W @ zm + b; 2 * (W @ am) + b; W.T @ am; W @ am**2 + b; max(W, 0) @ am + b
""")
FORWARD_INPUTS = table("""
    -x; x/255; 255*x; 2*x; x/2; x - mean(x); (x - mean(x))/std(x); x/std(x); x/norm(x); abs(x);
    f(x); (x + 1)/2; x > 0; x/max(x.max(), 1e-9)
""")
FORWARD_ACTIVATIONS = table("""
    z; f(f(z)); where(z > 0, s*z, z); where(z > 0, s*z, 0); softmax(z); 2*sigmoid(z) - 1; -f(z);
    f(-z); f(z)/2; 2*f(z); 4*f(z); f(z)/4; 3*f(z); f(z)/1.5; df(z); abs(z); z**2; arctan(z);
    exp(z); normal(z); z * normal(-z); z + normal(z); z - normal(z); z * normal(2**0.5*z); z *
    normal(z/2**0.5); z/normal(z); z * df(z); z * sigmoid(z); min(z, 0); max(z, 1); z > 0; f(z) +
    1; f(z) - 1; f(z) + am; f(2*z); f(z)*z; z * (1 + tanh((2/pi)**0.5 * (z + 0.044715 * z**3)))/2;
    1/(1 + z); 1 + exp(-z); 1/(2 + exp(-z)); 1/(1 - exp(-z)); where(z > 0, z, -s*z); where(z > 0,
    -z, s*z); where(z > 0, z, s); where(z > 0, z, s + z); where(z > 1, z, s*z); where(z > 0, z, s -
    z); s*z; f(z)*am
""")
FORWARD_ACTIVATIONS += [f"{name}(z)" for name in ACTIVATION_NAMES]
FORWARD_ACTIVATIONS += [
    f"where(z > 0, z, {k} * z)" for k in (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5)
]

MIXED = {
    "with every label of the batch": "err(spread(y.max(axis=1)))",
    "with the sum of all y": "err(spread(y.sum(axis=1)))",
    "with the mean of all y": "err(spread(y.mean(axis=1)))",
    "with arrays (N, 1) and (N,), which give (N, N)": "err(spread(y.mean(axis=1))) * y.shape[1]",
    "with a softmax over the examples": "softmax(a.T).T - y",
    "with exp / Σ over the whole batch": "exp(a)/exp(a).sum() - y",
    "with exp(a − max) / Σ over the whole batch": "exp(a - top(a))/exp(a - top(a)).sum() - y",
    "with exp(a − max) / Σ over the examples": (
        "exp(a - top(a))/spread(exp(a - top(a)).sum(axis=1)) - y"
    ),
    "of the first example for all": "spread(err(y)[:, :1])",
    "of the last example for all": "spread(err(y)[:, -1:])",
    "with the error of the first example for all": "spread(raw(y)[:, :1]) * slope",
    "with the error of the last example for all": "spread(raw(y)[:, -1:]) * slope",
    "averaged over the batch before it goes back": "spread(err(y).mean(axis=1))",
}
"""δ^L of a whole batch in which examples are mixed: err is δ^L and raw the error, of targets."""

SENTENCES = {
    "sign": "the sign is wrong; change it",
    "slope-missing": "f'(z) is missing; multiply by it",
    "slope-at-a": "the slope is f'(a); use f'(z)",
    "one-hot-missing": "the targets y are not subtracted; subtract them",
    "softmax-diagonal": "only the diagonal of the softmax's Jacobian is used; δ is p − y",
    "weights-not-transposed": "δ is multiplied by the weights; multiply by their transpose",
    "wrong-axis": "δ is summed over the units too; sum it over the examples only",
    "softmax-axis": "the softmax is taken over the examples; take it over the classes of each",
    "labels-shifted": "images have the labels of others; use each image with its own label",
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
"""The names of formulas by their places, whose letters are those of `delta_lines`; B is a bias."""
NAMES |= {("Y", each): "labels-shifted" for each in TARGETS if each[:5] in ("shift", "roll(")}
