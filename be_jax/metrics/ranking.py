"""How well a score [b] tells two populations apart: detection of out-of-distribution examples, the positive class.

Only order matters: scores may be infinite. Ties are as in scikit-learn. The result is NaN if a counted score is NaN
(it has no rank) or if a population has no counted example. Every function takes in_scores [b_in], out_scores [b_out]
and boolean masks of the same shapes (True = counted); it raises TypeError for complex scores or masks that are not
boolean, and ValueError for other shapes. The cost is one sort of each population and one binary search per score.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics._ranked import Ranked, reaches
from be_jax.metrics.mean import Mean


def _populations(
    in_scores: ArrayLike, out_scores: ArrayLike, in_mask: ArrayLike | None, out_mask: ArrayLike | None
) -> tuple[Ranked, Ranked]:
    in_scores, out_scores = _check.vector(in_scores, "in_scores"), _check.vector(out_scores, "out_scores")
    inside = Ranked.of(in_scores, _check.mask(in_mask, in_scores.shape, "in_mask"))
    outside = Ranked.of(out_scores, _check.mask(out_mask, out_scores.shape, "out_mask"))
    return inside, outside


def _nan_if_undefined(value: jax.Array, inside: Ranked, outside: Ranked) -> jax.Array:
    defined = inside.is_valid & outside.is_valid & (inside.size > 0) & (outside.size > 0)
    return jnp.where(defined, value, jnp.nan)


def auroc(
    in_scores: ArrayLike,
    out_scores: ArrayLike,
    in_mask: ArrayLike | None = None,
    out_mask: ArrayLike | None = None,
) -> jax.Array:
    """Area under the ROC curve: P(out > in) + P(out = in) / 2, the Mann-Whitney statistic (Hanley & McNeil 1982)."""
    inside, outside = _populations(in_scores, out_scores, in_mask, out_mask)
    wins = (inside.below(outside.scores) + inside.at_most(outside.scores)) / (2 * inside.size)
    return _nan_if_undefined(Mean.of(wins, outside.is_counted).value, inside, outside)


def aupr(
    in_scores: ArrayLike,
    out_scores: ArrayLike,
    in_mask: ArrayLike | None = None,
    out_mask: ArrayLike | None = None,
) -> jax.Array:
    """Average precision: sum over distinct thresholds of (recall step) * precision, as in scikit-learn.

    Each out example adds 1 / b_out to the recall at the threshold equal to its score, so this is the mean over out
    examples of the precision there. No interpolation.
    """
    inside, outside = _populations(in_scores, out_scores, in_mask, out_mask)
    true_positives, false_positives = outside.at_least(outside.scores), inside.at_least(outside.scores)
    precision = true_positives / jnp.maximum(true_positives + false_positives, 1)
    return _nan_if_undefined(Mean.of(precision, outside.is_counted).value, inside, outside)


def fpr_at_tpr(
    in_scores: ArrayLike,
    out_scores: ArrayLike,
    in_mask: ArrayLike | None = None,
    out_mask: ArrayLike | None = None,
    tpr: float = 0.95,
) -> jax.Array:
    """The smallest fraction of in examples flagged by a threshold that flags at least a fraction `tpr` of out examples.

    A threshold t flags scores >= t. No interpolation between thresholds, so a tie is flagged as a whole. Here the
    positives are the out examples; Liang et al. 2018, section 4, use the name FPR95 with in and out exchanged.

    Raises:
      ValueError: also if tpr is not in (0, 1].
    """
    tpr = _check.fraction(tpr, "tpr", above_zero=True)
    inside, outside = _populations(in_scores, out_scores, in_mask, out_mask)
    # Padding in `outside` is the threshold +inf, which flags what is +inf and so is a threshold like any other.
    reached = reaches(outside.at_least(outside.scores) / outside.size, tpr)
    fpr = inside.at_least(outside.scores) / inside.size
    return _nan_if_undefined(jnp.min(fpr, where=reached, initial=1.0), inside, outside)
