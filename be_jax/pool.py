"""A pool of N independent networks, trained once: N single models, and deep ensembles of every size up to N.

The score of a deep ensemble of size l is the mean over subsets of l networks, a U-statistic of the networks; its
standard error is the jackknife's, over networks (Efron and Stein 1981). For l = 1 that is the standard error of a mean.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from be_jax.npz import Predictions
from be_jax.results import PoolScore, Scores
from be_jax.scores import score_predictions

MOST_SUBSETS = 40
"""All subsets are scored where there are no more, as of 3 out of 7; otherwise a balanced choice of about as many."""

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
    if math.comb(networks, size) <= MOST_SUBSETS:
        return list(itertools.combinations(range(networks), size))
    random, chosen = np.random.default_rng(0), []
    for _ in range(max(1, MOST_SUBSETS // networks)):
        ring = random.permutation(networks)
        chosen += [tuple(sorted(int(i) for i in np.roll(ring, -start)[:size])) for start in range(networks)]
    return chosen


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


def _pool_score(values: np.ndarray, inside: np.ndarray) -> PoolScore:
    outside = ~inside
    counts = outside.sum(0)
    with np.errstate(invalid="ignore"):  # of infinite scores
        without = np.where(counts > 0, values @ outside / np.maximum(counts, 1), np.nan)
    return PoolScore(float(values.mean()), tuple(float(value) for value in without))
