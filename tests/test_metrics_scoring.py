"""Accuracy, NLL, Brier and Mean: by hand, against scikit-learn, at probability 0, with bad labels, and added up."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from jax.sharding import Mesh, PartitionSpec
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss

from be_jax.metrics import Mean, accuracy, brier, nll

PROBS = np.array([[0.7, 0.2, 0.1], [0.25, 0.5, 0.25], [0.0, 0.0, 1.0], [0.4, 0.4, 0.2]])
LABELS = np.array([0, 2, 0, 1])
with np.errstate(divide="ignore"):
    LOG_PROBS = np.log(PROBS).astype(np.float32)


def random_case(n: int = 2000, c: int = 7, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    log_probs = np.asarray(jax.nn.log_softmax(3 * rng.normal(size=(n, c)).astype(np.float32)))
    probs = np.exp(log_probs.astype(np.float64))
    return log_probs, probs / probs.sum(1, keepdims=True), rng.integers(0, c, n)


def test_by_hand() -> None:
    np.testing.assert_array_equal(accuracy(LOG_PROBS, LABELS), [1, 0, 0, 0])  # equal classes: the first is predicted
    np.testing.assert_allclose(nll(LOG_PROBS, LABELS), [-np.log(0.7), -np.log(0.25), np.inf, -np.log(0.4)], rtol=1e-6)
    np.testing.assert_allclose(brier(LOG_PROBS, LABELS), [0.14, 0.875, 2.0, 0.56], rtol=1e-6)


def test_against_scikit_learn() -> None:
    log_probs, probs, labels = random_case()
    assert Mean.of(accuracy(log_probs, labels)).value == pytest.approx(
        accuracy_score(labels, probs.argmax(1)), abs=1e-7
    )
    assert Mean.of(nll(log_probs, labels)).value == pytest.approx(log_loss(labels, probs), abs=1e-6)
    expected = brier_score_loss(labels, probs, labels=range(7), scale_by_half=False)
    assert Mean.of(brier(log_probs, labels)).value == pytest.approx(expected, abs=1e-6)


def test_certain_and_right_is_perfect_and_certain_and_wrong_is_worst() -> None:
    certain = jnp.array([[0.0, -jnp.inf]] * 2)
    labels = jnp.array([0, 1])
    np.testing.assert_array_equal(accuracy(certain, labels), [1, 0])
    np.testing.assert_array_equal(nll(certain, labels), [0, np.inf])
    np.testing.assert_array_equal(brier(certain, labels), [0, 2])


@pytest.mark.parametrize("score", [nll, brier])
def test_gradient_at_probability_0_has_no_nan(score) -> None:
    gradient = jax.grad(lambda log_probs: jnp.sum(score(log_probs, LABELS)))(jnp.asarray(LOG_PROBS))
    assert np.isfinite(gradient).all()
    if score is nll:
        np.testing.assert_array_equal(gradient, -np.eye(3)[LABELS])


@pytest.mark.parametrize("score", [accuracy, nll, brier])
@pytest.mark.parametrize("bad", [3, 100, -1, -3])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_a_label_that_is_no_class_scores_nan_and_only_there(score, bad: int, wrap) -> None:
    scores = wrap(score)(LOG_PROBS, jnp.array([0, bad, 0, 1]))
    np.testing.assert_array_equal(np.isnan(scores), [False, True, False, False])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
def test_integer_types_of_labels(dtype) -> None:
    log_probs, _, labels = random_case(n=50, c=300)
    labels = labels % 100
    np.testing.assert_array_equal(nll(log_probs, labels.astype(dtype)), -log_probs[np.arange(50), labels])
    np.testing.assert_array_equal(accuracy(log_probs, labels.astype(dtype)), log_probs.argmax(1) == labels)


@pytest.mark.parametrize("score", [accuracy, nll, brier])
def test_a_nan_prediction_scores_nan(score) -> None:
    assert np.isnan(score(jnp.full((1, 3), jnp.nan), jnp.array([0]))).all()


def test_half_precision_is_scored_in_float32() -> None:
    assert nll(jnp.zeros((1, 2), jnp.bfloat16), jnp.array([0])).dtype == jnp.float32


def test_mean_by_hand() -> None:
    mean = Mean.of([1.0, 2.0, np.nan, 6.0], np.array([True, True, False, True]))
    assert (mean.sum, mean.count, mean.value) == (9, 3, 3)
    assert Mean.of(np.array([True, False])).value == 0.5
    assert np.isnan(Mean.of([1.0], np.array([False])).value)
    assert np.isnan(Mean.of(np.array([1.0, np.nan])).value)


def test_mean_of_a_masked_nan_has_a_clean_gradient() -> None:
    mask = np.array([True, False])
    gradient = jax.grad(lambda x: Mean.of(x, mask).value)(jnp.array([1.0, jnp.nan]))
    np.testing.assert_array_equal(gradient, [1, 0])


def test_means_of_parts_add_up_to_the_whole() -> None:
    values = np.random.default_rng(0).normal(size=20).astype(np.float32)
    mask = np.arange(20) % 3 > 0
    parts = [slice(0, 0), slice(0, 7), slice(7, 20)]
    added = functools.reduce(operator.add, [Mean.of(values[part], mask[part]) for part in parts])
    assert added.count == Mean.of(values, mask).count == mask.sum()
    assert added.value == pytest.approx(values[mask].astype(np.float64).mean(), abs=1e-6)


@given(
    hnp.arrays(np.int64, (6, 4), elements=st.sampled_from([0, 0, 1, 5])),
    hnp.arrays(np.int64, 6, elements=st.integers(0, 3)),
)
@settings(max_examples=50, deadline=None)
def test_properties(weights: np.ndarray, labels: np.ndarray) -> None:
    weights = weights + (weights.sum(1, keepdims=True) == 0)
    with np.errstate(divide="ignore"):
        log_probs = np.log(weights / weights.sum(1, keepdims=True)).astype(np.float32)
    hit, loss, square = accuracy(log_probs, labels), nll(log_probs, labels), brier(log_probs, labels)
    probs, rows = np.exp(log_probs), np.arange(6)
    np.testing.assert_array_equal(hit, weights.argmax(1) == labels)
    np.testing.assert_allclose(np.exp(-loss), probs[rows, labels], rtol=1e-6)
    assert ((square >= (1 - probs[rows, labels]) ** 2 - 1e-6) & (square <= 2)).all()


def test_psum_over_devices_is_the_mean_over_all_examples() -> None:
    devices = jax.devices()
    log_probs, probs, labels = random_case(n=8 * len(devices))
    mask = np.arange(len(labels)) < 5 * len(devices)  # devices hold different numbers of real examples
    mesh = Mesh(np.array(devices), "data")

    def step(log_probs: jax.Array, labels: jax.Array, mask: jax.Array) -> jax.Array:
        return jax.lax.psum(Mean.of(nll(log_probs, labels), mask), "data").value

    split = PartitionSpec("data")
    on_all = jax.shard_map(step, mesh=mesh, in_specs=split, out_specs=PartitionSpec())(log_probs, labels, mask)
    assert on_all == pytest.approx(log_loss(labels[mask], probs[mask], labels=range(7)), abs=1e-6)
