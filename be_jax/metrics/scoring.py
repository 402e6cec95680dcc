"""Per-example scores of a prediction [b, c] against labels [b].

A label outside 0 .. c - 1 cannot raise inside jit; its example scores NaN, never a clipped or wrapped class.
A NaN prediction scores NaN too. All three functions raise TypeError for labels that are not integers or log_probs that
are not floating, and ValueError for shapes other than [b, c] and [b].
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check


def one_hot(labels: jax.Array, num_classes: int) -> jax.Array:
    """One-hot rows [..., c] of integer labels [...], float32; a label that is no class gets a row of NaN."""
    classes = jnp.arange(num_classes).reshape((1,) * labels.ndim + (num_classes,))
    is_class = (labels >= 0) & (labels < num_classes)
    return jnp.where(is_class[..., None], (labels[..., None] == classes).astype(jnp.float32), jnp.nan)


def vote(log_probs: jax.Array) -> jax.Array:
    """The predicted class of each row [..., c], one-hot; the first of equals, NaN for a row that contains NaN."""
    return one_hot(predicted(log_probs), log_probs.shape[-1])


def predicted(log_probs: jax.Array) -> jax.Array:
    """The most probable class of each row [..., c], the first of equals; c, which is no class, for a row with NaN."""
    classes = log_probs.shape[-1]
    is_top = log_probs == jnp.max(log_probs, axis=-1, keepdims=True)
    numbers = jnp.arange(classes, dtype=jnp.int32).reshape((1,) * (log_probs.ndim - 1) + (classes,))
    return jnp.min(jnp.where(is_top, numbers, classes), axis=-1)


def accuracy(log_probs: ArrayLike, labels: ArrayLike) -> jax.Array:
    """1.0 where the most probable class (the first of equals) is the label, else 0.0: float32 [b]."""
    log_probs = _check.log_probs(log_probs)
    labels = _check.labels(labels, len(log_probs))
    return jnp.sum(vote(log_probs) * one_hot(labels, log_probs.shape[1]), axis=1)


def nll(log_probs: ArrayLike, labels: ArrayLike) -> jax.Array:
    """Negative log-likelihood -log p(label) in nats [b]; +inf where the label had probability 0."""
    log_probs = _check.log_probs(log_probs)
    labels = _check.labels(labels, len(log_probs))
    rows = jnp.arange(len(log_probs))
    return -log_probs.at[rows, labels].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


def brier(log_probs: ArrayLike, labels: ArrayLike) -> jax.Array:
    """Brier score sum_c (p_c - [c = label])^2 in [0, 2], [b]: summed over classes, not averaged (Brier 1950, eq. 2)."""
    log_probs = _check.log_probs(log_probs)
    labels = _check.labels(labels, len(log_probs))
    return jnp.sum((jnp.exp(log_probs) - one_hot(labels, log_probs.shape[1])) ** 2, axis=1)
