"""A finished study judged: from its folder, from its results, on the command line."""

import dataclasses
import io
import itertools
import json
import runpy
import sys

import numpy as np
import pytest
from report_fakes import run_record, study
from rich.console import Console
from stats_fakes import runs, world

import be_jax.judge
from be_jax.config import ConfigError
from be_jax.judge import Config, judge_folder, main
from be_jax.pool import score_pool
from be_jax.report.words import endpoint_title, recovery
from be_jax.results import PoolRecord, StudyResult
from be_jax.runs import seed_folder
from be_jax.scores import score_predictions
from be_jax.stats import Endpoint, JudgeConfig, Judgement, Weights, judge_results, judge_study
from be_jax.stats.study import load_from
from be_jax.stats.weights import JUDGED, MATCHED

pytestmark = pytest.mark.slow

MEMBERS, EXAMPLES, POOL = 3, 400, 8
SHARES = {
    "single": 0.0,
    "copies": 0.0,
    "batch_ensemble": 0.0,
    "mc_dropout": 1.0,
    "single_wide": 0.0,
    "deep_ensemble": 1.0,
}
SEEDS = (42, 69, 123, 456)


def plan(methods=tuple(SHARES)):
    return {method: tuple(range(POOL)) if method == "single" else SEEDS for method in methods}


def finished(folder, seeds_by_method, diverged=(), sets=("validation", "test", "shift/noise_1", "ood/unseen")):
    """Writes a study of examples that all methods share; returns its result."""
    examples, records = world(EXAMPLES, sets=sets), []
    for stream, (method, seeds) in enumerate(seeds_by_method.items()):
        members = 1 if method in ("single", "single_wide") else MEMBERS
        predicted = runs(examples, SHARES[method], len(seeds), members, seed=stream)
        for seed, predictions in zip(seeds, predicted, strict=True):
            step = 9 if (method, seed) in diverged else None
            records.append(run_record(method, seed, score_predictions(predictions), step=step))
            path = seed_folder(folder / method, seed)
            path.mkdir(parents=True)
            np.savez(path / "predictions.npz", **predictions)
    result = study(records, members=MEMBERS)
    result = dataclasses.replace(result, provenance={"command": "python -m x", "date": "2026-01-31"})
    result.save(folder / "results.json")
    return result


def measured(folder, result, pairs):
    """What measuring weights leaves: kernels of the BatchEnsemble that are near, of the pool's networks far apart."""

    def scores(units, end):
        ends = {unit: end + 0.01 * i for i, unit in enumerate(units)}
        return {unit: {f"{o}{name}": at for name in JUDGED for o in ("", MATCHED)} for unit, at in ends.items()}

    about = {"data": result.data, "config": dict(result.config), "num_inputs": 1000}
    own = [(seed,) for seed in SEEDS]
    Weights(about, {"batch_ensemble": scores(own, 0.05), "deep_ensemble": scores(pairs, 1.0)}).save(
        folder / "weights.json"
    )


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pooled")
    result = finished(folder, plan(), {("batch_ensemble", 456)})
    measured(folder, result, list(itertools.combinations(range(POOL), 2)))
    return folder


@pytest.fixture(scope="module")
def judgement(pooled):
    return judge_study(pooled)


def decisions(judgement, name):
    return {verdict.claim: verdict.decision for verdict in judgement.method(name).verdicts}


def test_everything_but_references_and_the_control_is_judged(judgement):
    roles = {judged.name: judged.role for judged in judgement.methods}
    assert roles == {
        "batch_ensemble": "method",
        "mc_dropout": "method",
        "single_wide": "reference",
        "deep_ensemble": "method",
    }


def test_controls_pass(judgement):
    assert [control.passed for control in judgement.controls] == [True, True]
    assert [control.expected for control in judgement.controls] == [0.0, 1.0]


def test_copies_and_independent_networks_are_told_apart(judgement):
    assert decisions(judgement, "batch_ensemble")["C3"] == "supported"
    assert decisions(judgement, "batch_ensemble")["C4"] == "supported"
    for name in ("mc_dropout", "deep_ensemble"):
        assert decisions(judgement, name)["C3"] == "contradicted"
        assert judgement.method(name).row("test", "nll_scaled").position.holds(1)
    worth = {name: judgement.method(name).equivalents["test nll_scaled"] for name in ("batch_ensemble", "mc_dropout")}
    assert worth["batch_ensemble"].value == 1.0 < worth["mc_dropout"].lower
    assert worth["mc_dropout"].largest == 2 * MEMBERS


def test_units_are_those_that_did_not_diverge(judgement):
    assert judgement.method("batch_ensemble").units == {"seeds of batch ensemble": 3, "networks": POOL}
    assert "Left out, since they diverged: batch ensemble, seed 456." in judgement.notes


def test_the_pools_deep_ensembles_are_of_all_sizes(judgement):
    equivalents = judgement.method("mc_dropout").equivalents
    assert set(equivalents) == {"test nll_scaled", "test nll", "test brier_scaled", "ood auroc_max_probability"}


def test_joint_deep_ensembles_are_the_reference_where_asked(pooled):
    judged = judge_study(pooled, joint=True, weights=Weights({"num_inputs": 1}, {}))
    assert judged.method("deep_ensemble") is None
    assert judged.method("mc_dropout").units == {"seeds of mc dropout": 4, "single networks": POOL, "deep ensembles": 4}
    assert judged.controls[1].passed is None
    assert judged.method("mc_dropout").row("test", "nll_scaled").position.holds(1)


def test_weights_are_set_against_deep_ensembles_trained_as_such_where_those_were_measured(pooled):
    measured = Weights.load(pooled / "weights.json")
    joint = dict(zip(((seed,) for seed in SEEDS), measured.scores["deep_ensemble"].values(), strict=False))
    judged = judge_study(pooled, weights=Weights(measured.about, {**measured.scores, "deep_ensemble": joint}))
    assert decisions(judged, "batch_ensemble")["C4"] == "supported"


def test_undertrained_methods_are_not_judged(pooled):
    judged = judge_study(pooled, undertrained=("mc_dropout",), weights=Weights({"num_inputs": 1}, {}))
    assert set(decisions(judged, "mc_dropout").values()) == {"undertrained"}
    assert "undertrained" not in decisions(judged, "batch_ensemble").values()


def test_an_undertrained_method_that_is_not_there_is_refused(pooled):
    with pytest.raises(
        ValueError, match=r"undertrained names \['batchensemble'\]; the methods of the study are single"
    ):
        judge_study(pooled, undertrained=("batchensemble",))


def test_a_result_with_a_loader_is_judged_as_its_folder_is(pooled, judgement):
    result = StudyResult.load(pooled / "results.json")
    weights = Weights.of_study(pooled / "weights.json", result)
    again = judge_study(result, load_from(pooled), weights=weights)
    assert str(again) == str(judgement)
    with pytest.raises(ValueError, match="needs `load`"):
        judge_study(result)


def test_the_file_gives_the_judgement_back(judgement, tmp_path):
    path = tmp_path / "new" / "verdicts.json"
    judgement.save(path)
    json.loads(path.read_text(), parse_constant=pytest.fail)
    loaded = Judgement.load(path)
    assert loaded.config == judgement.config
    assert loaded.notes == judgement.notes
    for mine, theirs in zip(loaded.methods, judgement.methods, strict=True):
        assert mine.verdicts == theirs.verdicts
        assert (mine.name, mine.role, dict(mine.units)) == (theirs.name, theirs.role, dict(theirs.units))
        assert [row.endpoint for row in mine.rows] == [row.endpoint for row in theirs.rows]
        for ours, row in zip(mine.rows, theirs.rows, strict=True):
            np.testing.assert_allclose(ours.position.pieces, row.position.pieces, rtol=1e-5)
            assert (ours.reason, ours.needed, ours.missing) == (row.reason, row.needed, row.missing)
        assert mine.equivalents.keys() == theirs.equivalents.keys()
        for place, read in mine.equivalents.items():
            kept = theirs.equivalents[place]
            assert (read.largest, read.beyond) == (kept.largest, kept.beyond)
            np.testing.assert_allclose(
                [read.value, read.lower, read.upper], [kept.value, kept.lower, kept.upper], rtol=1e-5
            )
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == path.read_text()


def test_a_file_of_an_older_version_is_refused(tmp_path):
    (tmp_path / "verdicts.json").write_text('{"verdicts": []}')
    with pytest.raises(ValueError, match="older version"):
        Judgement.load(tmp_path / "verdicts.json")


def test_weights_of_another_study_are_refused(pooled, tmp_path):
    result = StudyResult.load(pooled / "results.json")
    with pytest.raises(ValueError, match="of a study with other data or settings"):
        Weights.of_study(pooled / "weights.json", dataclasses.replace(result, data="other"))
    changed = dict.fromkeys(result.config, "another")
    with pytest.raises(ValueError, match="of a study with other data or settings"):
        Weights.of_study(pooled / "weights.json", dataclasses.replace(result, config=changed))
    younger = dataclasses.replace(result, config={**result.config, "setting": "younger than the file"})
    assert Weights.of_study(pooled / "weights.json", younger).scores
    weights = Weights.of_study(pooled / "weights.json", result)
    assert weights.samples("mc_dropout", SEEDS, "s", pool=range(POOL)) is None
    assert weights.samples("batch_ensemble", [7], "s", pool=range(POOL)) is None
    grown, _ = weights.samples("batch_ensemble", [*SEEDS, 7], "s", pool=range(POOL))
    measured, _ = weights.samples("batch_ensemble", SEEDS, "s", pool=range(POOL))
    assert grown.units == measured.units == len(SEEDS)
    with pytest.raises(ValueError, match=r"weights\.json has no deep_ensemble of seed .* and 99: measure"):
        weights.samples("batch_ensemble", SEEDS, "s", pool=[0, 99])


def test_a_study_that_compares_nothing_is_refused(tmp_path):
    result = finished(tmp_path, {"single": (1,), "batch_ensemble": (1,)})
    with pytest.raises(
        ValueError,
        match=r"more than 3 runs of single \(or .* of deep_ensemble\), .* has single \(1 runs\), batch_ensemble",
    ):
        judge_study(tmp_path)
    assert judge_results(result) is None


def test_a_study_without_validation_is_judged_on_raw_scores_and_says_so(tmp_path):
    finished(tmp_path, plan(("single", "mc_dropout")), sets=("test", "shift/noise_1", "ood/unseen"))
    judged = judge_study(tmp_path)
    assert judged.config.primary == ("test", "nll")
    assert any("No set `validation`" in note for note in judged.notes)


@pytest.fixture(scope="module")
def result(pooled):
    """With the pool's deep ensembles scored, as experiments do."""
    loaded, load = StudyResult.load(pooled / "results.json"), load_from(pooled)
    networks = [load("single", seed) for seed in range(POOL)]
    pool = [PoolRecord("single", tuple(range(POOL)), size, size, score_pool(networks, size)) for size in (1, MEMBERS)]
    return dataclasses.replace(loaded, pool=tuple(pool))


def test_scores_alone_give_the_same_positions_with_intervals_over_seeds(result, judgement):
    found = judge_results(result)
    assert any("not over test examples" in note for note in found.notes)
    for name in ("batch_ensemble", "mc_dropout", "deep_ensemble"):
        for endpoint in (*judgement.config.quality, Endpoint("test", "disagreement")):
            whole, scores = judgement.method(name).row(*endpoint), found.method(name).row(*endpoint)
            if whole.position.pieces and scores.position.pieces:
                assert scores.position.value == pytest.approx(whole.position.value, rel=1e-3, abs=1e-3)


def test_a_folder_without_a_study_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"runs must be the folder of a finished study.*nothing"):
        judge_folder(Config(tmp_path / "nothing"))


def test_command_line(pooled, tmp_path, monkeypatch, capsys):
    out = tmp_path / "verdicts.json"
    monkeypatch.setattr(sys, "argv", ["judge", str(pooled), "--out", str(out), "--judge.margin", "0.2"])
    monkeypatch.setenv("COLUMNS", "3000")
    main()
    printed, judged = capsys.readouterr().out, Judgement.load(out)
    assert judged.config == JudgeConfig(margin=0.2)
    assert judged.about["judged"]["command"].startswith("python -m be_jax.judge")
    for each in judged.methods:
        assert recovery(each.row(*judged.config.primary)) in printed
    page = (pooled / "report.html").read_text(encoding="utf-8")
    assert page.index("Controls: identical members: passed") < page.index("<h2>Tables")
    assert endpoint_title(judged.config.primary) in page
    monkeypatch.setattr(sys, "argv", ["judge", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match=r"error: .*results\.json"):
        runpy.run_path(be_jax.judge.__file__, run_name="__main__")


def test_a_broken_control_is_said_first(pooled, tmp_path):
    """The negative control is a deep ensemble: nothing is said of any method, anywhere."""
    for method in ("single", "copies", "batch_ensemble", "mc_dropout"):
        source = "mc_dropout" if method == "copies" else method
        (tmp_path / method).symlink_to(pooled / source)
    loaded = StudyResult.load(pooled / "results.json")
    kept = tuple(run for run in loaded.runs if run.method in ("single", "copies", "batch_ensemble", "mc_dropout"))
    dataclasses.replace(loaded, runs=kept).save(tmp_path / "results.json")
    console = Console(file=io.StringIO(), width=400)
    judged = judge_folder(Config(tmp_path), console)
    assert {v.decision for each in judged.methods for v in each.verdicts} == {"control failed"}
    text = console.file.getvalue()
    assert text.lstrip().startswith("• No verdict: a control failed.")
    for words in ("nearer to", "worse than a", "supported", "contradicted"):
        assert words not in text.split("In brackets")[0]
