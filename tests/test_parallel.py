"""One device equals many: the same seed gives the same losses, weights and scores on 1, 2 and 4 devices."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import crop_and_flip
from be_jax.evaluate import EvaluationSet, make_predict, predict_sets
from be_jax.fit import fit
from be_jax.nn.models import MLP, LeNet, cifar_resnet
from be_jax.parallel import DATA_AXIS, on_devices
from be_jax.runs import RunFolder
from be_jax.scores import score_predictions

pytestmark = pytest.mark.slow

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


def fitted(path, ensemble, config, num_devices, seeds, **options):
    folders = {seed: RunFolder(path / str(seed), {"test": 1}) for seed in seeds}
    data = (IMAGES, LABELS), (IMAGES[:30], LABELS[:30])
    return fit(ensemble, config, *data, lambda x: x, folders, devices=jax.local_devices()[:num_devices], **options)


def trained(tmp_path, ensemble, config, num_devices, **options):
    path = tmp_path / str(num_devices)
    state = fitted(path, ensemble, config, num_devices, (42,), **options)[42]
    return state, [line["train_loss"] for line in RunFolder(path / "42", {"test": 1}).epochs()]


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


def test_the_loss_curve_of_a_residual_network(tmp_path):
    """Twenty steps with crops, flips and batch statistics, float32: an epoch of one step each, so that all are seen."""
    ensemble = be_jax.batch_ensemble(cifar_resnet(8, width=4, num_classes=3), 2)
    config = TrainConfig(epochs=20, batch_size=64, optimizer="sgd", learning_rate=0.01, patience=0)
    curves = {n: trained(tmp_path, ensemble, config, n, augment=crop_and_flip)[1] for n in (1, 2, 4)}
    assert len(curves[1]) == 20
    assert curves[1][-1] < 0.9 * curves[1][0]
    for num_devices in (2, 4):
        np.testing.assert_allclose(curves[num_devices], curves[1], rtol=1e-4)


@pytest.mark.parametrize("lift", LIFTS)
def test_scores_of_an_evaluation(lift):
    ensemble = LIFTS[lift](MODELS["lenet" if lift == "batch_ensemble" else "mlp"])
    variables = ensemble.init(KEY, IMAGES[:1])
    sets = {"test": EvaluationSet(IMAGES, LABELS), "ood/other": EvaluationSet(IMAGES[::-1] * 2, None)}

    def scores(num_devices):
        predict = make_predict(ensemble, lambda x: x, jax.local_devices()[:num_devices])
        return score_predictions(predict_sets(predict, variables, 42, sets))

    one = scores(1)
    for num_devices in (2, 4, 7):
        chex.assert_trees_all_close(scores(num_devices), one, rtol=0, atol=1e-6)


@pytest.mark.parametrize("num_devices", [2, 4])
def test_networks_spread_over_devices_are_those_trained_alone(tmp_path, num_devices):
    """Three networks: on two devices the last one stands twice; on four, one device is left over."""
    model, seeds = MODELS["lenet" if num_devices == 2 else "mlp"], (1, 2, 3)
    config = TrainConfig(epochs=2, batch_size=16, learning_rate=1e-2, optimizer="sgd", patience=0)
    spread = fitted(tmp_path / "spread", be_jax.single(model), config, num_devices, seeds, spread="networks")
    for seed in seeds:
        alone = fitted(tmp_path / "alone", be_jax.single(model), config, 1, (seed,))[seed]
        chex.assert_trees_all_close(spread[seed].train, alone.train, atol=1e-5, rtol=1e-5)
        logged = [RunFolder(tmp_path / f / str(seed), {"test": 1}).epochs() for f in ("spread", "alone")]
        np.testing.assert_allclose(*[[line["train_loss"] for line in lines] for lines in logged], rtol=1e-5)


def test_different_data_on_each_device_is_combined():
    """The function sees its own index; what it combines is returned, from arguments that are the same everywhere."""
    total = on_devices(lambda x: jax.lax.psum(x * jax.lax.axis_index(DATA_AXIS), DATA_AXIS), jax.local_devices()[:4], 1)
    assert float(total(jnp.float32(2))) == 2 * (0 + 1 + 2 + 3)


def test_batch_that_devices_cannot_share(tmp_path):
    with pytest.raises(ConfigError, match="batch_size=10 is not divisible by 4 devices"):
        trained(tmp_path, be_jax.single(MODELS["mlp"]), TrainConfig(batch_size=10), 4)
    assert not (tmp_path / "4" / "42" / "checkpoints").exists()
