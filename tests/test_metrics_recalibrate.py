"""Vector scaling and isotonic regression: against scikit-learn and their optimality, and what is refused."""

import jax
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from be_jax import metrics
from be_jax.metrics import recalibrate


def random_case(n: int = 1500, c: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, c))
    labels = (logits + rng.gumbel(size=(n, c))).argmax(1)
    return log_softmax(logits * np.linspace(0.5, 2, c) + np.linspace(-1, 1, c), axis=1).astype(np.float32), labels


def nll(log_probs, labels) -> float:
    return float(metrics.nll(log_probs, labels).mean())


def test_vector_scaling_of_two_classes_is_logistic_regression():
    """With p and 1 - p as features, only w_0 log p + b_0 - w_1 log(1 - p) - b_1 matters, and it has an optimum."""
    log_probs, labels = random_case(c=2)
    fitted = recalibrate.fit_vector_scaling(log_probs, labels)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(log_probs * [-1, 1], labels)
    np.testing.assert_allclose(fitted(log_probs), reference.predict_log_proba(log_probs * [-1, 1]), atol=2e-4)


def test_vector_scaling_is_optimal():
    log_probs, labels = random_case()
    fitted = recalibrate.fit_vector_scaling(log_probs, labels)
    best = nll(fitted(log_probs), labels)
    assert (
        best < nll(metrics.temper(log_probs[None], metrics.fit_temperature(log_probs[None], labels))[0], labels) - 0.01
    )
    rng = np.random.default_rng(1)
    for _ in range(20):
        moved = recalibrate.VectorScaling(*(part + 0.02 * rng.normal(size=4).astype(np.float32) for part in fitted))
        assert nll(moved(log_probs), labels) > best - 1e-6
    residual = np.exp(fitted(log_probs)) - np.eye(4)[labels]
    np.testing.assert_allclose(residual.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose((residual * log_probs).mean(0), 0, atol=1e-5)
    jitted = jax.jit(recalibrate.VectorScaling.__call__)
    np.testing.assert_allclose(jitted(fitted, log_probs), fitted(log_probs), atol=1e-6)


def test_vector_scaling_mends_what_it_can():
    """Logits distorted by weights and biases come back."""
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(60_000, 3))
    labels = (logits + rng.gumbel(size=logits.shape)).argmax(1)
    weight = np.array([2.0, 0.7, 1.2])
    fitted = recalibrate.fit_vector_scaling(log_softmax(logits, -1), labels)
    np.testing.assert_allclose(fitted.weight, 1, atol=0.05)
    distorted = log_softmax(logits / weight, -1).astype(np.float32)
    assert nll(recalibrate.fit_vector_scaling(distorted, labels)(distorted), labels) < nll(distorted, labels)


def test_a_class_without_examples_and_probability_0_stay_finite():
    log_probs, labels = random_case()
    labels = np.where(labels == 3, 0, labels)
    log_probs[:20, 2] = -np.inf
    fitted = recalibrate.fit_vector_scaling(log_probs, labels)
    assert np.isfinite(fitted.weight).all()
    assert (np.abs(fitted.bias) <= 20).all()
    assert np.isfinite(fitted(log_probs)).all()


def test_isotonic_against_scikit_learn():
    log_probs, labels = random_case()
    log_probs[::3] = log_probs[0]  # equals
    new, _ = random_case(seed=5)
    fitted = recalibrate.fit_isotonic(log_probs, labels)
    expected = np.stack(
        [
            IsotonicRegression(out_of_bounds="clip")
            .fit(np.exp(log_probs[:, k].astype(float)), labels == k)
            .predict(np.exp(new[:, k].astype(float)))
            for k in range(4)
        ],
        axis=1,
    )
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(np.exp(fitted(new)), expected, atol=1e-5)


def test_isotonic_improves_the_brier_score_of_new_examples():
    log_probs, labels = random_case(4000)
    fitted = recalibrate.fit_isotonic(log_probs[:2000], labels[:2000])
    after = metrics.brier(fitted(log_probs[2000:]), labels[2000:]).mean()
    assert after < metrics.brier(log_probs[2000:], labels[2000:]).mean() - 0.005


def test_isotonic_rows_are_distributions():
    log_probs, labels = random_case(30)
    fitted = recalibrate.fit_isotonic(log_probs, labels)
    far = np.log(np.full((1, 4), 1e-9)).astype(np.float32)  # 0 in every class, by what was seen
    rows = np.exp(fitted(np.concatenate([log_probs, far])))
    np.testing.assert_allclose(rows.sum(1), 1, atol=1e-6)
    assert np.isnan(fitted(np.full((1, 4), np.nan, np.float32))).all()


@pytest.mark.parametrize("fit", [recalibrate.fit_vector_scaling, recalibrate.fit_isotonic])
def test_what_cannot_be_fitted_is_refused(fit):
    log_probs, labels = random_case(50)
    with pytest.raises(ValueError, match=r"2 are not, the first labels\[3\] = 4"):
        fit(log_probs, np.where(np.isin(np.arange(50), [3, 9]), 4, labels))
    with pytest.raises(ValueError, match="1 examples hold NaN"):
        fit(np.where(np.arange(50)[:, None] == 7, np.nan, log_probs), labels)
    with pytest.raises(ValueError, match=r"no example to fit on: log_probs has shape \(0, 4\)"):
        fit(log_probs[:0], labels[:0])
    with pytest.raises(ValueError, match=r"\[b, c\], got shape \(1, 50, 4\)"):
        fit(log_probs[None], labels)
