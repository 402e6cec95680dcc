"""Means, calibration errors and AUROCs on all examples, and without each of 50 blocks of them: what a jackknife needs.

Test examples are a sample, as seeds are. To know how much a score would vary with other examples, it is computed again
without each of `BLOCKS` random blocks. From sums over blocks (and, for an area under a ROC curve, pairs won between
blocks) that costs one pass over the examples.
"""

import functools

import numpy as np

from be_jax.metrics.calibration import log_edges

BLOCKS = 50
"""Blocks of examples: 49 degrees of freedom, so that seeds, of which there are few, decide the quantiles."""

ECE_BINS = 15


@functools.cache
def blocks_of(count: int) -> np.ndarray:
    """The block of each of `count` examples, `[count]`, at random and of sizes that differ by at most one.

    Raises:
      ValueError: fewer than `BLOCKS` examples.
    """
    if count < BLOCKS:
        raise ValueError(f"a set of {count} examples is too small to judge by; it needs at least {BLOCKS}")
    return np.random.default_rng(count).permutation(count) % BLOCKS


def mean_without_blocks(values: np.ndarray) -> np.ndarray:
    """Means of `[..., n]` on all examples and without each block, `[..., 1 + BLOCKS]`; NaN unless all are finite."""
    count = values.shape[-1]
    is_finite = np.isfinite(values).all(axis=-1, keepdims=True)
    sums = _sums(np.where(is_finite, values, 0))
    total = sums.sum(-1, keepdims=True)
    means = np.concatenate([total / count, (total - sums) / (count - _counts(count))], axis=-1)
    return np.where(is_finite, means, np.nan)


def ece_without_blocks(log_confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Expected calibration error as `metrics.ece`, of `[..., n]` over all examples and without each block."""
    count = correct.shape[-1]
    bins = np.searchsorted(log_edges(ECE_BINS).astype(log_confidence.dtype), log_confidence)
    in_bin = bins[..., None, :] == np.arange(ECE_BINS)[:, None]
    excess = correct - np.exp(log_confidence, dtype=np.float64)
    gaps = _sums(np.where(in_bin, excess[..., None, :], 0))
    total = gaps.sum(-1, keepdims=True)
    whole, without = np.abs(total).sum(-2), np.abs(total - gaps).sum(-2)
    return np.concatenate([whole / count, without / (count - _counts(count))], axis=-1)


def auroc_without_blocks(in_scores: np.ndarray, out_scores: np.ndarray) -> np.ndarray:
    """Area under the ROC curve as `metrics.auroc`, over all examples and without block b of both sets."""
    in_blocks, out_blocks = blocks_of(len(in_scores)), blocks_of(len(out_scores))
    won_by_out = _sums(_below(np.sort(in_scores), out_scores))
    won_from_in = _sums(len(out_scores) - _below(np.sort(out_scores), in_scores))
    inside = np.array(
        [_below(np.sort(in_scores[in_blocks == b]), out_scores[out_blocks == b]).sum() for b in range(BLOCKS)]
    )
    total, n_in, n_out = won_by_out.sum(), len(in_scores), len(out_scores)
    pairs = (n_in - _counts(n_in)) * (n_out - _counts(n_out))
    return np.concatenate([[total / (n_in * n_out)], (total - won_by_out - won_from_in + inside) / pairs])


def _below(ascending: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How many of `ascending` are below each value, those equal to it counted half."""
    return (np.searchsorted(ascending, values, "left") + np.searchsorted(ascending, values, "right")) / 2


def _sums(values: np.ndarray) -> np.ndarray:
    """Of `[..., n]` over each block, `[..., BLOCKS]`, in float64."""
    count = values.shape[-1]
    by_block = np.argsort(blocks_of(count), kind="stable")
    starts = np.concatenate([[0], np.cumsum(_counts(count))[:-1]])
    return np.add.reduceat(values[..., by_block].astype(np.float64), starts, axis=-1)


def _counts(count: int) -> np.ndarray:
    return np.bincount(blocks_of(count), minlength=BLOCKS)
