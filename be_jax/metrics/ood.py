"""Out-of-distribution detection by each uncertainty score of an ensemble."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics.ranking import aupr, auroc, fpr_at_tpr
from be_jax.metrics.uncertainty import decompose, max_probability_uncertainty


class Detection(NamedTuple):
    """How well one score detects OOD examples, scalars in [0, 1]: larger is better, but smaller for fpr95."""

    auroc: jax.Array
    aupr: jax.Array
    fpr95: jax.Array


_SCORES = ("total", "aleatoric", "epistemic", "max_probability")


def _scores(member_log_probs: ArrayLike) -> jax.Array:
    """The scores of `_SCORES`, [4, b]."""
    return jnp.stack([*decompose(member_log_probs), max_probability_uncertainty(member_log_probs)])


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
    in_shape, out_shape = jnp.shape(in_member_log_probs), jnp.shape(out_member_log_probs)
    if in_shape[::2] != out_shape[::2]:
        raise ValueError(f"in and out must agree in members and classes, got shapes {in_shape} and {out_shape}.")
    in_scores, out_scores = _scores(in_member_log_probs), _scores(out_member_log_probs)

    def detect(in_scores: jax.Array, out_scores: jax.Array) -> Detection:
        return Detection(*(metric(in_scores, out_scores, in_mask, out_mask) for metric in (auroc, aupr, fpr_at_tpr)))

    detected = jax.vmap(detect)(in_scores, out_scores)
    return {name: jax.tree.map(lambda values, i=i: values[i], detected) for i, name in enumerate(_SCORES)}
