"""What the Brier score consists of: calibration, what the predictions tell apart, and the labels' own variance."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics.calibration import bin_of
from be_jax.metrics.scoring import one_hot


class BrierDecomposition(NamedTuple):
    """Scalars: the mean Brier score is reliability - resolution + uncertainty + within.

    reliability: squared gap of probability and frequency, smaller is better. resolution: variance of the frequencies,
    larger is better. uncertainty: variance of the labels, of no prediction's making. within: what the probabilities
    vary within bins, less twice their covariance with the labels there; 0 where a bin holds one probability.
    """

    reliability: jax.Array
    resolution: jax.Array
    uncertainty: jax.Array
    within: jax.Array


def brier_decomposition(
    log_probs: ArrayLike, labels: ArrayLike, num_bins: int = 15, mask: ArrayLike | None = None
) -> BrierDecomposition:
    """Murphy's decomposition (1973) of `brier`, summed over classes, each with its probability in the bins of `ece`.

    The part within bins (Stephenson et al. 2008), which is often left out, makes it exact. NaN as of `classwise_ece`.

    Args:
      log_probs: `[b, c]`.
      labels: integers `[b]`.
      num_bins: bins of equal width.
      mask: boolean `[b]`, True = counted.

    Raises:
      TypeError or ValueError: as `ece` does.
    """
    num_bins = _check.num_bins(num_bins)
    log_probs = _check.log_probs(log_probs)
    labels = _check.labels(labels, len(log_probs))
    mask = _check.mask(mask, log_probs.shape[:1])
    return _summed_over_classes(log_probs.T, one_hot(labels, log_probs.shape[1]).T, num_bins, mask)


@functools.partial(jax.jit, static_argnames="num_bins")
def _summed_over_classes(log_probs: jax.Array, events: jax.Array, num_bins: int, mask: jax.Array) -> BrierDecomposition:
    """Of log_probs and events `[c, b]`, one class after another: memory stays O(num_bins b)."""
    size = jnp.sum(mask)

    def of_class(pair: tuple[jax.Array, jax.Array]) -> BrierDecomposition:
        log_p, event = pair
        in_bin = (bin_of(log_p, num_bins)[None] == jnp.arange(num_bins)[:, None]) & mask[None]
        count = jnp.sum(in_bin, axis=1)
        at_least_1 = jnp.maximum(count, 1)

        def bin_means(values: jax.Array) -> jax.Array:
            return jnp.sum(jnp.where(in_bin, values[None], 0), axis=1) / at_least_1

        def rest(values: jax.Array, means: jax.Array) -> jax.Array:
            """Each value less the mean of its bin."""
            return jnp.where(mask, values - jnp.sum(jnp.where(in_bin, means[:, None], 0), axis=0), 0)

        p = jnp.exp(log_p)
        probability, frequency = bin_means(p), bin_means(event)
        share = count / size
        base = jnp.sum(share * frequency)
        p_rest, event_rest = rest(p, probability), rest(event, frequency)
        return BrierDecomposition(
            reliability=jnp.sum(share * (probability - frequency) ** 2),
            resolution=jnp.sum(share * (frequency - base) ** 2),
            uncertainty=base * (1 - base),
            within=jnp.sum(p_rest * (p_rest - 2 * event_rest)) / size,
        )

    return jax.tree.map(jnp.sum, jax.lax.map(of_class, (log_probs, events)))
