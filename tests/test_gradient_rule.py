"""The gradient rule: each weight steps by the mean gradient over the members that use it, whatever the method."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax import methods
from be_jax.config import TrainConfig
from be_jax.nn.models import MLP
from be_jax.parallel import DATA_AXIS, on_devices
from be_jax.train import make_trainer

B = 16
IMAGES = np.asarray(jax.random.normal(jax.random.key(0), (B, 5, 4, 1)))
LABELS = (IMAGES.sum((1, 2, 3)) > 0).astype(np.int32)
MODEL = MLP(features=(8, 6), num_classes=2)
SGD = TrainConfig(epochs=1, batch_size=B, optimizer="sgd", learning_rate=0.1, weight_decay=0.01)


def kernels(params):
    return {layer: arrays["kernel"] for layer, arrays in params.items()}


def after_one_step(ensemble, params, devices, config=SGD):
    """The weights after one step, on devices that each see their part of the batch, from these `params`."""
    trainer = make_trainer(ensemble, config, B, lambda x: x, DATA_AXIS)
    state = make_trainer(ensemble, config, B, lambda x: x).init(jnp.uint32(0), IMAGES[:1]).train
    start = {
        layer: {name: params[layer][name] for name in of_layer} for layer, of_layer in state.weights["params"].items()
    }
    state = state._replace(weights={**state.weights, "params": start})
    step = on_devices(trainer.step, jax.devices()[:devices], num_args=6)
    rows = np.arange(B, dtype=np.int32)
    after, _ = step(np.uint32(0), np.int32(0), state, IMAGES, LABELS, rows)
    return after.weights


@pytest.fixture(scope="module")
def single():
    """The plain network's variables, and its weights after one step on one device."""
    params = MODEL.init(jax.random.key(1), IMAGES)["params"]
    return params, after_one_step(be_jax.single(MODEL), params, devices=1)["params"]


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("members", [2, 8])
def test_the_kernel_of_equal_members_steps_as_a_single_networks(single, members, devices):
    params, expected = single
    moved = after_one_step(be_jax.batch_ensemble(MODEL, members, init="ones"), params, devices)
    chex.assert_trees_all_close(kernels(moved["params"]), kernels(expected), rtol=1e-5, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("members", [2, 8])
def test_a_member_of_a_deep_ensemble_steps_as_a_network_alone(single, members, devices):
    params, expected = single
    copies = jax.tree.map(lambda a: jnp.stack([a] * members), params)
    moved = after_one_step(be_jax.deep_ensemble(MODEL, members), copies, devices)["params"]
    for k in range(members):
        member = jax.tree.map(lambda a, k=k: a[k], moved)
        chex.assert_trees_all_close(member, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.slow
def test_own_weights_step_as_far_whatever_the_number_of_members(single):
    """r of one of m equal members, from the same start on the same batch: not m times less, as under the mean loss."""
    params, _ = single
    two, eight = (
        after_one_step(be_jax.batch_ensemble(MODEL, m, init="ones"), params, devices=1)["fast"] for m in (2, 8)
    )
    first = jax.tree.map(lambda a: a[0], two)
    assert max(float(jnp.abs(a - 1).max()) for a in (first["Dense_0"]["r"], first["Dense_1"]["s"])) > 1e-3
    chex.assert_trees_all_close(first, jax.tree.map(lambda a: a[5], eight), rtol=1e-5, atol=1e-7)


def test_dropout_samples_train_as_one_network(single):
    params, expected = single
    moved = after_one_step(be_jax.mc_dropout(MODEL.clone(dropout_rate=1e-9), 4), params, devices=1)
    chex.assert_trees_all_close(moved["params"], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_copies_of_a_network_with_dropout_train_as_it_does_alone(optimizer):
    """The negative control: with masks of their own, m copies would step by a gradient with less noise."""
    model = MLP(features=(16,), num_classes=2, dropout_rate=0.5)
    images = np.asarray(jax.random.normal(jax.random.key(3), (32, 5)))
    labels = (images.sum(1) > 0).astype(np.int32)
    row = methods.find("copies")
    copies = row.build(model, methods.Options(members=4))
    config = TrainConfig(batch_size=16, optimizer=optimizer, learning_rate=0.05)

    def kernel(ensemble, config):
        trainer = make_trainer(ensemble, config, 32, lambda x: x)
        state = trainer.init(jnp.uint32(5), images[:1]).train
        for i in range(4):
            rows = jnp.arange(16) + 16 * (i % 2)
            state, _ = jax.jit(trainer.step)(jnp.uint32(5), jnp.int32(i), state, images, labels, rows)
        return state.weights["params"]["Dense_0"]["kernel"]

    alone = kernel(be_jax.single(model), config)
    np.testing.assert_allclose(kernel(copies, row.trained_with(config)), alone, rtol=1e-3, atol=1e-5)
    apart = dataclasses.replace(copies, same_dropout=False)
    assert np.abs(kernel(apart, row.trained_with(config)) - alone).max() > 1e-3
