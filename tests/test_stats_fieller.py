"""Confidence sets of ratios: by Fieller's formula where it holds, by the test everywhere, honest width."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats
from stats_fakes import mean_of, p_above, p_below

from be_jax.stats import Interval, ratio

LEVEL = 0.05


def formula(x, y):
    """Fieller's set for paired values, as (roots, whether what lies between them is inside)."""
    squared = stats.t.ppf(1 - LEVEL / 2, len(x) - 1) ** 2
    (vx, cov), (_, vy) = np.cov(x, y) / len(x)
    a, b, c = y.mean() ** 2 - squared * vy, x.mean() * y.mean() - squared * cov, x.mean() ** 2 - squared * vx
    if b * b < a * c:
        return None, a > 0
    root = math.sqrt(b * b - a * c)
    return sorted(((b - root) / a, (b + root) / a)), a > 0


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("gain", [1.0, 0.2, 0.05, 0.0])
def test_paired_means_have_fiellers_set(seed, gain):
    random = np.random.default_rng(seed)
    x, y = random.normal(0.4 * gain, 0.1, 5), random.normal(gain, 0.1, 5)
    roots, between = formula(x, y)
    found = ratio(mean_of(x), mean_of(y))
    assert found.value == pytest.approx(x.mean() / y.mean())
    if roots is None:
        assert found.pieces == ((-math.inf, math.inf),)
    elif between:
        np.testing.assert_allclose(found.pieces, [roots], rtol=1e-6)
    else:
        np.testing.assert_allclose(found.pieces, [(-math.inf, roots[0]), (roots[1], math.inf)], rtol=1e-6)


@pytest.mark.slow
@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 12),
    st.integers(2, 12),
    st.floats(-3, 3),
    st.floats(0.01, 10),
    st.floats(-4, 5),
    st.booleans(),
)
@example(976, 2, 2, 0.0, 2.0, 0.0, False)  # what is not rejected around infinity is narrower than a step
@settings(max_examples=150, deadline=None)
def test_the_set_is_what_the_test_does_not_reject(seed, units, others, at, spread, candidate, shared):
    """Over random studies: of one factor, or of two with their own variances; with blocks of examples."""
    random = np.random.default_rng(seed)
    blocks = random.normal(0, 0.3, (1, 20))
    part = mean_of(at + spread * random.normal(size=(units, 1)) + blocks, "seeds")
    whole = mean_of(
        1 + random.normal(size=(units if shared else others, 1)) + blocks, "seeds" if shared else "networks"
    )
    found = ratio(part, whole)
    assert found.holds(found.value)
    for value in (candidate, 0.0, 0.25, 0.5, 1.0):
        contrast = part - value * whole
        p = 2 * min(p_above(contrast), p_below(contrast))
        if abs(p - LEVEL) > 1e-6:
            assert found.holds(value) == (p > LEVEL), (value, p, found)
    p_whole = 2 * min(p_above(whole), p_below(whole))
    if abs(p_whole - LEVEL) > 1e-6:
        assert found.bounded == (p_whole <= LEVEL)


@given(st.integers(0, 2**32 - 1), st.floats(1e-9, 1e9), st.floats(0.1, 10))
@settings(max_examples=50, deadline=None)
def test_units_do_not_matter(seed, scale, factor):
    x, y = np.random.default_rng(seed).normal([[0.3], [1.0]], 0.2, (2, 6))
    found, scaled = ratio(mean_of(x), mean_of(y)), ratio(mean_of(scale * x), mean_of(scale * y))
    np.testing.assert_allclose(scaled.pieces, found.pieces, rtol=1e-6)
    longer = ratio(mean_of(factor * x), mean_of(y))
    if found.bounded:
        np.testing.assert_allclose(longer.pieces, factor * np.array(found.pieces), rtol=1e-6, atol=1e-9)


def test_what_is_known_exactly_is_a_point():
    y = np.array([0.9, 1.0, 1.2])
    assert ratio(mean_of([0.0] * 3), mean_of(y)).pieces == ((0.0, 0.0),)
    for share in (1.0, 0.5):
        found = ratio(mean_of(share * y), mean_of(y))
        np.testing.assert_allclose(found.pieces, [(share, share)], atol=1e-7)


def test_a_loss_in_the_denominator_turns_both():
    y = np.array([-0.9, -1.0, -1.2])
    found = ratio(mean_of(0.5 * y + [0.01, 0.0, -0.01]), mean_of(y))
    assert found.lower < 0.5 < found.upper
    assert found.bounded


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "networks"), [(5, 10), (10, 20), (20, 40)])
def test_coverage_is_what_it_says(seeds, networks):
    """Unpaired, a third of the variance in the denominator; 3 standard errors of 1,000 repetitions allowed."""
    random = np.random.default_rng(1)
    covered = []
    for _ in range(1000):
        single, deep = random.normal(0, 0.3, networks), None
        deep = 1 + 0.5 * single + random.normal(0, 0.2, networks)
        method = random.normal(0.4, 0.3, seeds)
        one = mean_of(single, "networks")
        covered.append(ratio(mean_of(method, "seeds") - one, mean_of(deep, "networks") - one).holds(0.4))
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize(
    ("pieces", "low", "high", "inside"),
    [
        (((-0.1, 0.2),), -0.25, 0.25, True),
        (((-0.3, 0.2),), -0.25, 0.25, False),
        (((-0.1, 0.2),), -math.inf, 0.5, True),
        (((-math.inf, 0.2),), -math.inf, 0.5, False),
        (((-math.inf, 0.2), (7.0, math.inf)), -math.inf, math.inf, False),
        ((), -math.inf, math.inf, False),
    ],
)
def test_within(pieces, low, high, inside):
    assert Interval(0.0, pieces).within(low, high) is inside
