"""Out-of-distribution detection by each uncertainty score of an ensemble."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics.ranking import aupr, auroc, fpr_at_tpr
from be_jax.metrics.uncertainty import decompose, max_probability_uncertainty


class Detection(NamedTuple):
    """How well one score detects OOD examples, scalars in [0, 1]: larger is better, but smaller for fpr95."""

    auroc: jax.Array
    aupr: jax.Array
    fpr95: jax.Array


def _scores(member_log_probs: ArrayLike) -> dict[str, jax.Array]:
    """The scores of `detection`, each [b]."""
    most = max_probability_uncertainty(member_log_probs)
    return {**decompose(member_log_probs)._asdict(), "max_probability": most}


def energy(member_logits: ArrayLike) -> jax.Array:
    """-log sum_c exp(logit_c), mean over members, `[b]` (Liu et al. 2020, arXiv 2010.03759): larger is stranger.

    It needs logits with their scale: of log-probabilities it is 0. -inf is a class that is ruled out.

    Raises:
      TypeError or ValueError: as `decompose` does.
    """
    logits = _check.log_probs(member_logits, "m, b, c", "member_logits")
    return -jnp.mean(jax.nn.logsumexp(logits, axis=-1), axis=0)


def max_logit(member_logits: ArrayLike) -> jax.Array:
    """Minus the largest logit, mean over members, `[b]` (Hendrycks et al. 2022, arXiv 1911.11132): larger is stranger.

    Raises:
      TypeError or ValueError: as `decompose` does.
    """
    return -jnp.mean(jnp.max(_check.log_probs(member_logits, "m, b, c", "member_logits"), axis=-1), axis=0)


def detection_by_logits(
    in_member_logits: ArrayLike,
    out_member_logits: ArrayLike,
    in_mask: ArrayLike | None = None,
    out_mask: ArrayLike | None = None,
) -> dict[str, Detection]:
    """As `detection`, of the scores "energy" and "max_logit", which log-probabilities do not tell.

    Args and raises as of `detection`, of logits.
    """
    _check_agreement(in_member_logits, out_member_logits)
    scores = {"energy": energy, "max_logit": max_logit}
    inside, outside = (
        {name: score(logits) for name, score in scores.items()} for logits in (in_member_logits, out_member_logits)
    )
    return detection_by(inside, outside, in_mask, out_mask)


def detection(
    in_member_log_probs: ArrayLike,
    out_member_log_probs: ArrayLike,
    in_mask: ArrayLike | None = None,
    out_mask: ArrayLike | None = None,
) -> dict[str, Detection]:
    """AUROC, AUPR and FPR at 95 % TPR of the scores "total", "aleatoric", "epistemic" and "max_probability".

    Args:
      in_member_log_probs: [m, b_in, c], in distribution.
      out_member_log_probs: [m, b_out, c], the positive class.
      in_mask, out_mask: boolean [b_in] and [b_out], True = counted.

    Raises:
      TypeError: if log-probabilities are not floating or masks are not boolean.
      ValueError: if a shape is not as above, or the two predictions differ in members or classes.
    """
    _check_agreement(in_member_log_probs, out_member_log_probs)
    return detection_by(_scores(in_member_log_probs), _scores(out_member_log_probs), in_mask, out_mask)


def detection_by(
    in_scores: Mapping[str, ArrayLike],
    out_scores: Mapping[str, ArrayLike],
    in_mask: ArrayLike | None = None,
    out_mask: ArrayLike | None = None,
) -> dict[str, Detection]:
    """The same of any scores, by name: each [b_in] of `in_scores` and [b_out] of `out_scores`, larger is stranger.

    Raises:
      TypeError or ValueError: as `auroc` does.
    """
    inside, outside = (
        jnp.stack([jnp.asarray(scores[name]) for name in in_scores]) for scores in (in_scores, out_scores)
    )
    detected = jax.vmap(lambda inside, outside: _detect(inside, outside, in_mask, out_mask))(inside, outside)
    return {name: jax.tree.map(lambda values, i=i: values[i], detected) for i, name in enumerate(in_scores)}


def _detect(
    in_scores: jax.Array, out_scores: jax.Array, in_mask: ArrayLike | None, out_mask: ArrayLike | None
) -> Detection:
    return Detection(*(metric(in_scores, out_scores, in_mask, out_mask) for metric in (auroc, aupr, fpr_at_tpr)))


def _check_agreement(inside: ArrayLike, outside: ArrayLike) -> None:
    in_shape, out_shape = jnp.shape(inside), jnp.shape(outside)
    if in_shape[::2] != out_shape[::2]:
        raise ValueError(f"in and out must agree in members and classes, got shapes {in_shape} and {out_shape}.")
