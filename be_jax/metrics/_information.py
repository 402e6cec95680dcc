"""Entropy, divergence and mixture of log-probabilities [..., c], in nats.

Probability 0 (log -inf) is exact in values and gradients.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_NEAR_CERTAIN = -1 / 16


def sharpen(log_p: jax.Array) -> jax.Array:
    """The same log-probabilities, that of a nearly certain class computed from what the others leave to it.

    In float32 its own is 0 once it leads by 17, while the others still say how much is missing from 1: from 0.94 on,
    where equals have no place, it becomes log(1 - sum of the others). Probabilities below 1e-38 are taken for 0.
    """
    top = jnp.max(log_p, axis=-1, keepdims=True)
    is_top = log_p == top
    others = jnp.sum(jnp.where(is_top, 0, jnp.exp(log_p)), axis=-1, keepdims=True)
    is_near = (top > _NEAR_CERTAIN) & (others < 0.5)
    return jnp.where(is_near & is_top, jnp.log1p(-jnp.where(is_near, others, 0)), log_p)


def entropy(log_p: jax.Array) -> jax.Array:
    """H(p) = -sum_c p_c log p_c, with 0 log 0 = 0."""
    log_p_or_0 = jnp.where(log_p == -jnp.inf, 0, log_p)
    return -jnp.sum(jnp.exp(log_p) * log_p_or_0, axis=-1)


def kl(log_p: jax.Array, log_q: jax.Array) -> jax.Array:
    """KL(p || q) = sum_c p_c log(p_c / q_c) - p_c + q_c, with 0 log 0 = 0; +inf where some q_c = 0 < p_c.

    The last two terms sum to nothing for distributions. With them each class contributes p_c (d + exp(-d) - 1), with
    d = log(p_c / q_c): non-negative and of second order in d, so rounding does not swamp it when p and q almost agree.
    """
    p, q = jnp.exp(log_p), jnp.exp(log_q)
    p_is_0 = log_p == -jnp.inf
    d = jnp.where(p_is_0, 0, log_p - log_q)
    is_near = ~p_is_0 & (jnp.abs(d) < 1)
    d_near = jnp.where(is_near, d, 0)
    near = p * (d_near + jnp.expm1(-d_near))
    far = jnp.where(d == jnp.inf, jnp.inf, p * d) - p + q
    return jnp.sum(jnp.where(is_near, near, far), axis=-1)


class Distribution(NamedTuple):
    """Probabilities [..., c] and their logarithms, so that pairs of the same few need not take them again."""

    log: jax.Array
    p: jax.Array

    @classmethod
    def of(cls, log_p: jax.Array) -> "Distribution":
        """From log-probabilities."""
        return cls(log_p, jnp.exp(log_p))


def jeffreys(a: Distribution, b: Distribution) -> jax.Array:
    """KL(a || b) + KL(b || a) = sum_c (a_c - b_c) log(a_c / b_c); +inf where only one of a_c and b_c is 0."""
    d = _log_ratio(a, b)
    return jnp.sum(jnp.where(jnp.isinf(d), jnp.inf, (a.p - b.p) * jnp.where(jnp.isinf(d), 0, d)), axis=-1)


def js(a: Distribution, b: Distribution) -> jax.Array:
    """JS(a, b) = (KL(a || m) + KL(b || m)) / 2 with m = (a + b) / 2 (Lin 1991, section 4).

    With s = |a_c - b_c| / (a_c + b_c), each class contributes m_c ((1 + s) log(1 + s) + (1 - s) log(1 - s)) / 2. For
    small s that is summed as the series of s^(2 k) / (2 k (2 k - 1)), in which nothing cancels.
    """
    low, high, total = jnp.minimum(a.p, b.p), jnp.maximum(a.p, b.p), a.p + b.p
    at_least = jnp.where(total == 0, 1, total)
    share, x = low / at_least, ((high - low) / at_least) ** 2
    is_near = x < _SMALL
    near = x * jnp.polyval(_SERIES, jnp.where(is_near, x, 0))
    d = jnp.where(is_near, 0, jnp.minimum(jnp.abs(_log_ratio(a, b)), 200))
    far = jnp.log(jnp.where(is_near, 1, 2 * high / at_least)) - share * d
    return jnp.sum(total / 2 * jnp.where(is_near, near, far), axis=-1)


_SMALL = 0.2
_SERIES = np.array([1 / (2 * k * (2 * k - 1)) for k in range(8, 0, -1)], np.float32)


def _log_ratio(a: Distribution, b: Distribution) -> jax.Array:
    """log(a / b), 0 where both are 0."""
    both_0 = (a.log == -jnp.inf) & (b.log == -jnp.inf)
    return jnp.where(both_0, 0, a.log) - jnp.where(both_0, 0, b.log)


def log_mean_exp(log_p: jax.Array) -> jax.Array:
    """log mean_k p_k over the leading axis; -inf where every p_k is 0."""
    all_0 = jnp.all(log_p == -jnp.inf, axis=0)
    finite = jnp.where(all_0[None], 0, log_p)
    return jnp.where(all_0, -jnp.inf, jax.nn.logsumexp(finite, axis=0) - jnp.log(len(log_p)))
