"""Of any predictions: finite, NaN or infinite as documented; and what must not matter does not.

Probabilities of 0 and 1, ties, -inf, one class, one example, one member, logits far apart; numbers of other types and
byte orders; a constant added to logits; the order of members.
"""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from be_jax import metrics
from be_jax.metrics import conformal, recalibrate, regression

# Few shapes, so that few programs are compiled: (members, examples, classes).
SHAPES = [(1, 1, 3), (2, 4, 1), (3, 6, 3)]
LOGITS = st.sampled_from(SHAPES).flatmap(
    lambda shape: hnp.arrays(
        np.float32, shape, elements=st.sampled_from([0.0, 0.0, 1.0, -2.0, 16.5, 80.0, 300.0, -1e4, -np.inf])
    )
)


def log_probs_of(logits: np.ndarray) -> np.ndarray:
    """Rows that are nothing but -inf become uniform."""
    logits = np.where(np.isneginf(logits).all(-1, keepdims=True), 0, logits)
    return np.asarray(jax.nn.log_softmax(jnp.asarray(logits)))


def every_score(members: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
    """All there is of one set."""
    mixed = metrics.mixture(members)
    correct = metrics.accuracy(mixed, labels)
    uncertainty = metrics.max_probability_uncertainty(members)
    selective = ("aurc", "augrc", "coverage_at_risk", "risk_at_coverage")
    likeness = ("disagreement", "variation_ratio", "pairwise_js", "pairwise_kl", "disagreement_matrix")
    calibration = ("ece", "adaptive_ece", "classwise_ece", "smooth_ece", "debiased_ece", "brier_decomposition")
    return {
        "accuracy": correct,
        "nll": metrics.nll(mixed, labels),
        "brier": metrics.brier(mixed, labels),
        "max_probability": uncertainty,
        **{name: getattr(metrics, name)(mixed, labels) for name in calibration},
        **{name: getattr(metrics, name)(uncertainty, correct) for name in selective},
        **{name: getattr(metrics, name)(members) for name in likeness},
        **{name: getattr(metrics, name)(members, labels) for name in ("same_error", "error_kappa", "yules_q")},
        **{name: getattr(metrics, name)(members) for name in ("decompose", "decompose_brier", "decompose_zero_one")},
        "detection": metrics.detection(members, members),
        "temperature": metrics.fit_temperature(members, labels),
        "conformal": conformal.scores(mixed, labels, penalty=0.1, free=1),
    }


scores = jax.jit(every_score)
fit, temper = jax.jit(metrics.fit_temperature), jax.jit(metrics.temper)
crps = jax.jit(regression.crps)
crps_slopes = jax.jit(jax.grad(lambda *parts: regression.crps(*parts).sum(), argnums=(0, 1, 2)))
INFINITE = {"nll", "pairwise_kl"}
RANKED = {"accuracy", "ece", "adaptive_ece", "smooth_ece", "debiased_ece", "aurc", "augrc", "coverage_at_risk"}
RANKED |= {"risk_at_coverage", "detection", "conformal"}
"""Scores that turn on which of two probabilities is larger, equal ones too that rounding has told apart."""


@pytest.mark.slow
@given(LOGITS, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_scores_are_finite_or_documented(logits, random):
    members = log_probs_of(logits)
    _, examples, classes = members.shape
    labels = np.array([random.randrange(classes) for _ in range(examples)], np.int32)
    values = scores(members, labels)
    impossible = np.asarray(metrics.is_impossible(members, labels))
    assert np.isnan(values["temperature"]) == impossible.any()
    for name, value in values.items():
        for leaf in jax.tree.leaves(value):
            assert name == "temperature" or not np.isnan(leaf).any(), name
            assert name in INFINITE or name == "temperature" or np.isfinite(leaf).all(), name
    np.testing.assert_array_equal(np.isposinf(values["nll"]), impossible)
    for name in set(values) - {"error_kappa", "yules_q", "conformal", "temperature", "brier_decomposition"}:
        assert all((np.asarray(leaf) >= 0).all() for leaf in jax.tree.leaves(values[name])), name
    for name in ("ece", "adaptive_ece", "classwise_ece", "smooth_ece", "aurc", "disagreement", "max_probability"):
        assert (np.asarray(values[name]) <= 1 + 1e-6).all(), name
    assert (np.asarray(values["pairwise_js"]) <= np.log(2) + 1e-6).all()


@pytest.mark.slow
@given(LOGITS, st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_members_does_not_matter(logits, random):
    members = log_probs_of(logits)
    labels = np.zeros(members.shape[1], np.int32)
    order = random.sample(range(len(members)), len(members))
    once, again = scores(members, labels), scores(members[order], labels)
    for name in set(once) - RANKED - {"disagreement_matrix"}:
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), once[name], again[name])


@pytest.mark.slow
@given(
    hnp.arrays(np.int64, (3, 40, 4), elements=st.integers(-40, 40)),
    st.sampled_from([-64.0, 0.5, 8.0, 1024.0]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=30, deadline=None)
def test_scaled_scores_are_those_of_the_logits_plus_a_constant(eighths, constant, seed):
    """Logits of eighths, so that the sum is exact."""
    logits = (eighths / 8).astype(np.float32)
    labels = np.random.default_rng(seed).integers(0, 4, 40)
    scaled = []
    for values in (logits, logits + np.float32(constant)):
        members = jax.nn.log_softmax(values)
        temperature = fit(members, labels)
        scaled.append([temperature, scores(temper(members, temperature), labels)])
        direct = fit(values, labels)  # of logits as they are: temper normalises
        np.testing.assert_allclose(direct, temperature, rtol=1e-5)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), *scaled)


@pytest.mark.slow
@pytest.mark.parametrize(
    "dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.longdouble, ">f2", ">f4", ">f8"]
)
def test_types_of_numbers_give_the_same_figures(dtype):
    """Of log-probabilities that bfloat16 holds exactly."""
    rng = np.random.default_rng(0)
    exponents = np.stack([rng.permuted([-1, -2, -3, -3]) for _ in range(60)]).reshape(3, 20, 4)
    members = (exponents * ml_dtypes.bfloat16(np.log(2))).astype(ml_dtypes.bfloat16).astype(np.float32)
    labels = rng.integers(0, 4, 20)
    for name in ("mixture", "decompose", "pairwise_js", "energy", "nll", "same_error", "fit_temperature"):
        score, needs_labels = getattr(metrics, name), name in ("nll", "same_error", "fit_temperature")
        given = members[0] if name == "nll" else members
        expected = score(given, labels) if needs_labels else score(given)
        for of_labels in ("=i8", ">i8", ">i2", "u1")[: 4 if needs_labels else 1]:
            arguments = (given.astype(dtype), labels.astype(of_labels))[: 1 + needs_labels]
            jax.tree.map(np.testing.assert_array_equal, score(*arguments), expected)
    expected = regression.crps(members[..., 0], -members[..., 1], members[0, :, 2])
    found = regression.crps(*(part.astype(dtype) for part in (members[..., 0], -members[..., 1], members[0, :, 2])))
    np.testing.assert_array_equal(found, expected)
    for fit in (recalibrate.fit_isotonic, recalibrate.fit_vector_scaling):
        np.testing.assert_array_equal(
            fit(members[0].astype(dtype), labels)(members[0].astype(dtype)), fit(members[0], labels)(members[0])
        )


@pytest.mark.parametrize("bad", [2**31, 2**32, 2**32 + 1, -(2**32), 2**63 - 1, -(2**63)])
def test_labels_beyond_32_bits_are_no_classes(bad):
    log_probs = np.log(np.full((1, 3), 1 / 3, np.float32))
    for score in (metrics.nll, metrics.brier, metrics.accuracy):
        assert np.isnan(score(log_probs, np.array([bad], np.int64)))
    if bad > 0:
        assert np.isnan(metrics.nll(log_probs, np.array([bad], np.uint64)))


@pytest.mark.parametrize("values", [np.zeros((1, 2), "V2"), np.array([[None, 1.0]]), np.array([["0", "1"]])])
def test_arrays_of_no_numbers_are_refused_by_name(values):
    with pytest.raises(TypeError, match=r"log_probs must be numbers, got an array of .*[oU|<]"):
        metrics.nll(values, np.array([0]))


@pytest.mark.slow
@given(
    hnp.arrays(np.float32, (2, 5), elements=st.sampled_from([0.0, 1.0, -3.0, 1e4])),
    hnp.arrays(np.float32, (2, 5), elements=st.sampled_from([0.0, 1e-12, 1.0, 1e8])),
    hnp.arrays(np.float32, 5, elements=st.sampled_from([0.0, 1.0, -3.0, 1e4])),
)
@settings(max_examples=60, deadline=None)
def test_regression_is_finite_or_documented(means, variances, targets):
    assert np.isfinite(crps(means, variances, targets)).all()
    for name in ("cdf", "is_covered", "squared_error"):
        assert np.isfinite(getattr(regression, name)(means, variances, targets)).all(), name
    nll = np.asarray(regression.nll(means, variances, targets))
    on_point = ((variances == 0) & (means == targets)).any(0)
    np.testing.assert_array_equal(np.isneginf(nll), on_point)
    np.testing.assert_array_equal(np.isposinf(nll) & ~((variances == 0) & (means != targets)).all(0), False)
    assert all(np.isfinite(slope).all() for slope in crps_slopes(means, variances, targets))
    bounds = conformal.intervals(means, variances, 1.0)
    assert (np.asarray(bounds.width) >= 0).all()
    assert not np.isnan(conformal.distances(means, variances, targets)).any()
