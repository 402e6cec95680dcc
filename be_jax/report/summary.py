"""Means over seeds with 95 % t-intervals: what every table and sentence of a report is made of."""

import pandas as pd

from be_jax.results import DEEP_ENSEMBLE, PoolScore, StudyResult
from be_jax.stats.means import Estimate, estimate, t_quantile


def summarise(result: StudyResult) -> pd.DataFrame:
    """Every metric of every set and method over the seeds that did not diverge.

    Returns:
      A frame indexed by (method, set, metric) with the columns mean, half_width and n of `Estimate`.
    """
    values: dict[tuple[str, str, str], list[float]] = {}
    for run in result.runs:
        for set_name, scores in run.scores.items():
            for metric, value in scores.items():
                values.setdefault((run.method, set_name, metric), []).append(value)
    estimates = {key: estimate(v) for key, v in values.items()}
    if result.pooled:
        for set_name, pooled in result.pooled.scores.items():
            estimates |= {(DEEP_ENSEMBLE, set_name, metric): of_pool(score) for metric, score in pooled.items()}
    index = pd.MultiIndex.from_tuples(list(estimates), names=["method", "set", "metric"])
    return pd.DataFrame(list(estimates.values()), index=index, columns=list(Estimate._fields))


def of_pool(score: PoolScore) -> Estimate:
    """The same of deep ensembles from a pool of n networks: t_{0.975, n - 1} jackknife standard errors."""
    n = len(score.without)
    return Estimate(score.mean, t_quantile(n - 1) * score.standard_error, n)


def look_up(summary: pd.DataFrame, method: str, set_name: str, metric: str) -> Estimate:
    """One entry of a summary; an estimate over n = 0 seeds where there is none."""
    if (method, set_name, metric) not in summary.index:
        return estimate([])
    mean, half_width, n = summary.loc[(method, set_name, metric)]
    return Estimate(float(mean), float(half_width), int(n))


def sets_of(result: StudyResult, prefix: str = "") -> list[str]:
    """Names of the scored sets that begin with `prefix`, in the order in which runs list them."""
    names = dict.fromkeys(name for run in result.runs for name in run.scores)
    return [name for name in names if name.startswith(prefix)]


def severities(result: StudyResult) -> dict[int, str]:
    """The sets to draw against severity: 0 is `test`; empty where no severity was scored."""
    prefix = "shift/severity_"
    found = sorted(int(name.removeprefix(prefix)) for name in sets_of(result, prefix))
    return {0: "test"} | {k: f"{prefix}{k}" for k in found} if found else {}


def single_corruptions(result: StudyResult) -> list[str]:
    """The sets that are the mean over the severities of one corruption."""
    return [name for name in sets_of(result, "shift/") if name not in severities(result).values()]


def has_logits(result: StudyResult, set_name: str) -> bool:
    """Whether an OOD set was also scored by logits, whose scale log-probabilities do not tell."""
    return any("auroc_energy" in run.scores.get(set_name, {}) for run in result.runs)


def has_temperature(result: StudyResult) -> bool:
    """Whether a temperature was fitted on validation data, and every metric also scored at it."""
    return "validation" in sets_of(result)
