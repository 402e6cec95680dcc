"""The calibration error without the bias of binning, and with its interval."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics.calibration import bin_of
from be_jax.metrics.scoring import accuracy


class Interval(NamedTuple):
    """An estimate and the ends of its interval, scalars."""

    value: jax.Array
    lower: jax.Array
    upper: jax.Array


def debiased_ece(
    log_probs: ArrayLike, labels: ArrayLike, num_bins: int = 15, level: float = 0.95, mask: ArrayLike | None = None
) -> Interval:
    """Root-mean-square calibration error of the top label over the bins of `ece`, debiased: in [0, 1].

    In a bin of n examples with residuals r (correctness less confidence) of mean g, the mean of r_i r_j over pairs of
    different examples estimates g^2 without bias, where the square of their mean is too large by var(r) / n (Kumar et
    al. 2019, arXiv 1909.10155, section 5; Sun et al. 2024, arXiv 2408.08998). The error is the root of its mean over
    examples, 0 where that is negative. `ece`, a mean of |g|, is at most as large, but for its bias.

    The interval is the normal one of the square, with the variance of the pairs' mean, which stays what it is where the
    predictions are calibrated, and of the bins' sizes. A bin of one example tells nothing and counts as 0.

    NaN as of `ece`, and where nothing is counted.

    Args:
      log_probs: `[b, c]`.
      labels: integers `[b]`.
      num_bins: bins of equal width.
      level: of the interval, in (0, 1].
      mask: boolean `[b]`, True = counted.

    Raises:
      TypeError or ValueError: as `ece` does, and for a `level` outside (0, 1].
    """
    num_bins, level = _check.num_bins(num_bins), _check.fraction(level, "level", above_zero=True)
    log_probs = _check.log_probs(log_probs)
    mask = _check.mask(mask, log_probs.shape[:1])
    log_confidence = jnp.max(log_probs, axis=1)
    residual = jnp.where(mask, accuracy(log_probs, labels) - jnp.exp(log_confidence), 0)
    in_bin = (bin_of(log_confidence, num_bins)[None] == jnp.arange(num_bins)[:, None]) & mask[None]
    count = jnp.sum(in_bin, axis=1)
    mean = jnp.sum(jnp.where(in_bin, residual[None], 0), axis=1) / jnp.maximum(count, 1)
    spread = jnp.sum(jnp.where(in_bin, (residual[None] - mean[:, None]) ** 2, 0), axis=1) / jnp.maximum(count - 1, 1)
    square = jnp.where(count > 1, mean**2 - spread / jnp.maximum(count, 1), 0)

    share = count / jnp.sum(count)
    total = jnp.sum(share * square)
    of_pairs = 2 * spread**2 / jnp.maximum(count * (count - 1.0), 1)
    of_means = 4 * jnp.maximum(square, 0) * spread / jnp.maximum(count, 1)
    of_sizes = jnp.maximum(jnp.sum(share * square**2) - total**2, 0) / jnp.sum(count)
    half = ndtri((1 + level) / 2) * jnp.sqrt(jnp.sum(share**2 * (of_pairs + of_means)) + of_sizes)
    ends = jnp.sqrt(jnp.maximum(jnp.stack([total, total - half, total + half]), 0))
    return Interval(*jnp.where(jnp.isnan(residual).any() | (jnp.sum(count) == 0), jnp.nan, ends))
