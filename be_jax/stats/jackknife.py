"""One uniform device for every test: a statistic with its delete-one values, and what they say of its variance.

A score depends on several things drawn at random: seeds, networks of a pool, test examples. Each is a *factor* with
units. A statistic is known on all units and without each one; linear combinations of statistics are linear in these
values, so whatever methods share (networks, examples) is deleted from all of them together and their correlation needs
no further thought.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy import special


class Uncertainty(NamedTuple):
    """Standard error of a statistic and the degrees of freedom with which it is known."""

    standard_error: float
    freedom: float


class Variances(NamedTuple):
    """Parts of a variance, numbers or arrays of one shape.

    Attributes:
      examples: over blocks of examples; 0 without any.
      factors: over the units of each factor.
      interactions: of each factor with examples, which `examples` and `factors` both hold.
      blocks: of examples.
      units: of each factor.
    """

    examples: np.ndarray
    factors: Mapping[str, np.ndarray]
    interactions: Mapping[str, np.ndarray]
    blocks: int
    units: Mapping[str, int]

    def combined(self) -> tuple[np.ndarray, np.ndarray]:
        """The variance of the statistic, and its Satterthwaite degrees of freedom (infinite for a variance of 0).

        Factors are crossed: every run predicts every example. The variance over runs and that over examples both hold
        the variance of their interaction, which is therefore taken off once, as in multiway clustering (Cameron,
        Gelbach and Miller 2011, J. Bus. Econ. Stat. 29:238, section 2.1). The sum is never taken to be less than one of
        its parts. Its degrees of freedom are those of a sum of mean squares (Satterthwaite 1946), in which the part
        taken off counts too.
        """
        parts = [np.asarray(self.examples), *map(np.asarray, self.factors.values())]
        taken_off = np.sum([np.asarray(part) for part in self.interactions.values()], axis=0)
        total = np.maximum(np.sum(parts, axis=0) - taken_off, np.max(parts, axis=0))
        squares = parts[0] ** 2 / (self.blocks - 1) if self.blocks else np.zeros_like(parts[0])
        for factor, count in self.units.items():
            squares = squares + np.asarray(self.factors[factor]) ** 2 / (count - 1)
            if self.blocks:
                squares = squares + np.asarray(self.interactions[factor]) ** 2 / ((count - 1) * (self.blocks - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            return total, np.where(total > 0, total**2 / squares, np.inf)


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

    def root(self) -> "Statistic":
        """The square root; of what rounding has put below 0, 0."""

        def root(values: np.ndarray) -> np.ndarray:
            return np.sqrt(np.maximum(values, 0.0))

        return Statistic(root(self.whole), {factor: root(values) for factor, values in self.without.items()})

    def _with(self, other: "Statistic", operation: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> "Statistic":
        factors = dict.fromkeys([*self.without, *other.without])
        with np.errstate(invalid="ignore"):  # of infinite scores, which no row is decided by
            without = {f: operation(self.deleted(f), other.deleted(f)) for f in factors}
            return Statistic(operation(self.whole, other.whole), without)

    def deleted(self, factor: str) -> np.ndarray:
        """Without each unit of a factor; a factor on which it does not depend changes nothing."""
        return self.without.get(factor, self.whole[None])

    def uncertainty(self) -> Uncertainty:
        """Jackknife standard error over all factors (Efron and Stein 1981); see `Variances.combined`."""
        variance, freedom = variances(self).combined()
        return Uncertainty(math.sqrt(variance), float(freedom))


def variances(statistic: Statistic) -> Variances:
    """Of a statistic."""
    parts = covariances([statistic])
    return weighted(parts, np.ones((1, 1)))


def covariances(statistics: list[Statistic]) -> Variances:
    """The same parts as covariance matrices `[k, k]` of k statistics. All must have the same number of blocks."""
    values = np.array([statistic.value for statistic in statistics])
    by_block = np.stack([statistic.whole[1:] for statistic in statistics]) - values[:, None]
    blocks = by_block.shape[1]
    of_factors, interactions, units = {}, {}, {}
    for factor in dict.fromkeys(name for statistic in statistics for name in statistic.without):
        count = max(len(statistic.deleted(factor)) for statistic in statistics)
        tables = [np.broadcast_to(statistic.deleted(factor), (count, 1 + blocks)) for statistic in statistics]
        by_unit = np.stack([table[:, 0] for table in tables]) - values[:, None]
        of_factors[factor] = _shrink(count) * by_unit @ by_unit.T
        both = np.stack([table[:, 1:] - table[:, :1] for table in tables]) - by_block[:, None]
        both = both.reshape(len(statistics), -1)
        interactions[factor] = _shrink(count) * _shrink(blocks) * both @ both.T
        units[factor] = count
    return Variances(_shrink(blocks) * by_block @ by_block.T, of_factors, interactions, blocks, units)


def weighted(parts: Variances, weights: np.ndarray) -> Variances:
    """The parts of the variance of linear combinations, `[...]`, from covariance matrices and weights `[..., k]`."""

    def of(matrix: np.ndarray) -> np.ndarray:
        return np.maximum(np.einsum("...i,ij,...j->...", weights, matrix, weights), 0.0).squeeze()

    return Variances(
        of(parts.examples),
        {factor: of(matrix) for factor, matrix in parts.factors.items()},
        {factor: of(matrix) for factor, matrix in parts.interactions.items()},
        parts.blocks,
        parts.units,
    )


def _shrink(units: int) -> float:
    return (units - 1) / units if units else 0.0


def quantile(freedom: np.ndarray | float, confidence: float) -> np.ndarray:
    """Student's quantile that a two-sided test of level 1 - confidence rejects from; the normal one for infinity."""
    freedom = np.minimum(freedom, 1e9)
    return np.asarray(special.stdtrit(freedom, (1 + confidence) / 2))
