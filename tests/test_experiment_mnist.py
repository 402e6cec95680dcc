"""The MNIST study, small: every method trains, predicts and is scored; bad input is refused before training."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from command_line import answer
from rich.console import Console

from be_jax import methods, parameter_space
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import Examples, embedded_mnist
from be_jax.results import StudyResult
from be_jax.runs import RunError, RunFolder
from be_jax.stats import Judgement
from be_jax.study import Execution, kept_weights, run_study
from be_jax.study.progress import progress_bars
from experiments import mnist, weights
from experiments.weights_report import Weights, markdown, table

pytestmark = pytest.mark.slow

TINY = mnist.Config(
    seeds=(1000, 1001),
    pool_size=3,
    members=2,
    train=TrainConfig(epochs=2, batch_size=64),
    corruptions=("rotate", "stripe"),
    severities=(1, 5),
    execution=Execution(num_devices=2),
)
SEEDS = dict.fromkeys(mnist.METHODS, (1000, 1001)) | {"single": (0, 1, 2)}
SETS = {"validation", "test", "shift/rotate_1", "shift/rotate_5", "shift/stripe_1", "shift/stripe_5", "ood/letters"}


def trained(config):
    """Without the judgement."""
    return run_study(mnist.make_study(config), "tests")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    config = dataclasses.replace(TINY, out=tmp_path_factory.mktemp("study") / "mnist")
    return config, mnist.run(config)


def test_every_method_and_seed_is_recorded(study):
    config, result = study
    assert [(r.method, r.seed) for r in result.runs] == [(m, s) for m in mnist.METHODS for s in SEEDS[m]]
    assert StudyResult.load(config.folder / "results.json").methods == (*mnist.METHODS, "deep_ensemble")
    for record in result.runs:
        assert record.status == "finished"
        assert record.epochs == 2
        assert {"test", "shift", "shift/severity_5", "shift/rotate", "ood/letters"} <= record.scores.keys()
        assert record.scores["test"]["accuracy"] > 0.3


def test_predictions_are_as_documented(study):
    config, _ = study
    members = dict.fromkeys(mnist.METHODS, 2) | {"single": 1, "single_wide": 1}
    for method in mnist.METHODS:
        with np.load(config.folder / method / f"seed_{SEEDS[method][0]}" / "predictions.npz") as arrays:
            names = {name.rsplit("/", 1)[0] for name in arrays}
            assert names == SETS
            for name in names:
                log_probs = arrays[f"{name}/log_probs"]
                count = 1000 if name.startswith("ood/") else 500
                assert log_probs.shape == (members[method], count, 10)
                assert log_probs.dtype == np.float32
                np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, rtol=1e-5)
                assert (f"{name}/labels" in arrays) == (not name.startswith("ood/"))


def test_copies_are_copies_and_a_wide_network_costs_as_much(study):
    """The negative control's members agree to the bit; the reference has about m times a single network's weights."""
    config, result = study
    with np.load(config.folder / "copies" / "seed_1000" / "predictions.npz") as arrays:
        np.testing.assert_array_equal(*arrays["test/log_probs"])
    parameters = {record.method: record.parameters for record in result.runs}
    assert parameters["single_wide"] == pytest.approx(2 * parameters["single"], rel=0.05)


def test_curves_are_of_members_alone_without_augmentation(study):
    _, result = study
    for record in result.runs:
        assert record.curve["epoch"] == (1, 2)
        assert all(0 < nll < 2.4 for nll in record.curve["train_nll"])
        assert record.curve["train_accuracy"][-1] > 0.3


def test_a_study_ends_with_its_judgement(study):
    """Three networks are too few a pool for a positive control; copies gain nothing; what is there is named."""
    config, _ = study
    judgement = Judgement.load(config.folder / "verdicts.json")
    assert [each.name for each in judgement.methods] == [m for m in mnist.METHODS if m not in ("single", "copies")]
    assert (config.folder / "report.html").exists()
    start = json.loads((config.folder / "start.json").read_text())
    assert start["copies"]["test root_epistemic"] < 1e-3 < start["batch_ensemble"]["test root_epistemic"]


def test_a_finished_run_is_not_trained_again(study, monkeypatch):
    config, result = study
    monkeypatch.setattr("be_jax.study.training.fit", lambda *_, **__: pytest.fail("trained again"))
    again = trained(config)
    assert again.runs == result.runs


def test_another_configuration_is_refused(study):
    config, _ = study
    with pytest.raises(RunError, match=r"holds a run of another configuration: members: 2 there, 3 here"):
        trained(dataclasses.replace(config, members=3))


def test_other_data_of_the_same_size_are_refused(study, monkeypatch):
    config, _ = study
    data = embedded_mnist()
    images = data.train.images.copy()
    images[0, 0, 0] ^= 1
    other = dataclasses.replace(data, train=Examples(images, data.train.labels))
    monkeypatch.setattr(mnist, "load_data", lambda config: other)
    with pytest.raises(RunError, match=f"data_hash: '{data.fingerprint()}' there, '{other.fingerprint()}' here"):
        trained(config)


def test_a_run_from_before_a_setting_existed_is_not_another_one(study, tmp_path):
    """Without fields that stand at their default, and without a hash of the data, its record says the same."""
    config, _ = study
    old = tmp_path / "mnist"
    shutil.copytree(config.folder, old)
    for path in old.glob("*/*/config.json"):
        record = json.loads(path.read_text())
        record = {k: v for k, v in record.items() if k not in ("data_hash", "crc32", "init_std")}
        path.write_text(json.dumps(record))
    study = mnist.make_study(dataclasses.replace(config, out=old))
    study.check()
    (single,) = (method for method in study.methods if method.name == "single")
    run = old / "single" / "seed_0"  # its checkpoint is younger than its record, and names what that does not
    assert kept_weights(single, study.data, study.preprocess, run, study.defaults)["params"]
    changed = dataclasses.replace(config, out=old, init_std=0.25)
    with pytest.raises(RunError, match=r"init_std: 0\.5 there, 0\.25 here"):
        mnist.make_study(changed).check()


def test_a_kill_while_predicting_loses_nothing(tmp_path, monkeypatch):
    """The second of two seeds fails to save; started again, only its predictions are made, to the same bits."""
    config = dataclasses.replace(TINY, methods=("batch_ensemble",), out=tmp_path / "mnist")
    save, saved = RunFolder.save_predictions, []

    def die_at_the_second(self, predictions):
        saved.append(self.path.name)
        if len(saved) == 2:
            raise KeyboardInterrupt
        save(self, predictions)

    monkeypatch.setattr(RunFolder, "save_predictions", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        trained(config)
    first = config.folder / "batch_ensemble" / "seed_1000"
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in first.rglob("*") if path.is_file()}
    assert (first / "predictions.npz").exists()

    result = trained(config)
    assert saved == ["seed_1000", "seed_1001", "seed_1001"]
    assert [record.epochs for record in result.runs] == [2, 2]
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in first.rglob("*") if path.is_file()}
    assert after == before


def test_more_seeds_may_follow_and_finished_ones_stay(tmp_path):
    config = dataclasses.replace(TINY, methods=("single",), pool_size=1, out=tmp_path / "mnist")
    trained(config)
    stamp = (config.folder / "single" / "seed_0" / "predictions.npz").stat().st_mtime_ns
    more = trained(dataclasses.replace(config, pool_size=2))
    assert [record.seed for record in more.runs] == [0, 1]
    assert (config.folder / "single" / "seed_0" / "predictions.npz").stat().st_mtime_ns == stamp


def test_evaluation_sets_are_the_same_for_every_method():
    with progress_bars() as progress:
        first, second = (mnist.make_study(TINY).evaluation_sets(progress) for _ in range(2))
    assert first.keys() == SETS
    for name in SETS:
        np.testing.assert_array_equal(first[name].images, second[name].images)
    assert jax.local_device_count() == 8


NAMES = {method: f"name of {method}" for method in (*mnist.METHODS, "deep_ensemble")}


def test_weights_that_runs_kept_are_measured_and_read_back(study, tmp_path, capsys):
    config, _ = study
    measured = weights.measure(weights.Config(config.folder, num_inputs=50))
    assert set(measured.scores) == {"batch_ensemble", "batch_ensemble_sign", "copies", "deep_ensemble"}
    assert all(len(units) == (3 if name == "deep_ensemble" else 2) for name, units in measured.scores.items())

    method, data = mnist.build_method(config, methods.find("batch_ensemble")), embedded_mnist()
    kept = kept_weights(method, data, mnist.preprocess, config.folder / "batch_ensemble" / "seed_1000")
    predicted = method.ensemble.predict(kept, mnist.preprocess(data.test.images))
    with np.load(config.folder / "batch_ensemble" / "seed_1000" / "predictions.npz") as arrays:
        np.testing.assert_allclose(predicted, arrays["test/log_probs"], rtol=1e-4, atol=1e-5)
    similarities = parameter_space.kernel_similarity(method.ensemble, kept)
    expected = np.mean([similarity.distance for similarity in similarities.values()])
    assert measured.scores["batch_ensemble"][1000,]["kernel_distance"] == pytest.approx(expected, rel=1e-5)

    measured.save(tmp_path / "weights.json")
    again = Weights.load(tmp_path / "weights.json")
    assert markdown(again, NAMES) == markdown(measured, NAMES)
    Console(width=200).print(table(again, NAMES))
    assert "name of deep_ensemble" in capsys.readouterr().out


def test_predictions_are_of_the_weights_that_were_kept(tmp_path):
    """At this learning rate the validation loss rises after a few epochs, so that best and last weights differ."""
    train = TrainConfig(epochs=12, batch_size=64, milestones=(), learning_rate=0.01, keep="best")
    config = dataclasses.replace(TINY, methods=("single",), pool_size=1, train=train, out=tmp_path / "mnist")
    (record,) = trained(config).runs
    assert record.kept_epoch < 11
    method, data = mnist.build_method(config, methods.find("single")), embedded_mnist()
    folder = config.folder / "single" / "seed_0"
    kept = kept_weights(method, data, mnist.preprocess, folder)
    with np.load(folder / "predictions.npz") as arrays:
        predicted = method.ensemble.predict(kept, mnist.preprocess(data.test.images))
        np.testing.assert_allclose(predicted, arrays["test/log_probs"], rtol=1e-4, atol=1e-5)


def test_weights_are_measured_only_where_there_are_some(study, tmp_path, monkeypatch, capsys):
    config, result = study
    assert "results.json" in answer("experiments.weights", [str(tmp_path)], monkeypatch, capsys)
    dataclasses.replace(result, experiment="toy").save(tmp_path / "results.json")
    said = answer("experiments.weights", [str(tmp_path)], monkeypatch, capsys)
    assert "can be measured in studies of mnist, cifar10" in said
    result.save(tmp_path / "results.json")
    with pytest.raises(ConfigError, match="num_inputs must be an integer >= 10; got 1"):
        weights.Config(tmp_path, num_inputs=1)
    assert "holds no runs" in answer("experiments.weights", [str(tmp_path)], monkeypatch, capsys)
    run = "single/seed_0"
    shutil.copytree(config.folder / run, tmp_path / run, ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(RunError, match="holds no checkpoint"):
        kept_weights(
            mnist.build_method(config, methods.find("single")), embedded_mnist(), mnist.preprocess, tmp_path / run
        )
    record = json.loads((tmp_path / run / "config.json").read_text())
    del record["crc32"]
    (tmp_path / run / "config.json").write_text(json.dumps({**record, "colour": 1}))
    said = answer("experiments.weights", [str(tmp_path)], monkeypatch, capsys)
    assert "made by another version of be_jax" in said
    assert "'colour'" in said
