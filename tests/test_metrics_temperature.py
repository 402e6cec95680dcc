"""Temperature scaling: against scipy's minimiser, and what must hold by definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

from be_jax import metrics


def draw(members, examples=500, classes=4, sharpness=3.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, examples)
    logits = rng.normal(size=(members, examples, classes)) + 0.8 * np.eye(classes)[labels]
    return jnp.asarray(special.log_softmax(sharpness * logits, -1), jnp.float32), labels


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("sharpness", [0.3, 1.0, 4.0])
def test_against_scipy(members, sharpness):
    log_probs, labels = draw(members, sharpness=sharpness)

    def loss(log_temperature):
        tempered = special.log_softmax(np.asarray(log_probs, np.float64) / np.exp(log_temperature), -1)
        mixed = special.logsumexp(tempered, 0) - np.log(members)
        return -mixed[np.arange(len(labels)), labels].mean()

    best = optimize.minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded", options={"xatol": 1e-8})
    fitted = metrics.fit_temperature(log_probs, labels)
    assert float(fitted) == pytest.approx(np.exp(best.x), rel=5e-3)  # float32 losses are flat about the minimum
    assert loss(np.log(float(fitted))) == pytest.approx(best.fun, abs=1e-6)


def test_jit_is_the_same():
    log_probs, labels = draw(2)
    np.testing.assert_allclose(
        jax.jit(metrics.fit_temperature)(log_probs, labels), metrics.fit_temperature(log_probs, labels), rtol=1e-3
    )


def test_temperature_1_changes_nothing():
    log_probs, _ = draw(2)
    np.testing.assert_allclose(metrics.temper(log_probs, 1.0), log_probs, atol=1e-6)


def test_probability_0_stays_0():
    tempered = metrics.temper(jnp.array([[[0.0, -jnp.inf]]]), 2.0)
    np.testing.assert_array_equal(tempered, jnp.array([[[0.0, -jnp.inf]]]))


def test_predictions_that_are_always_wrong_are_flattened_to_the_bound():
    labels = np.arange(40) % 4
    wrong = jax.nn.log_softmax(5.0 * jax.nn.one_hot((labels + 1) % 4, 4))[None]
    assert float(metrics.fit_temperature(wrong, labels)) == pytest.approx(20, rel=1e-3)


def test_wrong_shapes_are_refused():
    log_probs, labels = draw(2)
    with pytest.raises(ValueError, match="m, b, c"):
        metrics.temper(log_probs[0], 1.0)
    with pytest.raises(ValueError, match="labels must be"):
        metrics.fit_temperature(log_probs, labels[:-1])
