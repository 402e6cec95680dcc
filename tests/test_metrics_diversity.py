"""Disagreement, pairwise divergences and error correlation: by hand, against loops over pairs, and at probability 0."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.metrics import cohen_kappa_score

from be_jax import metrics

# Jitted, since op-by-op compilation is slow; test_metrics_contract.py shows that this changes nothing.
decompose, disagreement = jax.jit(metrics.decompose), jax.jit(metrics.disagreement)
disagreement_matrix = jax.jit(metrics.disagreement_matrix)
pairwise_js, pairwise_kl = jax.jit(metrics.pairwise_js), jax.jit(metrics.pairwise_kl)
same_error, error_kappa = jax.jit(metrics.same_error), jax.jit(metrics.error_kappa)

M, B, C = 4, 6, 3
ALL = [disagreement, pairwise_kl, pairwise_js]


def log_probs_of(weights: np.ndarray) -> np.ndarray:
    """Log-probabilities proportional to non-negative weights along the last axis."""
    weights = np.asarray(weights, np.float64)
    with np.errstate(divide="ignore"):
        return np.log(weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def random_case(m: int = 5, b: int = 300, c: int = 8, seed: int = 0) -> np.ndarray:
    return np.array(jax.nn.log_softmax(2 * np.random.default_rng(seed).normal(size=(m, b, c)).astype(np.float32)))


ENSEMBLES = hnp.arrays(np.int64, (M, B, C), elements=st.sampled_from([0, 0, 1, 2, 10])).map(
    lambda weights: log_probs_of(weights + (weights.sum(-1, keepdims=True) == 0))
)


def test_by_hand() -> None:
    members = log_probs_of([[[3, 1], [3, 1]], [[3, 1], [1, 3]], [[3, 1], [1, 3]]])
    np.testing.assert_allclose(disagreement(members), [0, 2 / 3], rtol=1e-6)
    np.testing.assert_allclose(disagreement_matrix(members), [[0, 0.5, 0.5], [0.5, 0, 0], [0.5, 0, 0]])
    kl = 0.75 * np.log(3) - 0.25 * np.log(3)
    np.testing.assert_allclose(pairwise_kl(members), [0, kl * 2 / 3], rtol=1e-6)
    js = 0.75 * np.log(1.5) - 0.25 * np.log(2)
    np.testing.assert_allclose(pairwise_js(members), [0, js * 2 / 3], rtol=1e-6)


def check_against_scipy(members: np.ndarray) -> None:
    m = len(members)
    probs = np.exp(members.astype(np.float64))
    votes = members.argmax(-1)
    ordered, unordered = list(itertools.permutations(range(m), 2)), list(itertools.combinations(range(m), 2))
    expected = np.mean([votes[i] != votes[j] for i, j in unordered], axis=0)
    np.testing.assert_allclose(disagreement(members), expected, atol=1e-6)
    expected = np.mean([entropy(probs[i], probs[j], axis=-1) for i, j in ordered], axis=0)
    np.testing.assert_allclose(pairwise_kl(members), expected, atol=2e-6, rtol=1e-6)
    expected = np.mean([jensenshannon(probs[i], probs[j], axis=-1) ** 2 for i, j in unordered], axis=0)
    np.testing.assert_allclose(pairwise_js(members), expected, atol=1e-6)
    matrix = [[(votes[i] != votes[j]).mean() for j in range(m)] for i in range(m)]
    np.testing.assert_allclose(disagreement_matrix(members), matrix, atol=1e-6)


def test_against_scipy() -> None:
    check_against_scipy(random_case())


@given(ENSEMBLES)
@settings(max_examples=50, deadline=None)
def test_against_scipy_with_zeros_and_ties(members: np.ndarray) -> None:
    check_against_scipy(members)


@given(ENSEMBLES, st.permutations(range(M)))
@settings(max_examples=30, deadline=None)
def test_properties(members: np.ndarray, order: list[int]) -> None:
    for measure in ALL:
        values = np.asarray(measure(members))
        assert (values >= 0).all()
        np.testing.assert_allclose(measure(members[order]), values, atol=1e-6)
    assert (np.asarray(pairwise_js(members)) <= np.log(2) + 1e-6).all()
    np.testing.assert_allclose(pairwise_js(members[:2]), decompose(members[:2]).epistemic, atol=1e-6)


def test_kl_is_infinite_exactly_where_it_is() -> None:
    members = log_probs_of([[[1, 0], [1, 0], [1, 1]], [[1, 1], [1, 0], [1, 1]]])
    np.testing.assert_array_equal(pairwise_kl(members), [np.inf, 0, 0])
    underflows = jnp.array([[[-200.0, 0.0]], [[-jnp.inf, 0.0]]])
    np.testing.assert_array_equal(pairwise_kl(underflows), [np.inf])
    np.testing.assert_array_equal(pairwise_js(underflows), [0])
    far = jnp.array([[[-300.0, 0.0]], [[0.0, -300.0]]])
    np.testing.assert_allclose(pairwise_kl(far), [300])
    np.testing.assert_allclose(pairwise_js(far), [np.log(2)], rtol=1e-6)


def test_gradient_of_js_at_probability_0_has_no_nan() -> None:
    members = jnp.asarray(log_probs_of([[[1, 0, 0], [1, 2, 0]], [[0, 1, 0], [1, 1, 0]]]))
    assert np.isfinite(jax.grad(lambda members: pairwise_js(members).sum())(members)).all()


@pytest.mark.parametrize("measure", ALL)
def test_copies_and_single_members_have_no_diversity(measure) -> None:
    member = random_case(m=1)
    np.testing.assert_array_equal(measure(member), 0)
    np.testing.assert_allclose(measure(np.repeat(member, 3, axis=0)), 0, atol=1e-12)
    np.testing.assert_array_equal(disagreement_matrix(member), [[0]])


@pytest.mark.parametrize("measure", ALL)
def test_nan_in_one_member_makes_that_example_nan(measure) -> None:
    members = random_case(m=3, b=4)
    members[1, 2, 0] = np.nan
    np.testing.assert_array_equal(np.isnan(measure(members)), [False, False, True, False])


@pytest.mark.parametrize("measure", ALL)
def test_parts_of_the_batch_make_up_the_whole(measure) -> None:
    members = random_case(b=30)
    parts = np.concatenate([measure(members[:, :13]), measure(members[:, 13:])])
    np.testing.assert_allclose(parts, measure(members), atol=1e-6)


def test_masked_disagreement_matrix_adds_up() -> None:
    members = random_case(m=3, b=30)
    mask = np.arange(30) % 4 > 0
    kept = disagreement_matrix(members[:, mask])
    first, rest = disagreement_matrix(members[:, :8], mask[:8]), disagreement_matrix(members[:, 8:], mask[8:])
    members[:, ~mask] = np.nan
    np.testing.assert_array_equal(disagreement_matrix(members, mask), kept)
    np.testing.assert_allclose((first * mask[:8].sum() + rest * mask[8:].sum()) / mask.sum(), kept, atol=1e-6)
    assert np.isnan(disagreement_matrix(members, np.zeros(30, bool))).all()
    assert (np.diag(kept) == 0).all()


def test_nan_in_the_matrix_stays_with_its_member() -> None:
    members = random_case(m=3, b=5)
    members[1, 0] = np.nan
    expected = np.array([[False, True, False], [True, True, True], [False, True, False]])
    np.testing.assert_array_equal(np.isnan(disagreement_matrix(members)), expected)


def test_errors_by_hand() -> None:
    votes = log_probs_of([np.eye(3)[[0, 1, 1, 1]], np.eye(3)[[0, 1, 2, 0]], np.eye(3)[[0, 1, 2, 0]]])
    labels = np.array([0, 0, 0, 0])
    np.testing.assert_allclose(same_error(votes, labels), [0, 1, 1 / 3, 0], atol=1e-7)
    # Right or wrong: member 0 is [1, 0, 0, 0], members 1 and 2 are [1, 0, 0, 1]; a, b, c, d of 0 and 1: 1, 0, 1, 2.
    kappa = 2 * (1 * 2 - 0 * 1) / ((1 + 0) * (0 + 2) + (1 + 1) * (1 + 2))
    np.testing.assert_allclose(error_kappa(votes, labels), (2 * kappa + 1) / 3, rtol=1e-6)


@given(ENSEMBLES, hnp.arrays(np.int64, B, elements=st.integers(0, C - 1)))
@settings(max_examples=50, deadline=None)
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_errors_against_a_loop_over_pairs(members: np.ndarray, labels: np.ndarray) -> None:
    votes, pairs = members.argmax(-1), list(itertools.combinations(range(M), 2))
    same = np.mean([(votes[i] == votes[j]) & (votes[i] != labels) for i, j in pairs], axis=0)
    np.testing.assert_allclose(same_error(members, labels), same, atol=1e-6)
    correct = votes == labels
    kappas = [1 if (correct[i] == correct[j]).all() else cohen_kappa_score(correct[i], correct[j]) for i, j in pairs]
    np.testing.assert_allclose(error_kappa(members, labels), np.mean(kappas), atol=1e-6)


def test_kappa_of_many_examples_against_scikit_learn() -> None:
    members, labels = random_case(m=3, b=2000), np.random.default_rng(1).integers(0, 8, 2000)
    members[:, np.arange(2000), labels] += 3  # log-probabilities up to a constant: votes are all that counts
    correct = members.argmax(-1) == labels
    expected = np.mean([cohen_kappa_score(correct[i], correct[j]) for i, j in ((0, 1), (0, 2), (1, 2))])
    np.testing.assert_allclose(error_kappa(members, labels), expected, atol=1e-5)
    assert abs(expected) < 0.05, "members that err independently have kappa 0"


def test_errors_of_copies_of_single_members_and_without_errors() -> None:
    member = random_case(m=1, b=50, c=3)
    labels = np.random.default_rng(1).integers(0, 3, 50)
    copies = np.repeat(member, 3, axis=0)
    np.testing.assert_array_equal(same_error(copies, labels), 1 - metrics.accuracy(member[0], labels))
    np.testing.assert_allclose(error_kappa(copies, labels), 1, rtol=1e-6)
    np.testing.assert_array_equal(same_error(member, labels), 0)
    assert error_kappa(member, labels) == 1
    all_right = log_probs_of([[[3, 1], [3, 2]], [[2, 1], [3, 1]]])
    np.testing.assert_array_equal(same_error(all_right, np.array([0, 0])), 0)
    assert error_kappa(all_right, np.array([0, 0])) == 1
    assert error_kappa(all_right, np.array([1, 1])) == 1
    opposed = log_probs_of([np.eye(2)[[0, 1]], np.eye(2)[[1, 0]]])
    assert error_kappa(opposed, np.array([0, 0])) == -1


def test_same_errors_add_up_and_kappa_takes_a_mask() -> None:
    members, labels = random_case(m=3, b=30, c=3), np.random.default_rng(2).integers(0, 3, 30)
    parts = np.concatenate([same_error(members[:, :13], labels[:13]), same_error(members[:, 13:], labels[13:])])
    np.testing.assert_array_equal(parts, same_error(members, labels))
    mask = np.arange(30) % 4 > 0
    kept = error_kappa(members[:, mask], labels[mask])
    members[:, ~mask] = np.nan
    np.testing.assert_allclose(error_kappa(members, labels, mask), kept, rtol=1e-6)
    assert np.isnan(error_kappa(members, labels))
    assert np.isnan(same_error(members, labels)).sum() == (~mask).sum()


def test_a_label_that_is_no_class_gives_nan() -> None:
    members = random_case(m=3, b=4, c=3)
    np.testing.assert_array_equal(np.isnan(same_error(members, np.array([0, 3, 1, -1]))), [False, True, False, True])
    assert np.isnan(error_kappa(members, np.array([0, 3, 1, 1])))


@pytest.mark.slow
def test_yules_q_by_hand() -> None:
    """Right on 0-3 and on 0-1, 4-5 of 8: a = 2, d = 2, b = 2, c = 2, Q = 0; right on 0-3 and on 0-2, 4: Q = .8."""
    labels = np.zeros(8, int)

    def members(*right):
        return np.stack(
            [np.log(np.where(np.isin(np.arange(8), r)[:, None], [[0.9, 0.1]], [[0.1, 0.9]])) for r in right]
        )

    first = [0, 1, 2, 3]
    assert metrics.yules_q(members(first, [0, 1, 4, 5]), labels) == pytest.approx(0, abs=1e-6)
    assert metrics.yules_q(members(first, [0, 1, 2, 4]), labels) == pytest.approx((9 - 1) / (9 + 1), abs=1e-6)
    assert metrics.yules_q(members(first, [4, 5, 6, 7]), labels) == -1
    assert metrics.yules_q(members(first, first), labels) == 1
    assert metrics.yules_q(members([0, 1], first), labels) == 1
    assert metrics.yules_q(members(range(8), range(8)), labels) == 1
    assert metrics.yules_q(members(range(8), first), labels) == 0
    assert metrics.yules_q(members(first), labels) == 1
    three = members(first, [0, 1, 2, 4], [4, 5, 6, 7])
    pairs = [float(metrics.yules_q(three[[i, j]], labels)) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert metrics.yules_q(three, labels) == pytest.approx(np.mean(pairs), abs=1e-6)
    mask = np.arange(8) != 4
    expected = metrics.yules_q(three[:, mask], labels[mask])
    assert metrics.yules_q(three, labels, mask=mask) == pytest.approx(float(expected), abs=1e-6)
