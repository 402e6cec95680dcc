"""Means and intervals over seeds, and ratios to the deep ensemble."""

import itertools
import math

import numpy as np
import pytest
from report_fakes import METHODS, SEEDS, run_record, study, study_at
from scipy import stats

from be_jax.report import diversity_ratio, gain_recovered, summarise
from be_jax.report.ratios import MIN_SEEDS, paired_difference, ratio_of_means
from be_jax.report.summary import estimate, look_up


def test_estimate_is_the_t_interval_of_scipy():
    values = [0.91, 0.94, 0.92, 0.97, 0.93]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    found = estimate(values)
    assert found.n == 5
    np.testing.assert_allclose([found.mean - found.half_width, found.mean + found.half_width], [low, high], rtol=1e-12)


def test_estimate_by_hand():
    assert estimate([1.0, 3.0]) == pytest.approx((2.0, 12.7062047, 2))  # t_{0.975, 1} sqrt(2) / sqrt(2)


@pytest.mark.parametrize(
    ("values", "mean", "n"),
    [([], math.nan, 0), ([0.5], 0.5, 1), ([0.5, math.inf], math.inf, 2), ([math.inf, -math.inf], math.nan, 2)],
)
def test_estimate_without_an_interval(values, mean, n):
    assert estimate(values) == pytest.approx((mean, math.nan, n), nan_ok=True)


def test_summarise_has_every_method_set_and_metric():
    runs = [run_record("single", seed, {"test": {"nll": float(seed)}, "shift": {"nll": 1.0}}) for seed in (1, 2, 6)]
    summary = summarise(study([*runs, run_record("deep_ensemble", 1, {}, step=9)]))
    assert list(summary.columns) == ["mean", "half_width", "n"]
    assert list(summary.index) == [("single", "test", "nll"), ("single", "shift", "nll")]
    assert look_up(summary, "single", "test", "nll") == pytest.approx(estimate([1.0, 2.0, 6.0]))
    assert look_up(summary, "deep_ensemble", "test", "nll").n == 0


def test_summarise_of_diverged_runs_only_is_empty():
    summary = summarise(study([run_record("single", 1, {}, step=9)]))
    assert summary.empty
    assert look_up(summary, "single", "test", "nll").n == 0


@pytest.mark.parametrize("metric", ["nll", "accuracy", "ece"])
@pytest.mark.parametrize(("position", "gain"), [(0.0, 0.0), (1.0, 1.0)])
def test_copies_recover_nothing_or_all(position, gain, metric):
    result = study_at({"single": 0.0, "batch_ensemble": position, "deep_ensemble": 1.0})
    found = gain_recovered(result, "batch_ensemble", "test", metric)
    assert found == pytest.approx((gain, gain, gain, len(SEEDS), ""))


@pytest.mark.parametrize("position", [-0.5, 0.4, 1.7])
def test_gain_between_is_found_within_its_interval(position):
    result = study_at({"single": 0.0, "batch_ensemble": position, "deep_ensemble": 1.0}, noise=0.01)
    found = gain_recovered(result, "batch_ensemble", "test", "accuracy")
    summary = summarise(result)
    single, method, deep = (
        look_up(summary, m, "test", "accuracy").mean for m in ("single", "batch_ensemble", "deep_ensemble")
    )
    assert found.value == pytest.approx((method - single) / (deep - single))
    assert found.lower < found.value < found.upper
    assert found.value == pytest.approx(position, abs=0.03)


def test_gain_is_paired_by_seed_whatever_the_order_and_the_runs_missing():
    result = study_at({"single": 0.0, "batch_ensemble": 0.4, "deep_ensemble": 1.0}, seeds=(1, 2, 3, 4))
    extra = [run_record("single", 9, {"test": {"nll": 50.0}}), run_record("deep_ensemble", 1, {}, step=3)]
    longer = study([*reversed(result.runs), *extra])
    found = gain_recovered(longer, "batch_ensemble", "test", "nll")
    expected = gain_recovered(result, "batch_ensemble", "test", "nll")
    assert found.value == pytest.approx(expected.value)
    assert found.seeds == 4


@pytest.mark.parametrize(
    ("positions", "reason"),
    [
        ({"single": 0.0, "batch_ensemble": 0.5, "deep_ensemble": 0.0}, "do not differ measurably"),
        ({"single": 0.0, "batch_ensemble": 0.5, "deep_ensemble": -1.0}, "measurably worse"),
        ({"single": 0.0, "batch_ensemble": 0.5}, "no finished run of the deep ensemble"),
        ({"batch_ensemble": 0.5}, "no finished run of the single network or the deep ensemble"),
    ],
)
@pytest.mark.parametrize("metric", ["nll", "accuracy"])
def test_gain_is_undefined_with_its_reason(positions, reason, metric):
    found = gain_recovered(study_at(positions), "batch_ensemble", "test", metric)
    assert reason in found.undefined
    assert np.isnan(found[:3]).all()


def test_gain_is_undefined_where_the_denominator_is_noise():
    """The difference of means is not 0, but its interval holds 0."""
    gains = (0.03, -0.02, 0.01, 0.02, -0.01)
    runs = [run_record("single", s, {"test": {"nll": 0.5}}) for s in SEEDS]
    runs += [run_record("batch_ensemble", s, {"test": {"nll": 0.4}}) for s in SEEDS]
    runs += [run_record("deep_ensemble", s, {"test": {"nll": 0.5 - g}}) for s, g in zip(SEEDS, gains, strict=True)]
    assert "do not differ measurably" in gain_recovered(study(runs), "batch_ensemble", "test", "nll").undefined


@pytest.mark.parametrize("count", [1, MIN_SEEDS - 1])
def test_too_few_seeds_give_no_interval(count):
    result = study_at(dict.fromkeys(METHODS, 0.0) | {"deep_ensemble": 1.0}, seeds=SEEDS[:count])
    reason = gain_recovered(result, "batch_ensemble", "test", "nll").undefined
    assert reason == f"an interval needs at least 4 seeds in common, here {count}"


def test_not_finite_scores_give_no_ratio():
    runs = [run_record(m, s, {"test": {"pairwise_js": math.inf}}) for m in METHODS for s in SEEDS]
    assert "finite" in diversity_ratio(study(runs), "batch_ensemble", "test", "pairwise_js").undefined


@pytest.mark.parametrize("metric", ["epistemic", "disagreement", "pairwise_js"])
def test_diversity_ratio_is_of_the_deep_ensembles(metric):
    result = study_at({"batch_ensemble": 0.3, "deep_ensemble": 1.0, "other": 1.0})
    found = diversity_ratio(result, "batch_ensemble", "ood/letters", metric)
    summary = summarise(result)
    means = [look_up(summary, m, "ood/letters", metric).mean for m in ("batch_ensemble", "deep_ensemble")]
    assert found.value == pytest.approx(means[0] / means[1])
    assert 0.2 < found.lower < found.value < found.upper < 0.4
    assert diversity_ratio(result, "other", "ood/letters", metric) == pytest.approx((1.0, 1.0, 1.0, 5, ""))


def test_diversity_ratio_to_a_deep_ensemble_without_any_is_undefined():
    runs = [run_record(m, s, {"test": {"epistemic": 0.0}}) for m in METHODS for s in SEEDS]
    assert "not measurably above 0" in diversity_ratio(study(runs), "batch_ensemble", "test", "epistemic").undefined


def test_bootstrap_is_that_of_all_resamples():
    """With 5 seeds there are 5^5 resamples: their quantiles are the interval, up to the sampling of 10,000."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(0.4, 0.1, 5), rng.normal(1, 0.1, 5)
    chosen = np.array(list(itertools.product(range(5), repeat=5)))
    tail = stats.norm.cdf(-math.sqrt(5 / 4) * stats.t.ppf(0.975, 4))
    expected = np.quantile(x[chosen].mean(1) / y[chosen].mean(1), [tail, 1 - tail])
    found = ratio_of_means(x, y, "")
    np.testing.assert_allclose([found.lower, found.upper], expected, atol=0.01)
    assert ratio_of_means(x, y, "") == found


def test_bootstrap_covers_what_its_docstring_says():
    rng = np.random.default_rng(0)
    draws = rng.normal([[0.4], [1.0]], 0.1, (300, 2, 5))
    found = [ratio_of_means(x, y, "") for x, y in draws]
    assert 0.88 < np.mean([r.lower <= 0.4 <= r.upper for r in found]) < 0.96


def test_a_resample_without_a_difference_raises_no_warning():
    """Four equal gains and a 0: the mean is told from 0, but one resample in 3,125 has mean 0."""
    found = ratio_of_means(np.full(5, 0.004), np.array([0.01, 0.01, 0.01, 0.01, 0.0]), "")
    assert found.value == pytest.approx(0.5)
    assert 0.4 <= found.lower < 0.5 < found.upper < 5


def test_paired_difference_is_scipys():
    result = study_at({"batch_ensemble": 0.4, "deep_ensemble": 1.0})
    by_method = {m: [r.scores["test"]["nll"] for r in result.runs if r.method == m] for m in result.methods}
    expected = stats.ttest_rel(by_method["batch_ensemble"], by_method["deep_ensemble"]).confidence_interval(0.95)
    found = paired_difference(result, "batch_ensemble", "deep_ensemble", "test", "nll")
    np.testing.assert_allclose([found.mean - found.half_width, found.mean + found.half_width], expected, rtol=1e-9)
