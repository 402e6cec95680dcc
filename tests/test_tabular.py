"""The tabular study: splits that do not leak, scores of both kinds of target, and a small run to its tables."""

import dataclasses
import json

import numpy as np
import pytest

from be_jax.config import ConfigError
from experiments import small, tabular, tabular_data, tabular_report, tabular_scores
from experiments.tabular_data import LOADERS, Dataset, load, split

pytestmark = pytest.mark.slow

TINY = tabular.Config(
    datasets=("wine", "diabetes"),
    seeds=(0, 1, 2),
    members=2,
    features=(8,),
    train=dataclasses.replace(tabular.TRAIN, epochs=3, milestones=()),
)


METHODS = ("batch_ensemble", "copies")


@pytest.fixture(scope="module")
def record():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabular, "METHODS", METHODS)
        return tabular.run(TINY)


def test_splits_are_disjoint_and_whole():
    rows = np.arange(100, dtype=np.float32)
    dataset = Dataset("rows", rows[:, None], rows % 2, 2)
    parts = split(dataset, range(10))
    for s in range(10):
        values = np.concatenate([part[s, :, 0] for part in (parts.train.x, parts.train.validation_x, parts.test_x)])
        assert len(np.unique(values)) == 100
        sizes = [len(part) for part in (parts.train.y[s], parts.train.validation_y[s], parts.test_y[s])]
        assert sizes == [70, 20, 10]


@pytest.mark.parametrize(("count", "size"), [(1, 20), (3, 20), (10, 10), (20, 5)])
def test_no_row_is_tested_twice(count, size):
    dataset = Dataset("rows", np.zeros((100, 1)), np.arange(100) % 5, 5)
    folds = [test for test, _ in tabular_data._folds(dataset, count)]
    assert [len(fold) for fold in folds] == [size] * count
    assert len(np.unique(np.concatenate(folds))) == count * size
    assert all((np.bincount(dataset.y[fold]) == size // 5).all() for fold in folds)


def test_splits_of_a_generated_table_share_no_row():
    dataset, seeds = load("friedman1"), (3, 4, 5)
    rows = np.concatenate([part for parts in tabular_data._blocks(dataset, len(seeds)) for part in parts])
    assert len(np.unique(rows)) == len(seeds) * dataset.own_rows
    parts = split(dataset, seeds)
    assert (parts.train.y.shape, parts.train.validation_y.shape, parts.test_y.shape) == ((3, 600), (3, 400), (3, 1000))
    with pytest.raises(ConfigError, match="seeds must be at most 100, the splits that friedman1 has rows for; got 101"):
        split(dataset, range(101))


def test_training_rows_set_the_scale():
    parts = split(load("diabetes"), (3,))
    np.testing.assert_allclose(parts.train.x[0].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(parts.train.y[0].std(), 1, atol=1e-5)
    assert abs(parts.test_x[0].mean(0)).max() > 1e-3


def test_classes_keep_their_shares():
    parts = split(load("wine"), (0, 1, 2, 3, 4))
    shares = [np.bincount(y[0]) / y.shape[1] for y in (parts.train.y, parts.test_y)]
    np.testing.assert_allclose(*shares, atol=0.03)


def test_every_method_has_its_rows_unless_a_control_failed(record):
    wine, diabetes = record["tables"]
    methods = {"batch_ensemble"}
    for each, endpoint in ((wine, "test accuracy"), (diabetes, "test crps_scaled")):
        assert each["controls"].keys() == {"identical members", "independent networks"}
        assert set(each["methods"]) == (set() if each["failed"] else methods)
        assert set(each["alone"]) == methods
        for rows in each["methods"].values():
            assert {"test nll_scaled", endpoint} <= rows.keys()


def test_a_single_network_is_the_mean_of_its_pool_and_the_mixture_is_better():
    dataset = load("wine")
    rows = split(dataset, (0, 1))
    random = np.random.default_rng(0)
    outputs = tabular_scores.Predicted(
        *(random.normal(size=(2, 3, y.shape[1], 3)) for y in (rows.train.validation_y, rows.test_y))
    )
    alone = tabular_scores.of_size(dataset, rows, outputs, 1)
    together = tabular_scores.scores_of(dataset, rows, outputs)
    one = tabular_scores.scores_of(dataset, rows, outputs.members(slice(0, 1)))
    for of_single, of_all, of_first in zip(alone, together, one, strict=True):
        assert of_all["nll"] < of_single["nll"], "Jensen's inequality"
        assert of_single["nll"] != of_first["nll"]
        assert of_single["epistemic"] == pytest.approx(0, abs=1e-6) != of_all["epistemic"]


def test_worth_is_on_the_scale_of_the_pool(record):
    wine, diabetes = record["tables"]
    assert set(wine["equivalents"]) == set(diabetes["equivalents"]) == {"batch_ensemble"}
    assert set(wine["equivalents"]["batch_ensemble"]) == {"test nll_scaled"}
    found = diabetes["equivalents"]["batch_ensemble"]["test crps_scaled"]
    assert 1 <= found["lower"] <= found["value"] <= found["upper"] <= found["largest"] == 4
    paid = diabetes["costs"]
    assert paid["deep_ensemble_8"]["parameters"] == 8 * paid["single"]["parameters"]


def test_the_page_and_the_figures(record):
    shown = json.loads(small.to_json(record))
    for each in shown["tables"]:
        each["failed"] = ""
    wine, diabetes = shown["tables"]
    wine["alone"] = {"batch_ensemble": {"value": -0.3, "pieces": [[-0.5, -0.1]]}}
    wine["methods"] = {"batch_ensemble": {"test nll_scaled": {"value": 0.25, "pieces": [[0.1, 0.4]]}}}
    wine["equivalents"]["batch_ensemble"]["test nll_scaled"] |= {"value": 1.4, "lower": 1.1, "upper": 2.0, "beyond": ""}
    diabetes |= {"methods": {}, "failed": "identical members"}
    text = tabular_report.to_markdown(shown)
    assert (
        "| wine, BatchEnsemble N(1, 0.5) | 25 % [10, 40] | – | – | – | – | – | −30 % [−50, −10] | 1.4 [1.1, 2.0] | – |"
        in text
    )
    assert "| diabetes: control failed |" in text
    figure, against_cost = tabular_report.draw(shown).values()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["wine", "diabetes"]
    assert [axes.get_ylabel() for axes in against_cost.axes[:2]] == ["worth, NLL scaled", "worth, CRPS scaled"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": ("iris2",)}, f"different ones of {', '.join(LOADERS)}, at least one; got"),
        ({"seeds": (1, 2)}, r"seeds must be at least 3 different integers >= 0.*got \(1, 2\)"),
        ({"members": 1}, "members must be"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(ConfigError, match=message):
        tabular.Config(**changes)
