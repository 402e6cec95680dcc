"""How much the members of an ensemble [m, b, c] differ as functions.

Two ends make a value readable: m copies of one network have diversity 0, and the ratio to the same measure of
independent networks, a deep ensemble, is then 0 for copies and 1 for a deep ensemble. `same_error`,
`error_kappa` and `yules_q` measure likeness: of copies they are the error rate, 1 and 1.

One member has no pairs: every measure is then 0, and kappa and Q 1. Every function raises TypeError for
member_log_probs that are not floating, and ValueError for a shape other than [m, b, c] or an empty member or class
axis; labels are refused as by `be_jax.metrics.accuracy`. NaN in a member gives NaN.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from be_jax.metrics import _check, _information
from be_jax.metrics.scoring import one_hot, vote


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
def _mean_over_pairs(
    divergence: Callable[[_information.Distribution, _information.Distribution], jax.Array], members: jax.Array
) -> jax.Array:
    """Mean [b] of a symmetric divergence over pairs, one pair after another: memory stays O(m b c)."""
    m, b, _ = members.shape
    each = _information.Distribution.of(_information.sharpen(members))

    def add_pair(total: jax.Array, pair: jax.Array) -> tuple[jax.Array, None]:
        first, second = (_information.Distribution(each.log[k], each.p[k]) for k in pair)
        return total + divergence(first, second), None

    pairs = np.stack(np.triu_indices(m, 1), axis=1)
    total, _ = jax.lax.scan(add_pair, jnp.zeros(b, members.dtype), jnp.asarray(pairs, jnp.int32))
    return total / max(len(pairs), 1)


def pairwise_kl(member_log_probs: ArrayLike) -> jax.Array:
    """Mean of KL(p_i || p_j) over ordered pairs of different members, in nats [b].

    +inf where a member gives probability 0 to what another holds possible.
    """
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    return _mean_over_pairs(_information.jeffreys, members) / 2


def pairwise_js(member_log_probs: ArrayLike) -> jax.Array:
    """Mean of the Jensen-Shannon divergence over unordered pairs of members, in nats [b], in [0, log 2]."""
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    return _mean_over_pairs(_information.js, members)


def same_error(member_log_probs: ArrayLike, labels: ArrayLike) -> jax.Array:
    """Fraction of the pairs of members that predict one and the same wrong class, [b].

    With n_c votes for class c, sum n_c (n_c - 1) over the wrong classes, of m (m - 1) ordered pairs. No averaging of
    members mends such an error.
    """
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    m, b, c = members.shape
    is_label = one_hot(_check.labels(labels, b), c)
    votes = jnp.sum(vote(members), axis=0)
    return jnp.sum((1 - is_label) * votes * (votes - 1), axis=1) / max(m * (m - 1), 1)


def error_kappa(member_log_probs: ArrayLike, labels: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """Cohen's kappa of being right or wrong, a scalar in [-1, 1]: mean over unordered pairs of members.

    Members i and j are both right, both wrong, and right alone on the fractions a, d, b (i) and c (j) of the examples:
    kappa_ij = 2 (a d - b c) / ((a + b) (b + d) + (a + c) (c + d)), the pairwise form of the interrater agreement of
    Kuncheva & Whitaker 2003 (section 2.2), which looks at correctness and not at classes. It is 0 where members err
    independently and 1 where they err together, as copies do; also where both are always right, or both always wrong.

    `mask` [b], boolean, picks the examples; NaN if it picks none. Raises TypeError or ValueError if it is not that.
    """
    both_right, both_wrong, alone = _right_and_wrong(member_log_probs, labels, mask)
    accuracy, error = jnp.diag(both_right), jnp.diag(both_wrong)
    differ_by_chance = jnp.outer(accuracy, error) + jnp.outer(error, accuracy)
    excess = 2 * (both_right * both_wrong - alone * alone.T)
    cannot_differ = differ_by_chance == 0
    return _mean_of_pairs(jnp.where(cannot_differ, 1, excess / jnp.where(cannot_differ, 1, differ_by_chance)))


def yules_q(member_log_probs: ArrayLike, labels: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """Yule's Q of being right or wrong, a scalar in [-1, 1]: mean over unordered pairs of members.

    With a, d, b and c as in `error_kappa`, Q_ij = (a d - b c) / (a d + b c) (Kuncheva & Whitaker 2003, section 2.1.1):
    0 where members err independently, 1 where one is never right alone, as of copies, below 0 where they err on
    different examples. Where both products are 0 it is 1 for members that never differ, and else 0.

    `mask` [b], boolean, picks the examples; NaN if it picks none. Raises TypeError or ValueError if it is not that.
    """
    both_right, both_wrong, alone = _right_and_wrong(member_log_probs, labels, mask)
    together, apart = both_right * both_wrong, alone * alone.T
    is_undefined = together + apart == 0
    never_differ = (alone == 0) & (alone.T == 0)
    q = (together - apart) / jnp.where(is_undefined, 1, together + apart)
    return _mean_of_pairs(jnp.where(is_undefined, jnp.where(never_differ, 1, 0), q))


def _right_and_wrong(
    member_log_probs: ArrayLike, labels: ArrayLike, mask: ArrayLike | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Fractions of the examples, `[m, m]`, on which members i and j are both right, both wrong, and i right alone."""
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    _, b, c = members.shape
    mask = _check.mask(mask, (b,))
    correct = jnp.sum(vote(members) * one_hot(_check.labels(labels, b), c)[None], axis=2)
    right, wrong = (jnp.where(mask[None], values, 0) for values in (correct, 1 - correct))
    count = jnp.sum(mask, dtype=jnp.int32)
    return right @ right.T / count, wrong @ wrong.T / count, right @ wrong.T / count


def _mean_of_pairs(values: jax.Array) -> jax.Array:
    """Mean of `[m, m]` off its diagonal; that of one member is its diagonal."""
    m = len(values)
    return values[0, 0] if m == 1 else (jnp.sum(values) - jnp.trace(values)) / (m * (m - 1))
