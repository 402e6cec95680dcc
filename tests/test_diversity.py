"""The study of diversity over training: recorded epochs, both ends of the scale, and a small run to its files."""

import dataclasses
import json

import numpy as np
import pytest

from be_jax.config import ConfigError, TrainConfig
from be_jax.runs import RunError
from be_jax.study import Execution
from experiments import diversity, diversity_report, small

pytestmark = pytest.mark.slow

TINY = diversity.Config(
    size=100,
    seeds=(1000, 1001),
    pool_size=6,
    members=2,
    train=TrainConfig(epochs=2, batch_size=50, milestones=(1,)),
    num_inputs=50,
    execution=Execution(num_devices=1),
)
METHODS = ("single", "batch_ensemble_sign", "mc_dropout", "copies")


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    config = dataclasses.replace(TINY, out=tmp_path_factory.mktemp("diversity"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diversity, "METHODS", METHODS)
        yield config, diversity.run(config)


def test_recorded_epochs():
    assert TINY.recorded_epochs == [0, 1, 2]
    train = TrainConfig(epochs=10, milestones=(5,))
    assert dataclasses.replace(TINY, train=train).recorded_epochs == [0, 1, 2, 4, 5, 8, 10]


def test_every_method_has_every_epoch_and_run(outcome):
    _, record = outcome
    shapes = {row["method"]: np.shape(row["scores"]["test epistemic"]) for row in record["methods"]}
    assert shapes == {"deep_ensemble": (3, 3)} | dict.fromkeys(METHODS[1:], (2, 3))
    for row in record["methods"]:
        assert all(np.isfinite(values).all() for values in row["scores"].values())
        alone, together = (np.array(row["scores"][name]) for name in ("test nll alone", "test nll"))
        assert (together <= alone + 1e-5).all(), "Jensen's inequality"
        assert ("kernel_distance" in row["scores"]) == (row["method"] != "mc_dropout")


def test_copies_have_none_and_a_deep_ensemble_all(outcome):
    _, record = outcome
    for epoch in record["epochs"]:
        for name in ("test epistemic", "ood epistemic", "kernel_distance"):
            copied = diversity_report.position(record, "copies", name, epoch)
            assert copied.value == pytest.approx(0, abs=2e-2), "the root of rounding"
            whole = diversity_report.position(record, "deep_ensemble", name, epoch)
            assert whole.value == pytest.approx(1)
    signs = diversity_report.position(record, "batch_ensemble_sign", "kernel_distance", 0)
    assert signs.value == pytest.approx(1, abs=0.1), "random signs start as far apart as independent networks"


def test_what_is_finished_is_not_trained_again(outcome, monkeypatch):
    config, record = outcome
    monkeypatch.setattr(diversity, "follow", lambda *_: pytest.fail("trained again"))
    assert diversity.run(config)["methods"] == record["methods"]
    with pytest.raises(RunError, match="another configuration"):
        diversity.run(dataclasses.replace(config, num_inputs=60))


def test_files_and_page(outcome, tmp_path):
    _, record = outcome
    small.save(record, tmp_path, diversity_report.draw(record))
    saved = json.loads((tmp_path / "diversity.json").read_text())
    assert saved["epochs"] == [0, 1, 2]
    assert (tmp_path / "diversity.png").stat().st_size > 10_000
    assert diversity_report.to_markdown(saved).count("\n| ") == 2 + len(METHODS)


def test_bad_input():
    with pytest.raises(ConfigError, match=r"num_inputs must be an integer >= 1; got 0"):
        dataclasses.replace(TINY, num_inputs=0)
