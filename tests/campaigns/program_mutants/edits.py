"""Yields the edits of one node of a Python program: a description and the new node."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Edits = Iterator[tuple[str, Any]]
"""What an edit does, and the node that takes the place of the edited one."""

SIGNS: dict[str, Any] = {
    "+": ast.Add(),
    "-": ast.Sub(),
    "*": ast.Mult(),
    "/": ast.Div(),
    "@": ast.MatMult(),
    "**": ast.Pow(),
    ">": ast.Gt(),
    ">=": ast.GtE(),
    "<": ast.Lt(),
    "<=": ast.LtE(),
    "==": ast.Eq(),
    "!=": ast.NotEq(),
}
OTHERS = {
    "+": "- *",
    "-": "+ *",
    "*": "+ - / @",
    "/": "* -",
    "@": "* +",
    "**": "* +",
    ">": ">= < <= ==",
    ">=": "> < <= ==",
    "<": "<= > >= ==",
    "<=": "< > >= ==",
    "==": "!= < >",
}
"""The operators that are written instead of each operator."""

FUNCTIONS = {
    "tanh": "exp arctan",
    "exp": "tanh log",
    "maximum": "minimum",
    "minimum": "maximum",
    "sum": "mean max",
    "mean": "sum",
    "max": "min mean",
    "zeros_like": "ones_like",
    "matmul": "multiply",
    "dot": "multiply",
}
"""The functions that are called instead of each function."""

COUNT = re.compile(r"len\(\w+\)|\w+\.shape\[\d\]")
"""A number of examples or units."""


class Words(NamedTuple):
    """The names, keys and texts of a program that edits write in other places of it."""

    attributes: list[str]
    places: list[int | str]  # constant indices and keys
    einsums: list[str]
    defined: list[list[str]]  # functions, classes and methods
    counts: set[str]  # variables that are a number of examples or units


def words_of(tree: ast.Module) -> Words:
    """Collects the `Words` of the program."""
    nodes = list(ast.walk(tree))
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    own = [n for n in nodes if isinstance(n, ast.Attribute) and ast.unparse(n.value) != "np"]
    places = [place(node.slice) for node in nodes if isinstance(node, ast.Subscript)]
    for node in nodes:
        places += [place(key) for key in getattr(node, "keys", ())]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant)]
    assigned = [node for node in nodes if isinstance(node, ast.Assign)]
    return Words(
        sorted({node.attr for node in own if node not in called}),
        sorted({each for each in places if each is not None}, key=repr),
        sorted({each for each in texts if isinstance(each, str) and "->" in each}),
        [_functions(tree.body), [c.name for c in classes], _functions(_bodies(classes))],
        {ast.unparse(n.targets[0]) for n in assigned if COUNT.fullmatch(ast.unparse(n.value))},
    )


def _functions(body: Sequence[ast.AST]) -> list[str]:
    named = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    return sorted(named - {"gradient", "__init__"})


def _bodies(classes: Sequence[ast.ClassDef]) -> list[ast.AST]:
    return [node for each in classes for node in each.body]


def place(node: ast.AST | None) -> int | str | None:
    """A constant key, or a constant index, which may be negative; else None."""
    match node:
        case ast.Constant(str() | int() as value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int(value))):
            return -value
    return None


def edits(node: ast.AST, parent: ast.AST, field: str, names: Sequence[str], words: Words) -> Edits:
    """The edits of a node in this field of its parent; a name can become another of `names`."""
    line = field == "value" and isinstance(parent, ast.Assign | ast.AugAssign | ast.Return)
    numeric = ast.BinOp | ast.Name | ast.Call | ast.Subscript | ast.Attribute
    if isinstance(node, numeric) and (line or field in ("args", "values")):
        yield "a minus added", _negative(node)
    text = ast.unparse(node)
    if COUNT.fullmatch(text) or (text in words.counts and field != "targets"):
        yield from _counts(node)
    match node:
        case ast.BinOp():
            yield from _binary(node)
        case ast.UnaryOp(ast.USub(), operand):
            yield "minus removed", operand
        case ast.Compare(_, [op], _):
            for sign in others(op):
                yield f"{sign_of(op)} to {sign}", replaced(node, ops=[SIGNS[sign]])
        case ast.Name(name) if name in names:
            yield from ((f"{name} to {other}", replaced(node, id=other)) for other in names)
        case ast.Attribute(value, name) if name in words.attributes and field != "func":
            if isinstance(node.ctx, ast.Load):
                yield f".{name} left out", value
            for other in words.attributes:
                yield f".{name} to .{other}", replaced(node, attr=other)
        case ast.Constant(value):
            yield from _constant(value, words)
        case ast.Subscript():
            yield from _subscript(node, words)
        case ast.Dict(keys):
            for at, key in enumerate(keys):
                for other in _alike(place(key), words.places):
                    changed = [*keys[:at], ast.Constant(other), *keys[at + 1 :]]
                    yield f"key {place(key)!r} to {other!r}", replaced(node, keys=changed)
        case ast.Call():
            yield from _call(node, words)


def _binary(node: ast.BinOp) -> Edits:
    left, right = node.left, node.right
    for sign in others(node.op):
        yield f"{sign_of(node.op)} to {sign}", replaced(node, op=SIGNS[sign])
    yield "operands exchanged", replaced(node, left=right, right=left)
    yield "right operand left out", left
    yield "left operand left out", right
    if isinstance(node.op, ast.MatMult):
        for side in ("left", "right"):
            transposed = ast.Attribute(getattr(node, side), "T", ast.Load())
            yield f"{side} operand transposed", replaced(node, **{side: transposed})


def _constant(value: Any, words: Words) -> Edits:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for number in (value + 1, value * 2, value * 0):
            yield f"{value} to {number}", ast.Constant(number)
        yield f"{value} to -{value}", _negative(ast.Constant(value))
    elif value in words.einsums:
        operands, result = value.split("->")
        parts = operands.split(",")
        turned = [[*parts[:at], p[::-1], *parts[at + 1 :]] for at, p in enumerate(parts)]
        changed = [f"{','.join(each)}->{result}" for each in turned]
        for other in (*words.einsums, *changed, f"{operands}->{result[::-1]}"):
            yield f"{value!r} to {other!r}", ast.Constant(other)


def _subscript(node: ast.Subscript, words: Words) -> Edits:
    if isinstance(node.slice, ast.Slice) and isinstance(node.ctx, ast.Load):
        yield "slice left out", node.value
    here = place(node.slice)
    for other in _alike(here, words.places):
        written = ast.parse(repr(other), mode="eval").body
        yield f"[{here!r}] to [{other!r}]", replaced(node, slice=written)


def _call(node: ast.Call, words: Words) -> Edits:
    called = ast.unparse(node.func)
    name = called.rpartition(".")[2]
    if node.args:
        yield f"{called}(x) to x", node.args[0]
    if isinstance(node.func, ast.Attribute) and not called.startswith("np."):
        yield f"x.{name}() to x", node.func.value
    field = "attr" if isinstance(node.func, ast.Attribute) else "id"
    alike = [each for kind in words.defined if name in kind for each in kind]
    for other in (*FUNCTIONS.get(name, "").split(), *alike):
        function = replaced(node.func, **{field: other})
        yield f"{name}() to {other}()", replaced(node, func=function)
    for keyword in node.keywords:
        rest = [each for each in node.keywords if each is not keyword]
        yield f"{ast.unparse(keyword)} left out", replaced(node, keywords=rest)


def _counts(node: Any) -> Edits:
    text = ast.unparse(node)
    yield f"{text} plus one", ast.BinOp(node, ast.Add(), ast.Constant(1))
    yield f"{text} times two", ast.BinOp(node, ast.Mult(), ast.Constant(2))
    yield f"{text} to 0", ast.Constant(0)
    yield f"{text} to -{text}", _negative(node)


def _negative(node: Any) -> ast.UnaryOp:
    return ast.UnaryOp(ast.USub(), node)


def _alike(here: int | str | None, places: Sequence[int | str]) -> list[int | str]:
    """The other keys, if this is a key; the other indices, if it is an index."""
    return [each for each in places if type(each) is type(here) and each != here]


def sign_of(operator: ast.AST) -> str:
    """The symbol of the operator."""
    return next(sign for sign, each in SIGNS.items() if type(each) is type(operator))


def others(operator: ast.AST) -> list[str]:
    """The symbols that replace this operator."""
    return OTHERS[sign_of(operator)].split()


def replaced(node: ast.AST, **fields: Any) -> Any:
    """A copy of the node, with other values in these fields."""
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})
