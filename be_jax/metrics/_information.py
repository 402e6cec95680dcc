"""Entropy, divergence and mixture of log-probabilities [..., c], in nats.

Probability 0 (log -inf) is exact in values and gradients.
"""

import jax
import jax.numpy as jnp


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


def js(log_p: jax.Array, log_q: jax.Array) -> jax.Array:
    """JS(p, q) = (KL(p || a) + KL(q || a)) / 2 with a = (p + q) / 2 (Lin 1991, section 4)."""
    log_a = log_mean_exp(jnp.stack([log_p, log_q]))
    return (kl(log_p, log_a) + kl(log_q, log_a)) / 2


def log_mean_exp(log_p: jax.Array) -> jax.Array:
    """log mean_k p_k over the leading axis; -inf where every p_k is 0."""
    all_0 = jnp.all(log_p == -jnp.inf, axis=0)
    finite = jnp.where(all_0[None], 0, log_p)
    return jnp.where(all_0, -jnp.inf, jax.nn.logsumexp(finite, axis=0) - jnp.log(len(log_p)))
