"""A table of methods as plain text cells, which the terminal, the page and the README each draw in their way."""

import math
from typing import NamedTuple

import pandas as pd

from be_jax.report.columns import Metric
from be_jax.report.methods import has_members, label, runs_of
from be_jax.report.summary import Estimate, estimate, look_up
from be_jax.results import StudyResult


class Cell(NamedTuple):
    """Text, and whether it is the best of its column."""

    text: str
    best: bool = False


class Column(NamedTuple):
    """A heading and one cell for each row."""

    title: str
    cells: tuple[Cell, ...]


class Table(NamedTuple):
    """Rows are methods. Columns stand most important first; the note says what the cells do not."""

    title: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    note: str


def row_names(result: StudyResult) -> tuple[str, ...]:
    """Names of all methods, with how many of their runs count where some diverged."""
    names = []
    for method in result.methods:
        runs = runs_of(result, method)
        count = sum(run.status != "diverged" for run in runs)
        names.append(label(result, method) + (f" ({count}/{len(runs)})" if count < len(runs) else ""))
    return tuple(names)


def shown_estimate(summary: pd.DataFrame, method: str, set_name: str, metric: Metric) -> Estimate:
    """The estimate to show: none of what only members can have, for a method that has none."""
    if metric.of_members and not has_members(method):
        return estimate([])
    return look_up(summary, method, set_name, metric.key)


def score_column(result: StudyResult, summary: pd.DataFrame, set_name: str, metric: Metric) -> Column:
    """One metric of one set for every method."""
    return column(metric, [shown_estimate(summary, method, set_name, metric) for method in result.methods])


def column(metric: Metric, estimates: list[Estimate]) -> Column:
    """A cell for each estimate; the best mean, as displayed, is marked where one way is better."""
    means = [round(e.mean, metric.decimals + 2 * metric.percent) for e in estimates]
    comparable = [mean for mean in means if not math.isnan(mean)]
    best = None
    if metric.better != "neither" and len(comparable) > 1:
        best = max(comparable) if metric.better == "higher" else min(comparable)
    return Column(metric.title, tuple(Cell(metric.shown(e), m == best) for e, m in zip(estimates, means, strict=True)))
