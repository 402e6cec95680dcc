"""One device equals many: the same seed gives the same weights on 1, 2 and 4 devices, with dropout on."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.config import ConfigError, TrainConfig
from be_jax.fit import fit
from be_jax.models import MLP, LeNet
from be_jax.parallel import DATA_AXIS, on_devices
from be_jax.runs import RunFolder

KEY = jax.random.key(0)
IMAGES = np.asarray(jax.random.normal(KEY, (64, 16, 16, 1)))
LABELS = np.asarray(jax.random.randint(KEY, (64,), 0, 3))
MODELS = {
    "mlp": MLP(features=(8,), num_classes=3, dropout_rate=0.3),
    "lenet": LeNet(num_classes=3, dropout_rate=0.3),
}
LIFTS = {
    "batch_ensemble": lambda model: be_jax.batch_ensemble(model, 2),
    "deep_ensemble": lambda model: be_jax.deep_ensemble(model, 2),
    "mc_dropout": lambda model: be_jax.mc_dropout(model, 2),
}


def trained(tmp_path, ensemble, config, num_devices):
    folder = RunFolder(tmp_path / str(num_devices), {"test": 1})
    states = fit(
        ensemble,
        config,
        (IMAGES, LABELS),
        (IMAGES[:30], LABELS[:30]),
        lambda x: x,
        {42: folder},
        devices=jax.local_devices()[:num_devices],
    )
    return states[42], [line["train_loss"] for line in folder.epochs()]


@pytest.mark.parametrize(
    ("model", "lift", "batch_mode"),
    [
        ("mlp", "batch_ensemble", "repeat"),
        ("mlp", "batch_ensemble", "split"),
        ("mlp", "deep_ensemble", "independent"),
        ("lenet", "batch_ensemble", "repeat"),
        ("mlp", "mc_dropout", "repeat"),
    ],
)
def test_devices_do_not_change_the_result(tmp_path, model, lift, batch_mode):
    ensemble = LIFTS[lift](MODELS[model])
    config = TrainConfig(epochs=2, batch_size=16, batch_mode=batch_mode, learning_rate=1e-2, optimizer="sgd")
    one, losses = trained(tmp_path, ensemble, config, 1)
    for num_devices in (2, 4):
        many, their_losses = trained(tmp_path, ensemble, config, num_devices)
        chex.assert_trees_all_close(many.train.variables, one.train.variables, atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(their_losses, losses, rtol=1e-5)
        np.testing.assert_allclose(many.best_loss, one.best_loss, rtol=1e-5)


def test_different_data_on_each_device_is_combined():
    """The function sees its own index; what it combines is returned, from arguments that are the same everywhere."""
    total = on_devices(lambda x: jax.lax.psum(x * jax.lax.axis_index(DATA_AXIS), DATA_AXIS), jax.local_devices()[:4], 1)
    assert float(total(jnp.float32(2))) == 2 * (0 + 1 + 2 + 3)


def test_batch_that_devices_cannot_share(tmp_path):
    with pytest.raises(ConfigError, match="batch_size=10 is not divisible by 4 devices"):
        trained(tmp_path, be_jax.single(MODELS["mlp"]), TrainConfig(batch_size=10), 4)
    assert not (tmp_path / "4" / "checkpoints").exists()
