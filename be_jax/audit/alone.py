"""What one ensemble tells without a reference: its members alone, and what averaging them adds."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from be_jax import metrics
from be_jax.npz import Predictions
from be_jax.report import columns
from be_jax.report.columns import Metric
from be_jax.report.summary import Estimate, estimate
from be_jax.report.table import Column, Table, column

SAME_ERROR, ERROR_KAPPA, YULES_Q = map(columns.metric, ("same_error", "error_kappa", "yules_q"))

QUALITY = (columns.ACCURACY, columns.NLL, columns.BRIER, columns.ECE)
LIKENESS = (columns.DISAGREEMENT, columns.MUTUAL_INFORMATION, columns.PAIRWISE_JS, SAME_ERROR, ERROR_KAPPA, YULES_Q)

Scores = Mapping[str, float]


def score_test_members(predictions: Predictions) -> dict[str, float]:
    """Of the members on `test`: means of `accuracy`, `nll`, `brier`, `ece`; and `same_error` and `error_kappa`.

    Args:
      predictions: as of `checked`.
    """
    members, labels = predictions["test/log_probs"], predictions["test/labels"]
    scores = [_quality(member, labels) for member in members]
    return {
        **{metric: float(np.mean([of_member[metric] for of_member in scores])) for metric in scores[0]},
        **{metric: float(value) for metric, value in _likeness(members, labels).items()},
    }


def members_table(of_members: Sequence[Scores], of_ensemble: Sequence[Scores]) -> Table:
    """Members on average beside the ensemble that they make, on `test`; each argument has the scores of every run."""
    quality = [
        column(metric, [_over_runs(scores, metric) for scores in (of_members, of_ensemble)]) for metric in QUALITY
    ]
    note = (
        "The mean over the members, each on its own, and their average; the difference is what averaging adds. A "
        "member is not a single network: it was trained together with the others."
    )
    return Table("Members and their average, on test", ("a member, on average", "the ensemble"), tuple(quality), note)


def likeness_table(name: str, of_members: Sequence[Scores], of_ensemble: Sequence[Scores]) -> Table:
    """How alike the members are, on `test`."""
    scores = [{**ensemble, **members_of(members)} for members, ensemble in zip(of_members, of_ensemble, strict=True)]
    shown: tuple[Column, ...] = tuple(column(metric, [_over_runs(scores, metric)]) for metric in LIKENESS)
    note = (
        "Disagreement, mutual information and JS divergence (nats) are 0 for copies of one network. Same error: pairs "
        "of members that predict the same wrong class. Kappa and Yule's Q: 0 where members err independently, 1 where "
        "they err together."
    )
    return Table("Likeness of the members, on test", (name,), shown, note)


def members_of(scores: Scores) -> dict[str, float]:
    """The part of `score_test_members` that is not quality."""
    return {metric.key: scores[metric.key] for metric in (SAME_ERROR, ERROR_KAPPA)}


def _over_runs(scores: Sequence[Scores], metric: Metric) -> Estimate:
    return estimate([of_run[metric.key] for of_run in scores])


@jax.jit
def _quality(log_probs: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    """Of predictions `[n, c]`."""
    return {
        "accuracy": metrics.accuracy(log_probs, labels).mean(),
        "nll": metrics.nll(log_probs, labels).mean(),
        "brier": metrics.brier(log_probs, labels).mean(),
        "ece": metrics.ece(log_probs, labels),
    }


@jax.jit
def _likeness(member_log_probs: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    """Of predictions `[m, n, c]`."""
    return {
        "same_error": metrics.same_error(member_log_probs, labels).mean(),
        "error_kappa": metrics.error_kappa(member_log_probs, labels),
    }
