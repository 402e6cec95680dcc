"""A pool of N independent networks, trained once: N single models, and deep ensembles of every size up to N.

The score of a deep ensemble of size l is the mean over subsets of l networks, a U-statistic of the networks; its
standard error is the jackknife's, over networks (Efron and Stein 1981). For l = 1 that is the standard error of a mean.
Where only some subsets are scored, pairs of networks are not equally often together, and a mean over the subsets
without one network would hold the others in unequal shares; `without_each` takes that out.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from be_jax.npz import Predictions
from be_jax.results import PoolScore, Scores
from be_jax.scores import score_predictions

MOST_SUBSETS = 40
"""All subsets are scored where there are no more, as of 3 out of 7; otherwise a balanced choice of about as many, at
least twice the networks.
"""

_DRAWS = 200
_NO_PART = 1e-9
"""Singular values of memberships below this are rounding."""

OF_MEMBERS = ("/log_probs", "/energy", "/max_logit", "/mean", "/variance")
"""How names of arrays end that have members along their first axis; all others are the same for every network."""

Score = Callable[[Predictions], Scores]
PoolScores = dict[str, dict[str, PoolScore]]


def subsets(networks: int, size: int) -> list[tuple[int, ...]]:
    """Subsets of `size` of `range(networks)`: all, or a choice in which every network is equally often.

    Raises:
      ValueError: `size` not in 1 .. networks.
    """
    if not 1 <= size <= networks:
        raise ValueError(f"a deep ensemble from {networks} networks has 1 to {networks} members; got {size}")
    if math.comb(networks, size) <= max(MOST_SUBSETS, 2 * networks):
        return list(itertools.combinations(range(networks), size))
    random, chosen = np.random.default_rng(0), []
    for _ in range(max(2, MOST_SUBSETS // networks)):
        ring, places = random.permutation(networks), _places(networks, size, random)
        chosen += [tuple(sorted(int(i) for i in np.roll(ring, -start)[places])) for start in range(networks)]
    return chosen


def _places(networks: int, size: int, random: np.random.Generator) -> np.ndarray:
    """Places on a ring, of many drawn those whose rotations tell the parts of the networks best: the least of the
    eigenvalues of their circulant is greatest. Neighbours, of which many pairs are never together, are the worst.
    """

    def told(places: np.ndarray) -> float:
        return float(np.abs(np.fft.fft(np.isin(np.arange(networks), places)))[1:].min())

    return max((random.permutation(networks)[:size] for _ in range(_DRAWS)), key=told)


def ensemble_of(networks: Sequence[Predictions]) -> dict[str, np.ndarray]:
    """Predictions of the deep ensemble of these networks: members one after the other, labels as they are.

    Raises:
      ValueError: networks that predicted different sets, or have different labels.
    """
    first = networks[0]
    for other in networks[1:]:
        if other.keys() != first.keys():
            differ = ", ".join(sorted(other.keys() ^ first.keys()))
            raise ValueError(f"networks of a pool must predict the same sets; they differ in {differ}")
    joined = {}
    for name, array in first.items():
        arrays = [network[name] for network in networks]
        if name.endswith(OF_MEMBERS):
            joined[name] = np.concatenate(arrays)
        elif all(np.array_equal(array, other) for other in arrays):
            joined[name] = array
        else:
            raise ValueError(f"networks of a pool must have the same {name}")
    return joined


def score_pool(networks: Sequence[Predictions], size: int, score: Score = score_predictions) -> PoolScores:
    """Scores of deep ensembles of `size` networks, `{set: {metric: PoolScore}}`.

    Args:
      networks: predictions of each network, as in its `predictions.npz`, with one member each.
      size: l.
      score: from predictions to `{set: {metric: value}}`.
    """
    chosen = subsets(len(networks), size)
    return over_subsets([score(ensemble_of([networks[i] for i in subset])) for subset in chosen], chosen)


def over_subsets(scores: Sequence[Scores], chosen: Sequence[Sequence[int]]) -> PoolScores:
    """From the scores of the deep ensemble of each of the chosen subsets of the networks, `{set: {metric: PoolScore}}`.

    Every network is in some of them: scores of the networks themselves are those of the subsets of one.
    """
    count = 1 + max(map(max, chosen))
    inside = np.array([[i in subset for i in range(count)] for subset in chosen])
    return {
        name: {metric: _pool_score(np.array([s[name][metric] for s in scores]), inside) for metric in values}
        for name, values in scores[0].items()
    }


def disjoint(networks: int, size: int) -> Iterator[tuple[int, ...]]:
    """The deep ensembles of `size` that share no network: 0 .. size - 1, and so on."""
    return (tuple(range(start, start + size)) for start in range(0, networks - size + 1, size))


def without_each(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """What the mean of some numbers would be without each unit that they were made of, `[units, ...]`.

    With h_S = c + sum of a_i over the units i in S, by least squares, the mean over all subsets without unit i of n is
    the mean less l (a_i - mean of a) / (n - 1): of all subsets that is the mean over those without i itself, and for
    l = 1 the mean of the others. A unit in no subset changes nothing.

    Args:
      values: `[subsets, ...]`.
      inside: bool `[subsets, units]`, l units in each.

    Returns:
      NaN where a unit's part cannot be told, as where all units are in every subset.
    """
    there = inside.any(0)
    count, size = int(there.sum()), int(inside[0].sum())
    centred = inside[:, there] - inside[:, there].mean(0)
    mean = values.mean(0)
    without = np.repeat(mean[None], inside.shape[1], axis=0)
    if np.linalg.matrix_rank(centred, tol=_NO_PART) < count - 1 or count < 2:
        without[there] = np.nan
        return without
    with np.errstate(invalid="ignore"):  # of infinite scores
        parts = np.tensordot(np.linalg.pinv(centred, _NO_PART), values - mean, 1)
        without[there] = mean - size * parts / (count - 1)
    return without


def _pool_score(values: np.ndarray, inside: np.ndarray) -> PoolScore:
    return PoolScore(float(values.mean()), tuple(float(value) for value in without_each(values, inside)))
