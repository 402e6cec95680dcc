"""Near certainty nothing saturates: float32 log-probabilities with leads up to 80, against float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from be_jax import metrics

LEADS = np.arange(1.0, 81.0)
SCORES = ["max_probability", "total", "aleatoric", "epistemic", "pairwise_kl", "pairwise_js"]


def logits_with(
    leads: np.ndarray, members: int = 3, classes: int = 5, spread: float = 0.5, seed: int = 0
) -> np.ndarray:
    """Float32 logits [m, b, c] in which class 1 leads by about this much."""
    noise = np.random.default_rng(seed).normal(size=(members, len(leads), classes))
    return (spread * noise + leads[None, :, None] * (np.arange(classes) == 1)).astype(np.float32)


def exactly(logits: np.ndarray) -> dict[str, np.ndarray]:
    """The scores in float64, of nothing but sums of positive terms, so that none of them cancels."""
    log_p = log_softmax(logits.astype(np.float64), axis=-1)
    log_a = logsumexp(log_p, axis=0) - np.log(len(log_p))

    def rest(log_q):
        return np.exp(np.delete(log_q, 1, axis=-1)).sum(-1)

    def entropy(log_q):
        others = np.delete(log_q, 1, axis=-1)
        return -(np.exp(others) * others).sum(-1) - (1 - rest(log_q)) * np.log1p(-rest(log_q))

    def kl(log_q, log_r):
        """Sum of q log(q / r) - q + r, that of class 1 by its distance from 1."""
        q, r, d = np.exp(log_q), np.exp(log_r), log_q - log_r
        d[..., 1] = np.log1p(-rest(log_q)) - np.log1p(-rest(log_r))
        return np.where(abs(d) < 1e-2, q * d**2 * (1 / 2 - d / 6 + d**2 / 24), q * d - q + r).sum(-1)

    pairs = [(i, j) for i in range(len(log_p)) for j in range(len(log_p)) if i != j]
    halves = [logsumexp([log_p[i], log_p[j]], axis=0) - np.log(2) for i, j in pairs]
    return {
        "max_probability": rest(log_a),
        "total": entropy(log_a),
        "aleatoric": entropy(log_p).mean(0),
        "epistemic": np.mean([kl(each, log_a) for each in log_p], axis=0),
        "pairwise_kl": np.mean([kl(log_p[i], log_p[j]) for i, j in pairs], axis=0),
        "pairwise_js": np.mean([kl(log_p[i], half) for (i, _), half in zip(pairs, halves, strict=True)], axis=0),
    }


def measured(logits: np.ndarray) -> dict[str, np.ndarray]:
    members = jax.nn.log_softmax(jnp.asarray(logits))
    return {
        "max_probability": metrics.max_probability_uncertainty(members),
        **metrics.decompose(members)._asdict(),
        "pairwise_kl": metrics.pairwise_kl(members),
        "pairwise_js": metrics.pairwise_js(members),
    }


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 5, 100])
@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_against_float64_for_leads_up_to_80(classes, spread):
    logits = logits_with(LEADS, classes=classes, spread=spread)
    logits = logits[:, (logits.argmax(-1) == 1).all(0)]  # of others nothing is exact above
    exact, values = exactly(logits), measured(logits)
    assert logits.shape[1] > 60
    for score in SCORES:
        np.testing.assert_allclose(values[score], exact[score], rtol=1e-4, atol=1e-37, err_msg=score)


def test_almost_equal_members_near_certainty():
    logits = logits_with(LEADS[9:], members=1) + logits_with(0 * LEADS[9:], members=4, spread=1e-2)
    exact, values = exactly(logits.astype(np.float32)), measured(logits)
    for score in ("epistemic", "pairwise_kl", "pairwise_js"):
        np.testing.assert_allclose(values[score], exact[score], rtol=2e-2, atol=2e-37, err_msg=score)


@pytest.mark.slow
@pytest.mark.parametrize(("inside", "outside"), [(28, 22), (60, 50), (80, 76)])
@pytest.mark.parametrize("score", ["max_probability", "total", "aleatoric"])
def test_detection_does_not_collapse(inside, outside, score):
    """Leads of 28 and 22: 0.522 where 1 - max p saturates."""
    logits = [logits_with(np.full(200, lead, float), spread=4.0, seed=k) for k, lead in enumerate((inside, outside))]
    exact = [exactly(each)[score] for each in logits]
    expected = (exact[0][:, None] < exact[1][None]).mean()
    found = metrics.detection(*(jax.nn.log_softmax(jnp.asarray(each)) for each in logits))[score].auroc
    assert expected > 0.6
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("lead", [17.0, 30.0, 80.0])
def test_one_member_of_two_classes_by_hand(lead):
    """p = (1 - q, q) with q = exp(-lead): 1 - max p is q, and the entropy q (lead + 1)."""
    member = jax.nn.log_softmax(jnp.array([[[lead, 0.0]]]))
    assert metrics.max_probability_uncertainty(member)[0] == pytest.approx(np.exp(-lead), rel=1e-5, abs=0)
    assert metrics.decompose(member).total[0] == pytest.approx(np.exp(-lead) * (lead + 1), rel=1e-5, abs=0)


@pytest.mark.slow
def test_equals_and_single_classes_stay_as_they_are():
    halves = jnp.log(jnp.array([[[0.5, 0.5, 0.0]]]))
    np.testing.assert_allclose(metrics.max_probability_uncertainty(halves), [0.5], rtol=1e-6)
    np.testing.assert_allclose(metrics.decompose(halves).total, [np.log(2)], rtol=1e-6)
    for score in (metrics.max_probability_uncertainty, lambda members: metrics.decompose(members).total):
        np.testing.assert_array_equal(score(jnp.zeros((2, 1, 1))), [0])


@pytest.mark.slow
def test_gradients_are_finite_and_right():
    logits = jnp.asarray(logits_with(np.array([5.0, 30.0])))

    def uncertainty(logits):
        return metrics.max_probability_uncertainty(jax.nn.log_softmax(logits))

    slopes = jax.vmap(jax.grad(lambda z: uncertainty(z[:, None])[0]), in_axes=1)(logits)
    # d/dz_1 of mean_k (1 - p_k1) is -p_k1 (1 - p_k1) / m.
    p = np.exp(log_softmax(np.asarray(logits, np.float64), -1))
    expected = -np.exp(logsumexp(np.delete(np.log(p), 1, -1), axis=-1)) * p[..., 1] / 3
    np.testing.assert_allclose(slopes[:, :, 1].T, expected, rtol=1e-3)
    certain = jnp.array([[[0.0, -jnp.inf]]] * 2)
    for score in (metrics.max_probability_uncertainty, metrics.pairwise_kl, metrics.pairwise_js):
        assert np.isfinite(jax.grad(lambda z, score=score: score(z).sum())(certain)).all()
