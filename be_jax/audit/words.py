"""What an audit says in a few sentences: what it found, what cannot be judged from these files, and why."""

from collections.abc import Mapping, Sequence

from be_jax.audit.alone import SAME_ERROR, Scores
from be_jax.report import columns
from be_jax.report.answer import listed
from be_jax.report.columns import Metric
from be_jax.report.summary import estimate, look_up, sets_of, summarise
from be_jax.report.table import Cell, Column, Table
from be_jax.results import StudyResult
from be_jax.stats import Equivalent, JudgeConfig, Verdict, conditions, sentence

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


def counted(count: int, what: str) -> str:
    """ "1 run", "2 runs"."""
    return f"{count} {what}{'s' * (count != 1)}"


def judged(verdicts: Sequence[Verdict], worth: Mapping[str, Equivalent], config: JudgeConfig) -> list[str]:
    """The verdicts with their figures, and what they were decided by; or why there are none."""
    if not verdicts:
        return [NOT_WITHOUT_REFERENCE, NOT_WITHOUT_WEIGHTS]
    networks = listed([f"{each} by {title(place)}" for place, each in worth.items()])
    return [
        *map(sentence, verdicts),
        *[f"It is worth, in independent networks: {networks}."] * bool(worth),
        conditions(config),
    ]


def worth_table(name: str, worth: Mapping[str, Equivalent]) -> list[Table]:
    """The deep-ensemble equivalents; nothing without any."""
    if not worth:
        return []
    shown = tuple(Column(title(place), (Cell(str(each)),)) for place, each in worth.items())
    note = (
        f"As many independent networks score alike together, with a 95 % interval, on a scale of 1 to "
        f"{next(iter(worth.values())).largest}; <, >: beyond an end of it."
    )
    return [Table("Worth in independent networks", (name,), shown, note)]


def title(place: str) -> str:
    """A set and a score of `worth_in_networks`, for a reader."""
    set_name, metric = place.split(" ")
    if metric == "auroc_epistemic":
        return f"{set_name.removeprefix('ood/')} AUROC by mutual information"
    return f"{set_name} {_SCORES[metric]}"


_SCORES = {"nll": "NLL, calibrated", "uncalibrated_nll": "NLL", "brier": "Brier"}
