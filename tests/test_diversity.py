"""The study of diversity over training: recorded epochs, both ends of every scale, and a small run to its files."""

import json

import numpy as np
import pytest

from be_jax.config import ConfigError
from experiments import diversity
from experiments.diversity_report import MATCHED, METHODS, draw, table


@pytest.fixture(scope="module")
def result():
    return diversity.run(diversity.Config(seeds=(42, 69), members=2, epochs=2, num_inputs=100))


def test_recorded_epochs():
    assert diversity.Config(epochs=1).recorded_epochs == [0, 1]
    assert diversity.Config(epochs=10).recorded_epochs == [0, 1, 2, 4, 8, 10]


def test_every_method_has_every_epoch_and_seed(result):
    assert set(result.scores) == set(METHODS)
    for scores in result.scores.values():
        assert {values.shape for values in scores.values()} == {(2, 3)}
        assert all(np.isfinite(values).all() for values in scores.values())


def test_matching_brings_members_nearer_and_training_moves_all(result):
    deep, matched = result.scores["deep_ensemble"], result.scores[MATCHED]
    assert (matched["weights/kernel_cosine"] > deep["weights/kernel_cosine"]).all()
    for scores in (deep, result.scores["batch_ensemble"]):
        assert (scores["test/accuracy"][:, -1] > scores["test/accuracy"][:, 0]).all()


def test_a_member_is_freer_in_a_deep_ensemble(result):
    free = result.about["free_directions"]
    assert free["deep_ensemble"] == 1
    assert 0 < free["batch_ensemble"] == free["batch_ensemble_sign"] < 0.05


def test_files_and_table(result, tmp_path):
    result.save(tmp_path / "diversity.json")
    assert json.loads((tmp_path / "diversity.json").read_text())["experiment"] == "diversity"
    draw(result).savefig(tmp_path / "diversity.png")
    assert (tmp_path / "diversity.png").stat().st_size > 10_000
    shown = table(result)
    assert all(label in shown for label in METHODS.values())


def test_bad_input():
    with pytest.raises(ConfigError, match=r"members must be an integer >= 2.*got 1"):
        diversity.Config(members=1)
