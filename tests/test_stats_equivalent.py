"""The deep-ensemble equivalent of methods that are worth a known number of networks."""

import numpy as np
import pytest
from stats_fakes import runs, world

from be_jax import metrics
from be_jax.stats import deep_ensemble_equivalent, networks_of, of_seeds, score_run, size_curve
from be_jax.stats.config import Endpoint
from be_jax.stats.equivalent import Equivalent, is_scale

SCORES = (("test", "nll_scaled"), ("test", "brier_scaled"), ("shift", "nll_scaled"), ("ood", "auroc_max_probability"))


@pytest.fixture(scope="module")
def examples():
    return world(800)


@pytest.fixture(scope="module")
def curve(examples):
    return size_curve(runs(examples, 0.0, members=1, seeds=6))


def worth(predictions, curve, place=("test", "nll_scaled")):
    return deep_ensemble_equivalent(of_seeds([score_run(p) for p in predictions], "seeds of the method"), curve, *place)


@pytest.mark.slow
@pytest.mark.parametrize("place", SCORES)
def test_copies_of_one_network_are_worth_one(examples, curve, place):
    found = worth(runs(examples, 0.0, seed=2), curve, place)
    assert found.lower == 1
    assert found.value < 1.6


@pytest.mark.slow
@pytest.mark.parametrize("place", SCORES)
def test_independent_networks_are_worth_their_number(examples, curve, place):
    found = worth(runs(examples, 1.0, members=3, seed=3), curve, place)
    assert found.lower <= 3 <= found.upper
    if place != ("shift", "nll_scaled"):  # there, 800 examples do not tell 3 networks from 1
        assert found.value == pytest.approx(3, abs=1.2)
        assert found.lower > 1


@pytest.mark.parametrize("place", SCORES)
def test_a_mixture_is_worth_something_between(examples, curve, place):
    found = worth(runs(examples, 0.5, seed=4), curve, place)
    assert 1 < found.value < 3.5


def test_the_method_that_is_the_scale_is_worth_exactly_its_size(curve):
    for size in (1, 2, 4):
        found = deep_ensemble_equivalent(curve[size], curve)
        assert (found.value, found.beyond) == (pytest.approx(size), "")
        assert found.upper - found.lower < 1e-6


def test_between_sizes_gains_go_as_one_less_one_over_the_size():
    """A pool whose ensembles of l score 1 / l exactly: a score of 1 / 1.4 is worth 1.4, which straight lines miss."""
    scale = {size: of_seeds([{("test", "nll"): np.array([1 / size])}] * 3, "networks") for size in range(1, 6)}
    for size in (1.0, 1.4, 2.5, 4.9, 5.0):
        method = of_seeds([{("test", "nll"): np.array([1 / size + noise])} for noise in (-1e-3, 0, 1e-3)])
        found = deep_ensemble_equivalent(method, scale)
        assert found.value == pytest.approx(size, abs=1e-6)
        half = 4.303 * 1e-3 / np.sqrt(3)  # of Student's t with 2 degrees of freedom
        ends = (min(5, 1 / (1 / size - half)), max(1, 1 / (1 / size + half)))
        np.testing.assert_allclose([found.upper, found.lower], ends, atol=0.003)


def test_what_lies_beyond_the_scale_is_clipped_and_says_so(examples, curve):
    ends = [curve[size].scores for size in (1, 5)]
    worse = of_seeds([{place: values + 0.3 for place, values in scores.items()} for scores in ends[0]])
    better = of_seeds([{place: values - 0.03 for place, values in scores.items()} for scores in ends[1]])
    assert str(deep_ensemble_equivalent(worse, curve)) == "< 1"
    assert str(deep_ensemble_equivalent(better, curve)) == "> 5"


def test_a_score_that_is_not_finite_is_worth_nothing_known(curve):
    broken = of_seeds([{**scores, ("test", "nll"): np.full(51, np.nan)} for scores in curve[1].scores])
    found = deep_ensemble_equivalent(broken, curve)
    assert np.isnan([found.value, found.lower, found.upper]).all()


def test_scaled_likelihood_does_not_depend_on_confidence(examples):
    """Members twice as confident as they should be score as before."""
    (predictions,) = runs(examples, 1.0, seeds=1, members=1)
    sharp = {
        name: np.asarray(metrics.temper(array, 0.5)) if name.endswith("log_probs") else array
        for name, array in predictions.items()
    }
    as_it_was, sharpened = (score_run(each) for each in (predictions, sharp))
    assert sharpened["test", "nll_scaled"][0] == pytest.approx(as_it_was["test", "nll_scaled"][0], rel=1e-3)
    assert sharpened["test", "nll"][0] > as_it_was["test", "nll"][0]


def test_networks_of_deep_ensembles_are_their_members(examples):
    first, second = runs(examples, 1.0, seeds=2)
    networks = networks_of([first, second])
    assert len(networks) == 8
    np.testing.assert_array_equal(networks[5]["test/log_probs"], second["test/log_probs"][1:2])
    np.testing.assert_array_equal(networks[5]["test/labels"], second["test/labels"])


def test_a_scale_has_every_size_up_to_the_largest(examples, curve):
    assert list(curve) == [1, 2, 3, 4, 5]
    assert list(size_curve(runs(examples, 0.0, members=1, seeds=4), largest=2)) == [1, 2]


def test_a_pool_that_is_no_scale_is_refused(examples):
    networks = runs(examples, 0.0, members=1, seeds=3)
    with pytest.raises(ValueError, match="needs at least 3 of them, got 2"):
        size_curve(networks[:2])
    with pytest.raises(ValueError, match="largest must be 2 to 2 for a pool of 3; got 3"):
        size_curve(networks, largest=3)


def test_it_reads_as_a_number_with_its_interval():
    assert str(Equivalent(1.26, 1.0, 1.84, 7)) == "1.3 [< 1, 1.8]"


def test_raw_scores_are_scales_where_the_scaled_are():
    shown = [("test", "nll_scaled"), ("test", "brier"), ("shift", "nll"), ("ood", "auroc_epistemic"), ("test", "ece")]
    assert [is_scale(Endpoint(*place)) for place in shown] == [True, True, True, False, False]
