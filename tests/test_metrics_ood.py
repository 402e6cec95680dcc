"""The table of detection results agrees with its parts and with scikit-learn."""

import jax
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import entropy
from sklearn.metrics import average_precision_score, roc_auc_score

from be_jax import metrics
from be_jax.metrics import auroc, fpr_at_tpr

# Jitted, since op-by-op compilation is slow; test_metrics_contract.py shows that this changes nothing.
decompose, detection = jax.jit(metrics.decompose), jax.jit(metrics.detection)

NAMES = {"total", "aleatoric", "epistemic", "max_probability"}


def random_case(b: int, scale: float, seed: int) -> np.ndarray:
    return np.array(jax.nn.log_softmax(scale * np.random.default_rng(seed).normal(size=(3, b, 5)).astype(np.float32)))


def test_against_scikit_learn() -> None:
    inside, outside = random_case(200, 3.0, 0), random_case(150, 1.0, 1)
    found = detection(inside, outside)
    assert found.keys() == NAMES
    is_out = np.r_[np.zeros(200), np.ones(150)]
    probs = np.exp(np.concatenate([inside, outside], axis=1).astype(np.float64))
    scores = {"total": entropy(probs.mean(0), axis=-1), "aleatoric": entropy(probs, axis=-1).mean(0)}
    scores["epistemic"] = scores["total"] - scores["aleatoric"]
    scores["max_probability"] = 1 - probs.mean(0).max(-1)
    for name in NAMES:
        assert found[name].auroc == pytest.approx(roc_auc_score(is_out, scores[name]), abs=1e-6)
        assert found[name].aupr == pytest.approx(average_precision_score(is_out, scores[name]), abs=1e-6)
    parts = decompose(inside).total, decompose(outside).total
    assert found["total"].fpr95 == fpr_at_tpr(*parts, tpr=0.95)


def test_only_disagreement_can_tell_opposed_members_from_unsure_ones() -> None:
    unsure = np.log(np.full((2, 4, 2), 0.5, np.float32))
    opposed = np.log(np.array([[[0.9, 0.1]] * 4, [[0.1, 0.9]] * 4], np.float32))
    found = detection(unsure, opposed)
    assert found["epistemic"] == (1, 1, 0)
    assert found["aleatoric"] == (0, 0.5, 1)
    assert auroc(decompose(unsure).epistemic, decompose(opposed).epistemic) == 1


def test_masked_rows_count_for_nothing() -> None:
    inside, outside = random_case(20, 3.0, 2), random_case(20, 1.0, 3)
    in_mask, out_mask = np.arange(20) < 15, np.arange(20) < 10
    expected = detection(inside[:, in_mask], outside[:, out_mask])
    inside[:, ~in_mask], outside[:, ~out_mask] = np.nan, np.nan
    found = detection(inside, outside, in_mask, out_mask)
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    assert np.isnan(detection(inside, outside)["total"]).all()
    assert np.isnan(detection(inside, outside, in_mask, np.zeros(20, bool))["total"]).all()


@pytest.mark.parametrize("shape", [(2, 5, 4), (3, 5, 3)])
def test_members_and_classes_must_agree(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(3, 6, 4\) and \(" + ", ".join(map(str, shape))):
        detection(np.zeros((3, 6, 4), np.float32), np.zeros(shape, np.float32))


def test_scores_of_logits_by_hand() -> None:
    logits = np.array([[[0.0, 0.0], [-np.inf, 3.0]], [[1.0, 1.0], [1.0, 1.0]]], np.float32)
    np.testing.assert_allclose(metrics.energy(logits), [-np.log(2) - 0.5, -2 - np.log(2) / 2], rtol=1e-6)
    np.testing.assert_allclose(metrics.max_logit(logits), [-0.5, -2], rtol=1e-6)
    log_probs = jax.nn.log_softmax(logits)
    np.testing.assert_allclose(metrics.energy(log_probs), 0, atol=1e-6)


@pytest.mark.slow
def test_logits_of_small_norm_are_found_where_probabilities_say_nothing() -> None:
    """A constant added to all logits, which log-probabilities do not show."""
    inside = 3 * np.random.default_rng(0).normal(size=(3, 200, 5)).astype(np.float32)
    outside = inside - 20
    for name, found in metrics.detection_by_logits(inside, outside).items():
        score = {"energy": lambda z: -logsumexp(z, -1).mean(0), "max_logit": lambda z: -z.max(-1).mean(0)}[name]
        assert found.auroc == 1
        mixed = np.concatenate([inside[:, :100], outside[:, :100] + 19], axis=1)
        is_out = np.r_[np.zeros(200), np.ones(200)]
        expected = roc_auc_score(is_out, np.concatenate([score(inside), score(mixed)]))
        assert metrics.detection_by_logits(inside, mixed)[name].auroc == pytest.approx(expected, abs=1e-6)
    assert metrics.detection(*map(jax.nn.log_softmax, (inside, outside)))["total"].auroc == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ValueError, match=r"\(3, 200, 5\) and \(3, 200, 4\)"):
        metrics.detection_by_logits(inside, outside[..., 1:])
