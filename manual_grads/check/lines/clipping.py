"""Derivatives that are clipped on their way back, each or by their norm."""

from typing import Any

import numpy as np

from manual_grads.check.formulas import Array, Formula, Scene, rounded, share_of


def clipped(
    s: Scene, layer: int, seen: Array, names: dict[str, Any], tolerance: float
) -> Formula | None:
    """Values that are clipped on their way back, each or by their norm."""
    back, slope, largest = names["V"], s.slope(layer), np.max(np.abs(seen))
    right = back * slope
    limits = [float(np.max(np.abs(seen / np.where(slope == 0, np.inf, slope)))), float(largest)]
    for limit, values in (
        (limits[0], np.clip(back, -limits[0], limits[0]) * slope),
        (limits[1], np.clip(right, -limits[1], limits[1])),
    ):
        if np.max(np.abs(values - seen)) <= tolerance * largest:
            words = f"the derivative is clipped at ±{rounded(limit)}; clip only in the optimiser"
            return Formula("clip(V)", (), 1.0, 1.0, False, "clipped", words)
    k = share_of(seen, right, tolerance)
    if k is None:
        return None
    for values in (back, right):
        norms = (k * np.sqrt(np.sum(values**2, axis=0)))[np.abs(k - 1) > 1e-6]
        if len(norms) > 1 and np.ptp(norms) <= 1e-6 * norms[0] and np.all(k <= 1 + 1e-6):
            words = f"the derivative is clipped to norm {rounded(float(norms[0]))}; clip only in "
            words += "the optimiser"
            return Formula("clip(V) by its norm", (), 1.0, 1.0, False, "clipped", words)
    return None
