"""The CIFAR-10 experiment: presets, what it refuses, and a tiny run from training to report, run twice."""

import dataclasses

import numpy as np
import pytest
from command_line import answer

from be_jax import methods
from be_jax.config import ConfigError
from be_jax.data import DataUnavailableError, from_arrays, uniform_noise
from be_jax.results import StudyResult
from be_jax.study import Execution
from experiments import cifar10, weights
from experiments.weights_report import MATCHED, markdown

pytestmark = pytest.mark.slow


def test_presets_from_the_command_line():
    paper = cifar10.parse([])
    assert (paper.network, paper.train.epochs, paper.pool_size) == ("resnet18", 75, 20)
    assert paper.train.milestones == (25, 50)
    smoke = cifar10.parse(["--preset", "smoke", "--train.epochs", "3", "--members", "4"])
    assert (smoke.preset, smoke.train.epochs, smoke.members, smoke.pool_size) == ("smoke", 3, 4, 2)
    cpu = cifar10.parse(["--preset", "cpu"])
    assert cifar10.build_method(cpu, methods.find("single")).seeds == tuple(range(12))
    assert cifar10.build_method(cpu, methods.find("copies")).seeds == tuple(range(1000, 1005))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corruptions": ("rain",)}, "generated_gaussian_noise"),
        ({"corruptions": ("fog",)}, "shift is 'generated'"),
        ({"severities": (6,)}, "severities must be"),
        ({"pool_size": 0}, "pool_size must be"),
        ({"dropout_rate": 0.0}, r"dropout_rate must be in \(0, 1\); got 0.0"),
        ({"methods": ("deep_ensemble",)}, "methods must be different ones of single"),
    ],
)
def test_settings_that_cannot_work_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(cifar10.PRESETS["smoke"], **change)


def test_more_devices_than_there_are():
    with pytest.raises(ConfigError, match="num_devices must be 1 to 8, the devices here; got 99"):
        _ = Execution(num_devices=99).devices


def test_data_that_are_not_there_are_named_without_a_traceback(tmp_path, monkeypatch, capsys):
    arguments = ["--preset", "smoke", "--data-dir", str(tmp_path / "none")]
    assert "does not exist" in answer("experiments.cifar10", arguments, monkeypatch, capsys)


def test_cifar10_c_is_asked_for_before_any_training(tmp_path, monkeypatch):
    monkeypatch.setattr("be_jax.data.tfds._has_tensorflow", lambda: False)
    config = dataclasses.replace(cifar10.PRESETS["paper"], data_dir=tmp_path, out=tmp_path / "out")
    with pytest.raises(DataUnavailableError, match="cifar10"):
        cifar10.run(config)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 10
    images = np.clip(rng.normal(128, 40, (160, 32, 32, 3)) + 6 * labels[:, None, None, None], 0, 255).astype(np.uint8)
    data = from_arrays(
        images[:120], labels[:120], images[120:], labels[120:], num_classes=10, ood={"uniform_noise": uniform_noise(30)}
    )
    config = dataclasses.replace(
        cifar10.PRESETS["smoke"],
        out=tmp_path_factory.mktemp("runs") / "cifar10",
        methods=("single",),
        pool_size=2,
        train=dataclasses.replace(cifar10.PRESETS["smoke"].train, epochs=1, batch_size=24, milestones=()),
        corruptions=("generated_fog",),
        severities=(2,),
        shift_size=20,
        execution=Execution(together=False, num_devices=1),
    )
    patch = pytest.MonkeyPatch()
    patch.setattr(cifar10, "load_data", lambda config: data)
    yield config, cifar10.run(config)
    patch.undo()


def test_every_run_and_deep_ensembles_of_every_size_are_scored(study):
    config, result = study
    assert [(r.method, r.seed) for r in result.runs] == [("single", 0), ("single", 1)]
    assert [(record.size, record.parameters) for record in result.pool] == [
        (size, size * result.runs[0].parameters) for size in (1, 2)
    ]
    assert result.methods == ("single", "deep_ensemble")
    one = result.pool[0].scores["test"]["nll"].mean
    assert one == pytest.approx(np.mean([r.scores["test"]["nll"] for r in result.runs]))
    scores = result.runs[0].scores
    assert {"validation", "test", "shift", "shift/severity_2", "ood/uniform_noise"} <= scores.keys()
    assert {"nll", "nll_scaled", "ece_scaled"} <= scores["test"].keys()
    assert {"auroc_epistemic", "aupr_total_scaled", "fpr95_max_probability"} <= scores["ood/uniform_noise"].keys()
    assert StudyResult.load(config.folder / "results.json").methods == result.methods


def test_the_report_is_written_with_the_pool(study):
    """Also where there is no other method to judge."""
    config, _ = study
    assert "How many independent networks" in (config.folder / "report.html").read_text()
    assert not (config.folder / "verdicts.json").exists()


def test_a_finished_study_trains_nothing(study, monkeypatch):
    config, result = study
    monkeypatch.setattr("be_jax.study.training.fit", lambda *_, **__: pytest.fail("trained again"))
    assert cifar10.run(config).runs == result.runs


def test_weights_of_a_pool_are_measured_by_its_pairs(study):
    config, result = study
    measured = weights.measure(weights.Config(config.folder, num_inputs=20))
    assert set(measured.scores) == {"deep_ensemble"}
    scores = measured.scores["deep_ensemble"][0, 1]
    assert 0 < scores[f"{MATCHED}kernel_distance"] < scores["kernel_distance"]
    assert scores[f"{MATCHED}cka"] == pytest.approx(scores["cka"], rel=1e-3)
    assert min(scores["loss_barrier"], scores[f"{MATCHED}loss_barrier"]) >= 0
    assert all(np.isfinite(value) for value in scores.values())
    assert "1 pairs of networks" in markdown(measured, dict.fromkeys(result.methods, "x"))
