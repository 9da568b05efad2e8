"""Means with their 95 % confidence intervals, of many images and of few networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def interval(values: NDArray[np.float64]) -> list[list[float]]:
    """The mean over the first axis and its 95 % confidence interval by the percentile bootstrap: ``[[m, l, h], …]``."""
    from scipy.stats import bootstrap  # type: ignore[import-untyped]

    columns = values.reshape(len(values), -1)
    found = []
    for column in columns.T:
        mean = float(column.mean())
        low, high = mean, mean
        if len(column) > 1 and np.ptp(column) > 0:
            low, high = bootstrap((column,), np.mean, n_resamples=1000, method="percentile", rng=0).confidence_interval
        found.append([round(number, 5) for number in (mean, float(low), float(high))])
    return found


def student(values: Sequence[float]) -> list[float]:
    """The mean of a few independent values and its 95 % confidence interval by Student's t: ``[m, l, h]``."""
    from scipy.stats import t

    mean = float(np.mean(values))
    if len(values) == 1:
        return [mean, mean, mean]
    half = float(t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return [mean, mean - half, mean + half]
