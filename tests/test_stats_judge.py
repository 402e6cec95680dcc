"""Judgements on methods whose truth is known, controls, and what may never change a verdict."""

import dataclasses
import math

import numpy as np
import pytest
from stats_fakes import runs, sample, world

from be_jax.stats import (
    PARAMETERS,
    JudgeConfig,
    Judgement,
    Sample,
    Samples,
    deep_ensemble_equivalent,
    judge,
    of_pool,
    of_seeds,
    size_curve,
)
from be_jax.stats.controls import positive

SEEDS, NETWORKS = 8, 12
SHARES = {"copies": 0.0, "between": 0.5, "independent": 1.0}


@pytest.fixture(scope="module")
def examples():
    return world()


@pytest.fixture(scope="module")
def networks(examples):
    return runs(examples, 0.0, members=1, seeds=NETWORKS)


@pytest.fixture(scope="module")
def samples(examples, networks):
    methods = {
        name: sample(runs(examples, share, seeds=SEEDS, seed=5), f"seeds of {name}") for name, share in SHARES.items()
    }
    return Samples(methods, of_pool(networks, 1), of_pool(networks, 4))


@pytest.fixture(scope="module")
def judgement(samples):
    return judge(samples)


def decisions(judgement: Judgement, name: str) -> dict[str, str]:
    return {verdict.claim: verdict.decision for verdict in judgement.method(name).verdicts}


def test_an_endpoint_by_which_copies_are_not_at_0_is_told(samples):
    """Copies as they are, but for an accuracy on shifted images that is a deep ensemble's."""
    place, deep = ("shift", "accuracy"), samples.deep_ensemble
    copies = samples.methods["copies"]
    scores = [{**each, place: deep.scores[i][place]} for i, each in enumerate(copies.scores)]
    spoilt = dataclasses.replace(samples, copies=dataclasses.replace(copies, scores=scores, factor="seeds of copies 2"))
    honest = dataclasses.replace(samples, copies=dataclasses.replace(copies, factor="seeds of copies 2"))
    told, silent = (" ".join(judge(each).notes) for each in (spoilt, honest))
    assert "Copies of one network, which pass by test nll_scaled, are not at 0 by shift accuracy, " in told
    assert "shift accuracy" not in silent


@pytest.mark.slow
@pytest.mark.parametrize(("name", "position"), SHARES.items())
def test_known_positions_are_in_their_intervals(judgement, name, position):
    judged = judgement.method(name)
    for metric in ("nll_scaled", "accuracy"):
        row = judged.row("test", metric)
        assert row.position.holds(position)
        assert row.position.value == pytest.approx(position, abs=0.4)
        assert row.deep_ensemble != row.single


@pytest.mark.slow
def test_copies_are_a_single_model(judgement):
    assert decisions(judgement, "copies")["C3"] == "supported"
    assert judgement.method("copies").row("test", "root_epistemic").position.upper < 1e-3
    assert decisions(judgement, "copies")["C1"] == "supported"
    assert (
        judgement.method("copies").verdict("C2").stated[0].words.startswith(("nearer to a single", "equivalent to a s"))
    )


def test_independent_networks_are_a_deep_ensemble(judgement):
    assert decisions(judgement, "independent")["C2"] == decisions(judgement, "independent")["C3"] == "contradicted"
    assert decisions(judgement, "independent")["C1"] in ("undecided", "contradicted")
    assert judgement.method("independent").row("test", "disagreement").position.holds(1)


def test_a_mixture_lies_between(judgement):
    between = judgement.method("between")
    assert decisions(judgement, "between")["C1"] == "supported"
    assert between.row("test", "disagreement").position.value == pytest.approx(0.5, abs=0.1)
    assert between.row("test", "root_epistemic").position.value == pytest.approx(math.sqrt(0.5), abs=0.05)


def test_the_very_same_predictions_recover_exactly_nothing(samples):
    same = dataclasses.replace(samples, methods={"same": samples.single})
    judged = judge(same).method("same")
    for metric in ("nll_scaled", "accuracy"):
        assert judged.row("test", metric).position.pieces == ((0.0, 0.0),)
    assert judged.verdict("C2").stated[0].words == "equivalent to a single model"


def test_methods_have_seeds_of_their_own_and_references_share_networks(judgement):
    assert judgement.method("between").units == {"seeds of between": SEEDS, "networks": NETWORKS}


def test_what_is_paired_must_have_the_same_units(samples):
    wrong = Samples(
        {"m": of_seeds(samples.methods["copies"].scores, "networks")}, samples.single, samples.deep_ensemble
    )
    with pytest.raises(ValueError, match="samples of 8 and of 12 networks, which cannot be paired"):
        judge(wrong)
    with pytest.raises(ValueError, match="no runs of the factor 'seeds'"):
        of_seeds([])
    with pytest.raises(ValueError, match="there is no method to judge"):
        judge(Samples({}, samples.single, samples.deep_ensemble))


def without(found: Sample, *places: tuple[str, str]) -> Sample:
    kept = [{place: values for place, values in scores.items() if place not in places} for scores in found.scores]
    return dataclasses.replace(found, scores=tuple(kept))


@pytest.mark.parametrize("dropped", JudgeConfig().quality)
def test_dropping_a_score_never_supports_anything(samples, judgement, dropped):
    """Of the method alone or of all; each claim that rests on it is undecided and names it."""
    thin = {name: without(each, dropped) for name, each in samples.methods.items()}
    for fewer in (
        dataclasses.replace(samples, methods=thin),
        Samples(thin, without(samples.single, dropped), samples.deep_ensemble),
    ):
        if dropped == JudgeConfig().primary and not fewer.single.has(*dropped):
            continue  # then raw scores are judged, and it is said: see below
        found = judge(fewer)
        for name in SHARES:
            for claim in ("C1", "C2"):
                verdict = found.method(name).verdict(claim)
                assert verdict.decision == "undecided"
                assert f"{dropped} is missing" in verdict.reason
            assert found.method(name).verdict("C3").decision == judgement.method(name).verdict("C3").decision


def test_a_misspelt_endpoint_never_drops_a_row(samples):
    renamed = JudgeConfig(quality=(("test", "nll_scaled"), ("ood", "auroc_total")))
    verdict = judge(samples, renamed).method("copies").verdict("C2")
    assert (verdict.decision, verdict.reason) == (
        "undecided",
        "ood auroc_total is missing (method, single, deep ensemble)",
    )


def test_without_a_temperature_raw_scores_are_judged_and_it_is_said(examples):
    logits = {name: values for name, values in examples.logits.items() if name != "validation"}
    no_validation = examples._replace(logits=logits)
    networks = runs(no_validation, 0.0, members=1, seeds=6)
    method = sample(runs(no_validation, 0.0, seeds=4), "seeds of the method")
    found = judge(Samples({"m": method}, of_pool(networks, 1), of_pool(networks, 4)))
    assert found.config.primary == ("test", "nll")
    assert any("raw scores are judged" in note for note in found.notes)
    assert found.method("m").row("test", "nll").position.pieces


@pytest.mark.parametrize("units", [1, 2])
def test_too_few_seeds_decide_nothing(samples, units):
    few = of_seeds(samples.methods["copies"].scores[:units], "seeds of few")
    curve = {1: samples.single, 4: samples.deep_ensemble}
    found = judge(dataclasses.replace(samples, methods={"few": few}, curve=curve)).method("few")
    assert {verdict.decision for verdict in found.verdicts} == {"undecided", "not judged"}
    assert found.verdict("C1").reason == f"needs at least 3 of each, got {units} seeds of few"
    worth = found.equivalents["test nll_scaled"]
    assert math.isnan(worth.lower) == (units == 1)
    assert math.isfinite(worth.value)


def test_a_score_that_is_not_finite_is_not_decided(samples):
    broken = [{**scores, ("test", "nll_scaled"): np.full(51, np.nan)} for scores in samples.methods["copies"].scores]
    found = judge(dataclasses.replace(samples, methods={"m": of_seeds(broken, "s")})).method("m")
    assert found.verdict("C1").decision == "undecided"
    assert found.verdict("C1").reason.startswith("a score is not finite")


def test_a_deep_ensemble_without_gain_leaves_everything_open(examples, samples):
    copies = sample(runs(examples, 0.0, seeds=SEEDS, seed=9), "deep ensembles")
    found = judge(dataclasses.replace(samples, deep_ensemble=copies)).method("between")
    assert found.verdict("C1").decision == found.verdict("C2").decision == "undecided"
    assert not found.row("test", "nll_scaled").position.bounded
    assert "not measurably better" in found.row("test", "nll_scaled").reason
    assert found.row("test", "root_epistemic").reason == "the deep ensemble's members do not differ measurably"


def test_a_deep_ensemble_that_loses_gives_no_position(samples):
    swapped = dataclasses.replace(samples, single=samples.deep_ensemble, deep_ensemble=samples.single)
    row = judge(swapped).method("between").row("test", "nll_scaled")
    assert (row.reason, row.position.pieces) == ("the deep ensemble is measurably worse than a single model", ())


def test_the_negative_control_passes_for_copies_and_fails_for_what_gains(samples):
    for name, passed in (("copies", True), ("independent", False)):
        found = judge(dataclasses.replace(samples, copies=samples.methods[name]))
        assert found.controls[0].passed is passed
    assert "its members differ" in found.controls[0].reason
    gains = [{k: v for k, v in s.items() if "epistemic" not in k[1]} for s in samples.methods["independent"].scores]
    found = judge(dataclasses.replace(samples, copies=of_seeds(gains, "seeds of gains")))
    assert (found.controls[0].passed, found.controls[0].reason) == (False, "by test nll_scaled, not 0")


def test_a_broken_control_leaves_no_verdict(samples):
    found = judge(dataclasses.replace(samples, copies=samples.methods["independent"]))
    verdicts = [verdict for judged in found.methods for verdict in judged.verdicts]
    assert {verdict.decision for verdict in verdicts} == {"control failed"}
    assert not any(each.words for verdict in verdicts for each in verdict.stated)
    assert found.failed == found.controls[:1]


def with_shift(predictions):
    """The test set a second time, as a shifted one."""
    return predictions | {
        key.replace("test/", "shift/blur_1/"): array for key, array in predictions.items() if key.startswith("test/")
    }


def test_the_positive_control_is_of_the_other_half_of_the_pool(networks, samples, examples):
    control = positive(networks, 4, JudgeConfig())
    assert control.passed is True
    assert control.position.holds(1)
    other = runs(examples._replace(logits={k: 0.5 * v for k, v in examples.logits.items()}), 0.0, members=1, seeds=6)
    mixed = [each for pair in zip(networks[:6], other, strict=True) for each in pair]
    shift = JudgeConfig(quality=(("shift", "nll"),))
    assert positive([with_shift(each) for each in networks], 4, shift).position.pieces, "of an endpoint over sets"
    broken = positive(mixed, 4, JudgeConfig())
    assert broken.passed is False
    found = judge(dataclasses.replace(samples, positive=broken))
    assert decisions(found, "copies")["C1"] == "control failed"
    assert "takes 10" in positive(networks[:9], 4, JudgeConfig()).reason


def test_copies_that_trained_otherwise_fail_the_control(samples):
    apart = "they end at a training NLL of 0.1"
    found = judge(dataclasses.replace(samples, copies=samples.methods["copies"], copies_apart=apart))
    assert found.controls[0].reason == apart
    assert found.controls[0].passed is False
    assert {verdict.decision for each in found.methods for verdict in each.verdicts} == {"control failed"}


def test_what_was_not_trained_to_the_end_is_not_judged(samples):
    found = judge(dataclasses.replace(samples, undertrained={"between": "still falling at epoch 10"}))
    assert {verdict.decision for verdict in found.method("between").verdicts} == {"undertrained"}
    assert found.method("between").verdict("C1").reason == "still falling at epoch 10"
    assert decisions(found, "copies")["C1"] == "supported"


def test_a_reference_is_placed_and_has_no_members(examples, samples):
    wide = sample(runs(examples, 0.0, seeds=4, members=1), "seeds of wide")
    found = judge(dataclasses.replace(samples, methods={"wide": wide}, references=frozenset({"wide"}))).method("wide")
    assert found.role == "reference"
    assert found.row("test", "nll_scaled").position.holds(0)
    assert found.verdict("C3").decision == "not judged"


def test_weights_are_judged_where_they_were_measured(samples):
    def of(distances, factor):
        places = (PARAMETERS, "kernel_distance"), (PARAMETERS, "loss_barrier")
        return of_seeds([dict(zip(places, map(np.atleast_1d, (d, 2 * d)), strict=True)) for d in distances], factor)

    near, far = of([0.1, 0.12, 0.11], "seeds of copies"), of([1.4, 1.41, 1.39], "networks")
    start = {"copies": {(PARAMETERS, "kernel_distance"): 0.7}}
    found = judge(dataclasses.replace(samples, weights={"copies": (near, far)}, at_start=start)).method("copies")
    assert found.verdict("C4").decision == "supported"
    assert found.row(PARAMETERS, "kernel_distance").position.value == pytest.approx(0.11 / 1.4)
    assert found.row(PARAMETERS, "kernel_distance").at_start == pytest.approx(0.5)
    assert found.row(PARAMETERS, "loss_barrier").position.value == pytest.approx(0.11 / 1.4)


@pytest.mark.slow
def test_equivalents_are_those_of_the_curve(networks, samples):
    curve = size_curve(networks, 3)
    found = judge(dataclasses.replace(samples, curve=curve)).method("between").equivalents
    assert {"test nll_scaled", "test nll", "test brier_scaled", "shift nll_scaled", "ood auroc_max_probability"} == set(
        found
    )
    expected = deep_ensemble_equivalent(samples.methods["between"], curve, "test", "nll_scaled")
    assert found["test nll_scaled"] == expected


def test_power_is_told_for_this_study_and_for_one_that_decides(samples):
    row = judge(samples).method("copies").row("test", "nll_scaled")
    assert 0 < row.detectable < 1
    assert row.needed is not None
    assert (row.detectable <= 0.5) == (row.needed["networks"] <= NETWORKS)
    few = of_seeds(samples.methods["copies"].scores[:3], "seeds of few")
    less = judge(dataclasses.replace(samples, methods={"few": few})).method("few").row("test", "nll_scaled")
    assert less.detectable > 0
