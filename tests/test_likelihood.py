"""Likelihoods: members' and mixture's agree for one member, and a Gaussian head learns mean and noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import be_jax
from be_jax import likelihood, metrics
from be_jax.config import TrainConfig
from be_jax.fit import pad
from be_jax.nn.models import MLP
from be_jax.train import make_trainer

OUTPUTS = 2 * jax.random.normal(jax.random.key(0), (3, 8, 2))
CLASSES = jnp.arange(8) % 2
REALS = jnp.linspace(-2.0, 2.0, 8)


@pytest.mark.parametrize(("kind", "targets"), [(likelihood.CATEGORICAL, CLASSES), (likelihood.GAUSSIAN, REALS)])
def test_the_mixture_of_one_member_is_that_member(kind, targets):
    of_members = kind.member_nll(OUTPUTS, jnp.broadcast_to(targets, (3, 8)))
    for k in range(3):
        np.testing.assert_allclose(kind.ensemble_nll(OUTPUTS[k : k + 1], targets), of_members[k], rtol=1e-4, atol=1e-5)
    assert (kind.ensemble_nll(OUTPUTS, targets) <= of_members.mean(0) + 1e-5).all()  # Jensen


def test_gaussian_against_scipy():
    mean, log_variance = np.asarray(OUTPUTS[0], np.float64).T
    expected = -stats.norm.logpdf(np.asarray(REALS), mean, np.exp(log_variance / 2))
    nll = likelihood.GAUSSIAN.member_nll(OUTPUTS[:1], REALS[None])[0]
    np.testing.assert_allclose(nll, expected, rtol=1e-4)
    assert np.isnan(likelihood.GAUSSIAN.accuracy(OUTPUTS, REALS)).all()


def test_categorical_is_the_metrics_of_the_mixture():
    log_probs = metrics.mixture(jax.nn.log_softmax(OUTPUTS))
    np.testing.assert_array_equal(
        likelihood.CATEGORICAL.ensemble_nll(OUTPUTS, CLASSES), metrics.nll(log_probs, CLASSES)
    )
    np.testing.assert_array_equal(
        likelihood.CATEGORICAL.accuracy(OUTPUTS, CLASSES), metrics.accuracy(log_probs, CLASSES)
    )


def test_a_gaussian_head_needs_two_outputs():
    with pytest.raises(ValueError, match="2 outputs, mean and log-variance; got 3"):
        likelihood.gaussian(jnp.zeros((1, 4, 3)))


@pytest.mark.slow
def test_a_gaussian_head_learns_mean_and_noise():
    """y = x + N(0, 0.3^2): the trained head's mean follows x, and its deviation is near 0.3."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (512, 1)).astype(np.float32)
    y = (x[:, 0] + 0.3 * rng.normal(size=512)).astype(np.float32)
    ensemble = be_jax.batch_ensemble(MLP(features=(16,), num_classes=2), 2)
    config = TrainConfig(epochs=30, batch_size=64, learning_rate=0.01, milestones=(), patience=0)
    trainer = make_trainer(ensemble, config, 512, lambda x: x, likelihood=likelihood.GAUSSIAN)
    state, epoch = trainer.init(jnp.uint32(0), x[:1]), jax.jit(trainer.epoch)
    for _ in range(30):
        state, measured = epoch(jnp.uint32(0), state, x, y, pad(x[:128], y[:128], 128))
    means, variances = likelihood.gaussian(ensemble.apply(state.kept, jnp.array([[-0.5], [0.5]])))
    np.testing.assert_allclose(means.mean(0), [-0.5, 0.5], atol=0.1)
    np.testing.assert_allclose(jnp.sqrt(variances).mean(), 0.3, atol=0.05)
    assert measured.validation_nll == pytest.approx(-stats.norm.logpdf(0, 0, 0.3) + 0.5, abs=0.15)
    assert np.isnan(measured.validation_accuracy)
