"""The risk-coverage curve: by hand, against a float64 loop and every order of ties, masked, and at the edges."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import accuracy_score, roc_auc_score

from be_jax import metrics

# Jitted, since op-by-op compilation is slow; test_metrics_contract.py shows that this changes nothing. Not where many
# levels are tried on one shape: each level, a static argument, would be compiled anew.
aurc = jax.jit(metrics.aurc)
coverage_at_risk = jax.jit(metrics.coverage_at_risk, static_argnames="risk")
risk_at_coverage = jax.jit(metrics.risk_at_coverage, static_argnames="coverage")
ALL = [aurc, coverage_at_risk, risk_at_coverage]


def curve(scores: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Risk among the k most certain, k = 1 .. n, in float64; scores without ties."""
    wrong = ~np.asarray(correct, bool)[np.argsort(scores)]
    return np.cumsum(wrong) / np.arange(1, len(wrong) + 1)


def test_by_hand() -> None:
    scores = np.array([0.4, 0.1, 0.3, 0.2])
    correct = np.array([False, True, True, False])  # wrong ones stand second and fourth: risks 0, 1/2, 1/3, 1/2
    assert aurc(scores, correct) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert metrics.risk_at_coverage(scores, correct, 0.75) == pytest.approx(1 / 3)
    assert metrics.risk_at_coverage(scores, correct, 0.76) == pytest.approx(1 / 2)
    assert metrics.risk_at_coverage(scores, correct, 0.01) == 0
    assert metrics.coverage_at_risk(scores, correct, 0.0) == 0.25
    assert metrics.coverage_at_risk(scores, correct, 1 / 3) == 0.75
    assert metrics.coverage_at_risk(scores, correct, 0.49) == 0.75
    assert metrics.coverage_at_risk(scores, correct, 0.5) == 1
    assert metrics.coverage_at_risk(scores, ~correct, 0.2) == 0


def test_against_a_float64_loop_at_scale() -> None:
    rng = np.random.default_rng(0)
    scores = rng.permutation(10_000).astype(np.float32)
    correct = rng.random(10_000) > scores / 20_000
    risks = curve(scores, correct)
    assert aurc(scores, correct) == pytest.approx(risks.mean(), abs=1e-6)
    assert risk_at_coverage(scores, correct) == pytest.approx(risks[7_999], abs=1e-6)
    assert coverage_at_risk(scores, correct, 0.1) == pytest.approx((np.flatnonzero(risks <= 0.1)[-1] + 1) / 1e4)


def test_full_coverage_is_the_error_rate_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    labels, predicted = rng.integers(0, 3, 500), rng.integers(0, 3, 500)
    risk = risk_at_coverage(rng.normal(size=500), labels == predicted, 1.0)
    assert risk == pytest.approx(1 - accuracy_score(labels, predicted), abs=1e-6)


@pytest.mark.slow
@given(hnp.arrays(np.float32, 6, elements=st.sampled_from([0, 1, 2, np.inf])), hnp.arrays(bool, 6))
@settings(max_examples=25, deadline=None)
def test_ties_give_the_mean_over_all_orders(scores: np.ndarray, correct: np.ndarray) -> None:
    risks = []
    for tie_break in itertools.permutations(range(6)):
        wrong = ~correct[np.lexsort((tie_break, scores))]
        risks.append(np.cumsum(wrong) / np.arange(1, 7))
    expected = np.mean(risks, axis=0)
    assert aurc(scores, correct) == pytest.approx(expected.mean(), abs=1e-6)
    for k in range(1, 7):
        assert metrics.risk_at_coverage(scores, correct, k / 6) == pytest.approx(expected[k - 1], abs=1e-6)
    for level in (0.0, 0.15, 0.3, 0.55, 1.0):
        allowed = np.flatnonzero(expected <= level + 1e-9)
        assert metrics.coverage_at_risk(scores, correct, level) == pytest.approx(
            (allowed.max(initial=-1) + 1) / 6, abs=1e-6
        )


def test_a_constant_score_has_the_error_rate_everywhere() -> None:
    scores, correct = jnp.ones(8), jnp.arange(8) % 4 > 0
    assert aurc(scores, correct) == pytest.approx(0.25)
    for coverage in (0.1, 0.5, 1.0):
        assert metrics.risk_at_coverage(scores, correct, coverage) == pytest.approx(0.25)
    assert metrics.coverage_at_risk(scores, correct, 0.25) == 1
    assert metrics.coverage_at_risk(scores, correct, 0.24) == 0


@given(hnp.arrays(np.float32, 10, elements=st.floats(-2, 2, width=16)), hnp.arrays(bool, 10))
@settings(max_examples=50, deadline=None)
def test_no_order_beats_the_oracle(scores: np.ndarray, correct: np.ndarray) -> None:
    best, worst = aurc(~correct, correct), aurc(correct, correct)
    assert best - 1e-6 <= aurc(scores, correct) <= worst + 1e-6


@pytest.mark.parametrize("metric", ALL)
def test_masked_rows_count_for_nothing_even_beside_infinite_scores(metric) -> None:
    scores = np.array([1.0, np.inf, 2.0, np.nan, np.inf, -np.inf, np.inf, 0.5])
    correct = np.array([1.0, 0.0, 0.0, np.nan, 1.0, 1.0, 0.0, 1.0])
    mask = np.array([True, True, True, False, True, True, False, True])
    expected = float(metric(scores[mask], correct[mask]))
    assert not np.isnan(expected)
    assert metric(scores, correct, mask=mask) == pytest.approx(expected, abs=1e-6)
    order = np.arange(8)[::-1]
    assert metric(scores[order], correct[order], mask=mask[order]) == pytest.approx(expected, abs=1e-6)
    assert np.isnan(metric(scores, correct, mask=np.zeros(8, bool)))


@pytest.mark.parametrize("metric", ALL)
def test_nan_scores_and_correctness_that_is_not_0_or_1_give_nan(metric) -> None:
    assert np.isnan(metric([1.0, np.nan], np.array([True, False])))
    assert np.isnan(metric([1.0, 2.0], np.array([1.0, np.nan])))
    assert np.isnan(metric([1.0, 2.0], np.array([1.0, 0.5])))
    assert np.isnan(metric(jnp.zeros(0), jnp.zeros(0)))


@pytest.mark.parametrize("dtype", [bool, np.int32, np.float32])
def test_types_of_correctness(dtype) -> None:
    assert aurc(np.array([0.1, 0.2]), np.array([1, 0], dtype)) == pytest.approx(0.25)


@pytest.mark.parametrize(("k", "n"), [(5, 25), (3, 29), (16, 20)])
def test_a_coverage_or_risk_that_is_a_ratio_of_counts_is_met_exactly(k: int, n: int) -> None:
    """XLA divides by a constant with its rounded reciprocal, which puts 5 / 25 under 0.2."""
    alternating = np.arange(n) % 2 == 0
    value = risk_at_coverage(jnp.arange(n), alternating, k / n)
    assert value == pytest.approx(curve(np.arange(n), alternating)[k - 1], abs=1e-6)
    last_wrong = np.arange(n) < n - k
    assert coverage_at_risk(jnp.arange(n), last_wrong, k / n) == 1


@pytest.mark.slow
@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_augrc_is_its_identity_with_auroc(levels: int) -> None:
    """Traub et al. 2024: (1 - AUROC of the errors) accuracy (1 - accuracy) + (1 - accuracy)^2 / 2, ties half."""
    rng = np.random.default_rng(levels)
    scores, correct = rng.integers(0, levels, 300).astype(np.float32), rng.random(300) > 0.3
    accuracy = correct.mean()
    expected = (1 - roc_auc_score(~correct, scores)) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    assert metrics.augrc(scores, correct) == pytest.approx(expected, abs=1e-6)
    mask = np.arange(300) % 2 > 0
    expected = metrics.augrc(scores[mask], correct[mask])
    assert metrics.augrc(scores, correct, mask=mask) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.slow
def test_augrc_by_hand() -> None:
    """Errors accepted 3rd of 4: the generalised risk is 0, 0, 1/4, 1/4, by trapezia (1/8 + 1/4) / 4."""
    scores = np.array([1.0, 2.0, 3.0, 4.0])
    assert metrics.augrc(scores, np.array([1, 1, 0, 1])) == pytest.approx(3 / 32)
    assert metrics.augrc(scores, np.ones(4)) == 0
    assert metrics.augrc(scores, np.zeros(4)) == 0.5
    assert np.isnan(metrics.augrc(np.array([1, np.nan]), np.ones(2)))
