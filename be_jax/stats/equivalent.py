"""The deep-ensemble equivalent: how many independent networks a method is worth.

It is the number l, a real one, of networks whose ensemble scores as the method does (Ashukha et al. 2020, arXiv
2002.06470, section 5). Scores of ensembles of size l are means over subsets of a pool, made monotone in l, with
straight lines over 1 / l between sizes: what averaging brings goes very nearly as 1 - 1 / l. Likelihood is best
compared after temperature scaling ("nll_scaled"), since an ensemble and a single network of the same quality can differ
in it for no better reason than their confidence. They scale the average over members; here, as everywhere, one
temperature scales the members.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from scipy.optimize import isotonic_regression

from be_jax.metrics import registry
from be_jax.pool import OF_MEMBERS
from be_jax.scores import Predictions, Scores, score_run, set_names
from be_jax.stats.config import OOD, Endpoint
from be_jax.stats.jackknife import Statistic, covariances, quantile, weighted
from be_jax.stats.sample import Sample, of_pool

FEWEST_NETWORKS = 3
SCALES = (
    Endpoint("test", "nll_scaled"),
    Endpoint("test", "nll"),
    Endpoint("test", "brier_scaled"),
    Endpoint("shift", "nll_scaled"),
    Endpoint(OOD, "auroc_max_probability"),
)
"""The scores by which equivalents are given; of predictions without a temperature the raw ones."""

_STEPS = 500  # sizes that are tried, from one network to the next


@dataclasses.dataclass(frozen=True)
class Equivalent:
    """A number of independent networks, NaN where a score is not finite (a label had probability 0).

    Attributes:
      value, lower, upper: with a 95 % interval over seeds, networks and examples (NaN for one seed), cut at the scale's
        ends.
      largest: the largest size on the scale.
      beyond: "<" where the method scores worse than one network, ">" where better than `largest`, "" otherwise.
    """

    value: float
    lower: float
    upper: float
    largest: int
    beyond: str = ""

    def __str__(self) -> str:
        """Such as "1.4 [< 1, 2.0]"; the value alone where the whole interval is cut at one end."""
        value = {"<": "< 1", ">": f"> {self.largest}"}.get(self.beyond, f"{self.value:.1f}")
        if math.isnan(self.lower) or self.lower == self.upper:
            return value
        return f"{value} [{self._end(self.lower)}, {self._end(self.upper)}]"

    def _end(self, size: float) -> str:
        return "< 1" if size <= 1 else f"> {self.largest}" if size >= self.largest else f"{size:.1f}"


def size_curve(
    networks: Sequence[Predictions],
    largest: int | None = None,
    whole: Collection[int] | None = None,
    score: Callable[..., Scores] = score_run,
) -> dict[int, Sample]:
    """Deep ensembles of every size from 1 on, from a pool of N networks: the scale of the equivalent.

    Args:
      networks: predictions of each, with one member each (`networks_of` takes deep ensembles apart).
      largest: the last size; N - 1, the largest that an interval can be given for, where it is not given.
      whole: sizes that are scored on all sets, and the others on all but shifted ones, which are the many; all sizes
        where not given.
      score: of predictions, as `score_run`; of all sets, where it knows no others.

    Raises:
      ValueError: fewer than 3 networks, or a largest size that is not in 2 .. N - 1.
    """
    if len(networks) < FEWEST_NETWORKS:
        raise ValueError(f"a scale of independent networks needs at least 3 of them, got {len(networks)}")
    largest = len(networks) - 1 if largest is None else largest
    if not 2 <= largest < len(networks):
        raise ValueError(f"largest must be 2 to {len(networks) - 1} for a pool of {len(networks)}; got {largest}")
    few = {name for name in set_names(networks[0]) if not name.startswith("shift/")}
    return {
        size: of_pool(networks, size, sets=None if whole is None or size in whole else few, score=score)
        for size in range(1, largest + 1)
    }


def networks_of(deep_ensembles: Sequence[Predictions]) -> list[dict[str, np.ndarray]]:
    """The networks of deep ensembles, apart: a pool."""
    return [
        {name: array[k : k + 1] if name.endswith(OF_MEMBERS) else array for name, array in predictions.items()}
        for predictions in deep_ensembles
        for k in range(len(next(array for name, array in predictions.items() if name.endswith(OF_MEMBERS))))
    ]


def is_scale(endpoint: Endpoint) -> bool:
    """Whether it is one of `SCALES`, or the raw score of one."""
    return any(endpoint in (scale, scale.raw) for scale in SCALES)


def equivalents(method: Sample, curve: Mapping[int, Sample], by: Sequence[Endpoint] = SCALES) -> dict[str, Equivalent]:
    """`{"<set> <metric>": Equivalent}` by all scores `by` that both have."""
    samples = [method, *curve.values()]

    def measured(endpoint: Endpoint) -> bool:
        return all(sample.has(*endpoint) for sample in samples)

    scales = [each if measured(each) else each.raw for each in by]
    found = [endpoint for endpoint in dict.fromkeys(scales) if measured(endpoint)]
    return {str(endpoint): deep_ensemble_equivalent(method, curve, *endpoint) for endpoint in found}


def deep_ensemble_equivalent(
    method: Sample, curve: Mapping[int, Sample], set_name: str = "test", metric: str = "nll", confidence: float = 0.95
) -> Equivalent:
    """The number of networks whose deep ensemble scores as the method does.

    The interval holds every size whose deep ensembles are not told from the method, over the method's runs, the
    networks and the examples together.

    Args:
      method: its runs.
      curve: of `size_curve`.
      set_name, metric: which score.
    """
    sizes = np.array(sorted(curve), np.float64)
    sign = float(registry.lookup(metric).sign)
    of_sizes: list[Statistic] = [sign * curve[int(size)].statistic(set_name, metric) for size in sizes]
    own = sign * method.statistic(set_name, metric)
    if not np.isfinite([own.whole, *(statistic.whole for statistic in of_sizes)]).all():
        return Equivalent(math.nan, math.nan, math.nan, int(sizes[-1]))
    scale = np.array([statistic.value for statistic in of_sizes])
    value = _where(own.value, scale, sizes)
    lower, upper = _not_rejected([own, *of_sizes], value, confidence)
    ends = isotonic_regression(scale).x
    beyond = "<" if own.value < ends[0] else ">" if own.value > ends[-1] else ""
    return Equivalent(value, lower, upper, int(sizes[-1]), beyond)


def _not_rejected(statistics: list[Statistic], value: float, confidence: float) -> tuple[float, float]:
    """The smallest and the largest size whose ensembles are not told from the method by a two-sided test.

    Args:
      statistics: of the method, then of every size from 1 on.
      value: the estimate, which is always between them.
      confidence: of the interval.
    """
    largest = len(statistics) - 1
    if any(count < 2 for statistic in statistics for count in statistic.units.values()):
        return math.nan, math.nan
    sizes = np.linspace(1, largest, _STEPS * (largest - 1) + 1)
    before = np.minimum(np.floor(sizes), largest - 1)
    places = before + (1 - before / sizes) * (before + 1)
    on_scale = np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(1, largest + 1)))
    weights = np.concatenate([np.ones((len(sizes), 1)), -on_scale], axis=1)
    contrasts = weights @ [statistic.value for statistic in statistics]
    variance, freedom = weighted(covariances(statistics), weights).combined()
    inside = sizes[np.abs(contrasts) <= quantile(freedom, confidence) * np.sqrt(variance)]
    return float(min([value, *inside])), float(max([value, *inside]))


def _where(level: float, scale: np.ndarray, sizes: np.ndarray) -> float:
    """The size at which a scale, made monotone, reaches a level; the nearer end where it never does."""
    return float(1 / np.interp(level, isotonic_regression(scale).x, 1 / sizes))
