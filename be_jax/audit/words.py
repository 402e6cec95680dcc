"""What an audit says of its judgement: the verdicts, or what cannot be judged from these files, and why."""

from collections.abc import Mapping, Sequence

from be_jax.judge import Equivalent, JudgeConfig, Verdict, conditions, sentence
from be_jax.report.answer import listed
from be_jax.report.table import Cell, Column, Table

NOT_WITHOUT_REFERENCE = (
    "Not judged, for want of a reference: C1 (worse than a deep ensemble), C2 (tracks a single model) and C3 (members "
    "near-identical as functions). Each compares with networks trained apart from each other on the same data, which "
    "the members of one ensemble cannot stand for. Give single networks and deep ensembles, or a pool of independent "
    "networks."
)
NOT_WITHOUT_WEIGHTS = "Not judged, for want of weights: C4 (members near-identical in parameter space)."


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


_SCORES = {"nll": "NLL, calibrated", "uncalibrated_nll": "NLL", "brier": "Brier", "crps": "CRPS, calibrated"}
