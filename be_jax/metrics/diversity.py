"""How much the members of an ensemble [m, b, c] differ as functions.

One member has no pairs: every measure is then 0. Every function raises TypeError for member_log_probs that are not
floating, and ValueError for a shape other than [m, b, c] or an empty member or class axis. NaN in a member gives NaN.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check, _information
from be_jax.metrics.scoring import vote


def disagreement(member_log_probs: ArrayLike) -> jax.Array:
    """Fraction of the pairs of members that predict different classes, [b] (Kuncheva & Whitaker 2003, section 2.1.3).

    With n_c votes for class c, m^2 - sum_c n_c^2 of the m (m - 1) ordered pairs differ.
    """
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    m = len(members)
    votes = jnp.sum(vote(members), axis=0)
    return (m**2 - jnp.sum(votes**2, axis=1)) / max(m * (m - 1), 1)


def disagreement_matrix(member_log_probs: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """Fraction of the examples on which members i and j predict different classes: [m, m], zero diagonal.

    `mask` [b], boolean, picks the examples; NaN if it picks none. Raises TypeError or ValueError if it is not that.
    """
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    mask = _check.mask(mask, members.shape[1:2])
    votes = jnp.where(mask[None, :, None], vote(members), 0)
    count = jnp.sum(mask, dtype=jnp.int32)
    return (count - jnp.einsum("ibc,jbc->ij", votes, votes)) / count


@functools.partial(jax.jit, static_argnames="divergence")
def _mean_over_pairs(divergence: Callable[[jax.Array, jax.Array], jax.Array], members: jax.Array) -> jax.Array:
    """Mean [b] of a divergence over ordered pairs; shift s pairs member k with k + s, so memory stays O(m b c)."""
    m, b, _ = members.shape

    def add_shift(total: jax.Array, shift: jax.Array) -> tuple[jax.Array, None]:
        return total + jnp.sum(divergence(members, jnp.roll(members, shift, axis=0)), axis=0), None

    total, _ = jax.lax.scan(add_shift, jnp.zeros(b, members.dtype), jnp.arange(1, m))
    return total / max(m * (m - 1), 1)


def pairwise_kl(member_log_probs: ArrayLike) -> jax.Array:
    """Mean of KL(p_i || p_j) over ordered pairs of different members, in nats [b].

    +inf where a member gives probability 0 to what another holds possible.
    """
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    return _mean_over_pairs(_information.kl, members)


def pairwise_js(member_log_probs: ArrayLike) -> jax.Array:
    """Mean of the Jensen-Shannon divergence over unordered pairs of members, in nats [b], in [0, log 2]."""
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    return _mean_over_pairs(_information.js, members)
