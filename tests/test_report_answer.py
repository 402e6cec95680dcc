"""The answer: true of the data, readable, and never a verdict from noise."""

import math
import re

import pytest
from report_fakes import DATA, METHODS, POSITIONS, SEEDS, cifar_study, run_record, study, study_at

from be_jax.report import answer, diversity_ratio, gain_recovered, summarise
from be_jax.report.answer import listed
from be_jax.report.benchmark import corruptions
from be_jax.report.columns import ACCURACY, AUROC_EPISTEMIC, NLL, percent
from be_jax.report.ratios import Ratio
from be_jax.report.summary import look_up
from be_jax.report.verdict import BETTER, BETWEEN, LIKE_DEEP, LIKE_SINGLE, UNDECIDED, WORSE, verdict
from be_jax.results import StudyResult

VERDICTS = (BETTER, BETWEEN, LIKE_DEEP, LIKE_SINGLE, WORSE)


@pytest.mark.parametrize(
    ("lower", "upper", "expected"),
    [
        (-0.25, 0.25, LIKE_SINGLE),
        (0.05, 0.2, LIKE_SINGLE),
        (-0.2, -0.1, LIKE_SINGLE),
        (0.75, 1.25, LIKE_DEEP),
        (1.01, 1.2, LIKE_DEEP),
        (-0.6, -0.01, WORSE),
        (1.01, 1.6, BETTER),
        (0.01, 0.99, BETWEEN),
        (-0.01, 0.26, UNDECIDED),
        (0.74, 1.01, UNDECIDED),
        (-0.5, 1.5, UNDECIDED),
        (-0.6, 0.05, UNDECIDED),
        (0.95, 1.6, UNDECIDED),
        (math.nan, math.nan, UNDECIDED),
    ],
)
def test_verdict_by_its_thresholds(lower, upper, expected):
    assert verdict(Ratio(0.5, lower, upper, 5)) == expected


@pytest.mark.parametrize(
    ("position", "expected"),
    [(0.0, LIKE_SINGLE), (1.0, LIKE_DEEP), (0.5, BETWEEN), (-1.0, WORSE), (2.0, BETTER)],
)
def test_answer_says_where_a_batch_ensemble_is(position, expected):
    first = answer(study_at({**POSITIONS, "batch_ensemble": position}))[0]
    assert f"BatchEnsemble N(1, 0.5) {expected}: of the deep ensemble's gain over a single network it recovers" in first


def test_answer_may_differ_between_initialisations():
    text = answer(study_at({**POSITIONS, "batch_ensemble": 0.0, "batch_ensemble_sign": 1.0}))
    assert f"BatchEnsemble N(1, 0.5) {LIKE_SINGLE}" in text[0]
    assert text[2].startswith(f"BatchEnsemble ±1 {LIKE_DEEP}")


def test_answer_names_the_initialisation_that_was_used():
    result = study_at(POSITIONS)
    narrower = study(list(result.runs), init_std=0.1)
    assert "BatchEnsemble N(1, 0.1) lies between" in answer(narrower)[0]


def test_figures_of_the_answer_are_those_computed():
    result = study_at(POSITIONS)
    text, summary = " ".join(answer(result)), summarise(result)
    for method in ("batch_ensemble", "batch_ensemble_sign"):
        for where, name in (("test {}", "test"), ("{} under shift", "shift")):
            for short, metric in (("NLL", "nll"), ("accuracy", "accuracy")):
                assert f"{percent(gain_recovered(result, method, name, metric))} in {where.format(short)}" in text
        for on, name in (("on test", "test"), ("under shift", "shift"), ("on letters", "ood/letters")):
            assert f"{percent(diversity_ratio(result, method, name, 'epistemic'))} {on}" in text
        auroc = AUROC_EPISTEMIC.shown(look_up(summary, method, "ood/letters", "auroc_epistemic"))
        assert f"letters from test with an AUROC of {auroc}, against " in text
    for method in METHODS:
        accuracy, nll = (look_up(summary, method, "test", metric) for metric in ("accuracy", "nll"))
        assert f"{ACCURACY.shown(accuracy)} % and {NLL.shown(nll)} (" in text


def test_percent_by_hand():
    assert percent(Ratio(0.434, -0.051, 0.61, 5)) == "43 % [−5, 61]"
    assert percent(Ratio(-0.001, -0.004, 12.3, 5)) == "0 % [0, 1,230]"


def test_no_verdict_from_noise():
    text = answer(study_at(POSITIONS, noise=0.4))
    assert UNDECIDED in text[0]
    assert not any(words in sentence for words in VERDICTS for sentence in text)


def test_mixed_verdicts_name_their_scores():
    """Like a single model in NLL, like a deep ensemble in accuracy."""
    at = {"single": (0.5, 0.90), "batch_ensemble": (0.5, 0.95), "deep_ensemble": (0.3, 0.95)}
    runs = [
        run_record(m, s, {"test": {"nll": nll + s / 1e6, "accuracy": accuracy - s / 1e6}})
        for m, (nll, accuracy) in at.items()
        for s in SEEDS
    ]
    assert f"{LIKE_SINGLE} in test NLL and {LIKE_DEEP} in test accuracy: of" in answer(study(runs))[0]


def test_undefined_gain_is_told_beside_the_others():
    at = {"single": (0.5, 0.9), "batch_ensemble": (0.45, 0.9), "deep_ensemble": (0.4, 0.9)}
    runs = [run_record(m, s, {"test": {"nll": n, "accuracy": a}}) for m, (n, a) in at.items() for s in SEEDS]
    first = answer(study(runs))[0]
    assert (
        "it recovers 50 % [50, 50] in test NLL; in test accuracy the deep ensemble and the single network do" in first
    )


@pytest.mark.parametrize(
    ("positions", "seeds", "phrase"),
    [
        (
            {**POSITIONS, "deep_ensemble": 0.0},
            SEEDS,
            "the deep ensemble and the single network do not differ measurably",
        ),
        ({**POSITIONS, "deep_ensemble": -1.0}, SEEDS, "the deep ensemble is measurably worse than the single network"),
        (POSITIONS, (42,), "an interval needs at least 4 seeds in common, here 1"),
        ({"single": 0.0, "batch_ensemble": 0.5}, SEEDS, "there is no finished run of the deep ensemble"),
        ({"batch_ensemble": 0.5, "deep_ensemble": 1.0}, SEEDS, "there is no finished run of the single network"),
    ],
)
def test_what_cannot_be_judged_is_undecided_for_a_stated_reason(positions, seeds, phrase):
    text = answer(study_at(positions, seeds=seeds))
    assert f"whether BatchEnsemble N(1, 0.5) behaves like an ensemble is undecided: {phrase}." in text[0]
    assert not any(words in sentence for words in VERDICTS for sentence in text)


def test_one_seed_has_no_intervals():
    text = " ".join(answer(study_at(POSITIONS, seeds=(42,))))
    assert "(1 seed)" in text
    assert " ± " not in text
    assert "nan" not in text
    assert re.search(r"mutual information in nats is 0\.\d{4} \(deep ensemble: 0\.\d{4}\) on test, ", text)


def test_without_a_batch_ensemble_the_question_is_not_answered():
    text = answer(study_at({"single": 0.0, "deep_ensemble": 1.0}))
    assert "no BatchEnsemble was trained, so whether it behaves like an ensemble is not answered." in text[0]


def diverging(which: set[tuple[str, int]]) -> StudyResult:
    """The usual study, in which some runs diverged at step 123."""
    runs = study_at(POSITIONS).runs
    return study([run_record(r.method, r.seed, r.scores, 123 if (r.method, r.seed) in which else None) for r in runs])


def test_diverged_runs_are_named():
    text = answer(diverging({("deep_ensemble", 69)}))
    assert any("deep ensemble: 4 of 5 runs; seed 69 diverged at step 123" in sentence for sentence in text)
    assert "BatchEnsemble N(1, 0.5) lies between" in text[0]


def test_a_batch_ensemble_that_always_diverged_gets_no_verdict():
    text = answer(diverging({("batch_ensemble", seed) for seed in SEEDS}))
    assert "all 5 runs of BatchEnsemble N(1, 0.5) diverged, so nothing can be said of it." in text[0]
    assert text[1].startswith(f"BatchEnsemble ±1 {LIKE_SINGLE}")


def test_all_runs_diverged():
    text = answer(diverging({(method, seed) for method in METHODS for seed in SEEDS}))
    assert "single network: 0 of 5 runs; seeds 42, 69, 123, 456, 789 diverged at step 123" in " ".join(text)
    assert "nan" not in " ".join(text)


@pytest.mark.parametrize("sets", [("test",), ("test", "ood/a", "ood/b"), ("test", "shift")])
def test_sets_that_were_not_scored_are_not_spoken_of(sets):
    text = " ".join(answer(study_at(POSITIONS, sets=sets)))
    assert ("under shift" in text) == ("not MNIST-C" in text) == ("shift" in sets)
    assert ("AUROC" in text) == ("ood/a" in sets)
    assert ("maximum probability, is for a 0." in text) == ("ood/b" in sets)


def test_data_and_seeds_are_always_named():
    opening = "On embedded_mnist with 4,000 training images (5 seeds), "
    assert answer(study_at(POSITIONS))[0].startswith(opening)
    assert answer(diverging({(m, s) for m in METHODS for s in SEEDS}))[0].startswith(opening)
    result = study_at(POSITIONS)
    elsewhere = StudyResult("x", "my own digits", result.config, result.provenance, result.runs)
    assert answer(elsewhere)[0].startswith("On my own digits (5 seeds), ")
    assert "train 4,000," in DATA


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.3, 3.0])
@pytest.mark.parametrize("seeds", [SEEDS, SEEDS[:2], SEEDS[:1]])
@pytest.mark.parametrize("left_out", [(), ("single",), ("deep_ensemble",), ("batch_ensemble",), METHODS[1:4]])
def test_every_answer_is_a_few_whole_sentences(noise, seeds, left_out):
    positions = {method: at for method, at in POSITIONS.items() if method not in left_out}
    text = answer(study_at(positions, seeds=seeds, noise=noise))
    assert 3 <= len(text) <= 8
    for sentence in text:
        assert re.fullmatch(r"[A-Z].*[^.,;: ]\.", sentence)
        assert not re.search(r"nan|inf\b|None|  |\[\]|-\d| ,", sentence)


def test_a_pool_a_temperature_and_several_ood_sets():
    result = cifar_study()
    text, summary = answer(result), summarise(result)
    assert text[0].startswith("On cifar10 with 18,000 training images (a pool of 8 networks; 3 seeds), BatchEnsemble ")
    aurocs = [
        AUROC_EPISTEMIC.shown(look_up(summary, method, "ood/cifar100", key))
        for method, key in (
            ("batch_ensemble", "auroc_epistemic"),
            ("deep_ensemble", "auroc_epistemic"),
            ("single", "auroc_max_probability"),
        )
    ]
    assert (
        f"maximum probability, is for cifar100 (near) {aurocs[0]} ({aurocs[1]}, {aurocs[2]}) and mnist_in_c" in text[1]
    )
    nll = NLL.shown(look_up(summary, "deep_ensemble", "test", "nll_scaled"))
    assert any(s.startswith("At temperatures fitted on validation") and f"and {nll} and " in s for s in text)
    assert text[-1] == f"The shift is the mean over {corruptions(result)}."


def test_listed():
    assert [listed(list(parts)) for parts in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]
