"""AUROC, AUPR and FPR at TPR: by hand, against scikit-learn with ties and infinities, masked, and at scale."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from be_jax import metrics

# Jitted, since op-by-op compilation is slow; test_metrics_contract.py shows that this changes nothing.
auroc, aupr = jax.jit(metrics.auroc), jax.jit(metrics.aupr)
fpr_at_tpr = jax.jit(metrics.fpr_at_tpr, static_argnames="tpr")
ALL = [auroc, aupr, fpr_at_tpr]
# Few distinct values, so that ties within and across populations are common; both infinities among them.
SCORES = st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 0.25, 3.0, np.inf])
POPULATION = hnp.arrays(np.float32, 12, elements=SCORES)
MASK = hnp.arrays(bool, 12).filter(lambda mask: mask.any())


def by_scikit_learn(in_scores: np.ndarray, out_scores: np.ndarray, tpr: float = 0.95) -> list[float]:
    is_out = np.r_[np.zeros(len(in_scores)), np.ones(len(out_scores))]
    # Ranks, since scikit-learn refuses infinite scores.
    scores = np.unique(np.r_[in_scores, out_scores].astype(np.float64), return_inverse=True)[1]
    fprs, tprs, _ = roc_curve(is_out, scores, drop_intermediate=False)
    return [roc_auc_score(is_out, scores), average_precision_score(is_out, scores), fprs[np.argmax(tprs >= tpr)]]


def test_by_hand() -> None:
    in_scores, out_scores = np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.35, 0.4])
    assert auroc(in_scores, out_scores) == pytest.approx((3 + 3.5) / 8)
    assert aupr(in_scores, out_scores) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert fpr_at_tpr(in_scores, out_scores) == pytest.approx(1 / 4)
    assert fpr_at_tpr(in_scores, out_scores, tpr=0.5) == pytest.approx(1 / 4)
    assert fpr_at_tpr(in_scores, np.array([0.35, 0.5]), tpr=0.5) == 0
    assert fpr_at_tpr(in_scores, np.array([0.35, 0.5]), tpr=0.51) == pytest.approx(1 / 4)


def test_perfect_reversed_and_constant() -> None:
    low, high = jnp.array([0.0, 1.0]), jnp.array([2.0, 3.0])
    assert [float(metric(low, high)) for metric in ALL] == [1, 1, 0]
    assert [float(metric(high, low)) for metric in ALL] == pytest.approx([0, (1 / 3 + 2 / 4) / 2, 1])
    assert [float(metric(jnp.ones(6), jnp.ones(2))) for metric in ALL] == [0.5, 0.25, 1]


@given(POPULATION, POPULATION, MASK, MASK)
@settings(max_examples=100, deadline=None)
def test_against_scikit_learn_with_ties_infinities_and_masks(in_scores, out_scores, in_mask, out_mask) -> None:
    expected = by_scikit_learn(in_scores[in_mask], out_scores[out_mask])
    in_scores, out_scores = np.where(in_mask, in_scores, np.nan), np.where(out_mask, out_scores, np.nan)
    values = [float(metric(in_scores, out_scores, in_mask, out_mask)) for metric in ALL]
    np.testing.assert_allclose(values, expected, atol=1e-6)


@given(POPULATION, POPULATION)
@settings(max_examples=50, deadline=None)
def test_exchanging_the_populations_reflects_auroc(in_scores: np.ndarray, out_scores: np.ndarray) -> None:
    assert auroc(in_scores, out_scores) == pytest.approx(1 - float(auroc(out_scores, in_scores)), abs=1e-6)


@pytest.mark.parametrize("decimals", [1, 3, 9])
def test_ten_thousand_each_against_scikit_learn(decimals: int) -> None:
    rng = np.random.default_rng(0)
    in_scores = rng.normal(size=10_000).round(decimals).astype(np.float32)
    out_scores = (rng.normal(size=9_000) + 1).round(decimals).astype(np.float32)
    values = [float(metric(in_scores, out_scores)) for metric in ALL]
    np.testing.assert_allclose(values, by_scikit_learn(in_scores, out_scores), atol=1e-6)


def test_counts_beyond_float32_and_int32_stay_exact() -> None:
    in_scores, out_scores = jnp.zeros(200_000), jnp.arange(200_000) % 4 - 1.5  # 4e10 pairs
    assert auroc(in_scores, out_scores) == pytest.approx(0.5, abs=1e-7)
    assert auroc(in_scores, out_scores + 1) == pytest.approx(0.75, abs=1e-7)


@pytest.mark.parametrize(("k", "n"), [(5, 25), (3, 29), (19, 20)])
def test_a_tpr_that_is_a_ratio_of_counts_is_reached(k: int, n: int) -> None:
    """XLA divides by a constant with its rounded reciprocal, which puts 5 / 25 under 0.2."""
    scores = jnp.arange(n, dtype=jnp.float32)
    assert fpr_at_tpr(scores, scores, tpr=k / n) == pytest.approx(k / n, abs=1e-6)


@pytest.mark.parametrize("metric", ALL)
def test_nan_scores_have_no_rank(metric) -> None:
    scores, with_nan = jnp.array([1.0, 2.0, 3.0]), jnp.array([1.0, jnp.nan, 3.0])
    assert np.isnan(metric(with_nan, scores))
    assert np.isnan(metric(scores, with_nan))
    mask = jnp.array([True, False, True])
    assert not np.isnan(metric(with_nan, with_nan, mask, mask))


@pytest.mark.parametrize("metric", ALL)
def test_an_empty_population_gives_nan(metric) -> None:
    scores, nothing = jnp.array([1.0, 2.0]), jnp.array([False, False])
    assert np.isnan(metric(scores, scores, nothing, None))
    assert np.isnan(metric(scores, scores, None, nothing))
    assert np.isnan(metric(scores, jnp.zeros(0)))
    assert np.isnan(metric(jnp.zeros(0), scores))


@pytest.mark.parametrize("metric", ALL)
def test_only_order_matters(metric) -> None:
    rng = np.random.default_rng(3)
    in_scores, out_scores = rng.integers(0, 9, 40), rng.integers(2, 11, 40)
    expected = float(metric(in_scores, out_scores))
    assert metric(np.exp(in_scores * 1.0), np.exp(out_scores * 1.0)) == pytest.approx(expected, abs=1e-6)
    assert metric(rng.permutation(in_scores), rng.permutation(out_scores)) == pytest.approx(expected, abs=1e-6)


def test_parts_of_the_populations_average_to_the_whole() -> None:
    rng = np.random.default_rng(4)
    in_scores, out_scores = rng.normal(size=50), rng.normal(size=40)
    sizes = np.array([15, 25])
    parts = np.array([auroc(in_scores, out_scores[:15]), auroc(in_scores, out_scores[15:])])
    assert (parts * sizes).sum() / 40 == pytest.approx(float(auroc(in_scores, out_scores)), abs=1e-6)
