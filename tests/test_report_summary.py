"""Means and intervals over seeds."""

import math

import numpy as np
import pytest
from report_fakes import run_record, study
from scipy import stats

from be_jax.report import summarise
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
