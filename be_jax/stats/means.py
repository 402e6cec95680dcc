"""Means over seeds with t-intervals: of one method's score, with nothing to compare it with."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from be_jax.stats.jackknife import quantile

CONFIDENCE = 0.95


class Estimate(NamedTuple):
    """A mean over `n` seeds and the half-width of its 95 % t-interval, NaN where n = 1 or a value is not finite."""

    mean: float
    half_width: float
    n: int


def t_quantile(freedom: float) -> float:
    """Student's quantile at (1 + CONFIDENCE) / 2; NaN for no degree of freedom."""
    return float(quantile(freedom, CONFIDENCE))


def estimate(values: Sequence[float] | np.ndarray) -> Estimate:
    """Mean and half-width t_{0.975, n - 1} s / sqrt(n), with s the sample standard deviation (n - 1)."""
    values = np.asarray(values, np.float64)
    n = len(values)
    if n == 0:
        return Estimate(math.nan, math.nan, 0)
    if not np.isfinite(values).all():
        with np.errstate(invalid="ignore"):
            return Estimate(float(values.mean()), math.nan, n)
    if n == 1:
        return Estimate(float(values[0]), math.nan, 1)
    return Estimate(float(values.mean()), float(t_quantile(n - 1) * values.std(ddof=1) / math.sqrt(n)), n)
