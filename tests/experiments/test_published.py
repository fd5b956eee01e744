"""The committed reports are those that the committed numbers give."""

import json

import pytest

from experiments import biases, compare
from experiments.common import record


@pytest.mark.parametrize(
    ("name", "report"),
    [("biases", biases.report.report), ("base_compare", compare.report.report)],
)
def test_a_published_report_is_drawn_from_the_published_numbers(name, report):
    numbers = json.loads((record.PUBLISHED / f"{name}.json").read_text())
    assert (record.PUBLISHED / f"{name}.md").read_text() == report(numbers)
    assert len(list(record.PUBLISHED.glob(f"{name}_*.png"))) == 3
