"""The committed reports are those that the committed numbers make."""

import json

import pytest

from experiments import biases_report, compare_report, results


@pytest.mark.parametrize(
    ("name", "report"),
    [("biases", biases_report.report), ("base_compare", compare_report.report)],
)
def test_a_published_report_is_drawn_from_the_published_numbers(name, report):
    numbers = json.loads((results.PUBLISHED / f"{name}.json").read_text())
    assert (results.PUBLISHED / f"{name}.md").read_text() == report(numbers)
    assert len(list(results.PUBLISHED.glob(f"{name}_*.png"))) == 3
