"""Mixture, decomposition, votes: by hand, against scipy, identities, and at probability 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import logsumexp
from scipy.stats import entropy

from be_jax import metrics

# Jitted, since op-by-op compilation is slow; test_metrics_contract.py shows that this changes nothing.
decompose, mixture = jax.jit(metrics.decompose), jax.jit(metrics.mixture)
variation_ratio, max_probability_uncertainty = map(
    jax.jit, (metrics.variation_ratio, metrics.max_probability_uncertainty)
)

M, B, C = 4, 5, 3


def log_probs_of(weights: np.ndarray) -> np.ndarray:
    """Log-probabilities proportional to non-negative weights along the last axis."""
    weights = np.asarray(weights, np.float64)
    with np.errstate(divide="ignore"):
        return np.log(weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def random_case(m: int = 5, b: int = 500, c: int = 10, seed: int = 0) -> np.ndarray:
    return np.array(jax.nn.log_softmax(4 * np.random.default_rng(seed).normal(size=(m, b, c)).astype(np.float32)))


# Weights small enough to be often 0 and often equal, or far enough apart to underflow.
ENSEMBLES = hnp.arrays(np.int64, (M, B, C), elements=st.sampled_from([0, 0, 1, 2, 10, 10**12])).map(
    lambda weights: log_probs_of(weights + (weights.sum(-1, keepdims=True) == 0))
)


def test_by_hand() -> None:
    certain_and_opposed = log_probs_of([[[1, 0]], [[0, 1]]])
    np.testing.assert_allclose(mixture(certain_and_opposed), np.log([[0.5, 0.5]]), rtol=1e-6)
    total, aleatoric, epistemic = decompose(certain_and_opposed)
    np.testing.assert_allclose([total[0], aleatoric[0], epistemic[0]], [np.log(2), 0, np.log(2)], rtol=1e-6)
    np.testing.assert_allclose(max_probability_uncertainty(certain_and_opposed), [0.5])

    unsure_and_agreed = log_probs_of([[[1, 1]], [[1, 1]]])
    total, aleatoric, epistemic = decompose(unsure_and_agreed)
    np.testing.assert_allclose([total[0], aleatoric[0], epistemic[0]], [np.log(2), np.log(2), 0], rtol=1e-6)

    votes = log_probs_of([[[3, 1, 1]], [[3, 1, 1]], [[1, 3, 1]], [[1, 1, 3]]])
    assert variation_ratio(votes) == 0.5
    np.testing.assert_allclose(max_probability_uncertainty(votes), [0.6], rtol=1e-6)


def test_against_scipy() -> None:
    members = random_case()
    exact = members.astype(np.float64)
    np.testing.assert_allclose(mixture(members), logsumexp(exact, axis=0) - np.log(5), atol=2e-6)
    total, aleatoric, epistemic = decompose(members)
    probs = np.exp(exact)
    np.testing.assert_allclose(total, entropy(probs.mean(0), axis=-1), atol=1e-6)
    np.testing.assert_allclose(aleatoric, entropy(probs, axis=-1).mean(0), atol=1e-6)
    np.testing.assert_allclose(epistemic, entropy(probs, probs.mean(0), axis=-1).mean(0), atol=1e-6)
    np.testing.assert_allclose(max_probability_uncertainty(members), 1 - probs.mean(0).max(-1), atol=1e-6)


@given(ENSEMBLES)
@settings(max_examples=100, deadline=None)
def test_identities_of_the_decomposition(members: np.ndarray) -> None:
    total, aleatoric, epistemic = (np.asarray(part) for part in decompose(members))
    probs = np.exp(members.astype(np.float64))
    np.testing.assert_allclose(total, entropy(probs.mean(0), axis=-1), atol=1e-6)
    np.testing.assert_allclose(total, aleatoric + epistemic, atol=1e-7)
    assert (epistemic >= 0).all()
    assert (aleatoric >= 0).all()
    assert (epistemic <= np.log(M) + 1e-6).all()
    assert (total <= np.log(C) + 1e-6).all()


@given(ENSEMBLES)
@settings(max_examples=50, deadline=None)
def test_copies_of_one_member_have_no_epistemic_uncertainty(members: np.ndarray) -> None:
    copies = np.repeat(members[:1], M, axis=0)
    total, aleatoric, epistemic = decompose(copies)
    np.testing.assert_allclose(epistemic, 0, atol=1e-12)
    np.testing.assert_array_equal(total, aleatoric)
    np.testing.assert_allclose(mixture(copies), copies[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(variation_ratio(copies), 0)


def test_a_tiny_epistemic_part_is_not_lost_in_rounding() -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(1, 200, 10)) + 1e-3 * rng.normal(size=(4, 200, 10))
    members = np.asarray(jax.nn.log_softmax(logits.astype(np.float32)))
    probs = np.exp(members.astype(np.float64))
    probs /= probs.sum(-1, keepdims=True)
    expected = entropy(probs, probs.mean(0), axis=-1).mean(0)
    assert expected.max() < 1e-6
    np.testing.assert_allclose(decompose(members).epistemic, expected, rtol=1e-2)


def test_max_probability_ranks_nearly_certain_predictions() -> None:
    almost = np.array([[[-1e-9, np.log(1e-9)], [-1e-10, np.log(1e-10)]]], np.float32)
    np.testing.assert_allclose(max_probability_uncertainty(almost), [1e-9, 1e-10], rtol=1e-6)


def test_single_member() -> None:
    member = random_case(m=1)
    np.testing.assert_allclose(mixture(member), member[0], rtol=1e-6)
    np.testing.assert_array_equal(decompose(member).epistemic, 0)
    np.testing.assert_array_equal(variation_ratio(member), 0)


@pytest.mark.parametrize("part", ["total", "aleatoric", "epistemic"])
def test_gradients_at_probability_0_have_no_nan(part: str) -> None:
    members = jnp.asarray(log_probs_of([[[1, 0, 0], [1, 1, 0]], [[0, 1, 0], [1, 1, 0]]]))
    gradient = jax.grad(lambda members: getattr(decompose(members), part).sum())(members)
    assert np.isfinite(gradient).all()
    mixed = jax.grad(lambda members: jnp.exp(mixture(members)).sum())(members)
    np.testing.assert_allclose(mixed, np.exp(members) / 2, atol=1e-6)


def test_gradients_by_finite_differences() -> None:
    logits = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4, 5)).astype(np.float32))

    @jax.jit
    def epistemic(logits: jax.Array) -> jax.Array:
        return decompose(jax.nn.log_softmax(logits)).epistemic.sum()

    direction = jnp.asarray(np.random.default_rng(2).normal(size=logits.shape).astype(np.float32))
    slope = (epistemic(logits + 1e-2 * direction) - epistemic(logits - 1e-2 * direction)) / 2e-2
    assert jnp.vdot(jax.grad(epistemic)(logits), direction) == pytest.approx(float(slope), rel=1e-2)


@pytest.mark.parametrize(
    "score", [variation_ratio, max_probability_uncertainty, lambda x: decompose(x).total, lambda x: mixture(x).sum(1)]
)
def test_nan_in_one_member_makes_that_example_nan(score) -> None:
    members = random_case(m=3, b=4)
    members[1, 2, 0] = np.nan
    np.testing.assert_array_equal(np.isnan(score(members)), [False, False, True, False])


def test_parts_of_the_batch_make_up_the_whole() -> None:
    members = random_case(b=30)
    for score in (variation_ratio, max_probability_uncertainty, lambda x: decompose(x).epistemic):
        parts = np.concatenate([score(members[:, :13]), score(members[:, 13:])])
        np.testing.assert_allclose(parts, score(members), atol=1e-7)


SPLITS = {"brier": jax.jit(metrics.decompose_brier), "zero_one": jax.jit(metrics.decompose_zero_one)}


@given(ENSEMBLES)
@settings(max_examples=50, deadline=None)
def test_splits_by_brier_and_zero_one_against_their_definitions(members: np.ndarray) -> None:
    probs = np.exp(members.astype(np.float64))
    expected = {
        "brier": [1 - (probs.mean(0) ** 2).sum(-1), (1 - (probs**2).sum(-1)).mean(0), probs.var(0).sum(-1)],
        "zero_one": [1 - probs.mean(0).max(-1), (1 - probs.max(-1)).mean(0)],
    }
    expected["zero_one"].append(expected["zero_one"][0] - expected["zero_one"][1])
    for name, split in SPLITS.items():
        parts = split(members)
        np.testing.assert_allclose(parts, expected[name], atol=1e-6)
        assert (np.asarray(parts) >= 0).all()
        np.testing.assert_array_equal(split(np.repeat(members[:1], M, axis=0)).epistemic, 0)


@pytest.mark.parametrize("lead", [20.0, 50.0, 80.0])
def test_splits_near_certainty(lead: float) -> None:
    """Of q and 2 q beside certainty: 2 q (1 - q) and q, on average 1.5 times as much."""
    member = jax.nn.log_softmax(jnp.array([[[lead, 0.0]], [[lead - np.log(2), 0.0]]]))
    q = np.exp(-lead)
    assert SPLITS["brier"](member).aleatoric[0] == pytest.approx(3 * q, rel=1e-4, abs=0)
    assert SPLITS["zero_one"](member).aleatoric[0] == pytest.approx(1.5 * q, rel=1e-4, abs=0)
    assert SPLITS["zero_one"](member).epistemic[0] == 0
