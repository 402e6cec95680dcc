"""What an audit says in a few sentences: what it found, what cannot be judged from these files, and why."""

from collections.abc import Sequence

from be_jax.audit.alone import SAME_ERROR, Scores
from be_jax.report import columns
from be_jax.report.answer import answer
from be_jax.report.columns import Metric
from be_jax.report.summary import estimate, look_up, sets_of, summarise
from be_jax.report.words import counted, listed
from be_jax.results import StudyResult
from be_jax.stats import Judgement

NOT_WITHOUT_REFERENCE = (
    "Not judged, for want of a reference: C1 (worse than a deep ensemble), C2 (tracks a single model) and C3 (members "
    "near-identical as functions). Each compares with networks trained apart from each other on the same data, which "
    "the members of one ensemble cannot stand for. Give single networks and deep ensembles, or a pool of independent "
    "networks."
)
NOT_WITHOUT_WEIGHTS = "Not judged, for want of weights: C4 (members near-identical in parameter space)."


def found_alone(name: str, result: StudyResult, of_members: Sequence[Scores]) -> list[str]:
    """Quality of the ensemble beside its members', and how far they differ: true with and without a reference."""
    summary = summarise(result)

    def shown(set_name: str, metric: Metric) -> str:
        return metric.shown(look_up(summary, name, set_name, metric.key)) + " %" * metric.percent

    def of_a_member(metric: Metric) -> str:
        return metric.shown(estimate([scores[metric.key] for scores in of_members])) + " %" * metric.percent

    quality = [
        f"{metric.title.removesuffix(' %')} {shown('test', metric)} (a member, on average: {of_a_member(metric)})"
        for metric in (columns.ACCURACY, columns.NLL, columns.ECE)
    ]
    detected = [
        f"{shown(each, columns.AUROC_EPISTEMIC)} ({shown(each, columns.AUROC_MAX_PROBABILITY)}) of "
        f"{each.removeprefix('ood/')}"
        for each in sets_of(result, "ood/")
    ]
    detection = f" Its AUROC by mutual information (by maximum probability) is {listed(detected)}." * bool(detected)
    return [
        f"On test, {name} ({counted(len(of_members), 'run')} of {result.config['members']} members) has "
        f"{listed(quality)}.",
        f"Two of its members predict different classes on {shown('test', columns.DISAGREEMENT)} of test, and the same "
        f"wrong class on {of_a_member(SAME_ERROR)}; their mutual information is "
        f"{shown('test', columns.MUTUAL_INFORMATION)} nats.{detection}",
    ]


def told(result: StudyResult, judgement: Judgement | None) -> list[str]:
    """The answer with its claims, or why there is none."""
    if judgement is None:
        return [NOT_WITHOUT_REFERENCE, NOT_WITHOUT_WEIGHTS]
    return answer(result, judgement)
