"""One uniform device for every test: a statistic with its delete-one values, and what they say of its variance.

A score depends on several things drawn at random: seeds, networks of a pool, test examples. Each is a *factor* with
units. A statistic is known on all units and without each one; linear combinations of statistics are linear in these
values, so whatever methods share (seeds, networks, examples) is deleted from all of them together and their
correlation needs no further thought.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

RESAMPLES = 10_000


class Uncertainty(NamedTuple):
    """Standard error of a statistic and the degrees of freedom with which it is known."""

    standard_error: float
    freedom: float


@dataclasses.dataclass(frozen=True)
class Statistic:
    """A statistic on all units, and without each of them.

    Attributes:
      whole: `[1 + B]`, on all units and without each of B blocks of examples; B = 0 where it has no examples.
      without: `{factor: [units, 1 + B]}`, the same without one unit of a factor.
    """

    whole: np.ndarray
    without: Mapping[str, np.ndarray]

    @property
    def value(self) -> float:
        """On all units."""
        return float(self.whole[0])

    @property
    def units(self) -> dict[str, int]:
        """How many units each factor has, examples left aside."""
        return {factor: len(values) for factor, values in self.without.items()}

    def __add__(self, other: "Statistic") -> "Statistic":
        return self._with(other, np.add)

    def __sub__(self, other: "Statistic") -> "Statistic":
        return self._with(other, np.subtract)

    def __rmul__(self, number: float) -> "Statistic":
        return Statistic(number * self.whole, {factor: number * values for factor, values in self.without.items()})

    def _with(self, other: "Statistic", operation: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> "Statistic":
        factors = dict.fromkeys([*self.without, *other.without])
        without = {f: operation(self._without(f), other._without(f)) for f in factors}
        return Statistic(operation(self.whole, other.whole), without)

    def _without(self, factor: str) -> np.ndarray:
        """Without each unit of a factor; a factor on which it does not depend changes nothing."""
        return self.without.get(factor, self.whole[None])

    def uncertainty(self) -> Uncertainty:
        """Jackknife standard error over all factors (Efron and Stein 1981), and its Satterthwaite degrees of freedom.

        Factors are crossed: every run predicts every example. The variance over runs and that over examples both hold
        the variance of their interaction, which is therefore taken off once, as in multiway clustering (Cameron,
        Gelbach and Miller 2011, J. Bus. Econ. Stat. 29:238, section 2.1). It is estimated by deleting a unit and a
        block together. The sum is never taken to be less than one of its parts. Its degrees of freedom are those of a
        sum of mean squares (Satterthwaite 1946), in which the part taken off counts too.
        """
        of_examples, interactions, of_factors = self._variances()
        parts = [of_examples, *of_factors.values()]
        total = max(sum(parts) - sum(interactions.values()), *parts) if len(parts) > 1 else of_examples
        if total == 0:
            return Uncertainty(0.0, math.inf)
        blocks = len(self.whole) - 1
        squares = of_examples**2 / (blocks - 1) if blocks else 0.0
        for factor, count in self.units.items():
            squares += of_factors[factor] ** 2 / (count - 1)
            squares += interactions[factor] ** 2 / ((count - 1) * (blocks - 1)) if blocks else 0.0
        return Uncertainty(math.sqrt(total), total**2 / squares)

    def _variances(self) -> tuple[float, dict[str, float], dict[str, float]]:
        """Of examples, of the interaction of each factor with examples, and of each factor with that interaction."""
        by_block = self.whole[1:] - self.whole[0]
        shrink = _shrink(len(by_block))
        of_factors, interactions = {}, {}
        for factor, values in self.without.items():
            by_unit = values[:, 0] - self.whole[0]
            both = values[:, 1:] - values[:, :1] - by_block[None]
            of_factors[factor] = float(_shrink(len(values)) * (by_unit**2).sum())
            interactions[factor] = float(_shrink(len(values)) * shrink * (both**2).sum())
        return float(shrink * (by_block**2).sum()), interactions, of_factors


def _shrink(units: int) -> float:
    return (units - 1) / units if units else 0.0


def p_above(statistic: Statistic) -> float:
    """One-sided p-value of the null hypothesis that the statistic's expectation is at most 0."""
    error, freedom = statistic.uncertainty()
    if error == 0:
        return 0.0 if statistic.value > 0 else 1.0
    return float(stats.t.sf(statistic.value / error, freedom))


def p_below(statistic: Statistic) -> float:
    """One-sided p-value of the null hypothesis that the statistic's expectation is at least 0."""
    return p_above(-1.0 * statistic)


def resample(statistics: Sequence[Statistic], contrast: Statistic, resamples: int = RESAMPLES) -> np.ndarray:
    """Bootstrap draws `[len(statistics), resamples]`, all from the same resampled units and examples.

    Units of every factor, and blocks of examples, are drawn with replacement. A statistic moves by the mean of its
    jackknife pseudo-values over the draw: exact for means, of first order for the rest (Efron 1982, section 6). Draws
    spread as far as the standard error of `contrast` says: they are widened by n / (n - 1) for the n units of a factor
    (Hesterberg 2015, arXiv 1411.5279), and narrowed for the interaction that two factors both hold.
    """
    of_examples, _, of_factors = contrast._variances()
    counted_twice = of_examples + sum(of_factors.values())
    scale = contrast.uncertainty().standard_error / math.sqrt(counted_twice) if counted_twice else 0.0
    factors = dict.fromkeys(factor for statistic in statistics for factor in statistic.without)
    draws = np.zeros((len(statistics), resamples))
    for stream, factor in enumerate(factors, start=1):
        units = max(len(s._without(factor)) for s in statistics)
        deviations = [np.broadcast_to(s._without(factor)[:, 0] - s.value, units) for s in statistics]
        draws -= _resampled(np.stack(deviations), resamples, stream)
    if len(contrast.whole) > 1:
        draws -= _resampled(np.stack([s.whole[1:] - s.value for s in statistics]), resamples, 0)
    return np.array([s.value for s in statistics])[:, None] + scale * draws


def _resampled(deviations: np.ndarray, resamples: int, stream: int) -> np.ndarray:
    """Sums over units, drawn with replacement, of deviations `[k, units]` without each unit: `[k, resamples]`."""
    units = deviations.shape[1]
    centred = deviations - deviations.mean(1, keepdims=True)
    return math.sqrt(_shrink(units)) * centred @ _draw_counts(units, resamples, stream).T


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
    tail = stats.norm.cdf(-stats.t.ppf((1 + confidence) / 2, contrast.uncertainty().freedom))
    return float(tail), float(1 - tail)
