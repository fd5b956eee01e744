"""Medians, means and proportions of a sample, with 95 % confidence intervals."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import stats

CONFIDENCE = 0.95
Sample = Float[np.ndarray, " sample"]


def finite(value: Any) -> float | None:
    """The number, rounded to six significant digits, or None if it is not finite."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def quantile(sample: Sample, q: float) -> float | None:
    """The smallest value v in the sample such that a share of at least `q` of the sample is ≤ v."""
    return finite(np.quantile(sample, q, method="inverted_cdf"))


def median(sample: Sample) -> dict[str, Any]:
    """The median and its confidence interval, whose ends are two values of the sample.

    The number of values below the true median is binomial with probability 1/2.
    """
    ordered, n = np.sort(sample), len(sample)
    below = int(stats.binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    return {
        "median": quantile(sample, 0.5),
        "interval": [finite(ordered[max(below - 1, 0)]), finite(ordered[min(n - below, n - 1)])],
    }


def share(count: int, n: int) -> dict[str, Any]:
    """The count, the total, and Wilson's interval for the proportion."""
    interval = stats.binomtest(count, n).proportion_ci(CONFIDENCE, method="wilson")
    return {"count": count, "of": n, "interval": [finite(interval.low), finite(interval.high)]}


def mean(sample: Sample) -> dict[str, Any]:
    """The mean and the standard deviation of a sample, and Student's interval for the mean."""
    n, centre = len(sample), float(np.mean(sample))
    spread = float(np.std(sample, ddof=1)) if n > 1 else 0.0
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * spread / n**0.5 if n > 1 else 0.0
    return {
        "mean": finite(centre),
        "standard_deviation": finite(spread),
        "interval": [finite(centre - reach), finite(centre + reach)],
    }
