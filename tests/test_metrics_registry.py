"""The list of scores: it has what the project stores, knows which way is better, and answers no unknown name."""

import re

import jax
import numpy as np
import pytest

from be_jax import metrics
from be_jax.metrics import further, registry
from be_jax.report.details import detailed_tables
from be_jax.results import RunRecord, StudyResult
from be_jax.scores import score_predictions

RNG = np.random.default_rng(0)
LOG_PROBS = np.log(RNG.dirichlet(np.ones(4), size=(2, 60))).astype(np.float32)
PREDICTIONS = {
    **{f"{name}/log_probs": LOG_PROBS for name in ("validation", "test", "shift/fog_1", "ood/letters")},
    **{f"{name}/labels": RNG.integers(0, 4, 60) for name in ("validation", "test", "shift/fog_1")},
}


@pytest.mark.slow
def test_every_score_of_a_run_is_listed():
    scores = score_predictions(PREDICTIONS)
    keys = {key for of_set in scores.values() for key in of_set}
    assert len(keys) > 40
    assert {registry.lookup(key).key for key in keys} == keys


@pytest.mark.parametrize("score", [*metrics.ood.detection(LOG_PROBS, LOG_PROBS)])
def test_every_detection_is_listed(score):
    assert score in registry.DETECTION_SCORES
    for measure in metrics.Detection._fields:
        assert registry.lookup(f"{measure}_{score}").better == registry.DETECTION_MEASURES[measure]


@pytest.mark.parametrize("key", ["accuracy", "auroc_max_probability", "auroc_epistemic", "coverage_at_5_risk"])
def test_larger_is_better(key):
    assert registry.lookup(key).sign == registry.lookup(f"{key}_scaled").sign == 1


@pytest.mark.parametrize(
    "key", ["nll", "ece", "brier", "crps", "aurc", "fpr95_total", "risk_at_80_coverage", "set_size"]
)
def test_smaller_is_better(key):
    assert registry.lookup(key).sign == registry.lookup(f"{key}_isotonic").sign == -1


@pytest.mark.parametrize("key", ["epistemic", "disagreement", "coverage_95", "temperature", "error_kappa"])
def test_what_is_not_better_one_way_ranks_nothing(key):
    with pytest.raises(ValueError, match=f"'{key}' .* cannot rank"):
        _ = registry.lookup(key).sign


def test_needs():
    assert registry.lookup("nll").needs == {"labels"}
    assert registry.lookup("nll_vector_scaled").needs == {"labels", "validation"}
    assert registry.lookup("auroc_epistemic").needs == {"ood", "members"}
    assert registry.lookup("auroc_total").needs == {"ood"}
    assert registry.lookup("fpr95_energy_scaled").needs == {"ood", "logits", "validation"}
    assert registry.lookup("crps").needs == {"labels", "gaussian"}


def test_percent_and_titles():
    accuracy = registry.lookup("accuracy_scaled")
    assert (accuracy.scale, accuracy.heading) == (100, "accuracy scaled %")
    assert (registry.lookup("nll").scale, registry.lookup("nll").heading) == (1, "NLL")
    titles = [score.title for score in registry.SCORES.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("acuracy", "accuracy"), ("nll_scale", "nll_scaled"), ("auroc_epistmic", "auroc_epistemic"), ("eces", "ece")],
)
def test_an_unknown_score_is_refused_with_the_likely_one(wrong, meant):
    with pytest.raises(ValueError, match=re.escape(f"no score {wrong!r}: did you mean")) as error:
        registry.lookup(wrong)
    assert repr(meant) in str(error.value)


@pytest.mark.parametrize("wrong", ["", "_scaled", "scaled", "zzzz", "nll_scaled_scaled_isotonic_x"])
def test_no_key_is_guessed(wrong):
    with pytest.raises(ValueError, match="there is no score"):
        registry.lookup(wrong)


@pytest.mark.slow
def test_one_entry_is_computed_of_every_run_and_shown_in_every_report(monkeypatch):
    """The hardest example's loss, say: nothing else has to know of it."""
    score = registry.Score("worst", "worst loss", "nats", "lower", 3, frozenset({"labels"}))
    entry = further.Measure(lambda of: metrics.nll(of.mixture, of.labels).max(), [score])
    monkeypatch.setattr(further, "FURTHER", (*further.FURTHER, entry))
    run = {key: array[..., :57, :] if array.ndim == 3 else array[:57] for key, array in PREDICTIONS.items()}
    scores = score_predictions(run)  # of a size of its own: the entry is not in what was compiled for others
    losses = metrics.nll(metrics.mixture(run["test/log_probs"]), run["test/labels"])
    assert scores["test"]["worst"] == pytest.approx(float(losses.max()), rel=1e-5)
    assert scores["test"]["worst_scaled"] != scores["test"]["worst"]
    record = RunRecord("mine", 0, "finished", 1, 1.0, 1, 0, None, scores)
    (table,) = [
        each for each in detailed_tables(StudyResult("x", "", {"members": 2}, {}, (record,))) if "further" in each.title
    ]
    shown = {column.title: column.cells[0].text for column in table.columns}
    assert shown["worst loss"] == f"{scores['test']['worst']:.3f}"
    assert shown["AUGRC"] == f"{scores['test']['augrc']:.4f}"
    assert {"smooth ECE %", "debiased ECE %", "Brier resolution", "Yule's Q"} <= shown.keys()


@pytest.mark.slow
def test_a_mixture_s_further_scores_are_one_program_for_every_number_of_members(caplog):
    def grown(members):
        return {n: np.concatenate([a] * members) if n.endswith("/log_probs") else a for n, a in PREDICTIONS.items()}

    score_predictions(grown(1))
    with jax.log_compiles():
        score_predictions(grown(3))
    assert "_further_of_members" in caplog.text
    assert "_further_of_mixture" not in caplog.text


@pytest.mark.slow
def test_a_score_that_takes_members_in_silence_is_refused(monkeypatch):
    score = registry.Score("spread", "spread", "", "neither", 3)
    entry = further.Measure(lambda of: metrics.disagreement(of.members).mean(), [score])
    monkeypatch.setattr(further, "FURTHER", (*further.FURTHER, entry))
    run = {key: array[..., :53, :] if array.ndim == 3 else array[:53] for key, array in PREDICTIONS.items()}
    with pytest.raises((TypeError, ValueError, AttributeError)):
        score_predictions(run)


@pytest.mark.slow
def test_further_scores_are_those_of_the_metrics():
    log_probs, labels = LOG_PROBS, PREDICTIONS["test/labels"]
    mixture = metrics.mixture(log_probs)
    found = score_predictions(PREDICTIONS)["test"]
    parts = metrics.brier_decomposition(mixture, labels)
    assert [found[f"brier_{part}"] for part in parts._fields] == pytest.approx(list(map(float, parts)), abs=1e-6)
    assert found["brier"] == pytest.approx(
        found["brier_reliability"] - found["brier_resolution"] + found["brier_uncertainty"] + found["brier_within"],
        abs=1e-5,
    )
    interval = metrics.debiased_ece(mixture, labels)
    assert [found[f"debiased_ece{end}"] for end in ("", "_lower", "_upper")] == pytest.approx(
        list(map(float, interval)), abs=1e-6
    )
    assert found["yules_q"] == pytest.approx(float(metrics.yules_q(log_probs, labels)), abs=1e-6)
    uncertainty = metrics.max_probability_uncertainty(log_probs)
    assert found["augrc"] == pytest.approx(
        float(metrics.augrc(uncertainty, metrics.accuracy(mixture, labels))), abs=1e-6
    )
    assert found["smooth_ece"] == pytest.approx(float(metrics.smooth_ece(mixture, labels)), abs=1e-6)


@pytest.mark.slow
def test_splits_are_by_the_members_at_their_temperature():
    """Of the details' table of uncertainty by three losses."""
    scores = score_predictions(PREDICTIONS)
    found, temperature = scores["test"], scores["validation"]["temperature"]
    for end, members in {"": LOG_PROBS, "_scaled": metrics.temper(LOG_PROBS, temperature)}.items():
        for key, split in {
            "brier_split": metrics.decompose_brier,
            "zero_one_split": metrics.decompose_zero_one,
        }.items():
            for part, values in split(members)._asdict().items():
                assert found[f"{key}_{part}{end}"] == pytest.approx(float(values.mean()), rel=1e-4)
