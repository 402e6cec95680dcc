"""Regression with a Gaussian head: scores and uncertainty of the mixture (1/m) sum_k N(mean_k, variance_k).

Members' `means` and `variances` are [m, b], targets [b]; every function gives float32 [b], one number per example.
A variance of 0 is a point mass. NaN in a member or a target makes that example NaN, as does a variance below 0.
Every function raises ValueError for shapes other than these, and TypeError for complex numbers.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr
from jax.scipy.stats import norm
from jax.typing import ArrayLike

from be_jax.metrics import _check, _information


class VarianceDecomposition(NamedTuple):
    """Predictive variance in squared units of the target, each [b]: total = aleatoric + epistemic."""

    total: jax.Array
    aleatoric: jax.Array
    epistemic: jax.Array


def nll(means: ArrayLike, variances: ArrayLike, targets: ArrayLike) -> jax.Array:
    """Negative log-density of the mixture at the target, in nats, for targets in their unit; -inf on a point mass."""
    means, variances, targets = _members_and_targets(means, variances, targets)
    difference, is_point = targets[None] - means, variances == 0
    log_density = norm.logpdf(difference, scale=jnp.sqrt(jnp.where(is_point, 1, variances)))
    log_density = jnp.where(is_point, jnp.where(difference == 0, jnp.inf, -jnp.inf), log_density)
    return -_information.log_mean_exp(jnp.where(jnp.isnan(difference), jnp.nan, log_density))


def crps(means: ArrayLike, variances: ArrayLike, targets: ArrayLike) -> jax.Array:
    """Continuous ranked probability score, the integral of (F(z) - [z >= target])^2 dz, in units of the target.

    With A(d, v) = E|N(d, v)|, it is mean_k A(y - mean_k, var_k) - mean_jk A(mean_j - mean_k, var_j + var_k) / 2 (Grimit
    et al. 2006, equation 5). For a point prediction it is the absolute error.

    Its slope in a standard deviation is finite, but in a variance of 0 infinite, as that of a root is: the gradient
    there is the slope at the smallest variance of float32, large and finite.
    """
    means, variances, targets = _members_and_targets(means, variances, targets)
    to_target = jnp.mean(_mean_absolute(targets[None] - means, variances, 1), axis=0)
    between = _mean_absolute(means[:, None] - means[None], variances[:, None] + variances[None], 2)
    return to_target - jnp.mean(between, axis=(0, 1)) / 2


def cdf(means: ArrayLike, variances: ArrayLike, targets: ArrayLike) -> jax.Array:
    """The mixture's probability of a value at most the target; uniform over [0, 1] where predictions are calibrated."""
    means, variances, targets = _members_and_targets(means, variances, targets)
    return jnp.mean(ndtr(_standardised(targets[None] - means, variances)), axis=0)


def is_covered(means: ArrayLike, variances: ArrayLike, targets: ArrayLike, level: float = 0.95) -> jax.Array:
    """1.0 where the mixture's central interval of probability `level`, ends included, holds the target, else 0.0.

    A point mass on the target is within: the probability of less than the target is at most (1 + level) / 2, and that
    of at most the target is (1 - level) / 2 or more.

    Raises:
      ValueError: a `level` outside (0, 1].
    """
    tail = (1 - _check.fraction(level, "level", above_zero=True)) / 2
    means, variances, targets = _members_and_targets(means, variances, targets)
    difference = targets[None] - means
    at_most = ndtr(_standardised(difference, variances))
    less = jnp.where((variances == 0) & (difference == 0), 0, at_most)
    at_most, less = jnp.mean(at_most, axis=0), jnp.mean(less, axis=0)
    covered = (at_most >= tail) & (less <= 1 - tail)
    return jnp.where(jnp.isnan(at_most), jnp.nan, covered.astype(jnp.float32))


def squared_error(means: ArrayLike, variances: ArrayLike, targets: ArrayLike) -> jax.Array:
    """(target - mean of the mixture)^2."""
    means, variances, targets = _members_and_targets(means, variances, targets)
    return (targets - jnp.mean(means, axis=0)) ** 2


def decompose(means: ArrayLike, variances: ArrayLike) -> VarianceDecomposition:
    """The law of total variance: aleatoric is the mean of members' variances, epistemic the variance of their means.

    Depeweg et al. 2018 (arXiv 1710.07283), section 3. Epistemic divides by m, so that total is the mixture's variance.
    """
    means, variances = _members(means, variances)
    aleatoric, epistemic = jnp.mean(variances, axis=0), jnp.var(means, axis=0)
    return VarianceDecomposition(aleatoric + epistemic, aleatoric, epistemic)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _mean_absolute(mean: jax.Array, variance: jax.Array, terms: int) -> jax.Array:
    """E|z| for z ~ N(mean, variance), a variance that is a sum of so many."""
    z = _standardised(mean, variance)
    spread = 2 * jnp.sqrt(variance) * norm.pdf(z)
    return spread + mean * (2 * ndtr(z) - 1)


@_mean_absolute.defjvp
def _mean_absolute_jvp(
    terms: int, primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """Slopes 2 F(z) - 1 and f(z) / std; those of a point mass are at the smallest variance of float32, so finite."""
    mean, variance = primals
    std = jnp.sqrt(jnp.maximum(variance, terms * jnp.finfo(jnp.float32).tiny))
    z = mean / std
    slope = (2 * ndtr(z) - 1) * tangents[0] + norm.pdf(z) / std * tangents[1]
    return _mean_absolute(mean, variance, terms), slope


def _standardised(difference: jax.Array, variance: jax.Array) -> jax.Array:
    """difference / sqrt(variance); at variance 0 infinite with the sign of the difference, +inf where that is 0."""
    is_point = variance == 0
    std = jnp.sqrt(jnp.where(is_point, 1, variance))
    return jnp.where(is_point, jnp.where(difference < 0, -jnp.inf, jnp.inf), difference / std)


def _members(means: ArrayLike, variances: ArrayLike) -> tuple[jax.Array, jax.Array]:
    means, variances = _check.real(means, "means"), _check.real(variances, "variances")
    if means.ndim != 2 or means.shape != variances.shape or not len(means):
        raise ValueError(
            f"means and variances must both be [m, b] with m >= 1, got shapes {means.shape} and {variances.shape}: "
            "a single model is one member, means[None]."
        )
    return means, jnp.where(variances < 0, jnp.nan, variances)


def _members_and_targets(
    means: ArrayLike, variances: ArrayLike, targets: ArrayLike
) -> tuple[jax.Array, jax.Array, jax.Array]:
    means, variances = _members(means, variances)
    targets = _check.vector(targets, "targets")
    if targets.shape != means.shape[1:]:
        raise ValueError(f"targets must be [b] with b = {means.shape[1]} as in means, got shape {targets.shape}.")
    return means, variances, targets
