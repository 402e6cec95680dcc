"""The choice of learning rates: what is trained, by which schedule, and which rate is taken."""

import dataclasses
import math

import numpy as np
import pytest

from be_jax import methods
from be_jax.config import ConfigError
from be_jax.data import from_arrays
from be_jax.identity import differences
from be_jax.study.training import run_config
from experiments import cifar10, learning_rates, mnist, zoo
from experiments.learning_rates import Config, best, measure, study_at

pytestmark = pytest.mark.slow


@pytest.fixture
def data(monkeypatch):
    """Random images, which no network can learn to recognise on the validation set."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(300) % 10
    made = from_arrays(images[:200], labels[:200], images[200:], labels[200:], num_classes=10)
    monkeypatch.setattr(cifar10, "load_data", lambda config: made)
    return made


def test_the_schedule_is_the_study_s_shortened_and_the_seed_is_none_of_its_own(data):
    study = study_at(Config(), 0.2)
    assert [(m.train.epochs, m.train.milestones, m.train.learning_rate) for m in study.methods] == [
        (25, (8, 16), 0.2)
    ] * 5
    assert all(m.seeds == (999,) for m in study.methods)
    of_study = cifar10.PRESETS["cpu"]
    assert 999 not in (*range(of_study.pool_size), *of_study.seeds)


def test_of_mnist_with_several_runs_around_the_study_s_own_rate():
    config = Config("embedded", runs=2)
    assert config.tried == pytest.approx((5e-4, 1e-3, 2e-3))
    study = study_at(config, 2e-3)
    assert study.name == "mnist"
    assert [(m.train.epochs, m.train.learning_rate, m.seeds) for m in study.methods] == [(25, 2e-3, (999, 998))] * 5
    assert set(study.evaluation_sets(None)) == {"validation"}
    with pytest.raises(ConfigError, match="runs must be"):
        Config("embedded", runs=0)


def test_the_mean_over_runs_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(learning_rates, "run_study", lambda *_: None)
    monkeypatch.setattr(learning_rates, "study_at", lambda *_: None)
    monkeypatch.setattr(learning_rates, "validation_nll", lambda folder: {"999": 1.0, "998": 2.0}[folder.name[-3:]])
    nlls = measure(Config("embedded", out=tmp_path, methods=("single",), runs=2))
    assert list(nlls["single"].values()) == [1.5] * 3


def test_what_was_found_before_of_other_methods_and_rates_stays():
    def record(command, seeds=(999,), **nlls):
        chosen = {name: float(min(of, key=of.get)) for name, of in nlls.items()}
        made = {"validation_nll": nlls, "chosen": chosen, "shorten": 3, "provenance": {"command": command}}
        return made | {"seeds": list(seeds)}

    before = record("one", single={"0.1": 2.0, "0.2": 3.0}, packed={"0.1": 1.0})
    found = learning_rates.joined(before, record("two", single={"0.05": 1.0, "0.2": 2.5}))
    assert found["validation_nll"] == {"single": {"0.1": 2.0, "0.2": 2.5, "0.05": 1.0}, "packed": {"0.1": 1.0}}
    assert found["chosen"] == {"single": 0.05, "packed": 0.1}
    assert found["provenance"]["command"] == "one; two"
    other = record("three", seeds=(998,), packed={"0.1": 5.0})
    assert learning_rates.joined(before, other) == other


def test_a_rate_that_is_far_too_large_is_not_chosen(data, tmp_path):
    nlls = measure(Config("smoke", out=tmp_path, methods=("single",), rates=(1e-3, 1e-2, 1e6), shorten=1))
    assert best(nlls["single"]) < 1
    assert nlls["single"][1e6] > 0.9 * math.log(10)


@pytest.mark.parametrize(
    "rates", [(0.1, 0.2), (0.1, 0.1, 0.2), (0.1, 0.0, 0.2), (0.1, math.nan, 0.2), (0.1, 0.2, math.inf)]
)
def test_fewer_than_three_rates_are_refused(rates):
    with pytest.raises(ConfigError, match="at least three different finite numbers > 0"):
        Config(rates=rates)


def test_copies_of_one_network_take_its_rate_unless_they_have_one():
    def rate(*words):
        config = mnist.parse(["--learning-rates", *words])
        return mnist.build_method(config, methods.find("copies")).train.learning_rate

    assert rate("single", "0.003") == 0.003
    assert rate("single", "0.003", "copies", "0.002") == 0.002
    assert rate("batch_ensemble", "0.003") == mnist.Config().train.learning_rate


def test_a_new_rate_for_one_method_leaves_the_runs_of_the_others_what_they_are():
    before, after = (
        mnist.make_study(mnist.parse(["--methods", "single", "batch_ensemble", *words]))
        for words in ([], ["--learning-rates", "batch_ensemble", "0.003"])
    )
    differ = {
        was.name: differences(run_config(before.identity, was, 0), run_config(after.identity, now, 0), after.defaults)
        for was, now in zip(before.methods, after.methods, strict=True)
    }
    assert differ == {"single": "", "batch_ensemble": "train.learning_rate: 0.001 there, 0.003 here"}


def test_a_method_may_have_more_seeds_than_the_others():
    words = "--methods single batch_ensemble copies --pool-size 3 --seeds 1000 1002 --more-seeds copies 2"
    config = mnist.parse(words.split())
    planned = [mnist.build_method(config, methods.find(name)).seeds for name in config.methods]
    assert planned == [(0, 1, 2), (1000, 1002), (1000, 1002, 1003, 1004)]
    assert mnist.make_study(config).identity == mnist.make_study(mnist.parse([])).identity


def test_methods_of_the_zoo_may_have_one_and_be_given_one():
    assert Config(methods=("packed", "tabm")).methods == ("packed", "tabm")
    with pytest.raises(ConfigError, match="methods must be"):
        Config(methods=("copies",))
    rates = ["--learning-rates", "tabm", "0.003"]
    config = zoo.parse_preset(zoo.PRESETS, rates, None)
    assert mnist.build_method(config, config.rows["tabm"]).train.learning_rate == 0.003
    with pytest.raises(SystemExit):
        mnist.parse(rates)


def test_a_method_has_the_study_s_rate_unless_it_has_one_of_its_own():
    config = cifar10.parse(["--preset", "cpu", "--learning-rates", "batch_ensemble", "0.2"])
    rates = {name: cifar10.build_method(config, methods.find(name)).train.learning_rate for name in config.methods}
    assert rates["batch_ensemble"] == 0.2
    assert {rate for name, rate in rates.items() if name != "batch_ensemble"} == {config.train.learning_rate}
    for rates in ({"batch_ensembles": 0.05}, {"batch_ensemble": math.inf}, {"batch_ensemble": math.nan}):
        with pytest.raises(ConfigError, match="learning_rates must be"):
            dataclasses.replace(config, learning_rates=rates)
