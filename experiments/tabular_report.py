"""The tables of the tabular study: scores, each method against the deep ensemble, and the diversity of its members."""

from collections.abc import Sequence

from be_jax.report.columns import ACCURACY, NLL, Metric, percent
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE, label
from be_jax.report.summary import look_up, summarise
from be_jax.report.table import Cell, Column, Table, column
from be_jax.results import StudyResult
from be_jax.stats import difference, diversity_ratio, gain_recovered
from be_jax.stats.means import Estimate

CRPS = Metric("crps", "CRPS", 3, "lower")
RMSE = Metric("rmse", "RMSE", 3, "lower")
NLL_ALONE = Metric("nll_alone", "NLL", 3, "lower")
COVERAGE = Metric("coverage_95", "coverage %", 1, "neither", percent=True)

SCORES = (NLL, ACCURACY, CRPS, RMSE, COVERAGE)
COMPARED = (NLL, ACCURACY, CRPS)
_SEEDS = "Over seeds, which differ in split and training, with 95 % intervals; test rows of different seeds overlap."


def tables(results: Sequence[StudyResult]) -> list[Table]:
    """Four tables, with a row for each data set, or each of its metrics."""
    return [_scores(results), _against_deep(results), _alone(results), _diversity(results)]


def _scores(results: Sequence[StudyResult]) -> Table:
    note = f"Mean ± half-width. {_SEEDS} Regression targets are standardised; coverage is of the central 95 %."
    return _of_metrics("Test scores", SCORES, results, note)


def _alone(results: Sequence[StudyResult]) -> Table:
    note = (
        "Test NLL of a member alone, mean over members; an ensemble's own NLL is lower by what averaging adds. Mean ± "
        f"half-width. {_SEEDS}"
    )
    return _of_metrics("One member alone", (NLL_ALONE,), results, note)


def _of_metrics(title: str, metrics: Sequence[Metric], results: Sequence[StudyResult], note: str) -> Table:
    rows, by_row = [], []
    for result in results:
        summary = summarise(result)
        for metric in metrics:
            estimates = [look_up(summary, method, "test", metric.key) for method in result.methods]
            if any(estimate.n for estimate in estimates):
                rows.append(f"{_name(result)} {metric.title}")
                by_row.append(column(metric, estimates).cells)
    methods = results[0].methods
    shown = tuple(Column(label(results[0], m), tuple(cells[i] for cells in by_row)) for i, m in enumerate(methods))
    return Table(title, tuple(rows), shown, note)


def _against_deep(results: Sequence[StudyResult]) -> Table:
    methods = [method for method in results[0].methods if method not in (SINGLE, DEEP_ENSEMBLE)]
    settings = [(r, metric) for r in results for metric in COMPARED if metric.key in r.runs[0].scores["test"]]
    shown = []
    for method in methods:
        differences = [
            Cell(_difference(metric, difference(result, method, DEEP_ENSEMBLE, "test", metric.key, paired=True)))
            for result, metric in settings
        ]
        gains = [
            Cell(percent(gain_recovered(result, method, "test", metric.key, paired=True).position))
            for result, metric in settings
        ]
        name = label(results[0], method)
        shown += [Column(f"{name} − deep ens.", tuple(differences)), Column("gain", tuple(gains))]
    rows = tuple(f"{_name(result)} {metric.title}" for result, metric in settings)
    note = (
        f"Difference to the deep ensemble, paired by seed, and part of the deep ensemble's gain over a single network "
        f"that is recovered. {_SEEDS} Not corrected for the number of comparisons. Undefined: the deep ensemble and "
        "the single network do not differ measurably."
    )
    return Table("Against the deep ensemble", rows, tuple(shown), note)


def _diversity(results: Sequence[StudyResult]) -> Table:
    methods = [method for method in results[0].methods if method not in (SINGLE, DEEP_ENSEMBLE)]
    shown = tuple(
        Column(
            label(results[0], method),
            tuple(
                Cell(percent(diversity_ratio(result, method, "test", "epistemic", paired=True).position))
                for result in results
            ),
        )
        for method in methods
    )
    note = f"Mutual information, or variance of means in regression, on test rows. {_SEEDS}"
    return Table("Epistemic uncertainty, of the deep ensemble's", tuple(map(_name, results)), shown, note)


def _difference(metric: Metric, apart: Estimate) -> str:
    """The difference, and a word where its interval does not hold 0."""
    shown = metric.shown(apart)
    if not abs(apart.mean) > apart.half_width:
        return shown
    return f"{shown} {'better' if (apart.mean > 0) == (metric.better == 'higher') else 'worse'}"


def _name(result: StudyResult) -> str:
    return result.experiment.removeprefix("tabular_")
