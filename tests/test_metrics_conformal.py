"""Conformal sets and intervals: by hand, their coverage over many draws, jit == no jit, and refused arguments."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax

from be_jax.metrics import conformal

SCORES = functools.partial(jax.jit, static_argnames=("penalty", "free"))(conformal.scores)
SETS = functools.partial(jax.jit, static_argnames=("penalty", "free"))(conformal.sets)


def random_case(n: int, c: int = 6, sharpness: float = 1.7, seed: int = 0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, c))
    labels = (logits + rng.gumbel(size=(n, c))).argmax(1)
    return log_softmax(sharpness * logits, axis=1).astype(np.float32), labels


def test_scores_by_hand():
    log_probs = np.log([[0.2, 0.5, 0.3], [0.25, 0.25, 0.5]]).astype(np.float32)
    np.testing.assert_allclose(conformal.class_scores(log_probs), [[-0.2, -1, -0.5], [-0.5, -0.25, -1]], atol=1e-6)
    penalised = conformal.class_scores(log_probs[:1], penalty=0.1, free=1)
    np.testing.assert_allclose(penalised, [[-0.2 + 0.2, -1, -0.5 + 0.1]], atol=1e-6)
    np.testing.assert_allclose(conformal.scores(log_probs, np.array([0, 2])), [-0.2, -1], atol=1e-6)
    sets = conformal.sets(log_probs, -0.4)
    np.testing.assert_array_equal(sets, [[False, True, True], [True, False, True]])
    np.testing.assert_array_equal(conformal.set_covers(sets, np.array([0, 2])), [0, 1])


def test_threshold_by_hand():
    scores = np.arange(1, 10, dtype=np.float32)  # nine of them: 0.9 of ten is the ninth
    order = np.random.default_rng(0).permutation(9)
    assert conformal.threshold(scores[order], 0.9) == 9
    assert conformal.threshold(scores, 0.8) == 8
    assert conformal.threshold(scores, 0.81) == 9
    assert conformal.threshold(scores, 0.91) == np.inf
    assert conformal.threshold(scores, 0.5, mask=scores > 6) == 8
    assert conformal.threshold(scores[:0]) == np.inf
    assert np.isnan(conformal.threshold(np.array([1, np.nan, 2])))
    for count in (9, 19, 99, 999, 9999):
        assert conformal.threshold(np.arange(1.0, count + 1), 0.9) == 0.9 * (count + 1)


@pytest.mark.parametrize(("penalty", "free"), [(0.0, 0), (0.05, 2)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_coverage_over_many_draws(penalty, free, level):
    """Exact with a key; without it at least as stated, and no set is empty."""
    exact, whole = [], []
    for seed in range(60):
        log_probs, labels = random_case(299, seed=seed)
        for covered, keys in ((exact, jax.random.split(jax.random.key(seed))), (whole, (None, None))):
            options = [{"penalty": penalty, "free": free, "key": key} for key in keys]
            threshold = conformal.threshold(SCORES(log_probs[:99], labels[:99], **options[0]), level)
            sets = SETS(log_probs[99:], threshold, **options[1])
            covered.append(float(conformal.set_covers(sets, labels[99:]).mean()))
            assert covered is exact or sets.any(1).all()
    assert np.mean(exact) == pytest.approx(level, abs=4 * np.std(exact) / np.sqrt(60))
    assert np.mean(whole) > level - 3 * np.std(whole) / np.sqrt(60)


def test_a_large_penalty_makes_sets_of_one_size():
    """Rank then decides, and equal ranks are told apart by probability: the k most probable, or one more."""
    log_probs, labels = random_case(2000, c=20, sharpness=0.4)
    threshold = conformal.threshold(SCORES(log_probs[:1000], labels[:1000], penalty=10.0))
    sizes = np.asarray(SETS(log_probs[1000:], threshold, penalty=10.0).sum(1))
    rank = (log_probs[:1000] > np.take_along_axis(log_probs[:1000], labels[:1000, None], 1)).sum(1) + 1
    assert set(sizes) <= {
        int(np.quantile(rank, 0.9, method="higher")) - 1,
        int(np.quantile(rank, 0.9, method="higher")),
    }
    whole = SETS(log_probs[1000:], conformal.threshold(SCORES(log_probs[:1000], labels[:1000]))).sum(1)
    assert sizes.std() < whole.std()


def test_scores_near_certainty_do_not_saturate():
    log_probs = jax.nn.log_softmax(jnp.array([[40.0, 1.0, 0.0], [60.0, 1.0, 0.0]]))
    scores = conformal.class_scores(log_probs)[:, 1]
    np.testing.assert_allclose(scores, -np.exp([-40, -60]) * (1 + np.e), rtol=1e-5)


def test_bad_rows_and_arguments():
    log_probs, labels = random_case(5)
    labels[2] = 6
    assert np.isnan(SCORES(log_probs, labels)[2])
    assert np.isnan(conformal.set_covers(conformal.sets(log_probs, 0.0), labels)[2])
    everything = conformal.sets(log_probs, np.inf)
    assert everything.all()
    with pytest.raises(ValueError, match=r"at least 0, got -0\.1"):
        conformal.class_scores(log_probs, penalty=-0.1)
    with pytest.raises(ValueError, match="level must be in"):
        conformal.threshold(np.ones(3), 90)
    with pytest.raises(TypeError, match="sets must be boolean"):
        conformal.set_covers(log_probs, labels)


def test_jit_is_no_jit():
    log_probs, labels = random_case(40)
    key = jax.random.key(3)
    np.testing.assert_allclose(
        SCORES(log_probs, labels, key=key), conformal.scores(log_probs, labels, key=key), atol=1e-6
    )
    scores = conformal.scores(log_probs, labels)
    jitted = jax.jit(conformal.threshold, static_argnames="level")
    assert jitted(scores, level=0.7) == conformal.threshold(scores, 0.7)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_cover_whatever_the_stated_variances(level):
    covered, widths = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        means, variances = rng.normal(size=(3, 299)), 0.05 * rng.uniform(0.5, 2, size=(3, 299))
        targets = rng.standard_t(3, size=299)
        scores = conformal.distances(means[:, :99], variances[:, :99], targets[:99])
        bounds = conformal.intervals(means[:, 99:], variances[:, 99:], conformal.threshold(scores, level))
        covered.append(float(bounds.covers(targets[99:]).mean()))
        widths.append(float(bounds.width.mean()))
    assert np.mean(covered) == pytest.approx(level, abs=4 * np.std(covered) / np.sqrt(60))
    assert np.min(widths) > 0


def test_intervals_by_hand():
    means, variances = np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[3.0, 0.0], [3.0, 0.0]])
    np.testing.assert_allclose(conformal.distances(means, variances, np.array([5.0, 1.0])), [2, 0])
    assert conformal.distances(means, variances, np.array([5.0, 2.0]))[1] == np.inf
    bounds = conformal.intervals(means, variances, 1.5)
    np.testing.assert_allclose(bounds, [[-2, 1], [4, 1]])
    np.testing.assert_array_equal(bounds.covers(np.array([4.0, 2.0])), [1, 0])
    np.testing.assert_array_equal(conformal.intervals(means, variances, np.inf), [[-np.inf] * 2, [np.inf] * 2])
    assert np.isnan(bounds.covers(np.array([np.nan, 1.0]))[0])
