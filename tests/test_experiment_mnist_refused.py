"""What the MNIST study refuses before anything is trained or written."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from command_line import answer
from test_experiment_mnist import TINY, trained

from be_jax.config import ConfigError, TrainConfig
from be_jax.data import DataUnavailableError, Examples, embedded_mnist
from be_jax.runs import RunError
from be_jax.study import Execution
from experiments import mnist

pytestmark = pytest.mark.slow


def test_a_folder_of_a_later_method_is_checked_before_any_training(tmp_path):
    config = dataclasses.replace(TINY, out=tmp_path / "mnist")
    foreign = config.folder / "copies" / "seed_1001"
    foreign.mkdir(parents=True)
    (foreign / "thesis.tex").write_text("do not lose me")
    with pytest.raises(RunError, match="copies/seed_1001 is not empty"):
        trained(config)
    assert not (config.folder / "single").exists()


def test_labels_beyond_the_model_are_refused_before_any_training(tmp_path, monkeypatch):
    data = embedded_mnist()
    monkeypatch.setattr(mnist, "load_data", lambda config: dataclasses.replace(data, num_classes=12))
    with pytest.raises(ConfigError, match="the model gives 10 classes, but the data have 12"):
        trained(dataclasses.replace(TINY, out=tmp_path / "mnist"))
    assert not (tmp_path / "mnist" / "single").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "triplets"], "methods must be different ones of"),
        (["--out", "README.md"], "README.md"),
    ],
)
def test_the_command_line_answers_bad_input_without_a_traceback(arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(Path(mnist.__file__).parent.parent)
    assert message in answer("experiments.mnist", arguments, monkeypatch, capsys)


def test_the_help_is_finished():
    assert not re.search("[A-Z]+_[A-Z]+", mnist.__doc__)


def test_a_diverged_run_is_reported(tmp_path, capsys):
    train = dataclasses.replace(TINY.train, optimizer="sgd", learning_rate=1e20)
    config = dataclasses.replace(TINY, methods=("single",), pool_size=1, train=train, out=tmp_path / "mnist")
    (record,) = trained(config).runs
    assert record.status == "diverged"
    assert record.scores == {}
    assert record.diverged_step is not None
    assert f"the loss was not finite at step {record.diverged_step}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": ("triplets",)}, r"methods must be different ones of single, .*; got \('triplets',\)"),
        ({"methods": ()}, r"methods must be different ones of .*, at least one; got \(\)"),
        ({"corruptions": ("frost",)}, "corruptions must be different ones of .*frost"),
        ({"severities": (6,)}, r"severities must be different ones of 1, 2, 3, 4, 5, at least one; got \(6,\)"),
        ({"members": 0}, "members must be an integer >= 1; got 0"),
        ({"rank": 0}, "rank must be an integer >= 1; got 0"),
        ({"init_std": -1.0}, r"init_std must be a finite number >= 0; got -1\.0"),
        ({"data_dir": "/tmp"}, "data_dir must be left out unless data is 'tfds'; got '/tmp'"),
        ({"dropout_rate": 1.0}, r"dropout_rate must be in \[0, 1\); got 1\.0"),
        ({"seeds": (1000, 1000)}, r"seeds must be different integers >= .*; got \(1000, 1000\)"),
        ({"seeds": (-1,)}, r"seeds must be different integers >= .*; got \(-1,\)"),
        ({"seeds": (1, 1000)}, r"those below are of the pool; got \(1, 1000\)"),
        ({"seeds": ()}, r"seeds must be .*, at least one: .*; got \(\)"),
        ({"more_seeds": {"copies": 0}}, r"more_seeds must be integers > 0, of some of .*; got {'copies': 0}"),
        ({"more_seeds": {"single": 2}}, r"of single networks there are pool_size; got {'single': 2}"),
    ],
)
def test_bad_config_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(TINY, **changes)


def test_bad_execution_is_refused():
    with pytest.raises(ConfigError, match="save_every_s must be a number >= 0; got nan"):
        Execution(save_every_s=float("nan"))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"dropout_rate": 0.0}, ConfigError, "mc_dropout needs dropout"),
        ({"train": TrainConfig(batch_size=63)}, ConfigError, "batch_size=63 is not divisible by 2 devices"),
        ({"train": TrainConfig(batch_size=8192)}, ConfigError, "exceeds the 4000 training examples"),
        ({"data": "tfds", "data_dir": "/no/such/folder"}, DataUnavailableError, "/no/such/folder does not exist"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path, changes, error, message):
    config = dataclasses.replace(TINY, out=tmp_path / "mnist", **changes)
    with pytest.raises(error, match=message):
        trained(config)
    assert not config.folder.exists()


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda e: Examples(e.images, e.labels + 1), ValueError, "10"),
        (lambda e: Examples(e.images, e.labels.astype(np.float32)), TypeError, "float32"),
        (lambda e: Examples(np.full(e.images.shape, np.nan, np.float32), e.labels), ValueError, "NaN|nan|finite"),
        (lambda e: Examples(e.images[:, :20], e.labels), ValueError, "20"),
    ],
)
def test_bad_data_is_refused_before_training(spoil, error, message):
    data = embedded_mnist()
    with pytest.raises(error, match=message):
        dataclasses.replace(data, train=spoil(data.train))
