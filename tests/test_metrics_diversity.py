"""Disagreement and pairwise divergences: by hand, against loops over pairs with scipy, and at probability 0."""

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

from be_jax import metrics

# Jitted, since op-by-op compilation is slow; test_metrics_contract.py shows that this changes nothing.
decompose, disagreement = jax.jit(metrics.decompose), jax.jit(metrics.disagreement)
disagreement_matrix = jax.jit(metrics.disagreement_matrix)
pairwise_js, pairwise_kl = jax.jit(metrics.pairwise_js), jax.jit(metrics.pairwise_kl)

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
