"""Which rows say what, how far a fixed sequence goes, and that no word disagrees with its interval."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stats_fakes import mean_of, p_above, p_below

from be_jax.config import ConfigError
from be_jax.stats import Endpoint, Interval, JudgeConfig, Row, Sample, gain_row
from be_jax.stats.claims import (
    BELOW_HALF,
    BETTER_THAN_DEEP,
    DISTINCT,
    FAR_BELOW_SINGLE,
    IDENTICAL,
    NEAR_DEEP,
    NEAR_INDEPENDENT,
    NEAR_SINGLE,
    TO_DEEP,
    TO_SINGLE,
    WORSE_THAN_DEEP,
    WORSE_THAN_SINGLE,
    families,
    judge_claim,
)

CONFIG = JudgeConfig()
NAMES = ("a", "b", "c")


def row(lower, upper, name="a", **fields):
    value = (lower + upper) / 2
    return Row(Endpoint("test", name), Interval(value, ((lower, upper),)), **fields)


def stated(claim, *intervals):
    """Of each endpoint the interval, and, third, the upper end of the corrected one, where it is another."""
    rows = [
        row(low, high, name, upper_corrected=(*corrected, high)[0])
        for name, (low, high, *corrected) in zip(NAMES, intervals, strict=False)
    ]
    return judge_claim(claim, rows, CONFIG)


@pytest.mark.parametrize(
    ("lower", "upper", "c1", "c2", "c3"),
    [
        (-0.2, 0.2, WORSE_THAN_DEEP, TO_SINGLE, IDENTICAL),
        (-0.3, 0.4, WORSE_THAN_DEEP, NEAR_SINGLE, ""),
        (0.3, 0.4, WORSE_THAN_DEEP, NEAR_SINGLE, DISTINCT),
        (-2.0, -0.1, WORSE_THAN_DEEP, WORSE_THAN_SINGLE, IDENTICAL),
        (-0.2, -0.1, WORSE_THAN_DEEP, TO_SINGLE, IDENTICAL),
        (0.6, 0.9, WORSE_THAN_DEEP, NEAR_DEEP, NEAR_INDEPENDENT),
        (0.6, 1.4, "", NEAR_DEEP, NEAR_INDEPENDENT),
        (0.8, 1.2, TO_DEEP, TO_DEEP, NEAR_INDEPENDENT),
        (1.1, 1.6, BETTER_THAN_DEEP, BETTER_THAN_DEEP, NEAR_INDEPENDENT),
        (0.3, 0.7, WORSE_THAN_DEEP, "", DISTINCT),
        (0.2, 0.7, WORSE_THAN_DEEP, "", ""),
        (0.2, 1.2, "", "", ""),
        (-math.inf, math.inf, "", "", ""),
    ],
)
def test_words_of_an_interval(lower, upper, c1, c2, c3):
    for claim, words in (("C1", c1), ("C2", c2), ("C3", c3), ("C4", c3)):
        verdict = stated(claim, (lower, upper))
        assert verdict.stated[0].words == words
        assert (verdict.decision == "undecided") == (words == "")


@pytest.mark.parametrize(
    ("intervals", "decision", "words", "reached"),
    [
        ([(-0.2, 0.2), (-0.1, 0.1), (0.0, 0.2)], "supported", [TO_SINGLE] * 3, 3),
        ([(-0.2, 0.2), (-0.1, 0.4), (0.0, 0.2)], "supported", [TO_SINGLE, NEAR_SINGLE, NEAR_SINGLE], 3),
        ([(-0.2, 0.2), (-0.1, 0.6), (0.0, 0.2)], "supported", [TO_SINGLE, "", ""], 1),
        ([(-0.2, 0.6), (-0.1, 0.1), (0.0, 0.2)], "undecided", ["", "", ""], 0),
        ([(-0.2, 0.4), (0.6, 2.0), (0.0, 0.2)], "mixed", [NEAR_SINGLE, NEAR_DEEP, NEAR_SINGLE], 3),
        ([(0.6, 1.3), (0.6, 2.0)], "contradicted", [NEAR_DEEP, NEAR_DEEP], 2),
        ([(-3.0, -1.0), (-0.4, 0.3)], "mixed", [WORSE_THAN_SINGLE, NEAR_SINGLE], 2),
        ([(-0.2, 0.2), (-4.0, -3.0), (0.0, 0.2)], "mixed", [TO_SINGLE, FAR_BELOW_SINGLE, NEAR_SINGLE], 3),
        ([(-0.2, 0.2), (-4.0, -0.3, -0.2), (0.0, 0.2)], "supported", [TO_SINGLE, BELOW_HALF, NEAR_SINGLE], 3),
        ([(-0.2, 0.2), (-4.0, -0.2)], "supported", [TO_SINGLE, NEAR_SINGLE], 2),
    ],
)
def test_a_sequence_goes_on_while_something_is_shown(intervals, decision, words, reached):
    verdict = stated("C2", *intervals)
    assert (verdict.decision, verdict.reached) == (decision, reached)
    assert [each.words for each in verdict.stated] == words


def test_a_stronger_word_needs_all_endpoints_before_it():
    """The third is equivalent on its own, but the sequence of equivalence ended at the second."""
    assert stated("C2", (-0.2, 0.2), (-0.1, 0.4), (-0.1, 0.1)).stated[2].words == NEAR_SINGLE


@pytest.mark.parametrize("place", range(3))
def test_a_missing_leg_makes_a_claim_undecided_and_is_named(place):
    rows = [row(-0.1, 0.1, name) for name in NAMES]
    rows[place] = Row(Endpoint("test", NAMES[place]), reason=f"test {NAMES[place]} is missing (method)", missing=True)
    verdict = judge_claim("C2", rows, CONFIG)
    assert verdict.decision == "undecided"
    assert f"test {NAMES[place]} is missing" in verdict.reason
    assert verdict.reached == place


def test_what_cannot_be_decided_says_why():
    few = row(-0.1, 0.1, reason="needs at least 3 of each, got 2 networks")
    assert judge_claim("C1", [few], CONFIG).reason == "needs at least 3 of each, got 2 networks"
    assert stated("C1", (0.3, 1.2)).reason == "the interval of test a leaves it open"
    assert judge_claim("C4", [], CONFIG).decision == "not judged"


@given(
    st.integers(0, 2**32 - 1),
    st.floats(-1, 2),
    st.floats(0.01, 1.5),
    st.integers(3, 20),
    st.integers(3, 20),
    st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_interval_word_and_test_never_disagree(seed, position, spread, seeds, networks, lower_is_better):
    """Over random studies: a word is stated where, and only where, its one-sided tests reject."""
    random = np.random.default_rng(seed)
    sign, metric = (-1, "nll") if lower_is_better else (1, "accuracy")
    deep_values, single_values = 1 + random.normal(0, spread, networks), random.normal(0, spread, networks)
    values = {"method": position + random.normal(0, spread, seeds), "single": single_values, "deep": deep_values}
    method, single, deep = (
        Sample(
            [{("test", metric): np.array([sign * v])} for v in each],
            "s" if k == "method" else "n",
            np.eye(len(each), dtype=bool),
        )
        for k, each in values.items()
    )
    found = gain_row(Endpoint("test", metric), method, single, deep, CONFIG)
    part = mean_of(values["method"], "s") - mean_of(single_values, "n")
    whole = mean_of(deep_values, "n") - mean_of(single_values, "n")
    gains = p_above(whole) <= 0.025
    assert bool(found.reason) == (not gains)
    for claim in ("C1", "C2", "C3"):
        for region in (region for family in families(claim, CONFIG.margin) for region in family):
            level, high = 0.025 / (len(CONFIG.quality) if region.corrected else 1), min(region.high, region.below)
            gain_told = p_above(whole) <= level
            above = math.isinf(region.low) or p_above(part - region.low * whole) <= level
            below = math.isinf(high) or p_below(part - high * whole) <= level
            assert region.shown_by(found) == (gain_told and above and below), (region, found)


@pytest.mark.parametrize("field", ["level", "margin", "min_units"])
def test_a_setting_that_means_nothing_is_refused(field):
    with pytest.raises(ConfigError, match=f"{field} must be .*; got 0"):
        JudgeConfig(**{field: 0})


def test_an_endpoint_that_no_score_is_is_refused():
    with pytest.raises(ValueError, match="there is no score 'auroc_totl': did you mean 'auroc_total'"):
        JudgeConfig(quality=(("test", "nll"), ("ood", "auroc_totl")))
    with pytest.raises(ValueError, match="is not better in one direction"):
        JudgeConfig(quality=(("test", "disagreement"),))
    with pytest.raises(ConfigError, match="quality must be different endpoints"):
        dataclasses.replace(CONFIG, quality=())


def test_raw_scores_take_the_place_of_scaled_ones():
    raw = JudgeConfig().as_measured(lambda set_name, metric: not metric.endswith("_scaled"))
    assert [str(e) for e in raw.quality[:2]] == ["test nll", "shift nll"]
    assert JudgeConfig().as_measured(lambda set_name, metric: True) == JudgeConfig()
