"""Tables for those who look closer: quality at each severity, and detection by every score and measure."""

from collections.abc import Callable, Iterator

import pandas as pd

from be_jax.metrics import further, registry
from be_jax.report import columns
from be_jax.report.benchmark import corruptions, with_distance
from be_jax.report.columns import Metric, detection, scaled
from be_jax.report.methods import label
from be_jax.report.summary import has_logits, has_temperature, sets_of, severities, summarise
from be_jax.report.table import Column, Table, column, row_names, score_column, shown_estimate
from be_jax.results import StudyResult


def detailed_tables(result: StudyResult) -> list[Table]:
    """One for each metric by severity, then the further scores, then each OOD set; none of what was not scored."""
    metrics = (columns.ACCURACY, columns.NLL, columns.ECE) if severities(result) else ()
    return [
        *(_by_severity(result, metric) for metric in metrics),
        *(_further(result) if _has_further(result) else []),
        *(_detection(result, name) for name in sets_of(result, "ood/")),
    ]


def _by_severity(result: StudyResult, metric: Metric) -> Table:
    summary = summarise(result)
    shown = tuple(
        score_column(result, summary, name, metric)._replace(title=f"severity {severity}" if severity else "test")
        for severity, name in severities(result).items()
    )
    title = f"{metric.title[0].upper()}{metric.title[1:]} by severity"
    return Table(title, row_names(result), shown, f"Mean over all {corruptions(result)}, at each severity.")


def _has_further(result: StudyResult) -> bool:
    return any(score.key in run.scores.get("test", {}) for run in result.runs for score in further.scores())


def _further(result: StudyResult) -> Iterator[Table]:
    summary = summarise(result)
    tables = {further.SPLITS: [registry.lookup(part) for part in ("total", "aleatoric", "epistemic")]}
    for measure in further.FURTHER:
        tables.setdefault(measure.table, []).extend(measure.scores)
    for title, scores in tables.items():
        shown = tuple(score_column(result, summary, "test", columns.of_score(score)) for score in scores)
        yield Table(title, row_names(result), shown, _NOTES.get(title, ""))


_NOTES = {
    further.SPLITS: "Total = aleatoric + epistemic, by entropy (nats), the Brier score and the 0-1 loss.",
    further.QUALITY: (
        "The debiased ECE, root mean square over bins, stands before its 95 % interval over examples. Brier = "
        "reliability - resolution + uncertainty + within bins. AUGRC: mean risk of silent failure. Yule's Q: 0 where "
        "members err independently, 1 where they err together."
    ),
}


def _detection(result: StudyResult, set_name: str) -> Table:
    """A row for each score and method; raw and, where there is a temperature, scaled."""
    summary = summarise(result)
    scores = columns.DETECTION_SCORES | (columns.LOGIT_SCORES if has_logits(result, set_name) else {})
    rows = [(score, method) for score in scores for method in result.methods]
    shown = tuple(
        _over_scores(summary, set_name, rows, measure, adjust)
        for adjust in ((_raw, scaled) if has_temperature(result) else (_raw,))
        for measure in columns.DETECTION_MEASURES
    )
    names = tuple(f"{scores[score]}: {label(result, method)}" for score, method in rows)
    note = (
        "Telling this set (the positive class) from test. FPR95: fraction of test taken for this set where 95 % of "
        "it is found. A single network has no mutual information."
    )
    return Table(f"Detection of {with_distance(result, set_name)} by every score", names, shown, note)


def _over_scores(
    summary: pd.DataFrame, set_name: str, rows: list[tuple[str, str]], measure: str, adjust: Callable[[Metric], Metric]
) -> Column:
    """One measure of detection for every (score, method)."""
    metrics = [(adjust(detection(measure, score)), method) for score, method in rows]
    return column(metrics[0][0], [shown_estimate(summary, method, set_name, metric) for metric, method in metrics])


def _raw(metric: Metric) -> Metric:
    return metric
