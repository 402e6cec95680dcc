"""What one device must compute as the CPU does: the lift, its gradients, a step of training, bfloat16, a loop.

`pytest -m device` runs these and the tests of metrics; they read no file and need no second device.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from be_jax import batch_ensemble, deep_ensemble, mc_dropout, models, single
from be_jax.config import TrainConfig
from be_jax.keys import Purpose, key_for
from be_jax.train import make_trainer

small_resnet = partial(models.ResNet, blocks=(1, 1), widths=(4, 8))
MODEL = small_resnet()
ENSEMBLES = {
    "single": single(MODEL),
    "mc_dropout": mc_dropout(small_resnet(dropout_rate=0.3), 3),
    "batch_ensemble": batch_ensemble(MODEL, 3, init="normal"),
    "deep_ensemble": deep_ensemble(MODEL, 2),
    "batch_ensemble of an MLP": batch_ensemble(models.MLP(), 3, rank=2),
}
BATCH = 8


@pytest.fixture(autouse=True)
def exact_products():
    """A GPU or TPU rounds the factors of a float32 product unless it is told not to."""
    with jax.default_matmul_precision("highest"):
        yield


def images(count=BATCH):
    return jax.random.normal(jax.random.key(3), (count, 8, 8, 3))


def on(device, function, *args):
    """The result on the host of `function`, run on a device."""
    return jax.device_get(jax.jit(function)(*jax.device_put(args, device)))


def on_both(function, *args):
    """The results on the device that programs run on by default, and on a CPU."""
    return on(jax.devices()[0], function, *args), on(jax.devices("cpu")[0], function, *args)


def assert_near(here, there, tolerance):
    for path, leaf in jax.tree_util.tree_leaves_with_path(there):
        scale = max(float(np.abs(leaf).max()), 1e-3)
        found = dict(jax.tree_util.tree_leaves_with_path(here))[path]
        np.testing.assert_allclose(found, leaf, atol=tolerance * scale, err_msg=jax.tree_util.keystr(path))


@pytest.mark.slow
@pytest.mark.parametrize("name", ENSEMBLES)
def test_predictions(name):
    ensemble = ENSEMBLES[name]
    variables = on(jax.devices("cpu")[0], ensemble.init, jax.random.key(0), images())

    def predict(variables, x):
        return ensemble.predict(variables, x, jax.random.key(1) if ensemble.samples_at_prediction else None)

    here, there = on_both(predict, variables, images())
    np.testing.assert_allclose(np.exp(here).sum(-1), 1, atol=1e-5)
    assert_near(here, there, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENSEMBLES)
def test_a_step_of_training(name):
    """Of SGD, so that the change of each weight is its gradient: loss, weights and statistics."""
    ensemble = ENSEMBLES[name]
    config = TrainConfig(optimizer="sgd", learning_rate=0.1, batch_size=BATCH)
    trainer = make_trainer(ensemble, config, BATCH, lambda x: x)
    cpu = jax.devices("cpu")[0]
    start = on(cpu, trainer.init, jnp.uint32(0), images(1)).train

    def step(state, x, labels):
        after, loss = trainer.step(jnp.uint32(0), jnp.int32(0), state, x, labels, jnp.arange(BATCH))
        change = jax.tree.map(lambda new, old: new - old, after.weights, state.weights)
        return {"loss": loss, "change": change, "statistics": after.statistics}

    here, there = on_both(step, start, images(), jnp.arange(BATCH) % 10)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(there["change"])) > 1e-3
    assert_near(here, there, 2e-3)


def test_members_are_each_what_they_are_alone():
    """The lift is a loop over members: on this device, whose convolutions are its own."""
    ensemble = batch_ensemble(MODEL, 3, init="normal", norm="per_member")
    variables = jax.jit(ensemble.init)(jax.random.key(0), images())
    together = jax.jit(ensemble.apply)(variables, images())
    alone = jax.jit(lambda member, x: ensemble.model.apply(member, x, False))
    for k in range(3):
        np.testing.assert_allclose(together[k], alone(ensemble.member(variables, k), images()), atol=1e-4)


@pytest.mark.slow
def test_steps_in_bfloat16_learn():
    """Twenty of them on one batch of noise lower its loss, and weights stay float32."""
    ensemble = batch_ensemble(small_resnet(dtype=jnp.bfloat16), 3)
    trainer = make_trainer(ensemble, TrainConfig(batch_size=BATCH), BATCH, lambda x: x)
    state = jax.jit(trainer.init)(jnp.uint32(0), images(1)).train
    labels = jnp.arange(BATCH) % 10

    def body(state, index):
        return trainer.step(jnp.uint32(0), index, state, images(), labels, jnp.arange(BATCH))

    state, losses = jax.jit(lambda state: jax.lax.scan(body, state, jnp.arange(20)))(state)
    assert {leaf.dtype for leaf in jax.tree.leaves(state.weights)} == {jnp.dtype("float32")}
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0] - 0.1


def test_random_numbers_are_those_of_a_cpu():
    """Masks, orders and starts depend on no device."""
    key = key_for(jnp.uint32(7), Purpose.ORDER, jnp.int32(3))
    data = jax.random.key_data(key)
    here, there = on_both(lambda d: jax.random.permutation(jax.random.wrap_key_data(d), 1000), data)
    np.testing.assert_array_equal(here, there)
