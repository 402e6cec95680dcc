"""The one sentence and the one figure with which an audit opens."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from be_jax.audit.task import Scores
from be_jax.report.columns import Metric, percent
from be_jax.report.figures.illustration import Illustration
from be_jax.report.figures.standing import standing
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE, Style, styles
from be_jax.report.summary import Estimate, estimate, look_up, summarise
from be_jax.report.words import endpoint_title
from be_jax.results import StudyResult
from be_jax.stats import Judgement

MEMBER = Style("#7F7F7F", "o", "-")

MISSING = (
    "What independent networks would give is not known: none were given (`--pool`, or `--single` with "
    "`--deep-ensemble`)."
)


class Levels(NamedTuple):
    """The primary metric on test of a member on average, the ensemble and, where they were given, its references."""

    member: Estimate
    ensemble: Estimate
    single: Estimate
    deep_ensemble: Estimate


def levels(name: str, result: StudyResult, of_members: Sequence[Scores], metric: Metric) -> Levels:
    """What the headline compares."""
    summary = summarise(result)
    ensemble, one, deep = (look_up(summary, each, "test", metric.key) for each in (name, SINGLE, DEEP_ENSEMBLE))
    return Levels(estimate([scores[metric.key] for scores in of_members]), ensemble, one, deep)


def sentence(
    name: str,
    at: Levels,
    metric: Metric,
    members: int,
    judgement: Judgement | None,
) -> str:
    """Where the ensemble stands, or what is missing to say so."""
    if judgement is None:
        return (
            f"Averaging the {members} members of {name} takes {metric.title} on test from {metric.shown(at.member)} (a "
            f"member, on average) to {metric.shown(at.ensemble)}. {MISSING}"
        )
    value = judgement.methods[0].equivalents.get(str(judgement.config.primary))
    worth_too = f"; its deep-ensemble equivalent is {value}" if value and not math.isnan(value.value) else ""
    return (
        f"On test {name} has {metric.title} {metric.shown(at.ensemble)}, one network {metric.shown(at.single)} and "
        f"{members} independent ones {metric.shown(at.deep_ensemble)}: {_recovered(judgement)}{worth_too}."
    )


def figure(name: str, at: Levels, metric: Metric, members: int) -> Illustration:
    """A member, the ensemble, one network and as many independent ones, from above."""
    style = styles((SINGLE, name, DEEP_ENSEMBLE))
    rows = [("a member, on average", at.member, MEMBER), (name, at.ensemble, style[name])]
    if at.deep_ensemble.n:
        rows += [
            ("one network", at.single, style[SINGLE]),
            (f"{members} independent networks", at.deep_ensemble, style[DEEP_ENSEMBLE]),
        ]
    note = "A member was trained with the others: it is no single network."
    return standing(rows, metric, note if at.deep_ensemble.n else f"{note} {MISSING}".replace("`", ""))


def _recovered(judgement: Judgement) -> str:
    row = judgement.methods[0].row(*judgement.config.primary)
    if row is None or not row.position.pieces:
        why = f" ({row.reason})" if row and row.reason else ""
        return f"what part of their gain it recovers cannot be said{why}"
    return f"it recovers {percent(row.position)} of their gain in {endpoint_title(row.endpoint)}"
