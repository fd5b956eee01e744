"""Loads a program, finds mutants that change its gradient, and gives them to the check."""

import copy
import json
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import manual_grads.check.__main__ as check
from manual_grads.check import check_gradient, draw, network_loss
from manual_grads.cli import options

PROGRAMS = Path(__file__).parent / "programs"
SIZES, SEEDS = (7, 5, 1), (1, 2, 3)
SAME = 1e-12
Inputs = tuple[list, np.ndarray, np.ndarray]


def loaded(source: str, name: str) -> dict[str, Any]:
    """The names that a program defines, with their values."""
    defined: dict[str, Any] = {}
    exec(compile(source, f"{name}.py", "exec"), defined)  # noqa: S102 - a mutant of programs/
    return defined


class Bench:
    """One program, its network and batches, and its right gradient."""

    def __init__(self, name: str):
        self.name = name
        right = loaded((PROGRAMS / f"{name}.py").read_text(), name)
        chosen = options.parse(check.Options, right["FLAGS"].split(), [])
        self.network, self.right = chosen.network, right["gradient"]
        self.checked = draw(self.network, chosen.batch_size, chosen.seed)
        assert self._report(self.right).agrees, f"{name} is wrong"  # this also compiles the loss

    def survey(self, source: str) -> dict[str, Any]:
        """Whether a mutant is refused, changes the gradient, or has the same gradient.

        It is refused if it fails on a batch of the check. Each batch is given to it twice.
        """
        try:
            gradient = loaded(source, self.name)["gradient"]
        except BaseException as error:
            return _refused(f"{type(error).__name__}: {error}")
        changed = False
        for of_the_check, inputs, right in self._answers:
            if changed and not of_the_check:
                break
            for _ in range(2):
                problem, given = _answer(gradient, inputs)
                if problem and of_the_check:
                    return _refused(problem)
                changed |= bool(problem) or _differs(given, right)
        return {"verdict": "changes the gradient" if changed else "same gradient"}

    def judge(self, source: str) -> dict[str, Any]:
        """The verdict of the check on a mutant, its causes, and the seconds."""
        started = time.perf_counter()
        try:
            report = self._report(loaded(source, self.name)["gradient"])
        except BaseException as error:
            return _refused(f"in the check: {type(error).__name__}: {error}")
        found = json.loads(report.to_json())["diagnoses"]
        unknown = not found or any(each["mistake"] == "unknown" for each in found)
        causes: dict[int | None, list[dict[str, Any]]] = {}
        for each in found:
            causes.setdefault(each.pop("tie"), []).append(each)
        verdict = "unknown" if unknown else "explained"
        return {
            "verdict": "not detected" if report.agrees else verdict,
            "causes": list(causes.values()),
            "seconds": time.perf_counter() - started,
        }

    def _report(self, gradient: Callable[..., Any]) -> Any:
        loss = network_loss(self.network)
        return check_gradient(gradient, loss, *self.checked, network=self.network)

    @cached_property
    def _answers(self) -> list[tuple[bool, Inputs, list]]:
        """For each batch: whether the check uses it, its inputs, and the right gradient."""
        answers = []
        for of_the_check, inputs in self._inputs():
            problem, right = _answer(self.right, inputs)
            assert not problem, problem
            answers.append((of_the_check, inputs, right))
        return answers

    def _inputs(self) -> Iterator[tuple[bool, Inputs]]:
        params, (images, labels) = self.checked
        size = len(images)
        for rows in (slice(size), slice(size - 2), *(slice(n, n + 1) for n in range(size))):
            yield True, (params, images[rows], labels[rows])
        for seed in SEEDS:
            for size in SIZES:
                params, batch = draw(self.network, size, seed)
                yield False, (params, *batch)


def _answer(gradient: Callable[..., Any], inputs: Inputs) -> tuple[str, list]:
    """The mistake in the form of the returned gradient, or "" if none, and the gradient."""
    params = inputs[0]
    try:
        given = gradient(*copy.deepcopy(inputs))
        if type(given) is not list or [type(layer) for layer in given] != [dict] * len(params):
            return "not a list of dicts, one per layer", []
        if [layer.keys() for layer in given] != [layer.keys() for layer in params]:
            return "other keys", []
        given = [{key: np.asarray(layer[key]) for key in layer} for layer in given]
    except BaseException as error:
        return f"{type(error).__name__}: {error}", []
    for layer, like in zip(given, params, strict=True):
        for key, value in layer.items():
            if value.shape != like[key].shape or value.dtype not in (np.float32, np.float64):
                found = f"{key} is {value.dtype}{[*value.shape]}, not {[*like[key].shape]}"
                return f"another shape or type: {found}", []
            if not np.all(np.isfinite(value)):
                return f"infinity or NaN: {key}", []
    return "", given


def _differs(given: list, right: list) -> bool:
    return any(
        np.max(np.abs(layer[key] - there[key])) > SAME * max(1, np.max(np.abs(there[key])))
        for layer, there in zip(given, right, strict=True)
        for key in there
    )


def _refused(error: str) -> dict[str, Any]:
    return {"verdict": "refused", "error": error[:200]}
