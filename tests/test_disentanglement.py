"""The disentanglement experiment, tiny: labels are as noisy as said, cells are kept, the record is whole."""

import dataclasses

import numpy as np
import pytest

from be_jax.config import ConfigError, TrainConfig
from be_jax.study import Execution
from experiments import disentanglement as experiment
from experiments import disentanglement_report as report
from experiments import small
from experiments.label_noise import noisy

pytestmark = pytest.mark.slow

TINY = experiment.Config(
    sizes=(50, 60, 80),
    noises=(0.0, 0.3, 0.6),
    seeds=(1000, 1001),
    pool_size=4,
    members=2,
    epoch_images=80,
    train=TrainConfig(epochs=1, batch_size=40, milestones=()),
    execution=Execution(num_devices=1),
)


def test_noise_replaces_as_many_labels_as_said():
    labels = np.arange(10_000) % 10
    changed = noisy(labels, 0.5, seed=3, num_classes=10) != labels
    assert changed.mean() == pytest.approx(0.45, abs=0.02), "a tenth of the random classes is the right one"
    assert (noisy(labels, 0.0, 3, 10) == labels).all()
    assert (noisy(labels, 0.5, 3, 10) == noisy(labels, 0.5, 3, 10)).all()
    assert (noisy(labels, 0.5, 3, 10) != noisy(labels, 0.5, 4, 10)).any()


def test_a_repeated_image_keeps_its_one_label_and_every_set_has_noise():
    clean, data = small.load(TINY, 50), experiment.make_study(TINY, (50, 0.6)).data
    np.testing.assert_array_equal(data.train.labels[:30], data.train.labels[50:])
    np.testing.assert_array_equal(data.train.images[:30], data.train.images[50:])
    for name in ("validation", "test"):
        assert (getattr(data, name).labels != getattr(clean, name).labels).mean() == pytest.approx(0.54, abs=0.08)


def test_every_method_is_measured_along_both_sweeps(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment, "METHODS", ("copies",))
    config = dataclasses.replace(TINY, out=tmp_path)
    record = experiment.run(config)
    assert [row["method"] for row in record["methods"]] == [*experiment.METHODS, "deep_ensemble"]
    for row in record["methods"]:
        for sweep in ("label_noise", "data_scarcity"):
            assert np.shape(row[sweep]["epistemic"]) == (3, 2)
        assert row["label_noise"]["error"][0] == row["data_scarcity"]["error"][0], "all data, no noise: one cell"
        assert len(row["disentanglement_error"]) == 2
        assert np.max(row["label_noise"]["epistemic"]) < 1e-6 or row["method"] != "copies"
    assert report.to_markdown(record).count("\n| ") == 2 + len(record["methods"])
    (sentence,) = report.sentences(record)
    assert sentence.count(" ± ") == len(record["methods"])
    (figure,) = report.draw(record).values()
    assert len(figure.axes) == 4
    monkeypatch.setattr(experiment, "run_study", lambda *_: pytest.fail("trained again"))
    assert experiment.run(config)["methods"] == record["methods"]


@pytest.mark.parametrize("change", [{"sizes": (10, 5, 20)}, {"noises": (0.1, 0.2, 0.3)}, {"dropout_rate": 0.0}])
def test_bad_settings_are_refused(change):
    with pytest.raises(ConfigError, match=next(iter(change))):
        dataclasses.replace(TINY, **change)
