"""Selective classification: the error rate of the k most certain of n examples, as a function of the coverage k / n.

All metrics are read off one curve, the expected risk r_k, k = 1 .. n, when examples are accepted in ascending
order of uncertainty with ties broken at random (Geifman & El-Yaniv 2017, section 2). So the order of the examples does
not matter, and a constant score has the overall error rate as its risk at every coverage.

Arguments: scores [b], larger = more uncertain, may be infinite; correct [b], boolean or 0 / 1, e.g. from
`accuracy`; mask [b], boolean. The result is NaN if a counted score is NaN, if a counted `correct` is not 0 or 1, or if
nothing is counted. TypeError is raised for complex numbers or a mask that is not boolean, ValueError for other shapes.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics._ranked import Ranked, reaches
from be_jax.metrics.mean import Mean


class _Curve(NamedTuple):
    """Points k = 0 .. n of the curve, each [n + 1], which of them exist, and (scalar) whether the curve is defined."""

    risk: jax.Array
    coverage: jax.Array
    exists: jax.Array
    is_defined: jax.Array


def _risk_coverage(scores: ArrayLike, correct: ArrayLike, mask: ArrayLike | None) -> _Curve:
    """The expected curve; the point k = 0, where nothing is accepted, has no risk and does not exist."""
    scores, correct = _check.vector(scores, "scores"), _check.vector(correct, "correct")
    if scores.shape != correct.shape:
        raise ValueError(f"scores and correct must be [b] of one b, got shapes {scores.shape} and {correct.shape}.")
    mask = _check.mask(mask, scores.shape)
    ranked = Ranked.of(scores, mask)
    accepted = jnp.arange(len(scores) + 1)
    is_binary = jnp.all((correct == 0) | (correct == 1), where=mask)
    return _Curve(
        risk=ranked.expected_events(correct == 0) / jnp.maximum(accepted, 1),
        coverage=accepted / ranked.size,
        exists=(accepted > 0) & (accepted <= ranked.size),
        is_defined=ranked.is_valid & is_binary & (ranked.size > 0),
    )


def aurc(scores: ArrayLike, correct: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """Area under the risk-coverage curve, (1 / n) sum_k r_k, in [0, 1] (Geifman et al. 2019, section 3).

    Smaller is better. The area of the best ordering is not subtracted (that would be their E-AURC).
    """
    curve = _risk_coverage(scores, correct, mask)
    return jnp.where(curve.is_defined, Mean.of(curve.risk, curve.exists).value, jnp.nan)


def augrc(scores: ArrayLike, correct: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """Area under the generalised risk-coverage curve, in [0, 1/2] (Traub et al. 2024, arXiv 2407.01032).

    The generalised risk is the probability of an error that is accepted, (k / n) r_k, whose area by trapezia this is:
    (1 - AUROC of the errors) accuracy (1 - accuracy) + (1 - accuracy)^2 / 2, the mean risk of silent failure. Smaller
    is better. Unlike in `aurc`, the few most certain examples weigh no more than the others.
    """
    curve = _risk_coverage(scores, correct, mask)
    joint = jnp.where(curve.exists, curve.risk * curve.coverage, 0)
    size = jnp.sum(curve.exists)
    error_rate = jnp.max(joint, initial=0)
    return jnp.where(curve.is_defined, (jnp.sum(joint) - error_rate / 2) / size, jnp.nan)


def coverage_at_risk(
    scores: ArrayLike, correct: ArrayLike, risk: float = 0.05, mask: ArrayLike | None = None
) -> jax.Array:
    """The largest coverage k / n whose risk r_k is at most `risk`, or 0 (Geifman & El-Yaniv 2017, section 3).

    Raises:
      ValueError: also if risk is not in [0, 1].
    """
    risk = _check.fraction(risk, "risk", above_zero=False)
    curve = _risk_coverage(scores, correct, mask)
    allowed = curve.exists & reaches(-curve.risk, -risk)
    return jnp.where(curve.is_defined, jnp.max(curve.coverage, where=allowed, initial=0.0), jnp.nan)


def risk_at_coverage(
    scores: ArrayLike, correct: ArrayLike, coverage: float = 0.8, mask: ArrayLike | None = None
) -> jax.Array:
    """The risk r_k of the smallest k with k / n >= `coverage`: the error rate among the ceil(coverage n) most certain.

    Raises:
      ValueError: also if coverage is not in (0, 1].
    """
    coverage = _check.fraction(coverage, "coverage", above_zero=True)
    curve = _risk_coverage(scores, correct, mask)
    smallest = jnp.argmax(reaches(curve.coverage, coverage))
    return jnp.where(curve.is_defined, curve.risk[smallest], jnp.nan)
