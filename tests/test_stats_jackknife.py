"""The jackknife over factors: equal to textbook tests where those exist, and of the stated level."""

import math

import numpy as np
import pytest
from scipy import stats
from stats_fakes import mean_of, p_above, p_below, with_blocks

from be_jax.stats import PARAMETERS, of_pairs
from be_jax.stats.jackknife import Statistic


def of_examples(values):
    return Statistic(with_blocks(np.asarray(values, float)[None])[0], {})


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_paired_runs_give_the_paired_t_test(random):
    first, second = random.normal(size=(2, 5))
    contrast = mean_of(first) - mean_of(second)
    assert p_above(contrast) == pytest.approx(stats.ttest_rel(first, second, alternative="greater").pvalue)
    assert p_below(contrast) == pytest.approx(1 - p_above(contrast))


def test_runs_of_different_seeds_give_welchs_test(random):
    first, second = random.normal(size=5), 3 * random.normal(size=8)
    contrast = mean_of(first, "seeds") - mean_of(second, "networks")
    expected = stats.ttest_ind(first, second, equal_var=False, alternative="greater")
    assert p_above(contrast) == pytest.approx(expected.pvalue)
    assert contrast.uncertainty().freedom == pytest.approx(expected.df)


def test_examples_alone_give_the_t_test_over_them(random):
    values = random.normal(0.1, 1, 50)
    assert p_above(of_examples(values)) == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater").pvalue)


def test_crossed_factors_give_the_variance_of_a_two_way_layout(random):
    """Mean squares of rows and columns, less the residual's, over their numbers (Cameron et al. 2011)."""
    values = random.normal(size=(6, 20)) + 2 * random.normal(size=(6, 1)) + 2 * random.normal(size=(1, 20))
    rows, columns = values.mean(1), values.mean(0)
    residuals = values - rows[:, None] - columns[None] + values.mean()
    expected = rows.var(ddof=1) / 6 + columns.var(ddof=1) / 20 - (residuals**2).sum() / (5 * 19 * 120)
    assert mean_of(values).uncertainty().standard_error ** 2 == pytest.approx(expected)


def test_a_variance_is_never_below_one_of_its_parts():
    """With nothing but interaction in which rows and columns happen to have equal means."""
    values = np.array([[1.0, -1.0], [-1.0, 1.0]]) + np.array([[0.01], [-0.01]])
    rows = values.mean(1).var(ddof=1) / 2
    assert mean_of(values).uncertainty().standard_error ** 2 == pytest.approx(rows)


def test_combinations_are_linear(random):
    first, second = random.normal(size=(2, 4, 10))
    combined = 2.0 * mean_of(first) - (mean_of(second) + mean_of(first))
    expected = mean_of(first - second)
    np.testing.assert_allclose(combined.whole, expected.whole)
    np.testing.assert_allclose(combined.without["seeds"], expected.without["seeds"])
    assert combined.units == {"seeds": 4}


def test_what_methods_share_cancels(random):
    of_seeds, of_blocks = random.normal(size=(5, 1)), random.normal(size=(1, 20))
    difference = mean_of(of_seeds + of_blocks + 1.0) - mean_of(of_seeds + of_blocks)
    assert difference.uncertainty().standard_error == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("value", "p"), [(0.5, 0.0), (0.0, 1.0), (-0.5, 1.0)])
def test_without_any_variance_the_sign_decides(value, p):
    assert p_above(mean_of([value] * 3)) == p


def test_a_root_is_of_every_value_and_never_of_less_than_0(random):
    values = random.uniform(1, 2, size=(4, 10))
    statistic = mean_of(values)
    np.testing.assert_allclose(statistic.root().whole, np.sqrt(statistic.whole))
    np.testing.assert_allclose(statistic.root().without["seeds"], np.sqrt(statistic.without["seeds"]))
    assert mean_of([-1e-12] * 3).root().value == 0


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("of_seeds", "of_examples"), [(1.0, 0.0), (1.0, 1.0), (0.1, 1.0)])
def test_the_level_is_what_it_says(seeds, of_seeds, of_examples):
    """True null hypotheses over seeds and 20 blocks of examples, with some interaction: rejected in 5 %."""
    random, studies, blocks = np.random.default_rng(1), 1000, 20
    rejected = 0
    for _ in range(studies):
        values = math.sqrt(of_seeds) * random.normal(size=(seeds, 1))
        values = values + math.sqrt(of_examples * blocks / seeds) * random.normal(size=(1, blocks))
        values = values + math.sqrt(0.1 * blocks) * random.normal(size=(seeds, blocks))
        rejected += p_above(mean_of(values)) <= 0.05
    assert 0.025 <= rejected / studies <= 0.069  # 0.05 and 2.75 standard errors of the simulation


def test_pairs_of_a_pool_are_a_mean_with_a_jackknife_over_networks():
    """Where a pair's score is a sum of its networks' own, an ensemble's is twice their mean."""
    own, place = np.random.default_rng(0).normal(size=9), (PARAMETERS, "distance")
    pairs = {(i, j): {place: np.array([own[i] + own[j]])} for j in range(9) for i in range(j)}
    statistic = of_pairs(pairs, 9).statistic(*place)
    assert statistic.value == pytest.approx(2 * own.mean())
    np.testing.assert_allclose(statistic.without["networks"][:, 0], [2 * np.delete(own, i).mean() for i in range(9)])
    with pytest.raises(ValueError, match="pairs of 2 networks have no interval"):
        of_pairs(pairs, 2)
