"""A method as a sample: its scored runs, and the independent units (seeds, or networks of a pool) each was made of."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from be_jax.pool import ensemble_of, subsets
from be_jax.stats.jackknife import Statistic
from be_jax.stats.scores import Predictions, Scores, score_run


@dataclasses.dataclass(frozen=True)
class Sample:
    """Scored runs of one method.

    Attributes:
      scores: of each run, as `score_run` gives them.
      factor: what the units are, such as "seeds". Methods whose factor has the same name share its units: their runs
        are paired, and a unit is deleted from all of them together.
      inside: bool `[runs, units]`, which units each run was made of.
      units_of_a_run: as many as `inside` says, if it is not given. More where scores are of pairs of units.
    """

    scores: Sequence[Scores]
    factor: str
    inside: np.ndarray
    units_of_a_run: int | None = None

    @property
    def units(self) -> int:
        return self.inside.shape[1]

    def has(self, set_name: str, metric: str) -> bool:
        """Whether every run has this score."""
        return all((set_name, metric) in scores for scores in self.scores)

    def statistic(self, set_name: str, metric: str) -> Statistic:
        """The mean of a score over runs, on all units and without each."""
        return self._mean(np.stack([scores[set_name, metric] for scores in self.scores]))

    def run_deviation(self, set_name: str, metric: str) -> float:
        """Standard deviation of the score of one run, from the jackknife over units; NaN for one unit."""
        if self.units < 2:
            return math.nan
        values = self.statistic(set_name, metric).without[self.factor][:, 0]
        units_of_a_run = self.units_of_a_run or int(self.inside[0].sum())
        variance = (self.units - 1) ** 2 * values.var(ddof=1) / units_of_a_run
        return math.sqrt(variance)

    def _mean(self, values: np.ndarray) -> Statistic:
        outside = (~self.inside).astype(np.float64)
        with np.errstate(invalid="ignore"):
            without = outside.T @ values / outside.sum(0)[:, None]
        return Statistic(values.mean(axis=0), {self.factor: without})


def of_seeds(runs: Sequence[Scores], factor: str = "seeds") -> Sample:
    """Runs that are independent of one another.

    Args:
      runs: scores of each. Methods with the same `factor` must list the same seeds in the same order.
      factor: see `Sample`; give methods with other seeds another one.

    Raises:
      ValueError: no run.
    """
    if not runs:
        raise ValueError(f"no runs of the factor {factor!r} to judge; pass the scores of at least one")
    return Sample(tuple(runs), factor, np.eye(len(runs), dtype=bool))


def of_pool(networks: Sequence[Predictions], size: int, factor: str = "networks") -> Sample:
    """Deep ensembles of `size` members from a pool of independent networks: a U-statistic of the networks.

    Args:
      networks: predictions of each, with one member each.
      size: l; the pool must have more networks, since each is left out in turn.
      factor: see `Sample`. Single networks are the sample of size 1.

    Raises:
      ValueError: `size` is not below the number of networks.
    """
    if not 1 <= size < len(networks):
        raise ValueError(
            f"deep ensembles of {size} from a pool of {len(networks)} networks have no interval; pass more networks"
        )
    chosen = subsets(len(networks), size)
    scores = tuple(score_run(ensemble_of([networks[i] for i in subset])) for subset in chosen)
    return Sample(scores, factor, membership(chosen, len(networks)))


def of_pairs(pairs: Mapping[tuple[int, int], Scores], networks: int, size: int, factor: str = "networks") -> Sample:
    """Deep ensembles of `size` members from a pool, by what was measured on pairs of its networks: means over pairs.

    Args:
      pairs: scores of every pair i < j of the networks.
      networks: in the pool.
      size: l.
      factor: see `Sample`.

    Raises:
      ValueError: `size` is not in 2 .. networks - 1.
    """
    if not 2 <= size < networks:
        raise ValueError(f"pairs of {networks} networks say nothing of deep ensembles of {size}: pass more networks")
    chosen = list(itertools.combinations(range(networks), 2))
    return Sample(tuple(pairs[pair] for pair in chosen), factor, membership(chosen, networks), size)


def membership(chosen: Sequence[Sequence[int]], networks: int) -> np.ndarray:
    """Bool `[subsets, networks]`: which networks are in each subset."""
    return np.array([[i in subset for i in range(networks)] for subset in chosen])
