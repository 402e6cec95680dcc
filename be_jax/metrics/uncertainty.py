"""Uncertainty of an ensemble's prediction [m, b, c], per example [b]; larger = more uncertain.

Every function raises TypeError for member_log_probs that are not floating, and ValueError for a shape other than
[m, b, c] or an empty member or class axis. A NaN in any member makes that example NaN.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check, _information
from be_jax.metrics.scoring import predicted, vote


class Decomposition(NamedTuple):
    """Predictive uncertainty, in nats by `decompose`, each [b]: total = aleatoric + epistemic."""

    total: jax.Array
    aleatoric: jax.Array
    epistemic: jax.Array


def mixture(member_log_probs: ArrayLike) -> jax.Array:
    """The ensemble's prediction log (1/m) sum_k p_k: [m, b, c] -> [b, c]."""
    return _information.log_mean_exp(_check.log_probs(member_log_probs, "m, b, c", "member_log_probs"))


def decompose(member_log_probs: ArrayLike) -> Decomposition:
    """Splits the entropy of the mixture into the mean entropy of the members and their mutual information.

    H(mean_k p_k) = mean_k H(p_k) + mean_k KL(p_k || mean_j p_j): total = aleatoric + epistemic (Depeweg et al. 2018,
    section 3; the last term is BALD, Houlsby et al. 2011). 0 <= epistemic <= log m. Epistemic is computed as that
    divergence, not as the difference of two entropies, so that it is accurate for members that are almost equal.
    """
    members, average = _sharp(member_log_probs)
    aleatoric = jnp.mean(_information.entropy(members), axis=0)
    epistemic = jnp.mean(_information.kl(members, average[None]), axis=0)
    return Decomposition(aleatoric + epistemic, aleatoric, epistemic)


def decompose_brier(member_log_probs: ArrayLike) -> Decomposition:
    """The same split by the Brier score instead of the log score: uncertainties in [0, 1).

    1 - sum_c a_c^2 of the mixture a is the mean of the members' 1 - sum_c p_kc^2 and of their squared distance from it,
    mean_k sum_c (p_kc - a_c)^2 (Hofman et al. 2024, arXiv 2404.12215, table 1).
    """
    members, _ = _sharp(member_log_probs)
    p = jnp.exp(members)
    aleatoric = jnp.mean(jnp.sum(p * -jnp.expm1(members), axis=-1), axis=0)
    epistemic = jnp.mean(jnp.sum((p - jnp.mean(p, axis=0)[None]) ** 2, axis=-1), axis=0)
    return Decomposition(aleatoric + epistemic, aleatoric, epistemic)


def decompose_zero_one(member_log_probs: ArrayLike) -> Decomposition:
    """The same split by the zero-one loss: the error rates that the probabilities themselves imply, in [0, 1).

    1 - max_c a_c of the mixture a is the mean of the members' 1 - max_c p_kc and of what each would lose, by its own
    probabilities, by predicting the mixture's class (Hofman et al. 2024, arXiv 2404.12215, table 1). The last is 0
    wherever all members predict the same class.
    """
    members, average = _sharp(member_log_probs)
    own = jnp.max(members, axis=-1)
    chosen = predicted(average)
    of_chosen = jnp.take_along_axis(members, chosen[None, :, None], axis=-1, mode="clip")[..., 0]
    aleatoric = jnp.mean(-jnp.expm1(own), axis=0)
    epistemic = jnp.mean(jnp.where(of_chosen == own, 0, jnp.exp(own) - jnp.exp(of_chosen)), axis=0)
    return Decomposition(aleatoric + epistemic, aleatoric, epistemic)


def variation_ratio(member_log_probs: ArrayLike) -> jax.Array:
    """1 - the fraction of members that vote for the modal class, in [0, 1) (Freeman 1965; Gal 2016, section 3.3.1)."""
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    votes = jnp.sum(vote(members), axis=0)
    return (len(members) - jnp.max(votes, axis=1)) / len(members)


def max_probability_uncertainty(member_log_probs: ArrayLike) -> jax.Array:
    """1 - max_c of the mixture's probability (Hendrycks & Gimpel 2017), to full relative precision near 0."""
    _, average = _sharp(member_log_probs)
    return -jnp.expm1(jnp.max(average, axis=1))


def _sharp(member_log_probs: ArrayLike) -> tuple[jax.Array, jax.Array]:
    """Members [m, b, c] and their mixture [b, c], accurate however certain they are."""
    members = _information.sharpen(_check.log_probs(member_log_probs, "m, b, c", "member_log_probs"))
    return members, _information.sharpen(_information.log_mean_exp(members))
