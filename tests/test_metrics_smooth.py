"""Smooth, debiased and decomposed calibration: by hand, against float64 by other formulae, and at their limits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import log_softmax

from be_jax import metrics

ece = jax.jit(metrics.ece)
smooth_ece = jax.jit(metrics.smooth_ece)
debiased_ece = jax.jit(metrics.debiased_ece, static_argnames=("num_bins", "level"))
brier_decomposition = jax.jit(metrics.brier_decomposition, static_argnames="num_bins")


def random_case(n: int = 3000, c: int = 5, sharpness: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, c))
    labels = (logits + rng.gumbel(size=(n, c))).argmax(1)
    return log_softmax(sharpness * logits, axis=1).astype(np.float32), labels


def two_class(confidence) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.stack([confidence, 1 - np.asarray(confidence)], 1)).astype(np.float32)


def smoothed_by_images(confidence: np.ndarray, residual: np.ndarray, width: float) -> float:
    """The integral of the smoothed residual, the reflected kernel summed over mirror images of each confidence."""
    points = (np.arange(800) + 0.5) / 800
    images = np.concatenate([confidence + 2 * k for k in (-1, 0, 1)] + [2 * k - confidence for k in (0, 1)])
    smoothed = stats.norm.pdf(points[:, None], images[None], width) @ np.tile(residual, 5) / len(residual)
    return float(np.abs(smoothed).mean())


@pytest.mark.parametrize("sharpness", [0.7, 1.0, 1.5, 4.0])
def test_smooth_ece_against_its_definition_in_float64(sharpness):
    log_probs, labels = random_case(n=200, sharpness=sharpness)
    confidence = np.exp(log_probs.max(1).astype(float))
    residual = (log_probs.argmax(1) == labels) - confidence
    expected = optimize.brentq(lambda s: smoothed_by_images(confidence, residual, s) - s, 5e-3, 0.5, xtol=1e-6)
    assert smooth_ece(log_probs, labels) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("confidence", [0.55, 0.6, 0.9, 1.0])
def test_smooth_ece_of_one_confidence_by_hand(confidence):
    """A residual of one sign integrates to itself whatever the width."""
    log_probs = two_class(np.full(10, confidence))
    labels = np.repeat([0, 1], 5)
    assert smooth_ece(log_probs, labels) == pytest.approx(abs(0.5 - confidence), abs=1e-4)


def test_smooth_ece_is_continuous_where_bins_are_not():
    labels = np.array([0, 1] * 20)
    steps = [two_class(np.full(40, 0.6 + e)) for e in (-1e-3, 1e-3)]
    mixed = [np.concatenate([s, two_class(np.full(40, 0.65))]) for s in steps]
    labels = np.concatenate([labels, np.zeros(40, int)])
    assert abs(smooth_ece(mixed[0], labels) - smooth_ece(mixed[1], labels)) < 2e-3
    assert abs(ece(mixed[0], labels) - ece(mixed[1], labels)) > 0.05


def test_debiased_ece_by_hand():
    """One bin of residuals 0.1, 0.1, -0.9, 0.1: the mean product of different ones is (12 * .01 - 12 * .09) / 24."""
    log_probs, labels = two_class(np.full(4, 0.9)), np.array([0, 0, 1, 0])
    pairs = np.outer(r := np.array([0.1, 0.1, -0.9, 0.1]), r)[~np.eye(4, dtype=bool)]
    assert pairs.mean() < 0
    assert debiased_ece(log_probs, labels).value == 0
    labels = np.array([1, 1, 1, 0])
    pairs = np.outer(r := np.array([-0.9, -0.9, -0.9, 0.1]), r)[~np.eye(4, dtype=bool)]
    assert debiased_ece(log_probs, labels).value == pytest.approx(np.sqrt(pairs.mean()), rel=1e-5)


@pytest.mark.parametrize("n", [200, 3000])
def test_debiased_ece_has_no_bias_where_ece_has(n):
    values = [random_case(n, sharpness=1.0, seed=seed) for seed in range(40)]
    debiased = [debiased_ece(*value) for value in values]
    squares = np.array([float(each.value) ** 2 for each in debiased])
    covered = np.mean([each.lower == 0 for each in debiased])
    assert covered >= 0.9  # 0 is the truth
    assert np.mean(squares) < np.mean([float(ece(*value)) ** 2 for value in values]) / 2


@pytest.mark.parametrize("sharpness", [1.3, 2.0])
def test_the_interval_of_debiased_ece_covers(sharpness):
    truth = float(debiased_ece(*random_case(100_000, sharpness=sharpness, seed=99)).value)
    found = [debiased_ece(*random_case(1000, sharpness=sharpness, seed=seed)) for seed in range(80)]
    covered = np.mean([float(each.lower) <= truth <= float(each.upper) for each in found])
    assert 0.9 <= covered <= 1
    assert np.sqrt(np.mean([float(each.value) ** 2 for each in found])) == pytest.approx(truth, rel=0.06)


def test_the_brier_score_is_the_sum_of_its_parts():
    for sharpness in (0.5, 1.5, 6.0):
        log_probs, labels = random_case(sharpness=sharpness)
        parts = brier_decomposition(log_probs, labels)
        whole = parts.reliability - parts.resolution + parts.uncertainty + parts.within
        assert whole == pytest.approx(float(metrics.brier(log_probs, labels).mean()), abs=1e-6)
    frequency = np.bincount(labels) / len(labels)
    assert parts.uncertainty == pytest.approx(1 - (frequency**2).sum(), abs=1e-6)


def test_brier_decomposition_by_hand():
    """0.2 and 0.8, true 1 time in 4 and 3 in 4: of both classes, gaps of 0.05 and frequencies 0.25 from 0.5."""
    log_probs = two_class(np.repeat([0.2, 0.8], 4))
    labels = np.array([0, 1, 1, 1, 0, 0, 0, 1])
    parts = brier_decomposition(log_probs, labels, num_bins=5)
    np.testing.assert_allclose(parts, [2 * 0.05**2, 2 * 0.25**2, 0.5, 0], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "score",
    [smooth_ece, lambda *a, **k: debiased_ece(*a, **k).value, lambda *a, **k: sum(brier_decomposition(*a, **k))],
    ids=["smooth", "debiased", "brier"],
)
def test_masks_and_bad_rows(score):
    log_probs, labels = random_case(n=90)
    mask = np.arange(90) % 3 > 0
    expected = float(score(log_probs[mask], labels[mask]))
    spoilt, bad = log_probs.copy(), labels.copy()
    spoilt[~mask], bad[~mask] = np.nan, 7
    assert score(spoilt, bad, mask=mask) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(score(log_probs, bad))
    assert np.isnan(score(spoilt, labels))
    assert np.isnan(score(log_probs, labels, mask=np.zeros(90, bool)))
    assert np.isnan(score(log_probs[:0], labels[:0]))


def test_perfect_and_worst():
    certain = jnp.array([[0.0, -jnp.inf]] * 6)
    assert smooth_ece(certain, np.zeros(6, int)) == pytest.approx(0, abs=1e-6)
    assert smooth_ece(certain, np.ones(6, int)) == pytest.approx(1, abs=1e-4)
    assert debiased_ece(certain, np.zeros(6, int)) == (0, 0, 0)
    assert debiased_ece(certain, np.ones(6, int)) == (1, 1, 1)
    np.testing.assert_array_equal(brier_decomposition(certain, np.zeros(6, int)), [0, 0, 0, 0])
    np.testing.assert_array_equal(brier_decomposition(certain, np.ones(6, int)), [2, 0, 0, 0])
