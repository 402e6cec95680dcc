"""The tables of a judgement: claims, gains recovered, diversity and equivalents, a row for each method."""

from collections.abc import Iterable, Sequence

from be_jax.report.columns import DASH, percent
from be_jax.report.methods import label
from be_jax.report.table import Cell, Column, Table
from be_jax.report.words import table_title
from be_jax.results import StudyResult
from be_jax.stats import STATEMENTS, Endpoint, Judgement, MethodJudgement
from be_jax.stats.config import PARAMETERS, ROOT
from be_jax.stats.equivalent import is_scale
from be_jax.stats.judge import FURTHER_DIVERSITY

_PARTLY = (
    'Mixed: endpoints speak for the claim and against it, as "worse than a single model" does against C2. By 1 of 6: '
    "the first of six endpoints is decided and the second open, so that nothing is said of the others."
)


def judged_tables(result: StudyResult, judgement: Judgement | None) -> list[Table]:
    """All of them, in reading order; none without a judgement, nor where there is nothing to show."""
    if judgement is None:
        return []
    return [
        claims_table(result, judgement),
        *gain_table(result, judgement),
        *_diversity(result, judgement),
        *equivalents_table(result, judgement),
    ]


def claims_table(result: StudyResult, judgement: Judgement) -> Table:
    """The decision on each claim about each method, with how many of its endpoints are decided."""
    shown = tuple(
        Column(claim, tuple(Cell(_decision(judged, claim)) for judged in judgement.methods)) for claim in STATEMENTS
    )
    meaning = "; ".join(f"{claim}: {statement}" for claim, statement in STATEMENTS.items())
    near = (
        f"Near-identical: below {100 * judgement.config.margin:g} % of the way to independent networks; the claim is "
        "contradicted by an interval above that."
    )
    note = f"{meaning}, which takes weights to judge. {near} {_PARTLY}"
    return Table("Claims", _names(result, judgement), shown, note)


def gain_table(result: StudyResult, judgement: Judgement) -> list[Table]:
    """The part of the deep ensemble's gain that each method recovers, by every quality that was measured."""
    quality = [e for e in _endpoints(judgement) if e.set_name != PARAMETERS and not _is_diversity(e)]
    note = "0 % is a single model, 100 % a deep ensemble; an end at ∞: the deep ensemble's gain is not told from none."
    return _table(result, judgement, "Gain recovered, % of the deep ensemble's", quality, note)


def _diversity(result: StudyResult, judgement: Judgement) -> list[Table]:
    functions = [e for e in _endpoints(judgement) if _is_diversity(e)]
    weights = [e for e in _endpoints(judgement) if e.set_name == PARAMETERS]
    note = "0 % are copies of one network, 100 % independent networks."
    linear = (
        " Mutual information and JS divergence grow with the square of how far members differ; their roots are shown, "
        "so that 50 % is half as far apart as independent networks."
    )
    began = (
        " After ←: before training, of the trained deep ensemble's, so that above 100 % is usual."
        if _any_start(judgement)
        else ""
    )
    return [
        *_table(
            result, judgement, "Diversity of the members, % of a deep ensemble's", functions, f"{note}{linear}{began}"
        ),
        *_table(result, judgement, "Distance of the members' weights, % of a deep ensemble's", weights, note),
    ]


def equivalents_table(result: StudyResult, judgement: Judgement) -> Iterable[Table]:
    """How many independent networks each method is worth; nothing without a pool."""
    kept_back = ("undertrained", "control failed")
    judged = [e for e in judgement.methods if e.equivalents and e.verdicts[0].decision not in kept_back]
    found = dict.fromkeys(place for each in judged for place in each.equivalents)
    places = [place for place in found if is_scale(Endpoint(*place.split(" ")))]  # older judgements have others
    if not places:
        return
    columns = tuple(
        Column(
            table_title(Endpoint(*place.split(" "))),
            tuple(Cell(str(each.equivalents.get(place, DASH))) for each in judged),
        )
        for place in places
    )
    largest = next(iter(judged[0].equivalents.values())).largest
    note = (
        f"The number of independent networks whose deep ensemble has the same score, between 1 and {largest}, with a "
        "95 % interval; < 1: worse than one network."
    )
    yield Table("Deep-ensemble equivalent", tuple(label(result, each.name) for each in judged), columns, note)


def _decision(judged: MethodJudgement, claim: str) -> str:
    verdict = judged.verdict(claim)  # type: ignore[arg-type]
    partly = 0 < verdict.reached < len(verdict.stated)
    return f"{verdict.decision} by {verdict.reached} of {len(verdict.stated)}" if partly else verdict.decision


def _table(
    result: StudyResult, judgement: Judgement, title: str, endpoints: Sequence[Endpoint], note: str
) -> list[Table]:
    columns = tuple(
        Column(table_title(endpoint), tuple(Cell(_shown(judged, endpoint)) for judged in judgement.methods))
        for endpoint in endpoints
    )
    return [Table(title, _names(result, judgement), columns, note)] if columns else []


def _shown(judged: MethodJudgement, endpoint: Endpoint) -> str:
    row = judged.row(*endpoint)
    if row is None or not row.position.pieces:
        return DASH
    start = f" ← {100 * row.at_start:.0f} %" if row.at_start == row.at_start else ""
    return f"{percent(row.position)}{start}"


def _names(result: StudyResult, judgement: Judgement) -> tuple[str, ...]:
    return tuple(label(result, judged.name) for judged in judgement.methods)


def _endpoints(judgement: Judgement) -> list[Endpoint]:
    """Of all methods, each once; of one OOD set alone, which their mean is, the set itself is left out."""
    found = dict.fromkeys(row.endpoint for judged in judgement.methods for row in judged.rows)
    several = len({endpoint.set_name for endpoint in found if endpoint.set_name.startswith("ood/")}) > 1
    return [endpoint for endpoint in found if several or not endpoint.set_name.startswith("ood/")]


def _is_diversity(endpoint: Endpoint) -> bool:
    return endpoint.metric in FURTHER_DIVERSITY or endpoint.metric.startswith(ROOT)


def _any_start(judgement: Judgement) -> bool:
    return any(row.at_start == row.at_start for judged in judgement.methods for row in judged.rows)
