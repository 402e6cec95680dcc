"""Calibration errors: by hand, against a float64 loop and scikit-learn, at the edges of bins, masked, and added up."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax
from sklearn.calibration import calibration_curve

from be_jax import metrics

# Jitted, since op-by-op compilation is slow; test_metrics_contract.py shows that this changes nothing.
jit = functools.partial(jax.jit, static_argnames="num_bins")
calibration_bins, ece = jit(metrics.calibration_bins), jit(metrics.ece)
adaptive_ece, classwise_ece = jit(metrics.adaptive_ece), jit(metrics.classwise_ece)
ALL = [ece, adaptive_ece, classwise_ece]


def random_case(n: int = 10_000, c: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, c))
    labels = (logits + rng.gumbel(size=(n, c))).argmax(1)
    return log_softmax(1.5 * logits, axis=1).astype(np.float32), labels


def two_class(confidence: np.ndarray) -> np.ndarray:
    """Log-probabilities whose top label is class 0, with this probability."""
    with np.errstate(divide="ignore"):
        return np.log(np.stack([confidence, 1 - np.asarray(confidence)], 1)).astype(np.float32)


def binned_gap(probability: np.ndarray, event: np.ndarray, num_bins: int) -> float:
    """The definition of Guo et al. 2017, in float64, one bin after another."""
    gap = 0.0
    for k in range(num_bins):
        inside = (probability > k / num_bins) & (probability <= (k + 1) / num_bins)
        inside |= (k == 0) & (probability == 0)
        gap += abs(probability[inside].sum() - event[inside].sum())
    return gap / len(probability)


def test_by_hand() -> None:
    log_probs = two_class(np.array([0.9, 0.8, 0.7, 0.6]))
    labels = np.array([0, 1, 0, 1])
    bins = calibration_bins(log_probs, labels, num_bins=4)
    np.testing.assert_array_equal(bins.count, [0, 0, 2, 2])
    np.testing.assert_allclose(bins.confidence, [0, 0, 1.3, 1.7], rtol=1e-6)
    np.testing.assert_array_equal(bins.correct, [0, 0, 1, 1])
    assert ece(log_probs, labels, num_bins=4) == pytest.approx((0.3 + 0.7) / 4, abs=1e-7)
    assert adaptive_ece(log_probs, labels, num_bins=2) == pytest.approx((0.3 + 0.7) / 4, abs=1e-7)
    assert adaptive_ece(log_probs, labels, num_bins=4) == pytest.approx((0.6 + 0.3 + 0.8 + 0.1) / 4, abs=1e-7)
    assert classwise_ece(log_probs, labels, num_bins=4) == pytest.approx((0.3 + 0.7) / 4, abs=1e-7)
    assert ece(log_probs, labels, num_bins=1) == pytest.approx(0.25, abs=1e-7)


def test_reliability_by_hand() -> None:
    diagram = calibration_bins(two_class(np.array([0.9, 0.8, 0.6])), np.array([0, 1, 0]), num_bins=4).reliability
    np.testing.assert_allclose(diagram.confidence, [np.nan, np.nan, 0.6, 0.85], rtol=1e-6)
    np.testing.assert_allclose(diagram.accuracy, [np.nan, np.nan, 1, 0.5], rtol=1e-6)
    np.testing.assert_allclose(diagram.fraction, [0, 0, 1 / 3, 2 / 3], rtol=1e-6)


@pytest.mark.parametrize("num_bins", [2, 10, 15, 100])
def test_an_edge_belongs_to_the_bin_on_its_left(num_bins: int) -> None:
    edges = np.arange(num_bins, num_bins // 2, -1) / num_bins
    bins = calibration_bins(two_class(edges), np.zeros(len(edges), int), num_bins)
    expected = np.arange(num_bins) + 1 > num_bins // 2
    np.testing.assert_array_equal(bins.count, expected)


@pytest.mark.parametrize(("confidences", "num_bins"), [((0.6, 0.65), 10), ((0.8, 0.85), 5), ((0.55, 0.57), 20)])
def test_an_edge_is_one_value_in_float64_and_in_float32(confidences: tuple[float, ...], num_bins: int) -> None:
    """Rows at 0.6 and 0.65 in ten bins, right and wrong: |0.6 - 1| / 2 + 0.65 / 2, not |1.25 - 1| / 2."""
    first, second = confidences
    exact = np.array([[first, 1 - first], [second, 1 - second]])
    labels = np.array([0, 1])
    expected = (abs(first - 1) + second) / 2
    for log_probs in (np.log(exact), np.log(exact.astype(np.float32)), np.log(exact).astype(np.float32)):
        for error in (ece, metrics.ece):
            assert error(log_probs, labels, num_bins=num_bins) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("members", [3, 7, 10, 15, 20])
def test_votes_of_k_members_fall_in_bin_k(members: int) -> None:
    certain = np.log(np.eye(2) + 1e-30).astype(np.float32)
    for_class_0 = np.arange(members // 2 + 1, members + 1)
    votes = np.arange(members)[:, None] >= for_class_0[None]
    labels = np.zeros(len(for_class_0), int)
    for log_probs in (jax.jit(metrics.mixture)(certain[votes.astype(int)]), two_class(for_class_0 / members)):
        for bins in (metrics.calibration_bins, calibration_bins):
            count = bins(log_probs, labels, num_bins=members).count
            np.testing.assert_array_equal(count, np.isin(np.arange(members) + 1, for_class_0))


def test_edges_are_above_the_fractions_by_no_more_than_rounding() -> None:
    for num_bins in (2, 15, 1000):
        excess = np.exp(metrics.calibration.log_edges(num_bins).astype(float)) * num_bins / np.arange(1, num_bins) - 1
        assert (excess > 4e-7).all()
        assert (excess < 1.5e-6 * np.log(max(num_bins, 3))).all()


def test_just_right_of_an_edge_is_the_next_bin() -> None:
    bins = calibration_bins(two_class(np.array([0.75, 0.750001])), np.zeros(2, int), num_bins=4)
    np.testing.assert_array_equal(bins.count, [0, 0, 1, 1])


@pytest.mark.parametrize("num_bins", [1, 15])
def test_against_the_definition_in_float64(num_bins: int) -> None:
    log_probs, labels = random_case()
    probs = np.exp(log_probs.astype(np.float64))
    confidence, correct = probs.max(1), probs.argmax(1) == labels
    assert ece(log_probs, labels, num_bins) == pytest.approx(binned_gap(confidence, correct, num_bins), abs=1e-6)
    classwise = np.mean([binned_gap(probs[:, c], labels == c, num_bins) for c in range(6)])
    assert classwise_ece(log_probs, labels, num_bins) == pytest.approx(classwise, abs=1e-6)
    order = np.argsort(confidence)
    cuts = [k * len(order) // num_bins for k in range(1, num_bins)]
    adaptive = sum(abs(np.sum(confidence[part] - correct[part])) for part in np.split(order, cuts)) / len(order)
    assert adaptive_ece(log_probs, labels, num_bins) == pytest.approx(adaptive, abs=1e-6)


def test_against_scikit_learn() -> None:
    log_probs, labels = random_case()
    probs = np.exp(log_probs.astype(np.float64))
    accuracy, confidence = calibration_curve(probs.argmax(1) == labels, probs.max(1).clip(0, 1), n_bins=15)
    diagram = calibration_bins(log_probs, labels).reliability
    filled = ~np.isnan(diagram.confidence)
    np.testing.assert_allclose(diagram.accuracy[filled], accuracy, atol=1e-6)
    np.testing.assert_allclose(diagram.confidence[filled], confidence, atol=1e-6)


def test_probabilities_0_and_1() -> None:
    certain = jnp.array([[0.0, -jnp.inf, -jnp.inf]] * 4)
    for error in ALL:
        assert error(certain, jnp.zeros(4, int)) == 0
    assert ece(certain, jnp.array([0, 0, 0, 1])) == 0.25
    assert adaptive_ece(certain, jnp.array([0, 0, 0, 1])) == 0.25
    assert classwise_ece(certain, jnp.array([0, 0, 0, 1])) == pytest.approx((0.25 + 0.25 + 0) / 3)


def test_adaptive_bins_do_not_depend_on_the_order_of_equal_confidences() -> None:
    log_probs = two_class(np.array([0.6] * 4 + [0.8] * 4))
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 1])
    order = np.array([3, 2, 1, 0, 7, 6, 5, 4])
    expected = (abs(2 * 0.6 - 1) + abs(2 * 0.6 - 1) + abs(2 * 0.8 - 1.5) + abs(2 * 0.8 - 1.5)) / 8
    assert adaptive_ece(log_probs, labels, 4) == pytest.approx(expected, abs=1e-6)
    assert adaptive_ece(log_probs[order], labels[order], 4) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("error", ALL)
def test_masked_rows_count_for_nothing(error) -> None:
    log_probs, labels = random_case(n=60)
    mask = np.arange(60) % 4 != 1
    expected = error(log_probs[mask], labels[mask])
    log_probs[~mask], labels[~mask] = np.nan, -1
    assert error(log_probs, labels, mask=mask) == pytest.approx(float(expected), abs=1e-6)
    assert np.isnan(error(log_probs, labels))
    assert np.isnan(error(log_probs, labels, mask=np.zeros(60, bool)))


@pytest.mark.parametrize("error", ALL)
@pytest.mark.parametrize("bad", [-1, 6])
def test_a_label_that_is_no_class_makes_the_error_nan(error, bad: int) -> None:
    log_probs, labels = random_case(n=20)
    labels[3] = bad
    assert np.isnan(error(log_probs, labels))


@pytest.mark.parametrize("error", ALL)
def test_labels_of_one_class_and_fewer_examples_than_bins(error) -> None:
    log_probs, _ = random_case(n=5)
    assert 0 <= error(log_probs, np.zeros(5, int)) <= 1


def test_bins_of_parts_add_up_to_the_whole() -> None:
    log_probs, labels = random_case(n=100)
    mask = np.arange(100) % 5 > 0
    parts = [slice(0, 0), slice(0, 37), slice(37, 100)]
    added = functools.reduce(
        operator.add, [calibration_bins(log_probs[part], labels[part], mask=mask[part]) for part in parts]
    )
    whole = calibration_bins(log_probs, labels, mask=mask)
    np.testing.assert_array_equal(added.count, whole.count)
    np.testing.assert_array_equal(added.correct, whole.correct)
    np.testing.assert_allclose(added.confidence, whole.confidence, rtol=1e-6)
    assert added.ece == pytest.approx(float(ece(log_probs, labels, mask=mask)), abs=1e-6)


@given(st.permutations(range(30)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_examples_does_not_matter(order: list[int]) -> None:
    log_probs, labels = random_case(n=30)
    log_probs = np.repeat(log_probs[::3], 3, axis=0)  # ties
    for error in ALL:
        once, again = error(log_probs, labels), error(log_probs[order], labels[order])
        assert again == pytest.approx(float(once), abs=1e-6)
