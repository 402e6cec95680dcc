"""Ratios of two statistics with bootstrap intervals: gain recovered, and diversity relative to a deep ensemble."""

import math
from typing import NamedTuple

import numpy as np

from be_jax.stats.jackknife import RESAMPLES, Statistic, resample, tails

LARGER_IS_BETTER = ("accuracy", "auroc_max_probability", "auroc_epistemic")
_TINY, _UNBOUNDED = 1e-300, 1e100


class Interval(NamedTuple):
    """An estimate and the interval that covers the truth with the stated confidence."""

    value: float
    lower: float
    upper: float


UNDEFINED = Interval(math.nan, math.nan, math.nan)


def oriented(statistic: Statistic, metric: str) -> Statistic:
    """The statistic with the sign that makes larger better."""
    return (1.0 if metric in LARGER_IS_BETTER else -1.0) * statistic


def ratio(
    numerator: Statistic, denominator: Statistic, confidence: float = 0.95, resamples: int = RESAMPLES
) -> Interval:
    """numerator / denominator, with a bootstrap interval over everything drawn at random.

    Seeds or networks, and test examples, are resampled, the same for both (`resample`). The interval's quantiles are
    widened for few units (`tails`). It means something where the denominator is told from 0; where it barely is, an
    end may be infinite.
    """
    value = numerator.value / denominator.value
    contrast = numerator - value * denominator
    top, bottom = resample([numerator, denominator], contrast, resamples)
    sign = math.copysign(1.0, denominator.value)
    # A draw without a difference in the denominator says that the ratio is unbounded.
    ratios = sign * top / np.maximum(sign * bottom, _TINY)
    ends = np.quantile(ratios, tails(contrast, confidence))
    lower, upper = np.where(np.abs(ends) > _UNBOUNDED, np.copysign(np.inf, ends), ends)
    return Interval(value, float(lower), float(upper))
