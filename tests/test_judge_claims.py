"""Verdicts on methods whose truth is known, and the rules by which rows become verdicts."""

import dataclasses
import math

import numpy as np
import pytest
from judge_fakes import runs, sample, world
from statsmodels.stats.multitest import multipletests

from be_jax.config import ConfigError
from be_jax.stats import PARAMETERS, JudgeConfig, evidence_table, judge, of_pairs, of_pool, of_seeds
from be_jax.stats.claims import _all_of
from be_jax.stats.evidence import Evidence

FAST = JudgeConfig(resamples=500)


@pytest.fixture(scope="module")
def examples():
    return world()


@pytest.fixture(scope="module")
def single(examples):
    return sample(runs(examples, 0.0, members=1))


@pytest.fixture(scope="module")
def deep_ensemble(examples):
    return sample(runs(examples, 1.0))


def verdicts_on(method, single, deep_ensemble, **kwargs):
    return {verdict.claim: verdict for verdict in judge("method", method, single, deep_ensemble, **kwargs)}


@pytest.fixture(scope="module")
def of_copies(examples, single, deep_ensemble):
    return verdicts_on(sample(runs(examples, 0.0)), single, deep_ensemble)


@pytest.fixture(scope="module")
def of_independent(examples, single, deep_ensemble):
    return verdicts_on(sample(runs(examples, 1.0, seed=2)), single, deep_ensemble)


def rows_of(verdict):
    return {(row.set_name, row.metric): row for row in verdict.evidence}


def test_copies_of_one_network_are_a_single_model(of_copies):
    assert of_copies["C3"].decision == "supported"
    assert all(row.estimate == pytest.approx(0, abs=1e-6) for row in of_copies["C3"].evidence)
    assert {row.decision for row in of_copies["C1"].evidence} <= {"supported", "undecided", "not judged"}
    assert rows_of(of_copies["C1"])["shift", "nll"].decision == "supported"
    assert of_copies["C2"].decision == "undecided"  # to tell it from a gain within the margin takes more examples
    for row in of_copies["C2"].evidence:
        assert math.isnan(row.lower) or row.lower <= 0 <= row.upper, row


def test_the_very_same_predictions_recover_exactly_nothing(single, deep_ensemble):
    verdict = verdicts_on(single, single, deep_ensemble, config=FAST)["C2"]
    judged = [row for row in verdict.evidence if not row.reason]
    assert [row.estimate for row in judged] == [0.0] * len(judged)
    assert verdict.decision == "supported"


def test_independent_networks_are_a_deep_ensemble(of_independent):
    assert {verdict.decision for verdict in list(of_independent.values())[:3]} == {"contradicted"}
    for claim in ("C2", "C3"):
        for row in of_independent[claim].evidence:
            assert math.isnan(row.lower) or row.lower <= 1 <= row.upper, row
    assert {row.decision for row in of_independent["C3"].evidence} == {"contradicted"}


def test_a_mixture_lies_between(examples, single, deep_ensemble):
    verdicts = verdicts_on(sample(runs(examples, 0.5)), single, deep_ensemble, config=FAST)
    for place in (("shift", "nll"), ("test", "nll"), ("test", "accuracy")):
        row = rows_of(verdicts["C2"])[place]
        assert row.lower <= 0.5 <= row.upper
        assert 0 < row.estimate < 1
    for row in verdicts["C3"].evidence:
        assert row.estimate == pytest.approx(0.5, abs=0.1)
        assert row.decision == "contradicted"


def test_deep_ensembles_from_a_pool(examples):
    networks = runs(examples, 0.0, members=1, seeds=6)
    single, deep_ensemble = of_pool(networks, 1), of_pool(networks, 4)
    method = sample(runs(examples, 0.0, seeds=3), "seeds of the method")
    verdicts = verdicts_on(method, single, deep_ensemble, config=FAST)
    assert verdicts["C3"].decision == "supported"
    assert verdicts["C1"].units == {"seeds of the method": 3, "networks": 6}
    assert rows_of(verdicts["C1"])["shift", "nll"].decision == "supported"


def test_a_deep_ensemble_without_gain_leaves_nothing_to_judge(examples, single):
    copies, method = (sample(runs(examples, 0.0, seed=seed)) for seed in (1, 2))
    verdicts = verdicts_on(method, single, copies, config=FAST)
    assert verdicts["C3"].decision == "undecided"
    assert {row.reason for row in verdicts["C3"].evidence} == {"the deep ensemble has none, measurably"}
    for claim in ("C1", "C2"):
        assert {row.decision for row in verdicts[claim].evidence} <= {"not judged", "undecided"}


def test_two_seeds_decide_nothing(examples, single, deep_ensemble):
    few = [of_seeds(s.scores[:2]) for s in (sample(runs(examples, 0.0, seeds=2)), single, deep_ensemble)]
    for claim, verdict in verdicts_on(*few).items():
        assert verdict.decision == ("not judged" if claim == "C4" else "undecided")
        assert all(row.reason == "needs at least 3 of each, got 2 seeds" for row in verdict.evidence)


def test_one_seed_decides_nothing(single, deep_ensemble):
    one = [of_seeds(s.scores[:1]) for s in (deep_ensemble, single, deep_ensemble)]
    assert {v.decision for v in verdicts_on(*one).values()} == {"undecided", "not judged"}


def test_an_infinite_score_is_not_decided(single, deep_ensemble):
    broken = [{**scores, ("test", "nll"): np.full(51, np.nan)} for scores in deep_ensemble.scores]
    row = rows_of(verdicts_on(of_seeds(broken), single, deep_ensemble, config=FAST)["C1"])["test", "nll"]
    assert (row.decision, row.reason) == ("undecided", "a score is not finite")


def test_p_values_are_corrected_over_every_row_of_every_claim(of_independent):
    rows = evidence_table(of_independent.values())
    np.testing.assert_allclose(rows["adjusted_p"], multipletests(rows["p"], method="holm")[1])
    assert len(rows) == 7 + 7 + 9


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((), "not judged"),
        (("supported", "supported"), "supported"),
        (("supported", "not judged"), "supported"),
        (("supported", "undecided"), "undecided"),
        (("supported", "contradicted"), "contradicted"),
        (("undecided", "contradicted"), "contradicted"),
        (("not judged",), "undecided"),
    ],
)
def test_a_claim_is_a_conjunction_of_its_rows(rows, expected):
    row = Evidence("test", "nll", 0, 0, 0, 0, 0, 0.25, 1, 1)
    assert _all_of([dataclasses.replace(row, decision=decision) for decision in rows]) == expected


def test_differences_are_in_units_of_the_runs_deviation(of_copies, single, examples, deep_ensemble):
    row = rows_of(of_copies["C2"])["test", "nll"]
    nlls = [np.array([s["test", "nll"][0] for s in method.scores]) for method in (sample(runs(examples, 0.0)), single)]
    assert row.difference == pytest.approx(nlls[0].mean() - nlls[1].mean())
    assert row.standardised == pytest.approx(row.difference / nlls[1].std(ddof=1))


def test_the_deviation_of_a_pools_ensembles_is_that_of_one_of_them(examples):
    networks = runs(examples, 0.0, members=1, seeds=6)
    one, four = (of_pool(networks, size).run_deviation("test", "accuracy") for size in (1, 4))
    values = [sample([network]).scores[0]["test", "accuracy"][0] for network in networks]
    assert one == pytest.approx(np.std(values, ddof=1))
    assert 0 < four < one


def test_pairs_of_a_pool_are_a_mean_with_a_jackknife_over_networks():
    """Where a pair's score is a sum of its networks' own, an ensemble's is twice their mean."""
    own, place = np.random.default_rng(0).normal(size=9), (PARAMETERS, "distance")
    scores = {(i, j): {place: np.array([own[i] + own[j]])} for j in range(9) for i in range(j)}
    pairs = of_pairs(scores, 9, 4)
    statistic = pairs.statistic(*place)
    assert statistic.value == pytest.approx(2 * own.mean())
    np.testing.assert_allclose(statistic.without["networks"][:, 0], [2 * np.delete(own, i).mean() for i in range(9)])
    assert pairs.run_deviation(*place) == pytest.approx(2 * own.std(ddof=1) / 2)
    with pytest.raises(ValueError, match="pairs of 9 networks say nothing of deep ensembles of 9"):
        of_pairs(scores, 9, 9)


def test_weights_of_other_seeds_than_the_references_are_refused(single, deep_ensemble):
    weights = [of_seeds([{(PARAMETERS, "distance"): np.ones(1)}] * count) for count in (5, 4)]
    with pytest.raises(ValueError, match="5 and of 4 seeds"):
        verdicts_on(single, single, deep_ensemble, weights=tuple(weights), config=FAST)


def test_parameter_space_is_judged_where_it_was_measured(single, deep_ensemble):
    def of(distances, barrier):
        places = (PARAMETERS, "relative_distance"), (PARAMETERS, "barrier")
        return of_seeds(
            [dict(zip(places, map(np.atleast_1d, (distance, barrier)), strict=True)) for distance in distances]
        )

    weights = of([0.1, 0.12, 0.11, 0.1, 0.1], 2.0), of([1.4, 1.41, 1.4, 1.39, 1.4], 1.0)
    verdict = verdicts_on(single, single, deep_ensemble, weights=weights, config=FAST)["C4"]
    rows = rows_of(verdict)
    assert rows["parameters", "relative_distance"].decision == "supported"
    assert rows["parameters", "relative_distance"].estimate == pytest.approx(0.106 / 1.4)
    assert rows["parameters", "barrier"].decision == verdict.decision == "contradicted"


def test_a_looser_margin_is_a_weaker_claim(examples, single, deep_ensemble):
    method = sample(runs(examples, 0.5))
    loose = JudgeConfig(diversity_margin=0.9, resamples=500)
    assert verdicts_on(method, single, deep_ensemble, config=loose)["C3"].decision == "supported"


def test_what_cannot_be_compared_is_refused(single, deep_ensemble):
    with pytest.raises(ValueError, match="samples of 4 and of 5 seeds, which cannot be paired"):
        judge("method", of_seeds(single.scores[:4]), single, deep_ensemble)
    with pytest.raises(ValueError, match="no score in common"):
        judge("method", of_seeds([{("other", "nll"): np.zeros(51)}] * 5), single, deep_ensemble)
    with pytest.raises(ValueError, match="no runs of the factor 'seeds'"):
        of_seeds([])


@pytest.mark.parametrize("field", ["level", "gain_margin", "diversity_margin", "resamples"])
def test_a_margin_that_means_nothing_is_refused(field):
    with pytest.raises(ConfigError, match=f"{field} must be .*; got 0"):
        JudgeConfig(**{field: 0})
