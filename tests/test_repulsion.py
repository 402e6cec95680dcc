"""The repulsive term: its values and gradients, by itself and in training, on one device and over several."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import pdist

import be_jax
from be_jax.config import ConfigError, TrainConfig
from be_jax.fit import pad
from be_jax.likelihood import GAUSSIAN
from be_jax.nn.models import MLP
from be_jax.parallel import DATA_AXIS, on_devices
from be_jax.repulsion import repulsion
from be_jax.train import make_trainer

M, B, C = 4, 6, 3
LOG_PROBS = jax.nn.log_softmax(jax.random.normal(jax.random.key(0), (M, B, C)))


def test_it_is_the_mean_kernel_between_pairs():
    distances = pdist(np.exp(LOG_PROBS).reshape(M, -1), "sqeuclidean") / B
    expected = np.exp(-distances / (2 * np.median(distances))).mean()
    np.testing.assert_allclose(repulsion(LOG_PROBS), expected, rtol=1e-5)


def test_copies_are_1_with_a_finite_gradient_and_one_member_is_0():
    copies = jnp.broadcast_to(LOG_PROBS[:1], LOG_PROBS.shape)
    value, gradient = jax.value_and_grad(repulsion)(copies)
    assert value == 1
    np.testing.assert_array_equal(gradient, np.zeros_like(copies))
    assert repulsion(LOG_PROBS[:1]) == 0


def test_a_step_against_its_gradient_takes_members_apart():
    def diversity(log_probs):
        return be_jax.metrics.decompose(jax.nn.log_softmax(log_probs)).epistemic.mean()

    nearby = LOG_PROBS[:1] + 0.01 * LOG_PROBS
    moved = nearby - 0.1 * jax.grad(repulsion)(nearby)
    assert diversity(moved) > 1.05 * diversity(nearby)


def test_over_devices_value_and_gradient_are_those_of_the_whole_batch():
    rows = B // 2

    def of_scale(scale, log_probs, axis_name=None):
        return repulsion(jax.nn.log_softmax(log_probs * scale[:, None, None]), axis_name)

    def on_one(scale, log_probs):
        own = jax.lax.dynamic_slice_in_dim(log_probs, jax.lax.axis_index(DATA_AXIS) * rows, rows, axis=1)
        value, gradient = jax.value_and_grad(of_scale)(scale, own, DATA_AXIS)
        return value, jax.lax.pmean(gradient, DATA_AXIS)  # as a training step does with its gradients

    scale = jnp.linspace(1.0, 2.0, M)
    value, gradient = on_devices(on_one, jax.devices()[:2], 2)(scale, LOG_PROBS)
    expected, of_whole = jax.value_and_grad(of_scale)(scale, LOG_PROBS)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    np.testing.assert_allclose(gradient, of_whole, rtol=1e-4)


def one_step(config, images, axis_name=None):
    ensemble = be_jax.batch_ensemble(MLP(features=(8,), num_classes=C), M)
    trainer = make_trainer(ensemble, config, len(images), lambda x: x, axis_name)
    state = trainer.init(3, images[:1]).train
    step = lambda state, images: trainer.step(3, 0, state, images, jnp.arange(len(images)) % C, jnp.arange(len(images)))  # noqa: E731
    if axis_name:
        return on_devices(step, jax.devices()[:2], 2)(state, images)[0].weights
    return jax.jit(step)(state, images)[0].weights


def test_between_examples_whose_midpoints_are_alike_for_all_members_nothing_is_repelled():
    images = jax.random.normal(jax.random.key(1), (4, 5))
    opposites = jnp.stack([images, -images], 1).reshape(8, 5)  # at 0 a network without biases, as at its start, is 0
    config = TrainConfig(epochs=1, batch_size=8, optimizer="sgd", repulsion=1.0, repulsion_at="midpoints")
    without = dataclasses.replace(config, repulsion=0.0, repulsion_at="examples")
    jax.tree.map(np.testing.assert_array_equal, one_step(config, opposites), one_step(without, opposites))
    elsewhere = jnp.concatenate([opposites[1:], opposites[:1]])
    kernels = [one_step(each, elsewhere)["params"]["Dense_0"]["kernel"] for each in (config, without)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-5


def test_midpoints_are_the_same_over_devices():
    images = jax.random.normal(jax.random.key(1), (8, 5))
    config = TrainConfig(epochs=1, batch_size=8, optimizer="sgd", repulsion=1.0, repulsion_at="midpoints")
    same = lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)  # noqa: E731
    jax.tree.map(same, one_step(config, images, DATA_AXIS), one_step(config, images))


@pytest.mark.slow
def test_an_ensemble_trained_with_it_is_more_diverse():
    images = np.asarray(jax.random.normal(jax.random.key(1), (64, 5)))
    labels = (images.sum(1) > 0).astype(np.int32)
    ensemble = be_jax.batch_ensemble(MLP(features=(8,), num_classes=2), M)
    config = TrainConfig(epochs=1, batch_size=16, learning_rate=0.03, patience=0)

    def disagreement(weight):
        trainer = make_trainer(ensemble, dataclasses.replace(config, repulsion=weight), 64, lambda x: x)
        state = trainer.init(3, images[:1])
        epoch = jax.jit(trainer.epoch)
        for _ in range(5):
            state, _ = epoch(3, state, images, labels, pad(images, labels, 64))
        log_probs = ensemble.predict(state.train.variables, images)
        return float(be_jax.metrics.pairwise_js(log_probs).mean())

    assert disagreement(3.0) > 1.5 * disagreement(0.0)


def test_where_it_has_no_meaning_it_is_refused():
    with pytest.raises(ConfigError, match=r"repulsion must be 0 where members see different examples .*'split'"):
        TrainConfig(repulsion=1.0, batch_mode="split")
    with pytest.raises(ConfigError, match="repulsion must be a finite number >= 0; got -1"):
        TrainConfig(repulsion=-1.0)
    between = TrainConfig(batch_size=6, repulsion=1.0, repulsion_at="midpoints")
    between.check_fits(examples=6, members=2, devices=1)
    with pytest.raises(ConfigError, match="batch_size=6 on 2 devices leaves an example without a second one"):
        between.check_fits(examples=6, members=2, devices=2)
    with pytest.raises(ConfigError, match="repulsion_at must be 'examples' without a repulsion; got 'midpoints'"):
        TrainConfig(repulsion_at="midpoints")
    with pytest.raises(ValueError, match="between inputs that are real numbers; these are int32"):
        one_step(between, jnp.ones((6, 5), jnp.int32))
    network = be_jax.single(MLP(features=(8,), num_classes=2))
    with pytest.raises(ValueError, match=r"repulsion=1\.0 is between class probabilities"):
        make_trainer(network, TrainConfig(repulsion=1.0), 128, lambda x: x, likelihood=GAUSSIAN)
