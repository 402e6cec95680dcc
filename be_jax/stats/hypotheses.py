"""Each claim as two opposite null hypotheses about linear contrasts, so that no ratio is ever tested.

With `gained` = method - single and `gain` = deep ensemble - single, larger being better, the gain recovered is
g = gained / gain. Where gain > 0, g < k is the same as gained - k gain < 0 (Fieller 1954), which is a mean and has a
t-test. A claim is rejected, or its opposite, in a test of the same level; what lies between is undecided. At most one
of the two nulls is true, so a claim needs no correction for having two.
"""

from collections.abc import Callable
from typing import NamedTuple

from be_jax.stats.jackknife import Statistic, p_above, p_below


class PValues(NamedTuple):
    """P-values of a claim's null hypothesis and of its opposite's: the smaller, the better supported."""

    supports: float
    contradicts: float


Hypothesis = Callable[[Statistic, Statistic, float], PValues]
"""From what the method has, what the deep ensemble has and a margin to p-values."""


def worse_than_deep_ensemble(gained: Statistic, gain: Statistic, margin: float) -> PValues:
    """Supported where g < 1; contradicted, as non-inferiority is shown, where g > 1 - margin.

    Where both hold (worse, but by less than the margin), both p-values may be small; the smaller is then the one that
    the figures speak for more clearly. Both demand that there be a gain: of several conditions at once the largest
    p-value counts (Berger 1982).
    """
    no_gain = p_above(gain)
    worse = p_below(gained - gain)
    not_inferior = p_above(gained - (1 - margin) * gain)
    return PValues(max(no_gain, worse), max(no_gain, not_inferior))


def tracks_single_model(gained: Statistic, gain: Statistic, margin: float) -> PValues:
    """Supported where |g| < margin, by two one-sided tests (Schuirmann 1987); contradicted where |g| > margin.

    The second is a minimum-effect test (Murphy and Myors 1999): its null is the interval, and a statistic can leave it
    at either end, so that the p-value is the sum of both tails at the nearer end. Both demand that there be a gain.
    """
    no_gain = p_above(gain)
    at_upper, at_lower = gained - margin * gain, gained + margin * gain
    equivalent = max(p_below(at_upper), p_above(at_lower))
    outside = min(p_above(at_upper) + p_above(at_lower), p_below(at_lower) + p_below(at_upper))
    return PValues(max(no_gain, equivalent), max(no_gain, min(1.0, outside)))


def near_identical(measure: Statistic, reference: Statistic, margin: float) -> PValues:
    """Supported where measure / reference < margin, contradicted where it is above; both are of non-negative measures.

    The reference is the deep ensemble's: 0 are copies of one network, 1 independent networks.
    """
    difference = measure - margin * reference
    return PValues(p_below(difference), p_above(difference))
