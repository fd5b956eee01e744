"""The verdict of the check on one case, and on its corrected program."""

import json
import re
import tempfile
import traceback
from pathlib import Path
from typing import Any

from manual_grads.check import __main__ as check
from manual_grads.check import child
from manual_grads.cli import InputError, options

WITHOUT_A_NAME = {"formula", "forward", "small-constant", "softmax-axis", "broadcast", "stale"}
WITHOUT_A_NAME |= {"not-repeating"}
"""The answers of the check where no mistake of its catalogue fits."""


def corrected(source: str) -> str:
    """The program with each `# right:` statement in place of its line."""
    lines = []
    for line in source.splitlines():
        _, mark, right = line.partition("# right:")
        if mark:
            indent = " " * (len(line) - len(line.lstrip()))
            lines.append(f"{indent}{right.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def settings(source: str) -> dict[str, Any]:
    """The FLAGS, LINES and NAMES of a case."""
    found: dict[str, Any] = {}
    exec(source.split("\ndef ")[0].split("\nclass ")[0], found)  # noqa: S102 - our own file
    return {name: found[name] for name in ("FLAGS", "LINES", "NAMES")}


def answer(source: str, flags: str, folder: Path) -> dict[str, Any]:
    """The report of the check as a dict; `refused` is the message if it was refused."""
    file = folder / "case.py"
    file.write_text(source)
    words: list[str] = []
    chosen = options.parse(check.Options, [f"{file}:gradient", *flags.split()], words)
    try:
        return json.loads(child.reply(words[0], chosen, folder)["json"])
    except InputError as error:
        return {"refused": str(error)}
    except Exception as error:  # a mistake of the check itself
        return {"refused": "".join(traceback.format_exception(error)), "agrees": False}


def place(where: str) -> str:
    """The place of a cause as the cases write it, such as `bias 1`."""
    if match := re.fullmatch(r"(\d+)/(\w+)", where):
        return f"{match[2]} {match[1]}"
    return {"every leaf": "batch", "forward 0": "input"}.get(where, where)


def judged(report: dict[str, Any], lines: list[str], names: list[str]) -> str:
    """The verdict on a wrong program's report.

    A result of wrong structure is explained by the error message that refuses it.
    """
    if "refused" in report:
        return "explained" if any("structure" in line for line in lines) else "refused"
    if report["agrees"]:
        return "not detected"
    causes: dict[Any, list[dict]] = {}
    for one in report["diagnoses"]:
        causes.setdefault(one["tie"], []).append(one)
    if any(one["mistake"] == "unknown" for cause in causes.values() for one in cause):
        return "unknown"
    output = f"forward {max(int(one['leaf'].split('/')[0]) for one in report['leaves'])}"
    right = [_is_right(cause, lines, names, output) for cause in causes.values()]
    return "explained" if any(right) else "wrong cause"


def _is_right(cause: list[dict], lines: list[str], names: list[str], output: str) -> bool:
    found = {place(where) for one in cause for where in one["where"].split(", ")}
    allowed = [set(line.split(" | ")) for line in lines]
    for places in allowed:  # a wrong output shows only in δ^L
        places |= {where.replace("forward", "delta") for where in places if output in where}
    whole = {"batch", "state"}
    if any(places & whole for places in allowed) and found <= whole:
        return True
    named = all(
        one["mistake"] in names or one["mistake"] in WITHOUT_A_NAME or not names for one in cause
    )
    everywhere = set().union(*allowed)
    return named and found <= everywhere and all(places & found for places in allowed)


def tried(path: Path) -> dict[str, Any]:
    """The result of one case: of the wrong program, and of the corrected one."""
    source = path.read_text()
    case = settings(source)
    with tempfile.TemporaryDirectory() as folder:
        report = answer(source, case["FLAGS"], Path(folder))
        right = answer(corrected(source), case["FLAGS"], Path(folder))
    return {
        "verdict": judged(report, case["LINES"], case["NAMES"]),
        "false_alarm": not right.get("agrees", False),
        "lines": case["LINES"],
        "names": case["NAMES"],
        "causes": report.get("diagnoses", report.get("refused")),
    }
