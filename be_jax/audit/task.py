"""What is audited, classification or regression: how its predictions are scored, judged and told of."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from be_jax.npz import Predictions
from be_jax.report.columns import Metric
from be_jax.report.figures.illustration import Illustration
from be_jax.report.predictions import Load
from be_jax.report.table import Table
from be_jax.results import StudyResult
from be_jax.stats import Endpoint, JudgeConfig
from be_jax.stats import Scores as JackknifeScores

Scores = Mapping[str, float]
Rows = Mapping[str, Scores]
"""Scores of a run by the row of a table."""


class Part(NamedTuple):
    """What is told of the audited ensemble and its members where there are validation data.

    Attributes:
      key: in the record.
      score: from a run's predictions to its scores; empty where it has no validation data.
      told: sentences, of all runs.
      tables: of all runs.
    """

    key: str
    score: Callable[[Predictions], Rows]
    told: Callable[[Sequence[Rows]], list[str]]
    tables: Callable[[Sequence[Rows]], list[Table]]


class Task(NamedTuple):
    """One kind of prediction.

    Attributes:
      described: from a run's predictions to one line on their sets and sizes.
      score: from a run's predictions to `{set: {metric: value}}`.
      score_members: the same of its members on `test`, averaged over them, and how alike they are.
      score_run: from a run's predictions to the scores that are judged, also without each block of examples.
      judged: from what the judgement is decided by to the same with the endpoints that are judged.
      scales: endpoints by which deep-ensemble equivalents are given.
      primary: the metric that an audit opens with.
      found: sentences on the ensemble and its members, from (name, result, scores of members).
      tables: from (name, result, scores of members), those that need no reference first.
      parts: what validation data tell.
      detailed: more tables, of the result.
      figures: from (result, load).
    """

    described: Callable[[Predictions], str]
    score: Callable[[Predictions], dict[str, dict[str, float]]]
    score_members: Callable[[Predictions], dict[str, float]]
    score_run: Callable[[Predictions], JackknifeScores]
    judged: Callable[[JudgeConfig], JudgeConfig]
    scales: Sequence[Endpoint]
    primary: Metric
    found: Callable[[str, StudyResult, Sequence[Scores]], list[str]]
    tables: Callable[[str, StudyResult, Sequence[Scores]], list[Table]]
    parts: Sequence[Part]
    detailed: Callable[[StudyResult], list[Table]]
    figures: Callable[[StudyResult, Load], list[Illustration]]
