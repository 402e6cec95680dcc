"""The answer: true of the data, readable, and never a verdict from noise."""

import dataclasses
import re

import pytest
from report_fakes import METHODS, POSITIONS, SEEDS, cifar_study, run_record, study, study_at

from be_jax.report import answer
from be_jax.report.columns import percent
from be_jax.report.words import (
    claim_sentence,
    control_sentence,
    endpoint_title,
    headline,
    listed,
)
from be_jax.results import StudyResult
from be_jax.stats import Control, Endpoint, Interval, JudgeConfig, Row, judge_results
from be_jax.stats.claims import (
    BETTER_THAN_DEEP,
    NEAR_DEEP,
    NEAR_SINGLE,
    TO_DEEP,
    TO_SINGLE,
    WORSE_THAN_SINGLE,
    judge_claim,
)
from be_jax.stats.judgement import MethodJudgement

VERDICTS = (BETTER_THAN_DEEP, NEAR_DEEP, NEAR_SINGLE, TO_DEEP, TO_SINGLE, WORSE_THAN_SINGLE)
QUIET = 0.004


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (0.0, TO_SINGLE),
        (1.0, TO_DEEP),
        (0.35, NEAR_SINGLE),
        (0.65, NEAR_DEEP),
        (-1.0, WORSE_THAN_SINGLE),
        (2.0, BETTER_THAN_DEEP),
    ],
)
def test_answer_says_where_a_method_is(position, expected):
    result = study_at({**POSITIONS, "batch_ensemble": position}, noise=QUIET)
    (said,) = [sentence for sentence in answer(result) if "BatchEnsemble N(1, 0.5) is" in sentence]
    assert said.startswith(
        f"BatchEnsemble N(1, 0.5) is {expected} in test NLL, shift NLL, shift accuracy, test accuracy,"
    )
    assert "(all 6 endpoints): it recovers" in said


def test_every_method_has_one_sentence_references_last():
    said = answer(study_at({**POSITIONS, "single_wide": 0.1}, noise=QUIET))
    names = ["MC dropout", "BatchEnsemble N(1, 0.5)", "BatchEnsemble ±1", "Single network of equal cost"]
    assert [next(name for name in names if name in sentence) for sentence in said[:4]] == names
    assert said[4].startswith("Controls: identical members: not run (no ensemble of identical members was trained)")


def test_seeds_are_those_of_methods_as_they_are_called():
    said = answer(study_at({**POSITIONS, "single_wide": 0.1}, noise=QUIET))
    (judged,) = [sentence for sentence in said if "Judged on" in sentence]
    assert "seeds of single network of equal cost" in judged
    assert "seeds of BatchEnsemble ±1" in judged


def test_a_method_is_named_by_how_it_was_drawn():
    result = study_at(POSITIONS)
    assert any("BatchEnsemble N(1, 0.1)" in s for s in answer(study(list(result.runs), init_std=0.1)))


def test_figures_of_the_answer_are_those_of_the_judgement():
    result = study_at(POSITIONS)
    judgement = judge_results(result)
    for judged, sentence in zip(judgement.methods, answer(result, judgement), strict=False):
        assert f"it recovers {percent(judged.row('test', 'nll').position)} of the deep ensemble's gain in" in sentence


def test_no_verdict_from_noise():
    text = answer(study_at(POSITIONS, noise=0.6))
    assert text[1].startswith("It is undecided which end BatchEnsemble N(1, 0.5) is nearer to: it recovers")
    assert not any(words in sentence for words in VERDICTS for sentence in text[:3])


def test_inconclusive_says_that_a_study_is_large_enough_and_the_value_near_half():
    said = answer(study_at(POSITIONS, noise=0.25))[1]
    row = judge_results(study_at(POSITIONS, noise=0.25)).method("batch_ensemble").row("test", "nll")
    far = round(100 * row.detectable)
    assert f"80 % power to tell a gain below {50 - far} % or above {50 + far} % from half".replace("-", "−") in said
    assert "from half: the true one may lie between." in said


def test_inconclusive_says_what_would_decide():
    result = study_at(POSITIONS, noise=0.4)
    said = answer(result)[1]
    row = judge_results(result).method("batch_ensemble").row("test", "nll")
    far = round(100 * row.detectable)
    assert f"80 % power only for a gain below {50 - far} % or above {50 + far} %".replace("-", "−") in said
    assert f"would take {row.needed['seeds of batch ensemble']} seeds of BatchEnsemble N(1, 0.5)," in said


def judged_by(*intervals, reason=""):
    config = JudgeConfig(quality=tuple(("test", metric) for metric in ("nll", "accuracy", "brier")[: len(intervals)]))
    rows = tuple(
        Row(endpoint, Interval((low + high) / 2, ((low, high),)), reason=reason)
        for endpoint, (low, high) in zip(config.quality, intervals, strict=True)
    )
    verdicts = tuple(judge_claim(claim, rows, config) for claim in ("C1", "C2"))
    return MethodJudgement("m", "method", rows, verdicts, {}, {"seeds": 5}), config


def test_endpoints_that_point_different_ways_are_mixed_by_name():
    judged, config = judged_by((-0.2, 0.3), (0.7, 1.4))
    assert headline("A", judged, config) == (
        f"Mixed for A: it is {NEAR_SINGLE} in test NLL, and {NEAR_DEEP} in test accuracy (all 2 endpoints): "
        "it recovers 5 % [−20, 30] of the deep ensemble's gain in test NLL."
    )
    assert claim_sentence("A", judged, judged.verdicts[1]) == (
        "C2, A tracks a single model in accuracy, calibration and OOD detection: mixed. "
        f"{NEAR_SINGLE}: test NLL 5 % [−20, 30]; {NEAR_DEEP}: test accuracy 105 % [70, 140]."
    )


def test_worse_than_a_single_model_and_near_one_is_not_mixed():
    judged, config = judged_by((-0.9, -0.3), (-0.2, 0.3))
    said = f"A is worse than a single model in test NLL, and {NEAR_SINGLE} in test accuracy (all 2 endpoints)"
    assert headline("A", judged, config).startswith(said)


def test_the_next_endpoint_is_named():
    judged, config = judged_by((-0.2, 0.3), (0.2, 1.4), (0.0, 0.1))
    assert "(1 of 3 endpoints; the next, test accuracy at 80 % [20, 140], is open)" in headline("A", judged, config)
    first, second, *rest = judged.rows
    lacking = dataclasses.replace(second, missing=True)
    judged = dataclasses.replace(judged, rows=(first, lacking, *rest))
    assert "(1 of 3 endpoints; the next, test accuracy, was not measured)" in headline("A", judged, config)
    assert claim_sentence("A", judged, judged.verdicts[0]).startswith(
        "C1, A is worse than a deep ensemble: supported (the interval of test accuracy leaves it open). worse than a"
    )


@pytest.mark.parametrize(
    ("position", "shown"),
    [
        (Interval(0.434, ((-0.051, 0.61),)), "43 % [−5, 61]"),
        (Interval(-0.001, ((-0.004, 12.3),)), "0 % [0, 1,230]"),
        (Interval(0.5, ((float("-inf"), float("inf")),)), "50 % [−∞, ∞]"),
        (Interval(-0.6, ((float("-inf"), 0.22), (1.76, float("inf")))), "−60 % [−∞, 22] or [176, ∞]"),
        (Interval(float("nan"), ()), "–"),
    ],
)
def test_positions_by_hand(position, shown):
    assert percent(position) == shown


def test_controls_by_hand():
    assert control_sentence(Control("c", 0.0, Interval(0.5, ((0.2, 0.8),)), False, "by test nll, not 0")) == (
        "c: failed (by test nll, not 0) 50 % [20, 80], expected 0 %"
    )
    assert control_sentence(Control("c", 1.0, Interval(0.9, ((0.7, 1.1),)), True)) == (
        "c: passed 90 % [70, 110], expected 100 %"
    )
    assert ": checks nothing" in control_sentence(Control("c", 1.0, Interval(-0.2, ((-1.9, 1.4),)), True))
    assert control_sentence(Control("c", 1.0, reason="no pool")) == "c: not run (no pool)"


def test_a_failed_control_is_all_that_is_said():
    text = answer(study_at({**POSITIONS, "copies": 0.9}, noise=QUIET))
    assert (
        text[0].startswith("No verdict: a control failed. Identical members: failed") or "its members differ" in text[0]
    )
    assert not any(words in sentence for words in VERDICTS for sentence in text[:1])
    assert not any("recovers" in sentence for sentence in text)


@pytest.mark.parametrize(
    ("positions", "seeds", "phrase"),
    [
        ({**POSITIONS, "deep_ensemble": 0.0}, SEEDS, "the deep ensemble is not measurably better than a single model"),
        ({**POSITIONS, "deep_ensemble": -1.0}, SEEDS, "the deep ensemble is measurably worse than a single model"),
        (POSITIONS, (42,), "needs at least 3 of each, got 1 seeds of MC dropout"),
    ],
)
def test_what_cannot_be_judged_is_inconclusive_for_a_stated_reason(positions, seeds, phrase):
    text = answer(study_at(positions, seeds=seeds))
    assert text[0].startswith("It is undecided which end MC dropout is nearer to: ")
    assert phrase in text[0]


@pytest.mark.parametrize("left_out", ["single", "deep_ensemble"])
def test_without_references_the_question_is_not_answered(left_out):
    positions = {method: at for method, at in POSITIONS.items() if method != left_out}
    (text,) = answer(study_at(positions))
    assert text.startswith("Whether a method behaves like an ensemble is not answered")


def diverging(which: set[tuple[str, int]]) -> StudyResult:
    """The usual study, in which some runs diverged at step 123."""
    runs = study_at(POSITIONS).runs
    return study([run_record(r.method, r.seed, r.scores, 123 if (r.method, r.seed) in which else None) for r in runs])


def test_diverged_runs_are_left_out_and_named():
    assert "Left out, since they diverged: deep ensemble, seed 69." in answer(diverging({("deep_ensemble", 69)}))
    text = answer(diverging({("batch_ensemble", seed) for seed in SEEDS}))
    assert not any("BatchEnsemble N(1, 0.5)" in sentence for sentence in text[:3])


def test_all_runs_diverged():
    (text,) = answer(diverging({(method, seed) for method in METHODS for seed in SEEDS}))
    assert "is not answered" in text


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.3, 3.0])
@pytest.mark.parametrize("seeds", [SEEDS, SEEDS[:2]])
@pytest.mark.parametrize("left_out", [(), ("single",), ("batch_ensemble",)])
def test_every_answer_is_whole_sentences(noise, seeds, left_out):
    positions = {method: at for method, at in POSITIONS.items() if method not in left_out}
    for sentence in answer(study_at(positions, seeds=seeds, noise=noise)):
        assert re.fullmatch(r"[A-Z].*[^.,;: ]\.", sentence)
        assert not re.search(r"nan|inf\b|None|  |\[\]|-\d| ,", sentence)


def test_a_pool_and_a_temperature():
    text = answer(cifar_study())
    assert "gain in scaled test NLL" in text[0]
    assert any("3 seeds of MC dropout, 8 networks" in sentence for sentence in text)


def test_titles():
    assert endpoint_title(Endpoint("ood", "root_epistemic")) == "OOD root of mutual information"
    assert endpoint_title(Endpoint("ood/svhn", "auroc_max_probability")) == "svhn AUROC"
    assert endpoint_title(Endpoint("parameters", "kernel_distance")) == "kernel distance"
    assert [listed(list(parts)) for parts in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
