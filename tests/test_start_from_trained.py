"""Methods of a study that start from networks which it has trained."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import be_jax
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import from_arrays
from be_jax.evaluate import EvaluationSet
from be_jax.nn.models import MLP
from be_jax.run import conclude
from be_jax.runs import RunError
from be_jax.study import Execution, Planned, Study, run_study
from be_jax.study.training import kept_weights

MODEL = MLP(features=(8,), num_classes=3)
TRAIN = TrainConfig(epochs=2, batch_size=20, milestones=())
FAST = dataclasses.replace(TRAIN, trained="fast")
SINGLE = Planned("single", be_jax.single(MODEL), TRAIN, (0, 1, 2, 3, 4))
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
def test_each_seed_starts_from_a_network_of_its_own(tmp_path):
    study = study_of(tmp_path, SINGLE, ADAPTED)
    result, judgement = conclude(study, "tests", weights=False)
    assert [run.seed for run in result.runs if run.method == "adapted"] == list(ADAPTED.seeds)
    assert judgement.method("adapted").row("test", "nll_scaled") is not None
    for seed, start in zip(ADAPTED.seeds, range(4), strict=True):
        of = kept_weights(SINGLE, study.data, study.preprocess, tmp_path / "single" / f"seed_{start}")
        own = kept_weights(ADAPTED, study.data, study.preprocess, tmp_path / "adapted" / f"seed_{seed}")
        shared = {name: layer["kernel"] for name, layer in own["params"].items()}
        jax.tree.map(np.testing.assert_array_equal, shared, {k: v["kernel"] for k, v in of["params"].items()})
        recorded = json.loads((tmp_path / "adapted" / f"seed_{seed}" / "config.json").read_text())
        assert recorded["start"] == f"single {start}"
    fewer = dataclasses.replace(ADAPTED, seeds=(1002,))
    assert run_study(study_of(tmp_path, SINGLE, fewer), "tests").runs[-1].seed == 1002, "a finished run stays"


@pytest.mark.slow
def test_a_network_that_diverged_is_no_start(tmp_path):
    wild = dataclasses.replace(TRAIN, optimizer="sgd", learning_rate=1e30)
    single = dataclasses.replace(SINGLE, train=wild)
    with pytest.raises(RunError, match=r"seed_0 diverged, and adapted of seed 1000 starts from it: choose other seeds"):
        run_study(study_of(tmp_path, single, dataclasses.replace(ADAPTED, start=single)), "tests")


OTHER = dataclasses.replace(SINGLE, ensemble=be_jax.single(MLP(features=(9,), num_classes=3)))


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ((ADAPTED, SINGLE), "start of adapted must be single networks of the same model, before it in the study; got"),
        ((ADAPTED,), "start of adapted must be single networks"),
        ((OTHER, dataclasses.replace(ADAPTED, start=OTHER)), "start of adapted must be single networks of the same"),
        (
            (SINGLE, dataclasses.replace(ADAPTED, seeds=(1000, 1005))),
            r"start of adapted must be a network for each seed; got 'seeds \[0, 0\]'",
        ),
    ],
)
def test_a_start_that_is_none_is_refused(methods, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        study_of(tmp_path, *methods)


@pytest.mark.parametrize("trained", ["fast", "shared"])
def test_fast_weights_alone_are_trained_or_held_where_there_are_some(trained, tmp_path):
    train = dataclasses.replace(TRAIN, trained=trained)
    study = study_of(tmp_path, dataclasses.replace(SINGLE, train=train))
    with pytest.raises(ConfigError, match=f"single: there are no fast weights to train alone, or to hold.*'{trained}'"):
        study.check()
