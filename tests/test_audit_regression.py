"""The audit of a regression: scores against closed forms in float64, and what it says of ensembles of known kind."""

import json
import math
import runpy
import sys

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar

from be_jax.audit import AuditError, References, audit, checked, write_audit
from be_jax.audit.regression_scores import (
    LEVELS,
    Gaussians,
    fit_scale,
    observed,
    score_examples,
    score_predictions,
    score_run,
    score_test_members,
)

MEMBERS = 4


def predicted(seed, share=1.0, members=MEMBERS, examples=400, unit=1.0, offset=0.0, sets=("test",)):
    """Members that share a part of their error: 0 are copies of one network, 1 independent networks."""
    random, world = np.random.default_rng([seed, round(100 * share), members]), np.random.default_rng(0)
    arrays = {}
    for name in sets:
        truth = world.normal(0, 1, examples)
        targets = truth + 0.3 * world.normal(0, 1, examples)
        own, shared = random.normal(0, 1, (members, examples)), random.normal(0, 1, examples)
        mean = truth + 0.4 * (math.sqrt(share) * own + math.sqrt(1 - share) * shared)
        arrays[f"{name}/mean"] = offset + unit * mean
        arrays[f"{name}/variance"] = np.full((members, examples), (0.3 * unit) ** 2)
        if not name.startswith("ood/"):
            arrays[f"{name}/targets"] = offset + unit * targets
    return checked(arrays)


@pytest.mark.slow
def test_scores_are_those_of_a_library_in_float64():
    run = predicted(0)
    mean, variance, targets = (run[f"test/{kind}"] for kind in ("mean", "variance", "targets"))
    density = stats.norm.pdf(targets, mean, np.sqrt(variance)).mean(0)
    scores = score_predictions(run)["test"]
    assert scores["nll"] == pytest.approx(-np.log(density).mean(), rel=1e-5)
    assert scores["rmse"] == pytest.approx(np.sqrt(((mean.mean(0) - targets) ** 2).mean()), rel=1e-5)
    below = stats.norm.cdf(targets, mean, np.sqrt(variance)).mean(0)
    curve = np.array([(below <= level).mean() for level in LEVELS])
    assert scores["calibration_error"] == pytest.approx(np.abs(curve - LEVELS).mean(), abs=1e-3)
    assert scores["coverage_95"] == pytest.approx(((below >= 0.025) & (below <= 0.975)).mean())
    assert scores["aleatoric_std"] == pytest.approx(0.3, rel=1e-5)
    assert scores["spread_of_means"] == pytest.approx(np.sqrt(mean.var(0).mean()), rel=1e-5)
    assert scores["sharpness"] == pytest.approx(
        math.hypot(scores["aleatoric_std"], scores["spread_of_means"]), rel=1e-6
    )


def test_crps_is_the_absolute_error_of_point_masses_and_half_a_spread_less():
    """Of m point masses: mean |x - y| - mean |x - x'| / 2 (Gneiting and Raftery 2007, equation 21)."""
    run = predicted(0)
    points = checked({**run, "test/variance": np.zeros_like(run["test/mean"])})
    mean, targets = points["test/mean"], points["test/targets"]
    expected = np.abs(mean - targets).mean() - np.abs(mean[:, None] - mean[None]).mean() / 2
    assert score_predictions(points)["test"]["crps"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(("unit", "offset"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e6), (3.0, -1e7)])
def test_units_and_offsets_change_nothing_else(unit, offset):
    """Float32 has no digits for a spread of 1 about a million; the scores have."""
    sets = ("validation", "test", "shift/fog_1", "ood/far")
    ours, theirs = (score_predictions(predicted(0, sets=sets, unit=u, offset=o)) for u, o in ((unit, offset), (1, 0)))
    for name, scores in theirs.items():
        for metric, value in scores.items():
            expected = value
            if metric.removesuffix("_scaled") == "nll":
                expected = value + math.log(unit)
            elif metric.removesuffix("_scaled") in ("crps", "rmse", "sharpness", "aleatoric_std", "spread_of_means"):
                expected = value * unit
            assert ours[name][metric] == pytest.approx(
                expected, rel=2e-4, abs=2e-3 * (metric == "calibration_error")
            ), metric


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_the_scale_is_that_of_least_nll(factor):
    run = predicted(1)
    gaussians = Gaussians(*(run[f"test/{kind}"] for kind in ("mean", "variance", "targets")))
    squeezed = gaussians.scaled(1 / factor)

    def loss(log_factor):
        mean, variance, targets = squeezed.scaled(math.exp(log_factor))
        return -np.log(stats.norm.pdf(targets, mean, np.sqrt(variance)).mean(0)).mean()

    expected = math.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded", options={"xatol": 1e-9}).x)
    assert fit_scale(squeezed) == pytest.approx(expected, rel=1e-6)
    assert fit_scale(squeezed) == pytest.approx(factor * fit_scale(gaussians), rel=1e-9), "the identity of scaling"


def test_scaling_leaves_the_mean_and_multiplies_every_standard_deviation():
    sets = ("validation", "test")
    scores = score_predictions(predicted(0, sets=sets))
    factor = scores["validation"]["spread_factor"]
    for metric in ("sharpness", "aleatoric_std", "spread_of_means"):
        assert scores["test"][f"{metric}_scaled"] == pytest.approx(factor * scores["test"][metric], rel=1e-5)
    assert scores["test"]["nll_scaled"] <= scores["test"]["nll"] + 0.01


def test_no_factor_where_a_member_is_certain():
    run = predicted(0, sets=("validation", "test"))
    run["validation/variance"][1, 3] = 0.0
    scores = score_predictions(run)
    assert math.isnan(scores["validation"]["spread_factor"])
    assert "nll_scaled" not in scores["test"]


def test_calibrated_predictions_lie_on_the_diagonal():
    random = np.random.default_rng(0)
    mean = random.normal(0, 1, (1, 20_000))
    exact = Gaussians(mean, np.full_like(mean, 0.25), mean[0] + 0.5 * random.normal(0, 1, 20_000))
    assert np.abs(observed(score_examples(exact).below) - LEVELS).max() < 0.01
    too_sure = exact.scaled(0.3)
    assert observed(score_examples(too_sure).below)[0] > 0.2


def test_the_judgement_scores_what_the_tables_show():
    run = predicted(0, sets=("test", "shift/fog_1", "shift/fog_3", "ood/far"))
    shown, judged = score_predictions(run), score_run(run)
    for name, metric in (
        ("test", "nll"),
        ("test", "crps"),
        ("test", "rmse"),
        ("test", "calibration_error"),
        ("shift", "nll"),
    ):
        assert judged[name, metric][0] == pytest.approx(shown[name][metric], rel=1e-5)
    assert judged["ood/far", "spread_of_means"][0] == pytest.approx(shown["ood/far"]["spread_of_means"], rel=1e-5)
    without = {key: array[..., np.arange(400) % 2 == 0] for key, array in run.items()}
    assert score_run(without)["test", "nll"][0] != judged["test", "nll"][0]
    assert judged["ood/far", "auroc_epistemic"][0] == pytest.approx(shown["ood/far"]["auroc_epistemic"])


def test_sets_some_of_which_have_targets_share_the_scores_that_all_have():
    run = dict(predicted(1, sets=("test", "ood/a", "ood/b")))
    scores = score_run(run | {"ood/a/targets": run["test/targets"]})
    assert ("ood/a", "nll") in scores
    assert ("ood", "spread_of_means") in scores
    assert ("ood", "nll") not in scores


@pytest.mark.slow
def test_copies_and_independent_networks():
    single = [predicted(seed, members=1) for seed in range(3)]
    deep = [predicted(seed) for seed in range(10, 13)]
    copies = [{k: a.repeat(4, 0) if not k.endswith("targets") else a for k, a in run.items()} for run in single]
    found = audit(copies, References(single, deep), "copies")
    assert found.answer[0].startswith("The 4 members of copies are identical in 3 of its 3 runs")
    (judged,) = found.judgement.methods
    assert judged.row("test", "spread_of_means").position.value == pytest.approx(0.0, abs=1e-5)
    for metric in ("nll", "crps", "rmse"):
        assert judged.row("test", metric).position.value == pytest.approx(0.0, abs=1e-4)
    assert found.of_members[0]["error_correlation"] == pytest.approx(1.0)
    independent = audit([predicted(seed) for seed in range(20, 23)], References(single, deep), "mine")
    (judged,) = independent.judgement.methods
    for metric in ("nll", "crps", "rmse"):
        assert judged.row("test", metric).position.value == pytest.approx(1.0, abs=0.15)
    assert judged.equivalents["test nll"].value == pytest.approx(4, abs=1.5)
    assert judged.equivalents["test crps"].value == pytest.approx(4, abs=1.5)
    assert not independent.caveats


@pytest.mark.slow
def test_a_pool_and_the_page(tmp_path):
    sets = ("validation", "test", "shift/fog_1", "ood/far")
    runs = [predicted(seed, 0.5, sets=sets) for seed in range(3)]
    networks = [predicted(seed, members=1, sets=sets) for seed in range(10, 16)]
    references = References(pool=networks)
    found = audit(runs, references, "mine")
    assert [record.size for record in found.result.pool] == [1, 2, 3, 4, 5, 6]
    assert found.result.pool[0].scores["test"]["nll"].mean == pytest.approx(
        np.mean([score_predictions(network)["test"]["nll"] for network in networks])
    )
    page = write_audit(found, runs, references, tmp_path, {"command": "x"}).read_text()
    assert page.index(found.headline[:30]) < page.index('id="standing"') < page.index("Of its members alone")
    assert 'id="quantiles"' in page
    assert {"Test", "Shifted test", "Out of distribution: far", "Scaled: test"} <= {
        table.title for table in found.tables
    }


def few(**changed):
    arrays = {"test/mean": np.zeros((3, 5)), "test/variance": np.ones((3, 5)), "test/targets": np.zeros(5)}
    return {name: array for name, array in (arrays | changed).items() if array is not None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            few(**{"test/variance": None}),
            "test/variance is missing beside test/mean; of members that predict none, save",
        ),
        (few(**{"test/mean": None}), "test/mean is missing beside test/variance"),
        (few(**{"test/targets": None}), "test/targets is missing"),
        (few(**{"test/targets": np.zeros((5, 1))}), "got shape (5, 1): save targets.ravel()"),
        (few(**{"test/targets": np.zeros((5, 2))}), "audit each output on its own"),
        (few(**{"test/mean": np.zeros((3, 5, 1))}), "got shape (3, 5, 1): save array[..., 0]"),
        (few(**{"test/mean": np.zeros((3, 5, 2))}), "of several outputs, audit each on its own"),
        (few(**{"test/mean": np.zeros(5)}), "a single network is one member: save array[None]"),
        (few(**{"test/mean": np.zeros((5, 3)), "test/variance": np.ones((5, 3))}), "members come first"),
        (few(**{"test/variance": -np.ones((3, 5))}), "if these are logarithms, save their exponentials"),
        (few(**{"test/variance": np.full((3, 5), np.inf)}), "15 values that are not finite, such as [0, 0] = inf"),
        (few(**{"test/mean": np.full((3, 5), np.nan)}), "15 values that are not finite, such as [0, 0] = nan"),
        (few(**{"test/targets": np.array(list("abcde"))}), "test/targets must be numbers, got <U1"),
        (few(**{"test/variance": np.ones((3, 4))}), "test/variance has 4 examples"),
        (
            few(**{"ood/x/mean": np.zeros((2, 5)), "ood/x/variance": np.ones((2, 5))}),
            "ood/x/mean has 2 members, but test",
        ),
        (few(**{"test/labels": np.zeros(5, int)}), "test/labels is of a classification, beside arrays of a regression"),
        (few(**{"test/logits": np.zeros((3, 5, 2))}), "test/labels is missing"),
        (few(**{"test/std": np.ones((3, 5))}), "save variance, the square of a standard deviation"),
        (few(**{"test/mean": np.zeros((3, 5), "V2")}), "as numpy saves bfloat16"),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_what_cannot_be_a_regression_is_refused(given, message):
    with pytest.raises(AuditError) as error:
        checked(given)
    assert message in str(error.value)


def test_a_regression_and_a_classification_are_not_compared():
    classes = {"test/probs": np.full((2, 400, 2), 0.5), "test/labels": np.zeros(400, int)}
    with pytest.raises(AuditError, match="one a regression and one a classification"):
        audit([predicted(0), checked(classes)])


def test_members_on_average():
    run = predicted(0)
    each = [{k: a[i : i + 1] if not k.endswith("targets") else a for k, a in run.items()} for i in range(MEMBERS)]
    scores = score_test_members(run)
    for metric in ("nll", "crps", "rmse"):
        expected = np.mean([score_predictions(member)["test"][metric] for member in each])
        assert scores[metric] == pytest.approx(expected, rel=1e-5)


def test_command_line_in_json(tmp_path, monkeypatch, capsys):
    np.savez(tmp_path / "run.npz", **predicted(0))
    monkeypatch.setattr(
        sys, "argv", ["be_jax.audit", str(tmp_path / "run.npz"), "--out", str(tmp_path), "--format", "json"]
    )
    runpy.run_module("be_jax.audit", run_name="__main__")
    record = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert record["scores"][0]["test"]["crps"] == pytest.approx(score_predictions(predicted(0))["test"]["crps"])
    assert record["judgement"] is None
    assert record["headline"].startswith("Averaging the 4 members of audited ensemble takes NLL on test from")
