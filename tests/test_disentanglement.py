"""The disentanglement experiment, tiny: labels are as noisy as said, cells are kept, the record is whole."""

import dataclasses

import numpy as np
import pytest

from be_jax.config import ConfigError, TrainConfig
from experiments import disentanglement as experiment

TINY = experiment.Config(
    sizes=(100, 150, 200),
    noises=(0.0, 0.3, 0.6),
    seeds=(0, 1),
    members=2,
    epoch_images=64,
    train=TrainConfig(epochs=2, batch_size=32, milestones=()),
)


def test_noise_replaces_as_many_labels_as_said():
    labels = np.arange(10_000) % 10
    changed = experiment.noisy(labels, 0.5, seed=3, num_classes=10) != labels
    assert changed.mean() == pytest.approx(0.45, abs=0.02), "a tenth of the random classes is the right one"
    assert (experiment.noisy(labels, 0.0, 3, 10) == labels).all()
    assert (experiment.noisy(labels, 0.5, 3, 10) == experiment.noisy(labels, 0.5, 3, 10)).all()
    assert (experiment.noisy(labels, 0.5, 3, 10) != experiment.noisy(labels, 0.5, 4, 10)).any()


def test_every_method_is_measured_along_both_sweeps(tmp_path, monkeypatch):
    config = dataclasses.replace(TINY, folder=tmp_path)
    record = experiment.run(config)
    assert [row["method"] for row in record["methods"]] == list(experiment.methods(config))
    for row in record["methods"]:
        for sweep in ("label_noise", "data_scarcity"):
            assert np.shape(row[sweep]["epistemic"]) == (3, 2)
        assert row["label_noise"]["error"][0] == row["data_scarcity"]["error"][0], "all data, no noise: one cell"
        assert len(row["disentanglement_error"]) == 2
        assert min(row["disentanglement_error"]) >= 0
    assert experiment.to_markdown(record).count("\n") == 2 + len(record["methods"])
    assert len(experiment.draw(record).axes) == 4
    monkeypatch.setattr(experiment, "run_cell", lambda *_: pytest.fail("trained again"))
    assert experiment.run(config)["methods"] == record["methods"]


@pytest.mark.parametrize(
    "change", [{"sizes": (10, 5, 20)}, {"noises": (0.1, 0.2, 0.3)}, {"seeds": (1,)}, {"dropout_rate": 0.0}]
)
def test_bad_settings_are_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        dataclasses.replace(TINY, **change)
