"""Split-conformal sets and intervals: at least a stated fraction holds the truth, whatever the model.

    >>> from be_jax.metrics import conformal
    >>> threshold = conformal.threshold(conformal.scores(validation_log_probs, validation_labels), level=0.9)
    >>> sets = conformal.sets(test_log_probs, threshold)

The guarantee is over draws of validation and test examples together, from one distribution (Vovk et al. 2005; Lei et
al. 2018); it says nothing of a shifted set. Predictions are of the mixture.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check, regression


def threshold(scores: ArrayLike, level: float = 0.9, mask: ArrayLike | None = None) -> jax.Array:
    """The ceil((n + 1) level)-th smallest of the n counted scores of validation, scalar; +inf where n is too small.

    NaN where a counted score is NaN.

    Raises:
      TypeError or ValueError: scores other than real `[n]`, a mask other than boolean `[n]`, or a level not in (0, 1].
    """
    scores = _check.vector(scores, "scores")
    mask = _check.mask(mask, scores.shape)
    level = _check.fraction(level, "level", above_zero=True)
    if not len(scores):
        return jnp.float32(jnp.inf)
    count = jnp.sum(mask)
    rank = jnp.ceil((count + 1) * level - 1e-4).astype(jnp.int32)  # 0.9 of 10 are 9, however they are rounded
    ascending = jnp.sort(jnp.where(mask, scores, jnp.inf))
    found = jnp.where(rank > count, jnp.inf, ascending[jnp.clip(rank - 1, 0, len(scores) - 1)])
    return jnp.where(jnp.isnan(scores).any(where=mask), jnp.nan, found)


def class_scores(
    log_probs: ArrayLike, *, penalty: float = 0.0, free: int = 0, key: jax.Array | None = None
) -> jax.Array:
    """How strange each class would be as the label, `[b, c]`: the probability of the more probable classes, less 1.

    These are the scores of adaptive prediction sets (APS: Romano et al. 2020, arXiv 2006.02544), and with a penalty of
    the regularised ones (RAPS: Angelopoulos et al. 2021, arXiv 2009.14193). They are summed from the least probable
    class up, so that they do not saturate where a prediction is nearly certain. Equals are ranked by their number.

    Args:
      log_probs: `[b, c]`.
      penalty: added for each rank beyond the first `free` ones.
      free: ranks without a penalty.
      key: with it, a uniform fraction of the class's own probability, one for each example, counts as more probable:
        coverage is then exact, and sets may be empty. Without it none does, so that the first class is in every set
        whose threshold is at least -1, and coverage is at least as stated. Use different keys for validation and test.

    Raises:
      TypeError or ValueError: as `accuracy` does, and for a penalty below 0.
    """
    log_probs = _check.log_probs(log_probs)
    if not penalty >= 0 or free < 0:
        raise ValueError(f"penalty and free must be at least 0, got {penalty} and {free}.")
    b, c = log_probs.shape
    order = jnp.argsort(-log_probs, axis=1, stable=True)
    probs = jnp.exp(jnp.take_along_axis(log_probs, order, axis=1))
    this_and_less = jnp.flip(jnp.cumsum(jnp.flip(probs, axis=1), axis=1), axis=1)
    share = jnp.zeros((b, 1)) if key is None else jax.random.uniform(key, (b, 1))
    ranked = share * probs - this_and_less + penalty * jnp.maximum(jnp.arange(1, c + 1) - free, 0)[None]
    return jnp.take_along_axis(ranked, jnp.argsort(order, axis=1), axis=1)


def scores(
    log_probs: ArrayLike,
    labels: ArrayLike,
    *,
    penalty: float = 0.0,
    free: int = 0,
    key: jax.Array | None = None,
) -> jax.Array:
    """`class_scores` of the labels, `[b]`; NaN for a label that is no class."""
    of_classes = class_scores(log_probs, penalty=penalty, free=free, key=key)
    return of_classes.at[jnp.arange(len(of_classes)), _check.labels(labels, len(of_classes))].get(
        mode="fill", fill_value=jnp.nan, wrap_negative_indices=False
    )


def sets(
    log_probs: ArrayLike,
    threshold: ArrayLike,
    *,
    penalty: float = 0.0,
    free: int = 0,
    key: jax.Array | None = None,
) -> jax.Array:
    """The classes whose score is at most the threshold: boolean `[b, c]`. Their number is `sets.sum(1)`."""
    return class_scores(log_probs, penalty=penalty, free=free, key=key) <= jnp.asarray(threshold).reshape(1, 1)


def set_covers(sets: ArrayLike, labels: ArrayLike) -> jax.Array:
    """1.0 where the set `[b, c]` holds the label, else 0.0: float32 `[b]`; NaN for a label that is no class.

    Raises:
      TypeError or ValueError: sets that are not boolean `[b, c]`, and labels as by `accuracy`.
    """
    sets = _check.array(sets, "sets")
    if sets.dtype != bool or sets.ndim != 2:
        raise TypeError(f"sets must be boolean [b, c], got {sets.dtype} of shape {sets.shape}.")
    labels = _check.labels(labels, len(sets))
    return (
        sets.astype(jnp.float32)
        .at[jnp.arange(len(sets)), labels]
        .get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)
    )


class Bounds(NamedTuple):
    """The ends of intervals, each `[b]`, in units of the target."""

    lower: jax.Array
    upper: jax.Array

    @property
    def width(self) -> jax.Array:
        """upper - lower, `[b]`."""
        return self.upper - self.lower

    def covers(self, targets: ArrayLike) -> jax.Array:
        """1.0 where the interval, ends included, holds the target, else 0.0; NaN of NaN."""
        targets = _check.vector(targets, "targets")
        held = ((self.lower <= targets) & (targets <= self.upper)).astype(jnp.float32)
        return jnp.where(jnp.isnan(self.lower + self.upper + targets), jnp.nan, held)


def distances(means: ArrayLike, variances: ArrayLike, targets: ArrayLike) -> jax.Array:
    """|target - mean| / standard deviation of the mixture, `[b]`: scores of a regression (Lei et al. 2018, sec. 5.2).

    A point mass is at distance 0 from itself and infinitely far from anything else.

    Raises:
      TypeError or ValueError: as `regression.nll` does.
    """
    total, error = regression.decompose(means, variances).total, regression.squared_error(means, variances, targets)
    is_exact = error == 0
    return jnp.where(is_exact, 0 * total, jnp.sqrt(error) / jnp.sqrt(total))


def intervals(means: ArrayLike, variances: ArrayLike, threshold: ArrayLike) -> Bounds:
    """mean ± threshold * standard deviation of the mixture; the whole line where the threshold is +inf."""
    total = regression.decompose(means, variances).total
    half, mean = jnp.asarray(threshold) * jnp.sqrt(total), jnp.mean(_check.real(means, "means"), axis=0)
    half = jnp.where(jnp.isnan(half) & (total == 0), jnp.inf, half)
    return Bounds(mean - half, mean + half)
