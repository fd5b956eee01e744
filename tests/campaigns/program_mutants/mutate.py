"""Yields every program that differs from a given program by one edit, each with a description.

The edits, which are made only inside functions:

    operators     another operator, operands exchanged or left out, a minus added or removed
    names         another name of the same function, whether it is read or assigned
    places        another attribute, key, index or einsum string that occurs in the program
    numbers       plus one, times two, zero, the other sign; also for counts, such as len(x)
    calls         replaced by its first argument or object; another function; no keyword
    statements    left out; += replaced by = or -=

To change `axis=0` to `axis=1`, or the reverse, is an edit of a number. If several edits lead to
the same program, it is yielded once. A mutant has the line numbers of the original.
"""

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from tests.campaigns.program_mutants.edits import (
    SIGNS,
    Words,
    edits,
    others,
    replaced,
    sign_of,
    words_of,
)


def mutants(source: str) -> Iterator[tuple[str, str]]:
    r"""The description of each mutant in three lines (edit, line before, line after); its source.

    >>> print(next(mutants("def f(a):\n    return a @ a"))[0])
    line 2: left out
    return a @ a
    pass
    """
    tree = ast.parse(source)
    words, seen = words_of(tree), {ast.dump(tree)}
    for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
        names = _names(function)
        inside = [node for line in function.body for node in ast.walk(line)]
        for line in [node for node in inside if isinstance(node, ast.stmt)]:
            before = _written(line)
            for edit, after, end in _edited(line, names, words):
                mutant = _spliced(source, line.lineno, end, after)
                structure = ast.dump(ast.parse(mutant))
                if structure not in seen:
                    seen.add(structure)
                    yield f"line {line.lineno}: {edit}\n{before}\n{after}", mutant


def _edited(line: ast.stmt, names: Sequence[str], words: Words) -> Iterator[tuple[str, str, int]]:
    """The edits of a statement: description, new line, and number of the last replaced line."""
    whole = line.end_lineno or line.lineno
    yield "left out", "pass", whole
    if isinstance(line, ast.AugAssign):
        sign, target, value = sign_of(line.op), ast.unparse(line.target), ast.unparse(line.value)
        yield f"{sign}= to =", f"{target} = {value}", whole
        for other in others(line.op):
            changed = replaced(line, op=SIGNS[other])
            yield f"{sign}= to {other}=", ast.unparse(changed), whole
    body = getattr(line, "body", None)
    end = body[0].lineno - 1 if body else whole
    for parent, field, at in _fields(line):
        held = getattr(parent, field)
        node = held if at is None else held[at]
        for edit, other in edits(node, parent, field, names, words):
            setattr(parent, field, other if at is None else [*held[:at], other, *held[at + 1 :]])
            after = _written(line)
            setattr(parent, field, held)
            yield edit, after, end


def _fields(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None]]:
    """The place of each expression in a statement: parent, field, and the index in a list."""
    for field, value in ast.iter_fields(node):
        for at, child in enumerate(value) if isinstance(value, list) else ((None, value),):
            if isinstance(child, ast.AST) and not isinstance(child, ast.stmt):
                yield node, field, at
                yield from _fields(child)


def _names(function: ast.FunctionDef) -> list[str]:
    """The arguments and the assigned names of a function, without `self`."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    stored = {node.id for node in found if isinstance(node.ctx, ast.Store)}
    return sorted(stored | {each.arg for each in function.args.args} - {"self"})


def _written(line: ast.stmt) -> str:
    """The statement in one line; of a loop or a condition, the first line."""
    empty: dict[str, Any] = {"body": [ast.Pass()], "orelse": []} if hasattr(line, "body") else {}
    return ast.unparse(ast.fix_missing_locations(replaced(line, **empty))).splitlines()[0]


def _spliced(source: str, first: int, last: int, text: str) -> str:
    """The source with `text` in place of some lines; blank lines keep the number of lines."""
    lines = source.splitlines()
    indent = " " * (len(lines[first - 1]) - len(lines[first - 1].lstrip()))
    lines[first - 1 : last] = [indent + text, *[""] * (last - first)]
    return "\n".join(lines) + "\n"
