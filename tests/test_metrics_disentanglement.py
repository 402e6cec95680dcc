"""The disentanglement error: 0 where each uncertainty follows its own cause alone, more the more they are mixed up."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from scipy import stats

from be_jax import metrics


class Sweep(NamedTuple):
    error: Sequence[float]
    aleatoric: Sequence[float]
    epistemic: Sequence[float]


def disentanglement_error(noise, scarcity):
    return float(metrics.disentanglement_error(*(np.array(values) for values in (*noise, *scarcity))).error)


UP, FLAT = (0.1, 0.2, 0.4), (0.7, 0.7, 0.7)


def test_a_perfect_split_has_none():
    assert disentanglement_error(Sweep(UP, UP, FLAT), Sweep(UP, FLAT, UP)) == pytest.approx(0)


def test_uncertainties_that_say_the_same_are_half_wrong():
    """Both follow both causes: two correlations are right, two should be 0 and are 1."""
    assert disentanglement_error(Sweep(UP, UP, UP), Sweep(UP, UP, UP)) == pytest.approx(0.5)


def test_swapped_uncertainties():
    assert disentanglement_error(Sweep(UP, FLAT, UP), Sweep(UP, UP, FLAT)) == pytest.approx(1)


def test_uncertainties_that_fall_with_their_cause():
    down = UP[::-1]
    wrong = 1 - stats.pearsonr(UP, down).statistic
    assert disentanglement_error(Sweep(UP, down, FLAT), Sweep(UP, FLAT, down)) == pytest.approx(wrong / 2)


def test_it_is_the_mean_distance_of_four_correlations():
    random = np.random.default_rng(0)
    noise, scarcity = (Sweep(*random.random((3, 5))) for _ in range(2))
    r = {
        (i, kind): stats.pearsonr(sweep.error, getattr(sweep, kind)).statistic
        for i, sweep in enumerate((noise, scarcity))
        for kind in ("aleatoric", "epistemic")
    }
    expected = (1 - r[0, "aleatoric"] + abs(r[0, "epistemic"]) + abs(r[1, "aleatoric"]) + 1 - r[1, "epistemic"]) / 4
    assert disentanglement_error(noise, scarcity) == pytest.approx(expected)


@pytest.mark.parametrize("sweep", [Sweep(UP, UP, UP[:2]), Sweep(UP[:1], UP[:1], UP[:1])])
def test_too_little_to_correlate_is_refused(sweep):
    with pytest.raises(ValueError, match="at least 2 levels"):
        disentanglement_error(sweep, sweep)


def test_where_no_error_changes_nothing_was_manipulated():
    assert np.isnan(disentanglement_error(Sweep(FLAT, UP, UP), Sweep(UP, UP, UP)))
