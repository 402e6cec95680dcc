"""Deep ensembles from a pool of networks: subsets, and the jackknife over networks."""

import itertools
import math

import numpy as np
import pytest

from be_jax import pool
from be_jax.scores import score_predictions


def networks(count, examples=40, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, examples).astype(np.int32)

    def one():
        logits = rng.normal(size=(1, examples, 3)) + 1.5 * np.eye(3)[labels]
        log_probs = (logits - np.log(np.exp(logits).sum(-1, keepdims=True))).astype(np.float32)
        return {"test/log_probs": log_probs, "test/labels": labels, "ood/noise/log_probs": log_probs[:, ::-1]}

    return [one() for _ in range(count)]


@pytest.mark.parametrize("size", range(1, 8))
def test_of_7_networks_all_subsets_are_taken(size):
    assert pool.subsets(7, size) == list(itertools.combinations(range(7), size))


def test_of_many_networks_each_is_equally_often_taken():
    chosen = pool.subsets(20, 4)
    assert len(chosen) == len(set(chosen)) == 40
    assert all(len(set(subset)) == 4 for subset in chosen)
    assert set(np.bincount(np.concatenate(chosen))) == {8}


def test_single_networks_of_a_large_pool_are_each_taken_once_in_their_order():
    """A study scores them by their runs, in this order."""
    assert pool.subsets(50, 1) == [(i,) for i in range(50)]
    assert len(pool.subsets(50, 49)) == 50


@pytest.mark.parametrize("size", [0, 5])
def test_a_size_that_the_pool_has_not_is_refused(size):
    with pytest.raises(ValueError, match=f"1 to 4 members; got {size}"):
        pool.subsets(4, size)


@pytest.mark.slow
def test_size_1_has_the_mean_and_standard_error_of_the_networks():
    members = networks(5)
    score = pool.score_pool(members, 1)["test"]["nll"]
    each = np.array([score_predictions(member)["test"]["nll"] for member in members])
    assert score.mean == pytest.approx(each.mean())
    assert score.standard_error == pytest.approx(each.std(ddof=1) / math.sqrt(5))
    assert (
        pool.over_subsets([score_predictions(member) for member in members], pool.subsets(5, 1))["test"]["nll"] == score
    )


def test_scores_are_means_over_ensembles():
    members = networks(4)
    scores = pool.score_pool(members, 2)
    by_hand = {
        pair: score_predictions(pool.ensemble_of([members[i] for i in pair]))
        for pair in itertools.combinations(range(4), 2)
    }
    for name, metric in (("test", "accuracy"), ("ood/noise", "auroc_epistemic")):
        assert scores[name][metric].mean == pytest.approx(np.mean([s[name][metric] for s in by_hand.values()]))
        without_3 = [s[name][metric] for pair, s in by_hand.items() if 3 not in pair]
        assert scores[name][metric].without[3] == pytest.approx(np.mean(without_3))


def test_the_whole_pool_has_no_interval():
    score = pool.score_pool(networks(3), 3)["test"]["nll"]
    assert math.isfinite(score.mean)
    assert math.isnan(score.standard_error)


def test_copies_of_one_network_are_a_single_model():
    (network,) = networks(1)
    score = pool.score_pool([network] * 4, 3)["test"]
    assert score["epistemic"].mean == pytest.approx(0, abs=1e-6)
    assert score["nll"].mean == pytest.approx(score_predictions(network)["test"]["nll"], rel=1e-6)
    assert score["nll"].standard_error == pytest.approx(0, abs=1e-7)


def test_the_jackknife_covers_about_as_often_as_it_says():
    """Over 300 pools of 8, the mean over pairs of the larger of two normal numbers, whose expectation is 1/sqrt(pi)."""
    rng, covered = np.random.default_rng(1), 0
    quantile = 2.365  # of Student's t with 7 degrees of freedom
    inside = np.array([[i in pair for i in range(8)] for pair in pool.subsets(8, 2)])
    for _ in range(300):
        draws = rng.normal(size=8)
        score = pool._pool_score(np.array([max(draws[list(pair)]) for pair in pool.subsets(8, 2)]), inside)
        covered += abs(score.mean - 1 / math.sqrt(math.pi)) < quantile * score.standard_error
    assert 0.9 <= covered / 300 <= 0.985


@pytest.mark.parametrize(("count", "size"), [(12, 4), (20, 4), (20, 8), (30, 2), (40, 8)])
def test_a_choice_of_subsets_is_no_noise_of_the_networks(count, size):
    """Over 300 pools whose ensembles score the mean of their networks' skills; their variance is known.

    Means over the subsets without each network gave 1.7 to 3.3 times that of the networks.
    """
    chosen = pool.subsets(count, size)
    inside = np.array([[i in subset for i in range(count)] for subset in chosen])
    assert count - 1 <= len(chosen) <= max(pool.MOST_SUBSETS, 2 * count)
    skills = np.random.default_rng(2).normal(size=(count, 300))
    values = inside @ skills / size
    without = pool.without_each(values, inside)
    found = (count - 1) / count * ((without - values.mean(0)) ** 2).sum(0)
    assert found.mean() == pytest.approx(1 / count, rel=0.05)
    np.testing.assert_allclose(found, skills.var(0, ddof=1) / count)


def test_of_all_subsets_it_is_the_mean_over_those_without():
    chosen = pool.subsets(6, 3)
    inside = np.array([[i in subset for i in range(6)] for subset in chosen])
    values = np.random.default_rng(0).normal(size=(20, 2))
    expected = [values[~inside[:, i]].mean(0) for i in range(6)]
    np.testing.assert_allclose(pool.without_each(values, inside), expected, rtol=1e-12)
    unused = np.hstack([inside, np.zeros((20, 1), bool)])
    np.testing.assert_allclose(pool.without_each(values, unused)[6], values.mean(0))


def test_networks_that_do_not_belong_together_are_refused():
    first, second = networks(2)
    with pytest.raises(ValueError, match="differ in ood/noise/log_probs"):
        pool.ensemble_of([first, {k: v for k, v in second.items() if not k.startswith("ood")}])
    with pytest.raises(ValueError, match="same test/labels"):
        pool.ensemble_of([first, {**second, "test/labels": (second["test/labels"] + 1) % 3}])


def test_disjoint_ensembles():
    assert list(pool.disjoint(9, 4)) == [(0, 1, 2, 3), (4, 5, 6, 7)]
