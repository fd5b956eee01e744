"""Confidence intervals contain the true value with the stated probability."""

import numpy as np
import pytest

from experiments.common import intervals


def covered(of, draw, truth, times=1000):
    """The share of random samples whose interval contains the true value."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(times):
        low, high = of(draw(random))["interval"]
        held += low <= truth <= high
    return held / times


def test_the_interval_of_a_median_holds_it_in_at_least_95_percent():
    assert 0.95 <= covered(intervals.median, lambda r: r.exponential(size=41), np.log(2)) <= 0.98


def test_the_interval_of_a_mean_holds_it_in_95_percent():
    seen = covered(intervals.mean, lambda r: r.normal(3, 2, size=10), 3.0)
    assert seen == pytest.approx(0.95, abs=0.02)


def test_the_interval_of_a_share_holds_it_in_95_percent():
    seen = covered(lambda n: intervals.share(int(n), 200), lambda r: r.binomial(200, 0.1), 0.1)
    assert seen == pytest.approx(0.95, abs=0.02)


def test_what_is_not_finite_is_none_and_counts_as_largest():
    sample = np.array([1.0, np.inf, 2.0, np.inf, np.inf])
    assert intervals.quantile(sample, 0.4) == 2.0
    assert intervals.median(sample)["median"] is None
    assert intervals.finite(np.nan) is None
    assert intervals.finite(1.23456789) == 1.23457
