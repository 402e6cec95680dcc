"""What validation data tell: whether a gain outlasts recalibration, and conformal sets. Ensembles of known answer."""

import io
import json
import math

import jax
import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from scipy.special import log_softmax

from be_jax import metrics
from be_jax.audit import audit, checked, conformal_sets, print_audit, recalibrated, regression_parts, write_audit
from be_jax.audit.beside import Shown, beside, table
from be_jax.metrics import conformal
from be_jax.report.columns import NLL
from be_jax.scores import temperature_of

KINDS = ("as given", "one temperature", "temperature by member", "vector scaling", "isotonic regression")
N, C = 600, 4


def classes(distort, seed=0, classes=C, noise=0.0):
    """Labels drawn from one network's probabilities; members are that network, each distorted in its own way."""
    random, arrays = np.random.default_rng(seed), {}
    for name in ("validation", "test"):
        z = 1.5 * random.normal(size=(N, classes))
        arrays[f"{name}/labels"] = (z + random.gumbel(size=z.shape)).argmax(-1)
        z = z[None] + noise * random.normal(size=(3, N, classes))
        arrays[f"{name}/logits"] = np.stack([distort(k, log_softmax(each, -1)) for k, each in enumerate(z)])
    return checked(arrays)


def gains(run, key="nll"):
    return {name: scores[f"{key}_gain"] for name, scores in recalibrated.score_recalibrated(run).items()}


def test_beside_by_hand():
    found = beside(
        [{"a": np.array([1.0, 4.0]), "b": 2.0}, {"a": np.array([3.0, 2.0]), "b": 4.0}], {"a": np.ones(2), "b": 1}
    )
    assert found == {"a_alone": 2.5, "a": 1, "a_gain": 1.5, "a_gain_error": pytest.approx(0.5), "b_alone": 3, "b": 1}
    infinite = beside([{"a": np.array([np.inf, 4.0])}], {"a": np.array([np.inf, 1.0])})
    assert infinite["a"] == math.inf
    assert math.isnan(infinite["a_gain"])


def test_what_one_run_has_not_is_in_no_table():
    scores = {"nll": 1.0, "nll_alone": 2.0, "nll_gain": 1.0, "nll_gain_error": 0.1}
    (shown,) = table("both", [{"a": scores, "b": scores}, {"a": scores}], [Shown(NLL)], "")
    assert shown.rows == ("a",)
    assert table("none", [{"a": scores}, {"b": scores}], [Shown(NLL)], "") == []


def test_copies_gain_nothing_by_any_recalibration():
    run = classes(lambda k, z: 2 * z)
    assert gains(run, "brier") == pytest.approx(dict.fromkeys(KINDS, 0.0), abs=1e-6)
    *smooth, isotonic = gains(run).values()
    assert smooth == pytest.approx([0.0] * 4, abs=1e-6)
    assert math.isnan(isotonic), "some label has probability 0: of infinite losses there is no gain"
    for scores in recalibrated.score_recalibrated(run).values():
        assert scores["ece_alone"] == pytest.approx(scores["ece"], abs=1e-6)


def test_what_averaging_temperatures_gains_a_temperature_gives_too():
    """One network at three temperatures: their average is better than they are, until each has its own."""
    found = gains(classes(lambda k, z: (1.0, 3.0, 6.0)[k] * z))
    assert found["as given"] > 0.3
    assert found["temperature by member"] == pytest.approx(0, abs=1e-5)
    assert found["one temperature"] < 0.01
    assert found["vector scaling"] == pytest.approx(0, abs=0.03)


def test_what_weights_and_biases_of_classes_gain_vector_scaling_gives_too():
    weights, biases = (
        np.random.default_rng(1).uniform(0.7, 1.5, (3, C)),
        np.random.default_rng(2).normal(0, 1.5, (3, C)),
    )
    run = classes(lambda k, z: weights[k] * z + biases[k])
    found = gains(run)
    assert found["as given"] > 0.1
    assert found["one temperature"] > 0.05
    assert abs(found["vector scaling"]) < 0.02


def test_what_an_increasing_function_gains_isotonic_regression_gives_too():
    """Of two classes, where members rank the examples alike."""
    run = classes(lambda k, z: np.sign(z - z[:, ::-1]) * abs(z - z[:, ::-1]) ** (0.2, 1, 4)[k], classes=2)
    found = gains(run, "brier")
    assert found["as given"] > 0.01
    assert found["isotonic regression"] == pytest.approx(0, abs=2e-3)


def test_members_that_err_on_their_own_keep_their_gain():
    found = gains(classes(lambda k, z: 2 * z, noise=1.5))
    assert found["as given"] > found["one temperature"] > 0.05
    assert min(found["vector scaling"], found["one temperature"]) > 0.05


def test_against_the_metrics():
    run = classes(lambda k, z: (1.0, 2.0, 3.0)[k] * z, noise=1.0)
    found = recalibrated.score_recalibrated(run)
    test, labels = run["test/log_probs"], run["test/labels"]
    own = metrics.fit_member_temperatures(run["validation/log_probs"], run["validation/labels"])
    at_own, joint = metrics.temper(test, own), metrics.mixture(metrics.temper(test, temperature_of(run)))
    alone = np.mean([metrics.nll(member, labels) for member in at_own], axis=0)
    whole = np.asarray(metrics.nll(joint, labels))
    scores = found["one temperature"]
    assert scores["nll_alone"] == pytest.approx(alone.mean(), rel=1e-5)
    assert scores["nll"] == pytest.approx(whole.mean(), rel=1e-5)
    assert scores["nll_gain"] == pytest.approx((alone - whole).mean(), rel=1e-3)
    assert scores["nll_gain_error"] == pytest.approx(stats.sem(alone - whole), rel=1e-3)
    assert scores["ece"] == pytest.approx(float(metrics.ece(joint, labels)), abs=1e-5)
    scores = found["temperature by member"]
    assert scores["nll"] == pytest.approx(float(metrics.nll(metrics.mixture(at_own), labels).mean()), rel=1e-5)


def test_sizes_of_sets_at_the_stated_coverage():
    run = classes(lambda k, z: 2 * z, noise=1.5)
    for name, kind in conformal_sets.KINDS.items():
        scores = conformal_sets.score_sets(run)[name]
        assert scores["set_coverage"] == pytest.approx(0.9, abs=0.05)
        assert scores["set_coverage_alone"] == pytest.approx(0.9, abs=0.05)
        assert scores["set_size"] < scores["set_size_alone"], "a better prediction needs smaller sets"
        options = {"penalty": kind[0], "free": kind[1]}
        mixtures = [metrics.mixture(run[f"{each}/log_probs"]) for each in ("validation", "test")]
        keys = [jax.random.fold_in(key, 0) for key in jax.random.split(jax.random.key(0))]
        strange = conformal.scores(mixtures[0], run["validation/labels"], key=keys[0], **options)
        whole = conformal.sets(mixtures[1], conformal.threshold(strange), key=keys[1], **options)
        assert scores["set_size"] == pytest.approx(float(whole.sum(1).mean()))
        covered = conformal.set_covers(whole, run["test/labels"]).mean()
        assert scores["set_coverage"] == pytest.approx(float(covered))


def test_members_that_are_copies_have_the_sets_of_the_ensemble(monkeypatch):
    run = classes(lambda k, z: z)
    scores = conformal_sets.score_sets(run)["APS"]
    assert scores["set_size_alone"] == pytest.approx(scores["set_size"])
    monkeypatch.setattr(conformal_sets, "_AT_ONCE", 100 * C)
    in_parts = conformal_sets.score_sets(run)["APS"]
    assert in_parts["set_coverage"] == pytest.approx(0.9, abs=0.05)
    assert in_parts["set_size"] == pytest.approx(scores["set_size"], abs=0.1), "drawn anew for every part"


@pytest.fixture(scope="module")
def run():
    return classes(lambda k, z: (1.0, 3.0, 6.0)[k] * z, noise=0.3)


@pytest.mark.slow
def test_terminal_page_and_record(run, tmp_path):
    found = audit([run], name="mine")
    titles = [table.title for table in found.tables]
    assert titles[-2:] == ["Is the gain still there after recalibration? On test", "Conformal sets, on test"]
    *_, recalibration, sets = found.tables
    assert recalibration.rows == KINDS
    assert sets.rows == ("APS", "RAPS")
    given = found.parts["recalibration"][0]["as given"]
    half = 1.96 * given["nll_gain_error"]
    assert recalibration.columns[2].cells[0].text == f"{given['nll_gain']:.3f} ± {half:.3f}"
    told = found.of_members_alone[-1]
    assert told.startswith(f"Its gain in NLL over a member is {given['nll_gain']:.3f}")
    console = Console(record=True, width=300, file=io.StringIO())
    print_audit(found, console)
    assert "Conformal sets, on test" in console.export_text()
    page = write_audit(found, [run], None, tmp_path, {"command": "c"}).read_text()
    assert page.index(found.headline[:30]) < page.index('id="standing"') < page.index("after recalibration?")
    record = json.loads((tmp_path / "audit.json").read_text())
    assert record["conformal"][0]["APS"].keys() >= {"set_coverage", "set_size", "set_size_alone"}
    assert record["recalibration"][0]["one temperature"]["nll_gain"] == pytest.approx(
        found.parts["recalibration"][0]["one temperature"]["nll_gain"]
    )


def test_several_runs_have_intervals_over_runs():
    runs = [recalibrated.score_recalibrated(classes(lambda k, z: 2 * z, seed, noise=1.0)) for seed in range(3)]
    (table,) = recalibrated.tables(runs)
    each = [rows["as given"]["nll_gain"] for rows in runs]
    half = stats.t.ppf(0.975, 2) * stats.sem(each)
    assert table.columns[2].cells[0].text == f"{np.mean(each):.3f} ± {half:.3f}"
    assert "95 % over runs" in table.note


def test_nothing_without_validation_data(run):
    alone = {key: array for key, array in run.items() if not key.startswith("validation/")}
    found = audit([alone])
    assert found.parts == {"recalibration": ({},), "conformal": ({},)}
    assert not any("recalibration" in table.title or "onformal" in table.title for table in found.tables)
    assert not any("validation" in text for text in found.of_members_alone)


def test_large_validation_sets_say_what_is_left_out(run, monkeypatch):
    monkeypatch.setattr(recalibrated, "LARGEST", run["validation/log_probs"].size - 1)
    rows = recalibrated.score_recalibrated(run)
    assert tuple(rows) == KINDS[:3]
    (table,) = recalibrated.tables([rows])
    assert "too large here for vector scaling and isotonic regression" in table.note


def gaussians(spread=0.5, seed=0, unit=1.0, stated=0.1):
    """Three members that err on their own, and state a variance of their own."""
    random, arrays = np.random.default_rng(seed), {}
    for name in ("validation", "test"):
        truth = random.normal(0, 1, N)
        arrays[f"{name}/targets"] = unit * (truth + 0.3 * random.normal(0, 1, N))
        arrays[f"{name}/mean"] = unit * (truth + spread * random.normal(0, 1, (3, N)))
        arrays[f"{name}/variance"] = unit**2 * stated * np.array([[1.0], [2.0], [4.0]]) * np.ones((3, N))
    return checked(arrays)


@pytest.mark.slow
@pytest.mark.parametrize("unit", [1.0, 1e4])
def test_of_a_regression(unit):
    run = gaussians(unit=unit)
    found = audit([run])
    (rows,) = found.parts["recalibration"]
    densities = stats.norm.logpdf(run["test/targets"], run["test/mean"], np.sqrt(run["test/variance"]))
    gain = -densities.mean(0) + np.log(np.exp(densities).mean(0))
    assert rows["as given"]["nll_gain"] == pytest.approx(gain.mean(), rel=1e-4)
    assert rows["as given"]["nll_gain_error"] == pytest.approx(stats.sem(gain), rel=1e-4)
    assert rows["as given"]["nll_gain"] > rows["one factor"]["nll_gain"] > 0.1
    assert rows["as given"]["crps"] == pytest.approx(found.result.runs[0].scores["test"]["crps"], rel=1e-5)
    (rows,) = found.parts["conformal"]
    (scores,) = rows.values()
    assert scores["interval_coverage"] == pytest.approx(0.9, abs=0.04)
    assert scores["interval_width"] < scores["interval_width_alone"]
    mixture_std = [np.sqrt(run[f"{s}/variance"].mean(0) + run[f"{s}/mean"].var(0)) for s in ("validation", "test")]
    distance = abs(run["validation/targets"] - run["validation/mean"].mean(0)) / mixture_std[0]
    q = np.sort(distance)[math.ceil(0.9 * (N + 1)) - 1]
    assert scores["interval_width"] == pytest.approx(2 * q * mixture_std[1].mean(), rel=1e-4)
    assert [t.title for t in found.tables][-1] == "Conformal intervals, on test"
    assert "scaled on validation data" in found.of_members_alone[-1]


@pytest.mark.slow
def test_copies_of_a_regression_gain_nothing_and_point_masses_have_no_factor():
    run = gaussians()
    one = {key: array[[0, 0, 0]] if array.ndim == 2 else array for key, array in run.items()}
    for scores in regression_parts.score_scaled(one).values():
        assert scores["nll_gain"] == pytest.approx(0, abs=1e-6)
        assert scores["crps_gain"] == pytest.approx(0, abs=1e-6)
    points = {key: 0 * array if key.endswith("variance") else array for key, array in run.items()}
    assert tuple(regression_parts.score_scaled(points)) == ("as given",)
    assert regression_parts.told_scaled([regression_parts.score_scaled(points)]) == []
