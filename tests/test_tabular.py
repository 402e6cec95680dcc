"""The tabular study: splits that do not leak, scores of both kinds of target, and a small run to its tables."""

import dataclasses

import numpy as np
import pytest

from be_jax.config import ConfigError
from be_jax.report.markdown import to_markdown
from be_jax.results import StudyResult
from experiments import tabular
from experiments.tabular_data import LOADERS, Dataset, load, split
from experiments.tabular_report import tables


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    config = tabular.Config(
        out=tmp_path_factory.mktemp("tabular"),
        datasets=("wine", "diabetes"),
        seeds=(0, 1, 2),
        members=2,
        features=(8,),
        train=dataclasses.replace(tabular.TRAIN, epochs=3, patience=0),
    )
    return config, tabular.run(config)


def test_splits_are_disjoint_and_whole():
    rows = np.arange(100, dtype=np.float32)
    dataset = Dataset("rows", rows[:, None], rows, None)
    parts = split(dataset, (0, 1))
    for s in range(2):
        values = np.concatenate([parts.train.y[s], parts.train.validation_y[s], parts.test_y[s]])
        assert len(np.unique(values)) == 100
        assert [len(part) for part in (parts.train.y[s], parts.train.validation_y[s], parts.test_y[s])] == [60, 20, 20]
    assert (parts.test_y[0] != parts.test_y[1]).any()


def test_training_rows_set_the_scale():
    parts = split(load("diabetes"), (3,))
    np.testing.assert_allclose(parts.train.x[0].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(parts.train.y[0].std(), 1, atol=1e-5)
    assert abs(parts.test_x[0].mean(0)).max() > 1e-3


def test_classes_keep_their_shares():
    parts = split(load("wine"), (0,))
    shares = [np.bincount(y[0]) / y.shape[1] for y in (parts.train.y, parts.test_y)]
    np.testing.assert_allclose(*shares, atol=0.03)


def test_every_run_is_scored_and_saved(results):
    config, (wine, diabetes) = results
    for result, scores in ((wine, {"nll", "accuracy", "epistemic"}), (diabetes, {"nll", "crps", "coverage_95"})):
        assert [(run.method, run.seed) for run in result.runs] == [
            (m, s) for m in tabular.METHODS for s in config.seeds
        ]
        for run in result.runs:
            assert scores <= run.scores["test"].keys()
            assert all(np.isfinite(run.scores["test"][name]) for name in scores)
            assert (run.scores["test"]["epistemic"] < 1e-6) == (run.method == "single")
            gained = run.scores["test"]["nll_alone"] - run.scores["test"]["nll"]  # Jensen's inequality
            assert gained == pytest.approx(0, abs=1e-6) if run.method == "single" else gained > 0
        saved = StudyResult.load(config.out / f"{result.experiment}.json")
        assert [run.seed for run in saved.runs] == [run.seed for run in result.runs]


def test_tables_have_a_row_for_each_metric(results):
    scores, against, alone, diversity = tables(results[1])
    assert [row for row in scores.rows if row.startswith("wine")] == ["wine NLL", "wine accuracy %"]
    assert "diabetes CRPS" in against.rows
    assert alone.rows == ("wine NLL", "diabetes NLL")
    assert len(diversity.rows) >= 2
    assert to_markdown([scores]).count("|") > 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"datasets": ("iris2",)}, f"some of {', '.join(LOADERS)}; got"), ({"seeds": ()}, "seeds must be")],
)
def test_bad_input(changes, message):
    with pytest.raises(ConfigError, match=message):
        tabular.Config(**changes)
