"""Calibration error: how far stated probabilities are from observed frequencies, by binning.

Labels that are no class, and NaN predictions, make the result NaN unless masked out; an all-masked batch gives NaN.
Every function raises TypeError for labels that are not integers, log_probs that are not floating, a mask that is not
boolean or num_bins that is not an int, and ValueError for shapes other than [b, c], [b], [b] or num_bins < 1.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics._ranked import Ranked
from be_jax.metrics.scoring import accuracy, one_hot


class Reliability(NamedTuple):
    """Per bin, each [num_bins]: mean confidence and accuracy (NaN in an empty bin), and fraction of all examples."""

    confidence: jax.Array
    accuracy: jax.Array
    fraction: jax.Array


class Bins(NamedTuple):
    """Per bin, each [num_bins]: the number of examples, the sum of their confidence and of their correctness.

    Bins of equal width add over batches, and over devices by `jax.lax.psum`.
    """

    count: jax.Array  # type: ignore[assignment]
    confidence: jax.Array
    correct: jax.Array

    @property
    def ece(self) -> jax.Array:
        """sum_k (n_k / n) |accuracy_k - confidence_k| (Guo et al. 2017, eq. 3); NaN if nothing was counted."""
        return jnp.sum(jnp.abs(self.correct - self.confidence)) / jnp.sum(self.count)

    @property
    def reliability(self) -> Reliability:
        """What a reliability diagram draws."""
        fraction = self.count / jnp.sum(self.count)
        if isinstance(self.count, jax.core.Tracer):
            return Reliability(self.confidence / self.count, self.correct / self.count, fraction)
        # On the host: an empty bin is nothing that JAX_DEBUG_NANS should stop at.
        count = np.where(np.asarray(self.count) == 0, np.nan, self.count)
        confidence, accuracy = jax.device_put(
            [np.float32(np.asarray(s) / count) for s in (self.confidence, self.correct)]
        )
        return Reliability(confidence, accuracy, fraction)

    def __add__(self, other: "Bins") -> "Bins":  # type: ignore[override]
        return jax.tree.map(jnp.add, self, other)


def _fill(in_bin: jax.Array, confidence: jax.Array, correct: jax.Array) -> Bins:
    """Sums over the examples of each bin; in_bin is boolean [num_bins, b]."""
    sums = [jnp.sum(jnp.where(in_bin, values[None], 0), axis=1) for values in (confidence, correct)]
    return Bins(jnp.sum(in_bin, axis=1, dtype=jnp.int32), *sums)


_ROUNDING = 8 * float(np.finfo(np.float32).eps)


def log_edges(num_bins: int) -> np.ndarray:
    """The upper ends of all bins of equal width but the last, as logarithms in float32: `[num_bins - 1]`, ascending.

    A log-confidence falls in the first bin whose end is not below it (`searchsorted`, left). Every end is later than
    log(k / num_bins) by a few steps of float32, 1e-6 times the logarithm and 1e-6 at least, so that a probability that
    is meant to be k / num_bins is in bin k however it was rounded: 0.6 in float32 lies above, in float64 below 6 / 10.
    """
    exact = np.log(np.arange(1, num_bins) / num_bins)
    return (exact + _ROUNDING * np.maximum(1, np.abs(exact))).astype(np.float32)


def bin_of(log_confidence: jax.Array, num_bins: int) -> jax.Array:
    """The bin, 0 .. num_bins - 1, of each log-confidence; see `log_edges`."""
    return jnp.searchsorted(jnp.asarray(log_edges(num_bins), log_confidence.dtype), log_confidence, side="left")


def _equal_width(log_confidence: jax.Array, correct: jax.Array, num_bins: int, mask: jax.Array) -> Bins:
    in_bin = (bin_of(log_confidence, num_bins)[None] == jnp.arange(num_bins)[:, None]) & mask[None]
    return _fill(in_bin, jnp.exp(log_confidence), correct)


def calibration_bins(
    log_probs: ArrayLike, labels: ArrayLike, num_bins: int = 15, mask: ArrayLike | None = None
) -> Bins:
    """Bins the probability of the predicted class (top label) by equal widths on (0, 1], closed on the right.

    Bin k = 1 .. num_bins is ((k - 1) / num_bins, k / num_bins] (Guo et al. 2017, section 2), whatever the data. An edge
    is compared with a tolerance of float32's rounding (`log_edges`): votes of k in num_bins members are in bin k.
    """
    num_bins = _check.num_bins(num_bins)
    log_probs = _check.log_probs(log_probs)
    mask = _check.mask(mask, log_probs.shape[:1])
    return _equal_width(jnp.max(log_probs, axis=1), accuracy(log_probs, labels), num_bins, mask)


def ece(log_probs: ArrayLike, labels: ArrayLike, num_bins: int = 15, mask: ArrayLike | None = None) -> jax.Array:
    """Expected calibration error in [0, 1]: top label, equal-width right-closed bins (Guo et al. 2017, eq. 3)."""
    return calibration_bins(log_probs, labels, num_bins, mask).ece


def adaptive_ece(
    log_probs: ArrayLike, labels: ArrayLike, num_bins: int = 15, mask: ArrayLike | None = None
) -> jax.Array:
    """Calibration error of the top label over bins of equal mass, in [0, 1].

    With n examples ranked 0 .. n - 1 by confidence, bin k = 0 .. K - 1 holds the ranks from floor(k n / K) up to, not
    including, floor((k + 1) n / K), so sizes differ by at most one. These are the adaptive bins of Nguyen & O'Connor
    2015 with the absolute gap of `ece` (theirs is squared), known as AdaECE (Mukhoti et al. 2020); the ACE of Nixon et
    al. 2019 is the mean of the same over all classes. Examples of equal confidence share their mean correctness, so
    the order of the examples does not matter. Ranks are taken in the whole set: this does not add over batches.
    """
    num_bins = _check.num_bins(num_bins)
    log_probs = _check.log_probs(log_probs)
    mask = _check.mask(mask, log_probs.shape[:1])
    correct = accuracy(log_probs, labels)

    ranked = Ranked.of(jnp.max(log_probs, axis=1), mask)
    edges = jnp.arange(num_bins + 1) * ranked.size // num_bins
    rank = jnp.arange(len(log_probs))
    in_bin = (edges[:-1, None] <= rank[None]) & (rank[None] < edges[1:, None])
    confidence = jnp.sum(jnp.where(in_bin, jnp.exp(ranked.scores)[None], 0), axis=1)
    bins = Bins(jnp.diff(edges), confidence, jnp.diff(ranked.expected_events(correct == 1)[edges]))
    return jnp.where(jnp.isnan(correct).any(where=mask), jnp.nan, bins.ece)


@functools.partial(jax.jit, static_argnames="num_bins")
def _ece_of_each_class(log_probs: jax.Array, is_class: jax.Array, num_bins: int, mask: jax.Array) -> jax.Array:
    """[c] from log_probs [c, b] and is_class [c, b], one class after another: memory stays O(num_bins b)."""
    return jax.lax.map(lambda pair: _equal_width(pair[0], pair[1], num_bins, mask).ece, (log_probs, is_class))


def classwise_ece(
    log_probs: ArrayLike, labels: ArrayLike, num_bins: int = 15, mask: ArrayLike | None = None
) -> jax.Array:
    """Mean over classes c of sum_k (n_ck / n) |frequency of c - mean p_c|, in [0, 1].

    n_ck of all n examples have p_c in bin k, with the bins of `ece`; probability 0 falls in the first. This is the
    classwise-ECE of Kull et al. 2019, section 2, or static calibration error of Nixon et al. 2019.
    """
    num_bins = _check.num_bins(num_bins)
    log_probs = _check.log_probs(log_probs)
    labels = _check.labels(labels, len(log_probs))
    mask = _check.mask(mask, log_probs.shape[:1])

    return jnp.mean(_ece_of_each_class(log_probs.T, one_hot(labels, log_probs.shape[1]).T, num_bins, mask))
