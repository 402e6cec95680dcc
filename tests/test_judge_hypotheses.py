"""Each claim's tests against their textbook forms, and the cases that they must tell apart."""

import numpy as np
import pytest
from judge_fakes import mean_of
from statsmodels.stats.weightstats import ttost_paired

from be_jax.stats.hypotheses import near_identical, tracks_single_model, worse_than_deep_ensemble
from be_jax.stats.jackknife import p_above

MARGIN = 0.25
SURE = mean_of([1.0, 1.0, 1.0, 1.0, 1.0])
NOISE = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def at(share, noise=0.01):
    return mean_of(share + noise * NOISE)


def test_tracking_is_the_two_one_sided_tests_of_a_library():
    gained = 0.1 + 0.05 * NOISE
    expected = ttost_paired(gained, np.zeros(5), -MARGIN, MARGIN)[0]
    assert tracks_single_model(mean_of(gained), SURE, MARGIN).supports == pytest.approx(expected)


@pytest.mark.parametrize(
    ("share", "worse", "tracks"),
    [
        (-0.5, "supports", "contradicts"),
        (0.0, "supports", "supports"),
        (0.5, "supports", "contradicts"),
        (0.95, "contradicts", "contradicts"),
        (1.5, "contradicts", "contradicts"),
    ],
)
def test_gains_that_speak_clearly(share, worse, tracks):
    for hypothesis, said in ((worse_than_deep_ensemble, worse), (tracks_single_model, tracks)):
        p = hypothesis(at(share), SURE, MARGIN)
        assert min(p, key=float) == getattr(p, said) < 0.01


@pytest.mark.parametrize("hypothesis", [worse_than_deep_ensemble, tracks_single_model])
def test_nothing_is_said_where_the_deep_ensemble_has_no_gain(hypothesis):
    gain = at(0.1, noise=1.0)
    assert min(hypothesis(at(0.0), gain, MARGIN)) >= p_above(gain) > 0.3


@pytest.mark.parametrize("hypothesis", [worse_than_deep_ensemble, tracks_single_model, near_identical])
def test_nothing_is_said_from_noise(hypothesis):
    assert min(hypothesis(at(0.3, noise=1.0), SURE, MARGIN)) > 0.05


def test_on_the_edge_neither_is_said():
    p = tracks_single_model(at(MARGIN), SURE, MARGIN)
    assert p.supports == pytest.approx(0.5)
    assert p.contradicts == pytest.approx(0.5, abs=1e-6)
    p = near_identical(at(MARGIN), SURE, MARGIN)
    assert (p.supports, p.contradicts) == pytest.approx((0.5, 0.5))


def test_a_null_in_the_middle_of_which_the_truth_lies_is_rejected_from_both_ends_together():
    """With a margin far below the noise both tails add up to all: p = 1 at a gain of 0."""
    assert tracks_single_model(at(0.0, noise=1.0), SURE, 1e-9).contradicts == pytest.approx(1)


def test_diversity_is_compared_without_dividing():
    deep = mean_of(0.02 + 0.002 * NOISE)
    below, above = mean_of(0.002 + 0.0001 * NOISE), mean_of(0.01 + 0.0001 * NOISE[::-1])
    assert near_identical(below, deep, MARGIN).supports < 0.01
    assert near_identical(above, deep, MARGIN).contradicts < 0.01
