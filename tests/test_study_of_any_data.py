"""A study of a user's own, of a table or a text: trained, judged, measured and reported as any other."""

import dataclasses
import shutil

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

import be_jax
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import as_float, from_arrays
from be_jax.evaluate import EvaluationSet
from be_jax.run import conclude
from be_jax.stats.study import load_start
from be_jax.stats.weights import Weights
from be_jax.study import Execution, Planned, Study, run_study

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(0)
N, TESTED = 200, 60


class OfRows(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Dense(8)(x)))


class OfTokens(nn.Module):
    @nn.compact
    def __call__(self, tokens):
        return nn.Dense(3)(nn.relu(nn.Dense(8)(nn.Embed(20, 6)(tokens).mean(1))))


class Dropped(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return nn.Dense(3)(nn.Dropout(0.1, deterministic=not train)(nn.relu(nn.Dense(8)(x.astype(float)))))


def rows(count):
    x = RANDOM.normal(size=(count, 5))
    return x, np.argmax(x[:, :3], axis=1)


def tokens(count):
    x = RANDOM.integers(0, 20, (count, 7))
    return x, np.minimum((x < 5).sum(1), 2)


KINDS = {"table": (OfRows(), rows), "text": (OfTokens(), tokens)}


@dataclasses.dataclass(frozen=True)
class Config:
    epochs: int = 3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resident", [True, False])
def test_it_is_a_study_as_any_other(tmp_path, kind, resident):
    model, draw = KINDS[kind]
    (x, y), (test_x, test_y), (ood, _) = draw(N), draw(TESTED), draw(TESTED)
    data = from_arrays(x, y, test_x, test_y, num_classes=3, ood={"other": ood}, name=kind, are_images=False)
    train = TrainConfig(epochs=3, batch_size=20, milestones=())
    seeds = (1000, 1001, 1002)
    copies = be_jax.methods.find("copies")
    study = Study(
        name=kind,
        folder=tmp_path / kind,
        data=data,
        methods=(
            Planned("single", be_jax.single(model), train, tuple(range(6))),
            Planned("batch_ensemble", be_jax.batch_ensemble(model, 2, init="normal"), train, seeds),
            Planned("copies", be_jax.batch_ensemble(model, 2, init="ones"), copies.trained_with(train), seeds),
        ),
        members=2,
        preprocess=lambda x: x if jnp.issubdtype(x.dtype, jnp.integer) else x * 0.5,
        evaluation_sets=lambda _: {
            "validation": EvaluationSet(*data.validation),
            "test": EvaluationSet(*data.test),
            "ood/other": EvaluationSet(data.ood["other"], None),
        },
        config=Config(),
        execution=Execution(num_devices=1, resident=resident),
    )
    result, judgement = conclude(study, "tests")
    assert {run.method for run in result.runs} == {"single", "batch_ensemble", "copies"}
    assert kind in result.data
    assert judgement.method("batch_ensemble").row("test", "nll_scaled") is not None
    assert (study.folder / "weights.json").exists()
    assert kind in (study.folder / "report.html").read_text()
    if resident:
        _grows(study, train)


def test_too_few_test_examples_to_judge_leave_a_report(tmp_path, capsys):
    (x, y), (test_x, test_y) = rows(N), rows(30)
    data = from_arrays(x, y, test_x, test_y, num_classes=3, name="few", are_images=False)
    train = TrainConfig(epochs=1, batch_size=20, milestones=())
    methods = (
        Planned("single", be_jax.single(OfRows()), train, tuple(range(6))),
        Planned("batch_ensemble", be_jax.batch_ensemble(OfRows(), 2, init="normal"), train, (1000, 1001, 1002)),
    )
    sets = {"validation": EvaluationSet(*data.validation), "test": EvaluationSet(*data.test)}
    execution = Execution(num_devices=1)
    study = Study("few", tmp_path / "few", data, methods, 2, lambda x: x, lambda _: sets, Config(), execution=execution)
    result, judgement = conclude(study, "tests")
    assert (len(result.runs), judgement) == (9, None)
    assert "No judgement of predictions: " in " ".join(capsys.readouterr().out.split())
    assert (study.folder / "report.html").exists()


class WithFeatures(nn.Module):
    """What it returns is no logits."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(x), x


class OfPlaces(nn.Module):
    """Logits of every place."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(x[:, :, None])


@pytest.mark.parametrize(
    ("model", "preprocess", "message"),
    [
        (WithFeatures(), lambda x: x, "predict needs logits .*; WithFeatures returns a tuple"),
        (OfPlaces(), lambda x: x, r"predict needs logits \[b, c\] .*; OfPlaces returns"),
        (OfRows(), lambda x: as_float(x > 0), "bool"),
    ],
)
def test_models_that_do_not_fit_are_refused_before_training(tmp_path, model, preprocess, message):
    x, y = rows(N)
    data = from_arrays(x, y, x, y, num_classes=3, name="rows", are_images=False)
    planned = (Planned("single", be_jax.single(model), TrainConfig(epochs=1, milestones=()), (0,)),)
    study = Study("rows", tmp_path / "rows", data, planned, 2, preprocess, lambda _: {}, Config())
    with pytest.raises(ConfigError, match=message):
        study.check()


def _grows(study, train):
    """A further method and seed later: what was measured stays, the rest is measured, and masks hinder nobody."""
    known = Weights.load(study.folder / "weights.json")
    single, ours, copies = study.methods
    masks = be_jax.masksembles(Dropped(), 2)
    further = (
        dataclasses.replace(copies, name="further", ensemble=be_jax.batch_ensemble(ours.ensemble.model, 2)),
        Planned("masked", masks, train, copies.seeds),
    )
    methods = (single, dataclasses.replace(ours, seeds=(*ours.seeds, 1003)), copies, *further)
    _, judgement = conclude(dataclasses.replace(study, methods=methods), "tests")
    weights = Weights.load(study.folder / "weights.json")
    assert set(weights.scores) == {"deep_ensemble", "batch_ensemble", "copies", "further"}
    assert weights.scores["batch_ensemble"].keys() == {(1000,), (1001,), (1002,), (1003,)}
    assert weights.scores["batch_ensemble"][1000,] == known.scores["batch_ensemble"][1000,]
    assert not judgement.method("further").verdict("C4").reason.startswith("its members have no weights")
    assert "further" in load_start(study.folder)
    for of_run in study.folder.glob("*/seed_*/checkpoints"):
        shutil.rmtree(of_run)
    (study.folder / "weights.json").unlink()
    _, again = conclude(study, "tests")
    assert again is not None
    assert not (study.folder / "weights.json").exists()
    run_study(study, "tests")
    assert not (study.folder / "verdicts.json").exists(), "a judgement is of the result beside it"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda x: x[:, 0], ValueError, r"train examples must have shape \[n, ...\] .* x\[:, None\]"),
        (lambda x: x.astype(str), TypeError, "encode text as integer tokens"),
        (lambda x: np.where(x > 2, np.nan, x), ValueError, "NaN or infinite values in"),
    ],
)
def test_what_is_no_table_is_refused(change, error, message):
    x, y = rows(N)
    with pytest.raises(error, match=message):
        from_arrays(change(x), y, x, y, num_classes=3, are_images=False)
    with pytest.raises(ValueError, match=r"images must have shape \[n, h, w, ch\]"):
        from_arrays(x, y, x, y, num_classes=3)
