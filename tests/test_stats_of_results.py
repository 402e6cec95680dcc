"""Positions from the scores in a study's result: paired or not, from runs or from a pool."""

import dataclasses
import math

import numpy as np
import pytest
from report_fakes import METHODS, SEEDS, cifar_study, pooled_study, run_record, study, study_at
from scipy import stats

from be_jax.report import summarise
from be_jax.report.summary import look_up
from be_jax.stats import difference, diversity_ratio, gain_recovered, judge_results, ratio_of_means
from be_jax.stats.of_results import of_pool_record, of_results


@pytest.mark.parametrize("metric", ["nll", "accuracy", "ece"])
@pytest.mark.parametrize("position", [0.0, 1.0])
def test_copies_recover_nothing_or_all(position, metric):
    result = study_at({"single": 0.0, "batch_ensemble": position, "deep_ensemble": 1.0})
    found = gain_recovered(result, "batch_ensemble", "test", metric, paired=True).position
    np.testing.assert_allclose([found.value, found.lower, found.upper], position, atol=1e-6)


@pytest.mark.parametrize("position", [-0.5, 0.4, 1.7])
@pytest.mark.parametrize("paired", [True, False])
def test_a_gain_between_is_found_within_its_interval(position, paired):
    result = study_at({"single": 0.0, "batch_ensemble": position, "deep_ensemble": 1.0}, noise=0.01)
    row = gain_recovered(result, "batch_ensemble", "test", "accuracy", paired=paired)
    summary = summarise(result)
    one, own, deep = (
        look_up(summary, m, "test", "accuracy").mean for m in ("single", "batch_ensemble", "deep_ensemble")
    )
    assert row.position.value == pytest.approx((own - one) / (deep - one))
    assert (row.method, row.single, row.deep_ensemble) == pytest.approx((own, one, deep))
    assert row.position.lower < row.position.value < row.position.upper
    assert row.position.value == pytest.approx(position, abs=0.03)


def test_a_method_whose_curves_say_undertrained_is_not_judged():
    result = study_at({"single": 0.0, "batch_ensemble": 0.1, "deep_ensemble": 1.0}, noise=0.004)
    ends = {"single": 0.1, "deep_ensemble": 0.1, "batch_ensemble": 1.5}
    runs = [
        dataclasses.replace(run, curve={"epoch": (1, 2, 3), "train_nll": (2.0, ends[run.method], ends[run.method])})
        for run in result.runs
    ]
    config = {**result.config, "num_classes": 10}
    assert judge_results(result).method("batch_ensemble").undertrained == ""
    judged = judge_results(dataclasses.replace(result, runs=tuple(runs), config=config)).method("batch_ensemble")
    assert "of what a single network has" in judged.undertrained
    assert {verdict.decision for verdict in judged.verdicts} <= {"undertrained", "not judged"}


def test_runs_that_start_from_networks_of_the_pool_share_them():
    """Runs that are as the networks that they started from: nothing is uncertain about the difference."""
    result = pooled_study({"batch_ensemble": 0.5})
    pool = [run for run in result.runs if run.method == "single"]
    started = [
        dataclasses.replace(run, method="adapted", seed=1000 + i, start=run.seed) for i, run in enumerate(pool[:4])
    ]
    grown = dataclasses.replace(result, runs=(*result.runs, *started))
    found = of_results(grown, "adapted")
    assert (found.factor, found.units, len(found.scores)) == ("networks", len(pool), 4)
    single = of_results(result, "single", "networks")
    both = dataclasses.replace(single, scores=single.scores[:4], inside=single.inside[:4])
    error = (found.statistic("test", "nll") - both.statistic("test", "nll")).uncertainty().standard_error
    assert error == pytest.approx(0, abs=1e-12)
    apart = [dataclasses.replace(run, start=None) for run in started]
    assert of_results(dataclasses.replace(result, runs=(*result.runs, *apart)), "adapted").factor == "seeds of adapted"
    few = dataclasses.replace(result, runs=(*result.runs, *started[:2]))
    assert of_results(few, "adapted").units == 2, "two runs are too few to judge, whatever the pool has"


def test_what_is_paired_is_by_seed_whatever_the_order_and_the_runs_missing():
    result = study_at({"single": 0.0, "batch_ensemble": 0.4, "deep_ensemble": 1.0}, seeds=(1, 2, 3, 4))
    extra = [run_record("single", 9, {"test": {"nll": 50.0}}), run_record("deep_ensemble", 1, {}, step=3)]
    longer = study([*reversed(result.runs), *extra])
    found, expected = (gain_recovered(each, "batch_ensemble", "test", "nll", paired=True) for each in (longer, result))
    assert found.position.value == pytest.approx(expected.position.value)


@pytest.mark.parametrize(
    ("positions", "reason"),
    [
        ({"single": 0.0, "batch_ensemble": 0.5, "deep_ensemble": 0.0}, "not measurably better"),
        ({"single": 0.0, "batch_ensemble": 0.5, "deep_ensemble": -1.0}, "measurably worse"),
        ({"single": 0.0, "batch_ensemble": 0.5}, "no finished run of deep_ensemble"),
        ({"batch_ensemble": 0.5}, "no finished run of single and deep_ensemble"),
    ],
)
@pytest.mark.parametrize("metric", ["nll", "accuracy"])
def test_a_gain_that_is_undefined_has_its_reason(positions, reason, metric):
    row = gain_recovered(study_at(positions), "batch_ensemble", "test", metric)
    assert reason in row.reason
    assert not row.position.bounded


@pytest.mark.parametrize("metric", ["epistemic", "disagreement", "pairwise_js"])
def test_diversity_is_of_the_deep_ensembles(metric):
    result = study_at({"batch_ensemble": 0.3, "deep_ensemble": 1.0, "other": 1.0})
    found = diversity_ratio(result, "batch_ensemble", "ood/letters", metric)
    means = [look_up(summarise(result), m, "ood/letters", metric).mean for m in ("batch_ensemble", "deep_ensemble")]
    assert found.position.value == pytest.approx(means[0] / means[1])
    assert 0.2 < found.position.lower < found.position.upper < 0.4
    root = diversity_ratio(result, "batch_ensemble", "ood/letters", f"root_{metric}")
    assert root.position.value == pytest.approx(math.sqrt(means[0] / means[1]))


def test_what_cannot_be_divided_is_not():
    runs = [run_record(m, s, {"test": {"epistemic": 0.0, "nll": math.inf}}) for m in METHODS for s in SEEDS]
    assert "do not differ measurably" in diversity_ratio(study(runs), "batch_ensemble", "test", "epistemic").reason
    assert gain_recovered(study(runs), "batch_ensemble", "test", "nll").reason.startswith("a score is not finite")
    assert gain_recovered(study(runs), "batch_ensemble", "test", "ece").missing


def test_a_paired_difference_is_scipys():
    result = study_at({"batch_ensemble": 0.4, "deep_ensemble": 1.0})
    values = {m: [r.scores["test"]["nll"] for r in result.runs if r.method == m] for m in result.methods}
    own, deep = values["batch_ensemble"], values["deep_ensemble"]
    for paired, expected in ((True, stats.ttest_rel(own, deep)), (False, stats.ttest_ind(own, deep, equal_var=False))):
        found = difference(result, "batch_ensemble", "deep_ensemble", "test", "nll", paired=paired)
        ends = [found.mean - found.half_width, found.mean + found.half_width]
        np.testing.assert_allclose(ends, expected.confidence_interval(0.95), rtol=1e-9)


def test_a_pool_gives_its_means_and_its_jackknife():
    result = pooled_study({"batch_ensemble": 0.5})
    statistic = of_pool_record(result, 4).statistic("test", "nll")
    record = result.pooled.scores["test"]["nll"]
    assert statistic.value == pytest.approx(record.mean)
    np.testing.assert_allclose(statistic.without["networks"][:, 0], record.without)
    assert statistic.uncertainty().standard_error == pytest.approx(record.standard_error)
    judged = judge_results(cifar_study()).method("batch_ensemble")
    assert judged.units == {"seeds of batch ensemble": 3, "networks": 8}
    assert judged.row("test", "nll_scaled").position.value == pytest.approx(0.5, abs=0.15)


def test_a_ratio_of_means_by_hand():
    found = ratio_of_means([0.4, 0.5, 0.6], [1.0, 1.0, 1.0])
    half = stats.t.ppf(0.975, 2) * 0.1 / math.sqrt(3)
    np.testing.assert_allclose(found.pieces, [(0.5 - half, 0.5 + half)], rtol=1e-6)
