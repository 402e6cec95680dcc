"""The verdicts of a finished study, whose methods are copies of one network or independent networks."""

import dataclasses
import itertools

import numpy as np
import pytest
from judge_fakes import runs, world
from report_fakes import run_record, study

from be_jax.results import PoolRecord, StudyResult
from be_jax.runs import seed_folder
from be_jax.stats import Equivalent, JudgeConfig, evidence_table, percent, sentence
from experiments.judge import Config, judge_study, show, weights_measured
from experiments.judge_report import Judgement, markdown
from experiments.weights_report import JUDGED, MATCHED, Weights

SEEDS, MEMBERS = (42, 69, 123, 456), 3
SHARES = {"single": 0.0, "batch_ensemble": 0.0, "mc_dropout": 1.0, "deep_ensemble": 1.0}
COPIES, INDEPENDENT = "BatchEnsemble N(1, 0.5)", "MC dropout"
JUDGE = JudgeConfig(resamples=200)


def finished(folder, methods, diverged=()):
    """Writes a study of examples that all methods share; returns its result."""
    examples, records = world(400), []
    for stream, (method, seeds) in enumerate(methods.items()):
        members = 1 if method == "single" else MEMBERS
        predicted = runs(examples, SHARES[method], len(seeds), members, seed=stream)
        for seed, predictions in zip(seeds, predicted, strict=True):
            records.append(run_record(method, seed, {}, step=9 if (method, seed) in diverged else None))
            path = seed_folder(folder / method, seed)
            path.mkdir(parents=True)
            np.savez(path / "predictions.npz", **predictions)
    result = study(records, members=MEMBERS)
    return dataclasses.replace(result, provenance={"command": "python -m x", "date": "2026-01-31"})


def measured(folder, result, units, own):
    """What `experiments.weights` leaves: kernels of the BatchEnsemble that are near, of deep ensembles far apart."""

    def scores(of_units, end):
        ends = {unit: end + 0.01 * i for i, unit in enumerate(of_units)}
        return {
            unit: {f"{order}{name}": end for name in JUDGED for order in ("", MATCHED)} for unit, end in ends.items()
        }

    about = {"data": result.data, "config": result.config, "num_inputs": 1000}
    of_methods = {"batch_ensemble": scores(own, 0.05), "deep_ensemble": scores(units, 1.0)}
    Weights(about, of_methods).save(folder / "weights.json")


@pytest.fixture(scope="module")
def paired(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paired")
    result = finished(folder, dict.fromkeys(SHARES, SEEDS), {("batch_ensemble", 456)})
    result.save(folder / "results.json")
    seeds = [(seed,) for seed in SEEDS]
    measured(folder, result, seeds, seeds)
    return folder


@pytest.fixture(scope="module")
def judgement(paired):
    return judge_study(Config(paired, judge=JUDGE))


@pytest.fixture(scope="module")
def pooled(tmp_path_factory):
    folder, networks = tmp_path_factory.mktemp("pooled"), tuple(range(6))
    result = finished(folder, {"single": networks, "batch_ensemble": SEEDS[:3]})
    pool = (PoolRecord("single", networks, MEMBERS, 1, {}),)
    dataclasses.replace(result, pool=pool).save(folder / "results.json")
    measured(folder, result, list(itertools.combinations(networks, 2)), [(seed,) for seed in SEEDS[:3]])
    return judge_study(Config(folder, judge=JUDGE))


def decisions(judgement, method):
    return {claim: verdict.decision for claim, verdict in judgement.methods[method].items()}


def test_copies_and_independent_networks_are_told_apart(judgement):
    assert set(judgement.methods) == {COPIES, INDEPENDENT}
    assert decisions(judgement, COPIES)["C3"] == "supported"
    assert {decisions(judgement, INDEPENDENT)[claim] for claim in ("C2", "C3")} == {"contradicted"}
    worth = {method: judgement.equivalents[method]["test nll"] for method in (COPIES, INDEPENDENT)}
    assert worth[COPIES].upper < worth[INDEPENDENT].value
    assert worth[INDEPENDENT].lower <= MEMBERS <= worth[INDEPENDENT].upper
    assert worth[INDEPENDENT].largest == 2 * MEMBERS


def test_every_score_has_its_equivalent_also_of_single_networks(judgement):
    scores = {"test nll", "test uncalibrated_nll", "test brier", "shift nll", "ood/unseen auroc_epistemic"}
    assert {method: set(worth) for method, worth in judgement.equivalents.items()} == dict.fromkeys(
        (COPIES, INDEPENDENT, "single network"), scores
    )


def test_a_diverged_run_leaves_its_seed_out_and_is_told(judgement):
    assert judgement.methods[COPIES]["C1"].units == {"seeds": 3}
    assert judgement.methods[INDEPENDENT]["C1"].units == {"seeds": 4}
    assert f"{COPIES}: 3 of 4 runs; seed 456 diverged at step 9." in judgement.about["notes"]


def test_deep_ensembles_come_from_the_pool_where_there_is_one(pooled):
    assert pooled.methods[COPIES]["C1"].units == {"seeds": 3, "networks": 6}
    assert decisions(pooled, COPIES)["C3"] == "supported"
    assert pooled.equivalents[COPIES]["test nll"].largest == 5
    assert list(pooled.equivalents) == [COPIES]


def test_the_file_gives_the_judgement_back_and_is_small(judgement, tmp_path):
    path = tmp_path / "results" / "verdicts.json"
    judgement.save(path)
    assert path.stat().st_size < 30_000
    loaded = Judgement.load(path)
    tables = [evidence_table(each.verdicts) for each in (judgement, loaded)]
    assert tables[0].index.equals(tables[1].index)
    for column in ("estimate", "lower", "upper", "adjusted_p"):
        np.testing.assert_allclose(tables[1][column], tables[0][column], rtol=1e-3)
    assert list(tables[1]["decision"]) == list(tables[0]["decision"])
    worth = [each.equivalents[COPIES]["test nll"] for each in (judgement, loaded)]
    assert worth[1] == Equivalent(*[pytest.approx(value, rel=1e-3) for value in dataclasses.astuple(worth[0])[:4]], "<")
    assert loaded.about["judge"]["resamples"] == 200
    assert loaded.about["provenance"]["jax"]


def test_the_readme_shows_verdicts_figures_and_commands(judgement):
    text = markdown(judgement)
    header, _, *lines = text.splitlines()
    cells = {line.split(" | ")[0].removeprefix("| "): line for line in lines}
    assert header == f"|  | {COPIES} | {INDEPENDENT} |"
    assert "| **supported** | **contradicted** |" in cells["C3: has members that are near-identical as functions"]
    by_place = {(row.set_name, row.metric): row for row in judgement.methods[INDEPENDENT]["C3"].evidence}
    assert percent(by_place["shift", "epistemic"]) in cells["mutual information, shift"]
    worth = judgement.equivalents[INDEPENDENT]["test uncalibrated_nll"]
    assert str(worth) in cells["worth in networks, test NLL"]
    assert {"gain, test accuracy", "gain, test NLL", "disagreement, unseen"} <= cells.keys()
    assert "made of 12" in text
    assert "`python -m x`, 2026-01-31; `python -m experiments.judge" in text


def test_everything_is_said_on_the_terminal(judgement, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    show(judgement)
    printed = capsys.readouterr().out
    assert all(sentence(verdict) in printed for verdict in judgement.verdicts)
    assert all(str(worth) in printed for worth in judgement.equivalents[COPIES].values())
    assert "gain, shift ECE" in printed


def test_weights_are_judged(judgement):
    assert decisions(judgement, COPIES)["C4"] == "supported"
    for row in judgement.methods[COPIES]["C4"].evidence:
        assert row.estimate == pytest.approx(0.06 / 1.01)  # without the seed that diverged
    assert decisions(judgement, INDEPENDENT)["C4"] == "not judged"
    assert "kernel distance, parameters" in markdown(judgement)
    assert any("hidden units matched" in note for note in judgement.about["notes"])


def test_weights_of_a_pool_are_judged_by_its_pairs(pooled):
    assert decisions(pooled, COPIES)["C4"] == "supported"
    pairs = 15
    for row in pooled.methods[COPIES]["C4"].evidence:
        assert row.estimate == pytest.approx(0.06 / (1.0 + 0.01 * (pairs - 1) / 2))


def test_the_nearer_order_of_units_is_judged(paired):
    result = StudyResult.load(paired / "results.json")
    names = ("kernel_distance", f"{MATCHED}kernel_distance", "loss_barrier", f"{MATCHED}loss_barrier")
    scores = {(42,): dict(zip(names, (0.6, 0.7, 1.2, 0.4), strict=True))}
    own, _ = Weights({}, {"batch_ensemble": scores, "deep_ensemble": scores}).samples(result, "batch_ensemble", [42])
    assert {metric: float(value[0]) for (_, metric), value in own.scores[0].items()} == {
        "kernel_distance": 0.6,
        "loss_barrier": 0.4,
    }


def test_weights_that_were_not_measured_are_named(paired, tmp_path):
    result = StudyResult.load(paired / "results.json")
    assert weights_measured(result, tmp_path) is None
    measured(tmp_path, result, [(seed,) for seed in SEEDS], [(42,)])
    weights = weights_measured(result, tmp_path)
    assert weights.samples(result, "mc_dropout", SEEDS) is None
    with pytest.raises(ValueError, match=r"weights\.json has no batch_ensemble of seed 69: run experiments"):
        weights.samples(result, "batch_ensemble", SEEDS)
    with pytest.raises(ValueError, match=r"weights\.json is of a study with other data or settings"):
        weights_measured(dataclasses.replace(result, data="other"), tmp_path)


def test_a_study_without_deep_ensembles_is_refused(tmp_path):
    finished(tmp_path, {"single": (1,), "batch_ensemble": (1,)}).save(tmp_path / "results.json")
    with pytest.raises(
        ValueError, match=r"needs single, deep_ensemble and another method; .* has single, batch_ensemble"
    ):
        judge_study(Config(tmp_path))


def test_the_verdicts_lie_beside_the_study(tmp_path):
    assert Config(tmp_path / "mnist_full").path == tmp_path / "mnist_full" / "verdicts.json"
    assert Config(tmp_path, out=tmp_path / "x.json").path == tmp_path / "x.json"
