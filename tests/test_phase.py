"""The phase diagram, small: schedules of one length, cells that are not trained again, a failed control's silence."""

import dataclasses
import json

import numpy as np
import pytest
from matplotlib.markers import CARETUP

from be_jax.config import ConfigError, TrainConfig
from be_jax.stats import Judgement
from be_jax.study import Execution, Study
from experiments import phase, phase_report, small

pytestmark = pytest.mark.slow

TINY = phase.Config(
    sizes=(50, 100),
    methods=("batch_ensemble_sign", "std_0.1"),
    epoch_images=100,
    seeds=(1000, 1001, 1002),
    pool_size=5,
    members=2,
    train=TrainConfig(epochs=2, batch_size=25, milestones=()),
    execution=Execution(num_devices=1),
)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    config = dataclasses.replace(TINY, out=tmp_path_factory.mktemp("phase"))
    return config, phase.run(config)


def test_a_smaller_set_is_repeated_and_no_image_is_left_out():
    whole = small.repeated(small.load(TINY, 100), 50).train
    repeated = small.repeated(small.load(TINY, 30), 100).train
    assert len(whole.labels) == len(repeated.labels) == 100
    kept, counts = np.unique(repeated.images.reshape(100, -1), axis=0, return_counts=True)
    assert len(kept) == 30
    assert set(counts) == {3, 4}
    assert np.bincount(repeated.labels[:30]).tolist() == [3] * 10
    assert {bytes(image) for image in repeated.images} < {bytes(image) for image in whole.images}


def test_every_size_has_its_controls_and_methods(outcome):
    config, record = outcome
    assert [told["size"] for told in record["sizes"]] == [50, 100]
    for told in record["sizes"]:
        assert told["units"]["std_0.1"] == {"seeds of std 0.1": 3, "networks": 5}
        assert told["controls"].keys() == {"identical members", "independent networks"}
        kept = set(told["methods"])
        assert kept == (set() if told["failed"] else set(config.methods))
    assert record["config"]["train"]["epochs"] == 2


def test_a_finished_cell_is_not_trained_again(outcome, monkeypatch):
    config, record = outcome
    monkeypatch.setattr(small, "conclude", lambda *_, **__: pytest.fail("trained again"))
    assert phase.run(config)["sizes"] == record["sizes"]


def test_a_judgement_by_other_rules_is_not_taken_for_the_study_s(outcome, monkeypatch):
    study = phase.make_study(outcome[0], 50)
    path = study.folder / "verdicts.json"
    own = Judgement.load(path)
    dataclasses.replace(own, config=dataclasses.replace(own.config, margin=0.1)).save(path)
    monkeypatch.setattr(small, "conclude", lambda *_, **__: ("anew", own))
    assert small.judged(study, "tests") == ("anew", own)
    own.save(path)
    result, judgement = small.judged(study, "tests")
    assert (result.experiment, judgement.config) == ("phase", small.JUDGE)


def test_a_cell_from_which_a_method_was_taken_away_is_not_finished(outcome):
    study = phase.make_study(outcome[0], 50)
    assert small.finished(study) is not None
    study.folder.joinpath("copies").rename(study.folder / "elsewhere")
    assert small.finished(study) is None
    study.folder.joinpath("elsewhere").rename(study.folder / "copies")


def test_a_cell_with_more_seeds_is(outcome, monkeypatch):
    config, _ = outcome
    asked: list[Study] = []
    monkeypatch.setattr(small, "conclude", lambda study, *_, **__: (asked.append(study), None))
    with pytest.raises(ValueError, match="was not judged"):
        phase.run(dataclasses.replace(config, seeds=(*config.seeds, 1003)))
    assert asked


def row(value):
    return {"value": value, "pieces": [[value - 0.1, "Infinity"]], "reason": "", "at_start": None}


def told(size, failed="", undertrained=None):
    of = {} if failed else {"batch_ensemble_sign": {"test nll_scaled": row(0.4)}}
    control = {"identical members": {"expected": 0.0, "passed": not failed, **row(0.02)}}
    return {"size": size, "controls": control, "failed": failed, "undertrained": undertrained or {}, "methods": of}


def test_a_cell_whose_control_failed_says_nothing_of_methods(outcome, tmp_path):
    _, record = outcome
    cells = [told(50), told(100, failed="identical members: by test nll_scaled, not 0")]
    cells.append(told(200, undertrained={"batch_ensemble_sign": "slow"}))
    small.save({**record, "sizes": cells}, tmp_path, {})
    read = json.loads((tmp_path / "phase.json").read_text())
    text = phase_report.to_markdown(read)
    assert "| 50, BatchEnsemble ±1 | 40 % [30, ∞] | – | – | – |" in text
    assert "| 100: control failed (identical members: by test nll_scaled, not 0) |" in text
    assert "| 200, BatchEnsemble ±1: undertrained |" in text
    assert "100, BatchEnsemble" not in text
    (sentence,) = phase_report.sentences(read)
    assert "40 % [30, ∞] with 50 training images, a control failed with 100" in sentence
    assert "undertrained with 200" in sentence
    (figure,) = phase_report.draw(read).values()
    marks = [line for line in figure.axes[0].lines if line.get_linestyle() == "None" and len(line.get_xdata())]
    arrows = [line for line in marks if line.get_marker() == CARETUP]
    assert len(marks) - len(arrows) == 3 + 1  # copies at every size, the method where it is judged
    assert len(arrows) == 3 + 1  # each goes on to infinity


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sizes": (100, 50)}, r"sizes must be ascending integers >= 1, at least one; got \(100, 50\)"),
        ({"methods": ("copies",)}, r"methods must be different ones of .*; got \('copies',\)"),
        ({"pool_size": 2}, r"pool_size must be more than members=2.*; got 2"),
        ({"members": 1}, "members must be an integer >= 2; got 1"),
    ],
)
def test_bad_settings_are_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(TINY, **change)


def test_more_images_than_there_are_are_refused(tmp_path):
    words = "size must be an integer >= 1, at most 4000, the training images there are; got 5000"
    with pytest.raises(ConfigError, match=words):
        phase.run(dataclasses.replace(TINY, sizes=(100, 5000), out=tmp_path / "phase"))
    assert not (tmp_path / "phase").exists(), "trained before it saw that there are too few images"
