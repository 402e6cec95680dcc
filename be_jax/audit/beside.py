"""A member, on average, beside the ensemble that it is part of, row by row: what parts of an audit are made of."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from be_jax.audit.task import Rows
from be_jax.report.columns import Metric
from be_jax.report.summary import Estimate, estimate
from be_jax.report.table import Column, Table, column
from be_jax.stats.means import t_quantile

Measured = Mapping[str, np.ndarray | float]
"""Scores of one predictor: of each example `[n]`, or of the whole set."""


def beside(of_members: Sequence[Measured], of_ensemble: Measured) -> dict[str, float]:
    """`<score>_alone`, the mean over members, and `<score>` of the ensemble.

    Of scores of examples also `<score>_gain`, the first less the second, and `<score>_gain_error`, its standard error
    over examples: members and ensemble are scored on the same, so their difference varies less than either. Both are
    NaN where a loss is infinite.
    """
    found: dict[str, float] = {}
    for key, value in of_ensemble.items():
        own, alone = np.asarray(value, np.float64), np.mean([np.float64(each[key]) for each in of_members], axis=0)
        found |= {f"{key}_alone": float(np.mean(alone)), key: float(np.mean(own))}
        if own.ndim:
            gain = alone - own if np.isfinite([alone, own]).all() else np.full_like(own, np.nan)
            error = gain.std(ddof=1) / math.sqrt(len(gain)) if len(gain) > 1 else math.nan
            found |= {f"{key}_gain": float(gain.mean()), f"{key}_gain_error": float(error)}
    return found


class Shown(NamedTuple):
    """A score, and whether the table has the gain too."""

    metric: Metric
    with_gain: bool = False


def table(title: str, runs: Sequence[Rows], shown: Sequence[Shown], note: str) -> list[Table]:
    """A member and the ensemble by every score, where all runs were scored; no table where none was."""
    names = tuple(name for name in runs[0] if all(name in rows for rows in runs))
    if not names:
        return []
    columns: list[Column] = []
    for metric, with_gain in shown:
        plain = metric._replace(better="neither")
        for key, heading in ((f"{metric.key}_alone", f"member's {metric.title}"), (metric.key, metric.title)):
            values = [estimate([rows[name][key] for rows in runs]) for name in names]
            columns.append(column(plain._replace(title=heading), values))
        if with_gain:
            values = [gain_estimate(runs, name, metric.key) for name in names]
            columns.append(column(plain._replace(title=f"{metric.title} gain"), values))
    return [Table(title, names, tuple(columns), note)]


def gain_estimate(runs: Sequence[Rows], name: str, key: str) -> Estimate:
    """The gain with its 95 % interval: over runs or, of one run, over test examples."""
    gains = [rows[name][f"{key}_gain"] for rows in runs]
    if len(gains) > 1:
        return estimate(gains)
    return Estimate(gains[0], t_quantile(math.inf) * runs[0][name][f"{key}_gain_error"], 1)


def interval_note(runs: Sequence[Rows]) -> str:
    """What the intervals of gains are over."""
    return "95 % over runs" if len(runs) > 1 else "95 % over test examples"
