"""A method as a sample: its scored runs, and the independent units (seeds, or networks of a pool) each was made of."""

import dataclasses
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from be_jax.pool import ensemble_of, subsets, without_each
from be_jax.scores import Predictions, Scores, score_run
from be_jax.stats.config import ROOT
from be_jax.stats.jackknife import Statistic


@dataclasses.dataclass(frozen=True)
class Sample:
    """Scored runs of one method.

    Attributes:
      scores: of each run, as `score_run` gives them.
      factor: what the units are, such as "networks". Samples whose factor has the same name share its units: a unit is
        deleted from all of them together. Methods with seeds of their own have factors of their own.
      inside: bool `[runs, units]`, which units each run was made of.
    """

    scores: Sequence[Scores]
    factor: str
    inside: np.ndarray

    @property
    def units(self) -> int:
        return self.inside.shape[1]

    def has(self, set_name: str, metric: str) -> bool:
        """Whether every run has this score, or that whose root it is."""
        return all((set_name, metric.removeprefix(ROOT)) in scores for scores in self.scores)

    def statistic(self, set_name: str, metric: str) -> Statistic:
        """The mean of a score over runs, on all units and without each; of a root, the root of that mean."""
        base = metric.removeprefix(ROOT)
        values = np.stack([scores[set_name, base] for scores in self.scores])
        mean = Statistic(values.mean(axis=0), {self.factor: without_each(values, self.inside)})
        return mean if base == metric else mean.root()


def of_seeds(runs: Sequence[Scores], factor: str = "seeds") -> Sample:
    """Runs that are independent of one another.

    Args:
      runs: scores of each.
      factor: see `Sample`; give methods with seeds of their own different ones, such as "seeds of A".

    Raises:
      ValueError: no run.
    """
    if not runs:
        raise ValueError(f"no runs of the factor {factor!r} to judge; pass the scores of at least one")
    return Sample(tuple(runs), factor, np.eye(len(runs), dtype=bool))


def of_pool(
    networks: Sequence[Predictions],
    size: int,
    factor: str = "networks",
    sets: Collection[str] | None = None,
    score: Callable[..., Scores] = score_run,
) -> Sample:
    """Deep ensembles of `size` members from a pool of independent networks: a U-statistic of the networks.

    Args:
      networks: predictions of each, with one member each.
      size: l; the pool must have more networks, since each is left out in turn.
      factor: see `Sample`. Single networks are the sample of size 1.
      sets: to score; all where not given.
      score: of predictions, and of some sets alone where `sets` are given, as `score_run`.

    Raises:
      ValueError: `size` is not below the number of networks.
    """
    if not 1 <= size < len(networks):
        raise ValueError(
            f"deep ensembles of {size} from a pool of {len(networks)} networks have no interval; pass more networks"
        )
    chosen = subsets(len(networks), size)
    only = () if sets is None else (sets,)
    scores = tuple(score(ensemble_of([networks[i] for i in subset]), *only) for subset in chosen)
    return Sample(scores, factor, membership(chosen, len(networks)))


def of_pairs(pairs: Mapping[tuple[int, int], Scores], networks: int, factor: str = "networks") -> Sample:
    """Deep ensembles from a pool, by what was measured on pairs of its networks: means over pairs.

    Args:
      pairs: scores of every pair i < j of the networks.
      networks: in the pool, at least 3.
      factor: see `Sample`.
    """
    if networks < 3:
        raise ValueError(f"pairs of {networks} networks have no interval: pass more networks")
    chosen = list(itertools.combinations(range(networks), 2))
    return Sample(tuple(pairs[pair] for pair in chosen), factor, membership(chosen, networks))


def membership(chosen: Sequence[Sequence[int]], networks: int) -> np.ndarray:
    """Bool `[subsets, networks]`: which networks are in each subset."""
    return np.array([[i in subset for i in range(networks)] for subset in chosen])
