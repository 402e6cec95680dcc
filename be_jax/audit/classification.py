"""The audit of a classification: its sentences, tables and figures."""

from collections.abc import Sequence

from be_jax.audit.alone import SAME_ERROR, likeness_table, members_table, score_test_members
from be_jax.audit.conformal_sets import CONFORMAL_SETS
from be_jax.audit.logit_scores import detected_by_logits
from be_jax.audit.recalibrated import RECALIBRATION
from be_jax.audit.task import Scores, Task
from be_jax.npz import Predictions
from be_jax.report import columns
from be_jax.report.columns import Metric
from be_jax.report.details import detailed_tables
from be_jax.report.figures import draw_figures
from be_jax.report.summary import estimate, look_up, sets_of, summarise
from be_jax.report.table import Table
from be_jax.report.tables import tables
from be_jax.report.words import counted, listed
from be_jax.results import StudyResult
from be_jax.scores import score_predictions
from be_jax.stats import score_run
from be_jax.stats.equivalent import SCALES


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


def score(run: Predictions) -> dict[str, dict[str, float]]:
    """As a study scores a run; and, where the file has logits, the detection of OOD sets by them."""
    scores = score_predictions(run)
    for name, detected in detected_by_logits(run).items():
        scores[name] |= detected
    return scores


def described(run: Predictions) -> str:
    """One line on the sets and their sizes."""
    members, _, classes = run["test/log_probs"].shape
    sets = {key.removesuffix("/log_probs"): array.shape[1] for key, array in run.items() if key.endswith("/log_probs")}
    counts = ", ".join(f"{name} {count:,}" for name, count in sets.items())
    return f"Predictions of {members} members, {classes} classes: {counts} examples"


def all_tables(name: str, result: StudyResult, of_members: Sequence[Scores]) -> list[Table]:
    """What needs no reference, then the tables of our own studies but the last: it is of training."""
    of_ensemble = [run.scores["test"] for run in result.runs if run.method == name]
    return [
        members_table(of_members, of_ensemble),
        likeness_table(name, of_members, of_ensemble),
        *tables(result)[:-1],
    ]


CLASSIFICATION = Task(
    described=described,
    score=score,
    score_members=score_test_members,
    score_run=score_run,
    judged=lambda config: config,
    scales=SCALES,
    primary=columns.NLL,
    found=found_alone,
    tables=all_tables,
    parts=(RECALIBRATION, CONFORMAL_SETS),
    detailed=detailed_tables,
    figures=draw_figures,
)
