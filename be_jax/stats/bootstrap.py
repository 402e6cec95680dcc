"""Bootstrap draws of statistics that share units: for what is no ratio, such as a place on a monotone curve."""

import functools
import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from be_jax.stats.jackknife import Statistic, quantile, variances

RESAMPLES = 2000


def resample(statistics: Sequence[Statistic], contrast: Statistic, resamples: int = RESAMPLES) -> np.ndarray:
    """Bootstrap draws `[len(statistics), resamples]`, all from the same resampled units and examples.

    Units of every factor, and blocks of examples, are drawn with replacement. A statistic moves by the mean of its
    jackknife pseudo-values over the draw: exact for means, of first order for the rest (Efron 1982, section 6). Draws
    spread as far as the standard error of `contrast` says: they are widened by n / (n - 1) for the n units of a factor
    (Hesterberg 2015, arXiv 1411.5279), and narrowed for the interaction that two factors both hold.
    """
    parts = variances(contrast)
    counted_twice = float(parts.examples + sum(map(float, parts.factors.values())))
    scale = contrast.uncertainty().standard_error / math.sqrt(counted_twice) if counted_twice else 0.0
    factors = dict.fromkeys(factor for statistic in statistics for factor in statistic.without)
    draws = np.zeros((len(statistics), resamples))
    for stream, factor in enumerate(factors, start=1):
        units = max(len(s.deleted(factor)) for s in statistics)
        deviations = [np.broadcast_to(s.deleted(factor)[:, 0] - s.value, units) for s in statistics]
        draws -= _resampled(np.stack(deviations), resamples, stream)
    if len(contrast.whole) > 1:
        draws -= _resampled(np.stack([s.whole[1:] - s.value for s in statistics]), resamples, 0)
    return np.array([s.value for s in statistics])[:, None] + scale * draws


def _resampled(deviations: np.ndarray, resamples: int, stream: int) -> np.ndarray:
    """Sums over units, drawn with replacement, of deviations `[k, units]` without each unit: `[k, resamples]`."""
    units = deviations.shape[1]
    centred = deviations - deviations.mean(1, keepdims=True)
    return math.sqrt((units - 1) / units) * centred @ _draw_counts(units, resamples, stream).T


@functools.lru_cache(maxsize=16)
def _draw_counts(units: int, resamples: int, stream: int) -> np.ndarray:
    """How often each unit is drawn: `[resamples, units]`; other streams are independent."""
    random = np.random.default_rng([units, stream])
    return random.multinomial(units, np.full(units, 1 / units), resamples).astype(np.float64)


def tails(contrast: Statistic, confidence: float) -> tuple[float, float]:
    """Quantiles of bootstrap draws that bound an interval: those of Student's t put where a normal curve has them.

    With few units the percentile interval is too short; this is Hesterberg's expansion (2015, section 4.1) with the
    degrees of freedom of `contrast`.
    """
    tail = special.ndtr(-float(quantile(contrast.uncertainty().freedom, confidence)))
    return float(tail), float(1 - tail)
