"""Scores of Gaussian mixtures: by hand, against scipy and numerical integration, identities, edges, jit == no jit."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import integrate, stats

from be_jax.metrics import regression

M, B = 3, 6
RNG = np.random.default_rng(0)
MEANS = RNG.normal(size=(M, B)).astype(np.float32)
VARIANCES = RNG.uniform(0.05, 2, size=(M, B)).astype(np.float32)
TARGETS = (2 * RNG.normal(size=B)).astype(np.float32)

SCORES = {name: jax.jit(getattr(regression, name)) for name in ("nll", "crps", "cdf", "is_covered", "squared_error")}
NUMBERS = hnp.arrays(np.float32, (M, B), elements=st.floats(-5, 5, width=32))


def cdf_of(example):
    """The mixture's distribution function in float64."""
    means, stds = MEANS[:, example].astype(float), np.sqrt(VARIANCES[:, example].astype(float))
    return lambda z: stats.norm.cdf(z, means, stds).mean()


def test_nll_against_scipy():
    densities = stats.norm.pdf(TARGETS, MEANS, np.sqrt(VARIANCES)).mean(0)
    np.testing.assert_allclose(SCORES["nll"](MEANS, VARIANCES, TARGETS), -np.log(densities), rtol=1e-5)


def test_crps_against_numerical_integration():
    crps = SCORES["crps"](MEANS, VARIANCES, TARGETS)
    for example, target in enumerate(TARGETS.astype(float)):
        cdf = cdf_of(example)
        below, _ = integrate.quad(lambda z, cdf=cdf: cdf(z) ** 2, -20, target)
        above, _ = integrate.quad(lambda z, cdf=cdf: (1 - cdf(z)) ** 2, target, 20)
        assert crps[example] == pytest.approx(below + above, abs=1e-5)


def test_crps_of_one_gaussian_is_gneitings():
    """Gneiting and Raftery 2007, equation 21."""
    z = (TARGETS - MEANS[0]) / np.sqrt(VARIANCES[0])
    expected = np.sqrt(VARIANCES[0]) * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(SCORES["crps"](MEANS[:1], VARIANCES[:1], TARGETS), expected, rtol=1e-4, atol=1e-6)


def test_cdf_and_coverage_against_scipy():
    expected = [cdf_of(example)(target) for example, target in enumerate(TARGETS)]
    np.testing.assert_allclose(SCORES["cdf"](MEANS, VARIANCES, TARGETS), expected, atol=1e-6)
    for level in (0.5, 0.95):
        covered = [abs(2 * p - 1) <= level for p in expected]
        np.testing.assert_array_equal(regression.is_covered(MEANS, VARIANCES, TARGETS, level), covered)


def test_coverage_of_the_truth_is_its_level():
    rng = np.random.default_rng(1)
    means, stds = rng.normal(size=(4, 1)), np.array([[0.3], [1.0], [0.5], [2.0]])
    member = rng.integers(4, size=20_000)
    targets = rng.normal(means[member, 0], stds[member, 0])
    shape = (4, len(targets))
    covered = SCORES["is_covered"](np.broadcast_to(means, shape), np.broadcast_to(stds**2, shape), targets)
    assert covered.mean() == pytest.approx(0.95, abs=0.006)  # four standard errors


def test_central_interval_by_hand():
    mean, variance = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(
        SCORES["is_covered"](mean, variance, np.array([-1.97, -1.95, 1.95, 1.97])), [0, 1, 1, 0]
    )


def test_the_law_of_total_variance_against_samples():
    rng = np.random.default_rng(2)
    member = rng.integers(M, size=400_000)
    samples = rng.normal(MEANS[member], np.sqrt(VARIANCES[member]))
    total, aleatoric, epistemic = regression.decompose(MEANS, VARIANCES)
    np.testing.assert_allclose(total, samples.var(0), rtol=0.02)
    np.testing.assert_allclose(aleatoric, VARIANCES.mean(0), rtol=1e-6)
    np.testing.assert_allclose(epistemic, MEANS.var(0), rtol=1e-5)


def test_squared_error_is_of_the_mixtures_mean():
    expected = (TARGETS - MEANS.mean(0)) ** 2
    np.testing.assert_allclose(SCORES["squared_error"](MEANS, VARIANCES, TARGETS), expected, rtol=1e-5)


@given(NUMBERS, NUMBERS.map(np.abs), hnp.arrays(np.float32, B, elements=st.floats(-5, 5, width=32)))
@settings(max_examples=60, deadline=None)
def test_identities(means, variances, targets):
    variances = variances + 1e-3
    copies = np.repeat(means[:1], M, axis=0), np.repeat(variances[:1], M, axis=0)
    for score in SCORES.values():
        alone = score(means[:1], variances[:1], targets)
        np.testing.assert_allclose(score(*copies, targets), alone, rtol=1e-3, atol=1e-4)
    total, aleatoric, epistemic = regression.decompose(*copies)
    np.testing.assert_allclose(epistemic, 0, atol=1e-9)
    np.testing.assert_allclose(total, aleatoric)
    crps = SCORES["crps"](means, variances, targets)
    assert (crps > -1e-5).all()
    assert (crps <= np.abs(targets - means).mean(0) + np.sqrt(variances).mean(0)).all()
    moved = SCORES["crps"](3 * means + 1, 9 * variances, 3 * targets + 1)
    np.testing.assert_allclose(moved, 3 * crps, rtol=1e-3, atol=1e-4)


def test_a_variance_of_zero_is_a_point_mass():
    means, variances, targets = np.array([[1.0, 1.0]]), np.zeros((1, 2)), np.array([1.0, 3.0])
    np.testing.assert_array_equal(SCORES["crps"](means, variances, targets), [0, 2])
    np.testing.assert_array_equal(SCORES["nll"](means, variances, targets), [-np.inf, np.inf])
    np.testing.assert_array_equal(SCORES["cdf"](means, variances, np.array([0.5, 1.0])), [0, 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "variances", "target", "level", "expected"),
    [
        ([1.0], [0.0], 1.0, 0.95, 1),  # a point mass on the target
        ([1.0], [0.0], 1.0000001, 0.95, 0),
        ([1.0, 1.0], [0.0, 0.0], 1.0, 0.1, 1),
        ([1.0, 0.0], [0.0, 1.0], 1.0, 0.1, 1),  # F jumps from 0.42 to 0.92 there
        ([0.0, 0.0, 9.0], [0.0, 0.0, 0.0], 9.0, 0.95, 1),  # a third of the mass
        ([0.0] * 50 + [9.0], [0.0] * 51, 9.0, 0.95, 0),  # a fiftieth
        ([0.0], [1.0], 1.97, 0.95, 0),
    ],
)
def test_point_masses_are_covered(means, variances, target, level, expected):
    means, variances = np.array(means)[:, None], np.array(variances)[:, None]
    assert regression.is_covered(means, variances, np.array([target]), level) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "variances", "target"),
    [([0.0], [0.0], 1.0), ([1.0], [0.0], 1.0), ([0.0, 1.0], [0.0, 1.0], 1.0), ([0.0, 1.0], [0.0, 0.0], 0.5)],
)
def test_gradients_of_crps_at_point_masses(means, variances, target):
    """In means they are those of the limit; in a variance, where they grow without bound, finite and of its sign."""
    means, variances, targets = np.array([means]).T, np.array([variances]).T, np.array([target])

    def crps(means, variances):
        return regression.crps(means, variances, targets).sum()

    of_means, of_variances = jax.grad(crps, argnums=(0, 1))(*map(jnp.float32, (means, variances)))
    near = jax.grad(crps)(jnp.float32(means), jnp.float32(variances + 1e-8))
    np.testing.assert_allclose(of_means, near, atol=1e-4)
    for k, variance in enumerate(variances[:, 0]):
        moved = variances.copy()
        moved[k] += 1e-4
        rises = crps(means, moved) - crps(means, variances)
        assert np.isfinite(of_variances[k]).all()
        assert np.sign(of_variances[k, 0]) == np.sign(rises)
        assert variance > 0 or abs(of_variances[k, 0]) > 1e10
    of_std = jax.grad(lambda std: crps(jnp.float32(means), std**2))(jnp.sqrt(jnp.float32(variances)))
    assert np.isfinite(of_std).all()


def test_far_targets_stay_finite():
    far = np.full(B, 1e4, np.float32)
    for name, score in SCORES.items():
        assert np.isfinite(score(MEANS, VARIANCES, far)).all(), name


@pytest.mark.parametrize("name", SCORES)
def test_nan_or_a_negative_variance_makes_that_example_nan(name):
    spoilt = [MEANS.copy(), VARIANCES.copy(), TARGETS.copy()]
    spoilt[0][1, 0], spoilt[1][1, 1], spoilt[2][2] = np.nan, -1.0, np.nan
    expected = np.array([True, name != "squared_error", True, False, False, False])
    np.testing.assert_array_equal(np.isnan(SCORES[name](*spoilt)), expected)


@pytest.mark.parametrize("name", [*SCORES, "decompose"])
def test_jit_is_no_jit_in_one_trace(name):
    arguments = (MEANS, VARIANCES) if name == "decompose" else (MEANS, VARIANCES, TARGETS)
    metric = getattr(regression, name)
    traced = jax.jit(chex.assert_max_traces(metric, n=1))
    traced(*arguments)
    chex.assert_trees_all_close(traced(*arguments), metric(*arguments), atol=1e-6)


def test_the_nll_has_a_gradient():
    gradient = jax.grad(lambda v: regression.nll(MEANS, v, TARGETS).sum())(VARIANCES)
    step = 1e-2
    slope = (regression.nll(MEANS, VARIANCES + step, TARGETS) - regression.nll(MEANS, VARIANCES - step, TARGETS)).sum()
    assert gradient.sum() == pytest.approx(float(slope) / (2 * step), rel=0.02)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"got shapes \(6,\) and \(6,\).*means\[None\]"):
        regression.nll(MEANS[0], VARIANCES[0], TARGETS)
    with pytest.raises(ValueError, match=r"got shapes \(3, 6\) and \(2, 6\)"):
        regression.decompose(MEANS, VARIANCES[:2])
    with pytest.raises(ValueError, match=r"m >= 1, got shapes \(0, 6\)"):
        regression.decompose(MEANS[:0], VARIANCES[:0])
    with pytest.raises(ValueError, match=r"b = 6 as in means, got shape \(5,\)"):
        regression.crps(MEANS, VARIANCES, TARGETS[:5])
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\], got 95"):
        regression.is_covered(MEANS, VARIANCES, TARGETS, level=95)
