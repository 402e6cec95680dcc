"""The deep-ensemble equivalent: how many independent networks a method is worth.

It is the number l, a real one, of networks whose ensemble scores as the method does (Ashukha et al. 2020, arXiv
2002.06470, section 5). Scores of ensembles of size l are means over subsets of a pool, made monotone in l, with
straight lines between sizes. Likelihood is compared after temperature scaling, since an ensemble and a single network
of the same quality can differ in it for no better reason than their confidence. Theirs is of the calibrated
log-likelihood; any score of `equivalent_scores` serves.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import jax
import numpy as np
from scipy.optimize import isotonic_regression

from be_jax import metrics
from be_jax.pool import ensemble_of, subsets
from be_jax.stats.gain import oriented
from be_jax.stats.jackknife import resample, tails
from be_jax.stats.sample import Sample, membership
from be_jax.stats.scores import (
    Predictions,
    Scores,
    auroc_without_blocks,
    in_chunks,
    mean_over_sets,
    mean_without_blocks,
    of_set,
    quality_scores,
)

RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Equivalent:
    """A number of independent networks, NaN where a score is not finite (a label had probability 0).

    Attributes:
      value, lower, upper: with a 95 % interval over seeds, networks and examples; clipped to 1 .. largest.
      largest: the largest size on the scale.
      beyond: "<" where the method scores worse than one network, ">" where better than `largest`, "" otherwise.
    """

    value: float
    lower: float
    upper: float
    largest: int
    beyond: str = ""

    def __str__(self) -> str:
        return f"{self.beyond}{' ' if self.beyond else ''}{self.value:.1f} [{self.lower:.1f}, {self.upper:.1f}]"


def equivalent_scores(predictions: Predictions) -> Scores:
    """Scores to compare on: calibrated `nll`, `brier`, `accuracy`, `ece`; `uncalibrated_nll`; `auroc_epistemic` of OOD.

    As Ashukha et al. do, the average over members is scaled, not the members. One temperature serves all sets: fitted
    on `validation` where it is given; otherwise on one random half of `test` for the other and the other way round, so
    that no example is scored at a temperature that it helped to choose, and on all of `test` for shifted sets.

    Args:
      predictions: as of `score_run`.

    Raises:
      ValueError: a set of too few examples.
    """
    names = [key.removesuffix("/log_probs") for key in predictions if key.endswith("/log_probs")]
    mixed = {name: _mix(predictions[f"{name}/log_probs"]) for name in names}
    epistemic = {name: examples["epistemic"] for name, examples in mixed.items()}
    scores: Scores = {
        (name, "auroc_epistemic"): auroc_without_blocks(epistemic["test"], epistemic[name])
        for name in names
        if name.startswith("ood/")
    }
    labels = {name: predictions[f"{name}/labels"] for name in names if not name.startswith("ood/")}
    calibrated = _calibrated({name: mixed[name]["average"] for name in labels}, labels)
    quality = {
        name: {
            **quality_scores(log_probs, labels[name]),
            "uncalibrated_nll": _mean_nll(mixed[name]["average"], labels[name]),
        }
        for name, log_probs in calibrated.items()
    }
    test = quality.pop("test")
    return {**of_set("test", test), **of_set("shift", mean_over_sets(list(quality.values()))), **scores}


def size_curve(
    networks: Sequence[Predictions], largest: int | None = None, factor: str = "networks"
) -> dict[int, Sample]:
    """Deep ensembles of every size from 1 on, from a pool of N networks: the scale of the equivalent.

    Args:
      networks: predictions of each, with one member each (`networks_of` takes deep ensembles apart).
      largest: the last size; N - 1, the largest that an interval can be given for, where it is not given.
      factor: name of the networks as units, see `Sample`.

    Raises:
      ValueError: fewer than 3 networks, or a largest size that is not in 2 .. N - 1.
    """
    if len(networks) < 3:
        raise ValueError(f"a scale of independent networks needs at least 3 of them, got {len(networks)}")
    largest = len(networks) - 1 if largest is None else largest
    if not 2 <= largest < len(networks):
        raise ValueError(f"largest must be 2 to {len(networks) - 1} for a pool of {len(networks)}; got {largest}")
    curve = {}
    for size in range(1, largest + 1):
        chosen = subsets(len(networks), size)
        scores = tuple(equivalent_scores(ensemble_of([networks[i] for i in subset])) for subset in chosen)
        curve[size] = Sample(scores, factor, membership(chosen, len(networks)))
    return curve


def networks_of(deep_ensembles: Sequence[Predictions]) -> list[dict[str, np.ndarray]]:
    """The networks of deep ensembles, apart: a pool."""
    return [
        {name: array[k : k + 1] if name.endswith("/log_probs") else array for name, array in predictions.items()}
        for predictions in deep_ensembles
        for k in range(len(predictions["test/log_probs"]))
    ]


def deep_ensemble_equivalent(
    method: Sample, curve: Mapping[int, Sample], set_name: str = "test", metric: str = "nll", confidence: float = 0.95
) -> Equivalent:
    """The number of networks whose deep ensemble scores as the method does.

    The interval comes from resampling the method's runs, the networks and the examples together.

    Args:
      method: `equivalent_scores` of its runs.
      curve: of `size_curve`.
      set_name, metric: which score.
    """
    sizes = np.array(sorted(curve), np.float64)
    of_sizes = [oriented(curve[int(size)].statistic(set_name, metric), metric) for size in sizes]
    own = oriented(method.statistic(set_name, metric), metric)
    if not np.isfinite([own.whole, *(statistic.whole for statistic in of_sizes)]).all():
        return Equivalent(math.nan, math.nan, math.nan, int(sizes[-1]))
    scale = np.array([statistic.value for statistic in of_sizes])
    value = _where(own.value, scale, sizes)
    low = min(int(value) - 1, len(sizes) - 2)
    weight = value - sizes[low]
    contrast = own - ((1 - weight) * of_sizes[low] + weight * of_sizes[low + 1])
    drawn, *drawn_scales = resample([own, *of_sizes], contrast, RESAMPLES)
    values = [_where(at, np.array(levels), sizes) for at, *levels in zip(drawn, *drawn_scales, strict=True)]
    lower, upper = np.quantile(values, tails(contrast, confidence))
    ends = isotonic_regression(scale).x
    beyond = "<" if own.value < ends[0] else ">" if own.value > ends[-1] else ""
    return Equivalent(value, float(lower), float(upper), int(sizes[-1]), beyond)


def _mean_nll(log_probs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return mean_without_blocks(-np.take_along_axis(log_probs, labels[:, None], axis=1)[:, 0])


def _where(level: float, scale: np.ndarray, sizes: np.ndarray) -> float:
    """The size at which a scale, made monotone, reaches a level; the nearer end where it never does."""
    return float(np.interp(level, isotonic_regression(scale).x, sizes))


def _calibrated(averages: Mapping[str, np.ndarray], labels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Averages `{set: [n, c]}` at their temperature, without `validation`."""
    fitted_on = "validation" if "validation" in averages else "test"
    temperature = _fit(averages[fitted_on], labels[fitted_on])
    calibrated = {name: _tempered(array, temperature) for name, array in averages.items() if name != "validation"}
    if fitted_on == "test":
        calibrated["test"] = _cross_fitted(averages["test"], labels["test"])
    return calibrated


def _cross_fitted(average: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each half at the temperature of the other."""
    order = np.random.default_rng(0).permutation(len(labels))
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    result = np.empty_like(average)
    for half, other in (halves, halves[::-1]):
        result[half] = _tempered(average[half], _fit(average[other], labels[other]))
    return result


def _mix(member_log_probs: np.ndarray) -> dict[str, np.ndarray]:
    """The average over members `[n, c]`, and their mutual information `[n]`."""
    members, _, classes = member_log_probs.shape
    return in_chunks(_mixed, (member_log_probs.swapaxes(0, 1),), size=members * classes)


@jax.jit
def _mixed(log_probs: jax.Array) -> dict[str, jax.Array]:
    """Of log-probabilities `[n, m, c]`."""
    members = log_probs.swapaxes(0, 1)
    return {"average": metrics.mixture(members), "epistemic": metrics.decompose(members).epistemic}


@jax.jit
def _fit(log_probs: jax.Array, labels: jax.Array) -> jax.Array:
    """The temperature of predictions `[n, c]`."""
    return metrics.fit_temperature(log_probs[None], labels)


def _tempered(log_probs: np.ndarray, temperature: jax.Array) -> np.ndarray:
    return np.asarray(_temper(log_probs, temperature))


@jax.jit
def _temper(log_probs: jax.Array, temperature: jax.Array) -> jax.Array:
    return metrics.temper(log_probs[None], temperature)[0]
