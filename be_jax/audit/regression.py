"""The audit of a regression: its sentences, tables and figures."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from be_jax.audit.regression_parts import CONFORMAL_INTERVALS, SCALING
from be_jax.audit.regression_scores import (
    LEVELS,
    fit_scale,
    observed,
    score_examples,
    score_predictions,
    score_run,
    score_test_members,
    sets_of,
)
from be_jax.audit.task import Scores, Task
from be_jax.npz import Predictions
from be_jax.report.columns import AUROC_EPISTEMIC, DASH, Metric, metric, scaled
from be_jax.report.figures.illustration import Illustration
from be_jax.report.figures.quantiles import Curve, quantile_curves
from be_jax.report.methods import label
from be_jax.report.predictions import Load
from be_jax.report.summary import Estimate, estimate, look_up, summarise
from be_jax.report.summary import sets_of as scored_sets
from be_jax.report.table import Table, column, row_names, score_column
from be_jax.report.tables import seeds_note
from be_jax.report.words import counted, listed
from be_jax.results import StudyResult
from be_jax.stats import Endpoint, JudgeConfig

QUALITY = NLL, CRPS, RMSE, CALIBRATION = tuple(map(metric, ("nll", "crps", "rmse", "calibration_error")))
COVERAGE, SHARPNESS, ALEATORIC, EPISTEMIC, CORRELATION, FACTOR = map(
    metric, ("coverage_95", "sharpness", "aleatoric_std", "spread_of_means", "error_correlation", "spread_factor")
)
AUROCS = AUROC_EPISTEMIC, metric("auroc_total", "AUROC total")


def described(run: Predictions) -> str:
    """One line on the sets and their sizes."""
    sets = {key.removesuffix("/mean"): array.shape for key, array in run.items() if key.endswith("/mean")}
    counts = ", ".join(f"{name} {examples:,}" for name, (_, examples) in sets.items())
    return f"Predictions of {sets['test'][0]} members, means and variances: {counts} examples"


def found_alone(name: str, result: StudyResult, of_members: Sequence[Scores]) -> list[str]:
    """Quality of the ensemble beside its members', and how far they differ: true with and without a reference."""
    summary = summarise(result)

    def shown(of: Metric) -> str:
        return of.shown(look_up(summary, name, "test", of.key)) + " %" * of.percent

    def of_a_member(of: Metric) -> str:
        return of.shown(estimate([scores[of.key] for scores in of_members])) + " %" * of.percent

    quality = [
        f"{each.title.removesuffix(' %')} {shown(each)} (a member, on average: {of_a_member(each)})" for each in QUALITY
    ]
    return [
        f"On test, {name} ({counted(len(of_members), 'run')} of {result.config['members']} members) has "
        f"{listed(quality)}; its central 95 % intervals hold {shown(COVERAGE)} of the targets.",
        f"Its members' means spread by {shown(EPISTEMIC)} (epistemic standard deviation), their own predicted standard "
        f"deviation is {shown(ALEATORIC)} (aleatoric), and the errors of two members correlate with "
        f"{of_a_member(CORRELATION)}.",
    ]


def all_tables(name: str, result: StudyResult, of_members: Sequence[Scores]) -> list[Table]:
    """Members beside their average, then every set."""
    of_ensemble = [run.scores["test"] for run in result.runs if run.method == name]
    summary = summarise(result)
    alone = Table(
        "Members and their average, on test",
        ("a member, on average", "the ensemble"),
        tuple(
            column(each, [estimate([s[each.key] for s in scores]) for scores in (of_members, of_ensemble)])
            for each in QUALITY
        ),
        "The mean over the members, each on its own, and the mixture of all. A member is not a single network: it was "
        "trained together with the others.",
    )
    shown = [alone]
    notes = {"test": seeds_note(result), "shift": "Mean over all shifted sets."}
    for set_name in [each for each in ("test", "shift") if each in scored_sets(result)]:
        shown_metrics = (*QUALITY, COVERAGE, SHARPNESS, ALEATORIC, EPISTEMIC)
        columns = tuple(score_column(result, summary, set_name, each) for each in shown_metrics)
        title = {"test": "Test", "shift": "Shifted test"}[set_name]
        shown.append(Table(title, row_names(result), columns, f"{notes[set_name]} {_READING}"))
    for ood in scored_sets(result, "ood/"):
        columns = tuple(score_column(result, summary, ood, each) for each in (*AUROCS, SHARPNESS, ALEATORIC, EPISTEMIC))
        note = "AUROC of telling this set from test by the predicted variance, and by its epistemic part."
        shown.append(Table(f"Out of distribution: {ood.removeprefix('ood/')}", row_names(result), columns, note))
    return [*shown, *_scaled(result)]


_READING = (
    "Calibration error: how far the frequency of targets below a predicted quantile is from it, mean over 19 "
    "quantiles. Standard deviations are roots of mean variances: predicted² = aleatoric² + epistemic²."
)


def _scaled(result: StudyResult) -> list[Table]:
    """Raw beside scaled, where a factor was fitted on validation data."""
    if "validation" not in scored_sets(result):
        return []
    summary, shown = summarise(result), []
    for set_name, title in (("test", "test"), ("shift", "shifted test")):
        if set_name not in scored_sets(result):
            continue
        columns = [score_column(result, summary, "validation", FACTOR)]
        for raw in (NLL, CRPS, CALIBRATION, COVERAGE):
            columns += [score_column(result, summary, set_name, each) for each in (raw, scaled(raw))]
        note = (
            "The factor, by which every mixture is stretched about its own mean, has the least NLL on validation data. "
            f"{DASH}: none, for a member predicts a variance of 0."
        )
        shown.append(Table(f"Scaled: {title}", row_names(result), tuple(columns), note))
    return shown


def all_figures(result: StudyResult, load: Load) -> list[Illustration]:
    """The calibration curve on test, before and after scaling."""
    curves = []
    for method in result.methods:
        raw, at_factor = [], []
        for of, seed in result.predicted:
            if of != method:
                continue
            sets = sets_of(load(method, seed))
            raw.append(observed(score_examples(sets["test"]).below))
            factor = fit_scale(sets["validation"]) if "validation" in sets else math.nan
            if not math.isnan(factor):
                at_factor.append(observed(score_examples(sets["test"].scaled(factor)).below))
        curves.append(Curve(method, label(result, method), _at_levels(raw), _at_levels(at_factor)))
    return [quantile_curves(LEVELS, curves)]


def _at_levels(runs: Sequence[np.ndarray]) -> list[Estimate]:
    return [estimate(values) for values in np.transpose(runs)] if runs else []


ENDPOINTS = (
    Endpoint("test", "nll_scaled"),
    Endpoint("test", "crps_scaled"),
    Endpoint("test", "rmse"),
    Endpoint("shift", "nll_scaled"),
)
"""Of C1 and C2, in the order in which they are tested."""


def judged(config: JudgeConfig) -> JudgeConfig:
    """The endpoints of a regression, where the configuration still has those of classes."""
    if config.quality != JudgeConfig().quality:
        return config
    spread = tuple(Endpoint(name, "spread_of_means") for name in ("test", "shift", "ood"))
    return dataclasses.replace(config, quality=ENDPOINTS, functions=spread)


REGRESSION = Task(
    described=described,
    score=score_predictions,
    score_members=score_test_members,
    score_run=score_run,
    judged=judged,
    scales=(Endpoint("test", "nll_scaled"), Endpoint("test", "crps_scaled"), Endpoint("shift", "nll_scaled")),
    primary=NLL,
    found=found_alone,
    tables=all_tables,
    parts=(SCALING, CONFORMAL_INTERVALS),
    detailed=lambda result: [],
    figures=all_figures,
)
