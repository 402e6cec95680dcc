"""A run of a finished study is exported, predicts what it predicted, and is scored from the command line."""

import csv
import dataclasses

import numpy as np
import pytest
from command_line import answer

from be_jax import export as exported
from be_jax import metrics
from be_jax.config import TrainConfig
from be_jax.export import artefact
from be_jax.study import Execution
from experiments import export, mnist

pytestmark = pytest.mark.slow

TINY = mnist.Config(
    methods=("single", "batch_ensemble", "mc_dropout"),
    seeds=(1000,),
    pool_size=3,
    members=2,
    train=TrainConfig(epochs=1, batch_size=64),
    corruptions=("rotate",),
    severities=(1,),
    execution=Execution(num_devices=1),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a study, and its test images."""
    folder = tmp_path_factory.mktemp("study") / "mnist"
    config = dataclasses.replace(TINY, out=folder)
    mnist.run(config)
    return folder, mnist.load_data(config).test.images


def left(folder, method, *seeds):
    runs = [np.load(folder / method / f"seed_{seed}" / "predictions.npz") for seed in seeds]
    return {name: np.concatenate([run[f"{name}/log_probs"] for run in runs]) for name in ("validation", "test")}


@pytest.mark.parametrize(
    ("method", "seed", "runs"),
    [
        ("single", None, ("single", 0)),
        ("batch_ensemble", None, ("batch_ensemble", 1000)),
        ("deep_ensemble", 1, ("single", 1, 2)),
    ],
)
def test_it_predicts_what_the_run_predicted(study, tmp_path, method, seed, runs):
    folder, images = study
    path, metadata = export.export_run(export.Config(folder, method, seed, out=tmp_path / "a.zip"))
    predictions = left(folder, *runs)
    labels = np.load(folder / "single" / "seed_0" / "predictions.npz")["validation/labels"]
    temperature = float(metrics.fit_temperature(predictions["validation"], labels))
    assert metadata["temperature"] == pytest.approx(temperature)
    assert metadata["largest_difference"] < 5e-6  # programs of other batch sizes round otherwise
    assert metadata["about"]["seeds"] == list(runs[1:])
    found = exported.load(path)(images[:50])["log_probs"]
    wanted = metrics.mixture(metrics.temper(predictions["test"][:, :50], temperature))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_dropout_is_sampled_and_the_file_scores_an_array(study, tmp_path, capsys):
    folder, images = study
    path, metadata = export.export_run(export.Config(folder, "mc_dropout", temperature=1.0))
    assert path == folder / "mc_dropout_seed_1000.zip"
    assert (metadata["draws_masks"], metadata["temperature"]) == (True, 1.0)
    assert metadata["largest_difference"] is None
    np.save(tmp_path / "images.npy", images[:3])
    artefact.main([str(path), str(tmp_path / "images.npy"), "--out", str(tmp_path / "scores.csv")], "score")
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["0", "1", "2"]
    assert all(0 < float(row["epistemic"]) < np.log(2) for row in rows)
    assert "3 examples scored" in capsys.readouterr().out


def test_a_run_of_other_data_is_refused(study, tmp_path, monkeypatch):
    folder, _ = study
    monkeypatch.setattr(export, "FARTHEST", -1.0)
    with pytest.raises(ValueError, match="differs from the run"):
        export.export_run(export.Config(folder, "single", out=tmp_path / "a.zip"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--method", "masks"], "method must be one of single, batch_ensemble, mc_dropout, deep_ensemble; got 'masks'"),
        (["--method", "single", "--seed", "7"], "seed of single must be one of 0, 1, 2; got 7"),
        (["--method", "deep_ensemble", "--seed", "2"], "are too many for the pool; the last seed is 1"),
        (["--method", "single", "--platforms", "metal"], "platforms must be some of cpu, cuda, rocm, tpu"),
        (["--method", "single", "--temperature", "0"], "temperature must be a number > 0; got 0.0"),
    ],
)
def test_bad_input(study, arguments, told, monkeypatch, capsys):
    assert told in answer("experiments.export", [str(study[0]), *arguments], monkeypatch, capsys)


def test_no_study(tmp_path, monkeypatch, capsys):
    told = answer("experiments.export", [str(tmp_path), "--method", "single"], monkeypatch, capsys)
    assert "error:" in told
    assert "results.json" in told
