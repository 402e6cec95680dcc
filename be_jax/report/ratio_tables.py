"""Tables that compare each method with the deep ensemble: gain recovered, and diversity."""

from be_jax.report import columns
from be_jax.report.benchmark import title_with_set, with_distance
from be_jax.report.columns import percent, scaled
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE, label
from be_jax.report.ratios import diversity_ratio, gain_recovered
from be_jax.report.summary import compared_sets, has_temperature
from be_jax.report.table import Cell, Column, Table
from be_jax.results import StudyResult

_PAIRED = "Means over seeds, paired by seed, with a 95 % bootstrap interval over seeds."
_POOLED = "Ratios of means, with a 95 % interval over the method's seeds and the networks of the pool."


def gain_table(result: StudyResult) -> list[Table]:
    """The part of the deep ensemble's gain that each method recovers; nothing without both ends of that scale."""
    methods = _compared(result)
    sets = [name for name in compared_sets(result) if not name.startswith("ood/")]
    if not methods or not sets or SINGLE not in result.methods:
        return []
    shown = tuple(
        Column(
            title_with_set(result, name, metric).removesuffix(" %"),
            tuple(Cell(percent(gain_recovered(result, method, name, metric.key))) for method in methods),
        )
        for metrics in ((columns.NLL, columns.ACCURACY), (scaled(columns.NLL),) * has_temperature(result))
        for name in sets
        for metric in metrics
    )
    scale = (
        "0 % is a single network, 100 % a deep ensemble; undefined: those two do not differ measurably, or there are "
        "too few seeds."
    )
    title = "Gain recovered, of the deep ensemble's over a single network"
    return [_table(result, title, shown, f"{_note(result)} {scale}")]


def diversity_tables(result: StudyResult) -> list[Table]:
    """Diversity of each method's members relative to the deep ensemble's, by two measures; nothing without one."""
    methods, sets = _compared(result), compared_sets(result)
    if not methods or not sets:
        return []
    return [
        _table(
            result,
            f"Diversity of the members, of the deep ensemble's, by {measure}",
            tuple(
                Column(
                    with_distance(result, name),
                    tuple(Cell(percent(diversity_ratio(result, method, name, metric.key))) for method in methods),
                )
                for name in sets
            ),
            f"{_note(result)} 100 % is as diverse as a deep ensemble.",
        )
        for measure, metric in (
            ("mutual information", columns.MUTUAL_INFORMATION),
            ("disagreement", columns.DISAGREEMENT),
        )
    ]


def _note(result: StudyResult) -> str:
    return _POOLED if result.pooled else _PAIRED


def _compared(result: StudyResult) -> list[str]:
    """Methods between the single network and the deep ensemble; none where there is no deep ensemble."""
    if DEEP_ENSEMBLE not in result.methods:
        return []
    return [method for method in result.methods if method not in (SINGLE, DEEP_ENSEMBLE)]


def _table(result: StudyResult, title: str, shown: tuple[Column, ...], note: str) -> Table:
    return Table(title, tuple(label(result, method) for method in _compared(result)), shown, note)
