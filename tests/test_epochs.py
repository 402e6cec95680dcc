"""A training set that stays with the host gives what one on the devices gives, to the bit."""

import chex
import jax
import numpy as np
import pytest

import be_jax
from be_jax import epochs
from be_jax.config import TrainConfig
from be_jax.fit import fit
from be_jax.nn.models import MLP
from be_jax.runs import RunFolder

KEY = jax.random.key(0)
IMAGES = np.asarray(jax.random.normal(KEY, (64, 4, 4, 1)))
LABELS = np.asarray(jax.random.randint(KEY, (64,), 0, 3))
MODEL = MLP(features=(8,), num_classes=3, dropout_rate=0.3)
CASES = {
    "one device": (lambda: be_jax.batch_ensemble(MODEL, 2), "repeat", 1, "batch"),
    "batches of their own": (lambda: be_jax.deep_ensemble(MODEL, 2), "independent", 1, "batch"),
    "devices share a batch": (lambda: be_jax.mc_dropout(MODEL, 2), "repeat", 2, "batch"),
    "devices share networks": (lambda: be_jax.batch_ensemble(MODEL, 2), "split", 2, "networks"),
}


def fitted(path, ensemble, config, num_devices, images=IMAGES, **options):
    folders = {seed: RunFolder(path / str(seed), {"test": 1}) for seed in (1, 2, 3)}
    devices = jax.local_devices()[:num_devices]
    validation = IMAGES[:30], LABELS[:30]
    return fit(ensemble, config, (images, LABELS), validation, lambda x: x, folders, devices=devices, **options)


@pytest.mark.parametrize(
    "case", [name if name == "one device" else pytest.param(name, marks=pytest.mark.slow) for name in CASES]
)
def test_streamed_is_resident_to_the_bit(tmp_path, monkeypatch, case):
    build, batch_mode, num_devices, spread = CASES[case]
    config = TrainConfig(epochs=4, batch_size=8, batch_mode=batch_mode, learning_rate=0.02, patience=1, keep="best")
    arguments = build(), config, num_devices
    resident = fitted(tmp_path / "resident", *arguments, spread=spread)
    members = 2 if batch_mode == "independent" else 1
    monkeypatch.setattr(epochs, "BYTES_AT_ONCE", 3 * 3 * 8 * members * IMAGES[0].nbytes)  # of 3 steps, of 8 in an epoch
    np.save(tmp_path / "images.npy", IMAGES)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    streamed = fitted(tmp_path / "streamed", *arguments, images, spread=spread, resident=False)
    chex.assert_trees_all_equal(streamed, resident)
    for seed in (1, 2, 3):
        logs = [
            [
                {k: v for k, v in line.items() if k != "seconds"}
                for line in RunFolder(folder / str(seed), {"test": 1}).epochs()
            ]
            for folder in (tmp_path / "resident", tmp_path / "streamed")
        ]
        assert logs[0] == logs[1]


@pytest.mark.parametrize(("bytes_at_once", "calls"), [(1, [1] * 8), (3 * 3 * 8 * IMAGES[0].nbytes, [3, 3, 2])])
def test_no_more_is_sent_at_once(tmp_path, monkeypatch, bytes_at_once, calls):
    sent, replicate = [], epochs.replicate

    def noted(tree, devices):
        sent.append(len(tree[1][0]))
        return replicate(tree, devices)

    monkeypatch.setattr(epochs, "BYTES_AT_ONCE", bytes_at_once)
    monkeypatch.setattr(epochs, "replicate", noted)
    fitted(tmp_path, be_jax.single(MODEL), TrainConfig(epochs=1, batch_size=8, milestones=()), 1, resident=False)
    assert sent == calls
