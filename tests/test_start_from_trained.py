"""Methods of a study that start from networks which it has trained."""

import dataclasses

import jax
import numpy as np
import pytest

import be_jax
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import from_arrays
from be_jax.evaluate import EvaluationSet
from be_jax.nn.models import MLP
from be_jax.run import conclude
from be_jax.study import Execution, Planned, Study
from be_jax.study.training import kept_weights

MODEL = MLP(features=(8,), num_classes=3)
TRAIN = TrainConfig(epochs=2, batch_size=20, milestones=())
FAST = dataclasses.replace(TRAIN, trained="fast")
SINGLE = Planned("single", be_jax.single(MODEL), TRAIN, (0, 1, 2))
ADAPTED = Planned("adapted", be_jax.lora_ensemble(MODEL, 2), FAST, (1000, 1001, 1002, 1003), start=SINGLE)


def study_of(folder, *methods):
    random = np.random.default_rng(0)
    x = random.normal(size=(160, 5))
    y = np.argmax(x[:, :3], axis=1)
    data = from_arrays(x, y, x[:60], y[:60], num_classes=3, are_images=False)
    sets = {"validation": EvaluationSet(*data.validation), "test": EvaluationSet(*data.test)}
    return Study(
        "adapting", folder, data, methods, 2, lambda x: x, lambda _: sets, TRAIN, execution=Execution(num_devices=1)
    )


@pytest.mark.slow
def test_each_seed_starts_from_a_network_of_its_own_round_and_round(tmp_path):
    study = study_of(tmp_path, SINGLE, ADAPTED)
    result, judgement = conclude(study, "tests", weights=False)
    assert [run.seed for run in result.runs if run.method == "adapted"] == list(ADAPTED.seeds)
    assert judgement.method("adapted").row("test", "nll_scaled") is not None
    for seed, start in zip(ADAPTED.seeds, (0, 1, 2, 0), strict=True):
        of = kept_weights(SINGLE, study.data, study.preprocess, tmp_path / "single" / f"seed_{start}")
        own = kept_weights(ADAPTED, study.data, study.preprocess, tmp_path / "adapted" / f"seed_{seed}")
        shared = {name: layer["kernel"] for name, layer in own["params"].items()}
        jax.tree.map(np.testing.assert_array_equal, shared, {k: v["kernel"] for k, v in of["params"].items()})


def test_what_it_starts_from_is_trained_before_it(tmp_path):
    for methods in ((ADAPTED, SINGLE), (ADAPTED,)):
        with pytest.raises(ConfigError, match="start of adapted must be a method before it; got 'single'"):
            study_of(tmp_path, *methods)
