"""Smooth calibration error (Blasiok and Nakkiran 2023, arXiv 2309.12236): no bins, and no width to choose."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics.scoring import accuracy

_NODES = 2048  # of confidence; a confidence is shared between its two neighbours
_WAVES = 512  # a kernel as narrow as 0.003 has no more
_POINTS = 1024  # at which the smoothed residual is integrated
_HALVINGS = 24


def smooth_ece(log_probs: ArrayLike, labels: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """The smooth calibration error of the top label, in [0, 1]: scalar.

    The residuals, correctness less confidence, are smoothed over confidence by a Gaussian of width s that is reflected
    at 0 and 1; the integral of their absolute value falls with s, and the error is where it equals s (their definition
    3 and section 4). Unlike `ece` it is continuous in the predictions.

    The kernel is diagonal in cosines, cos(pi k confidence) decaying as exp(-(pi k s)^2 / 2), by which the residuals,
    gathered on a grid of 1 / 2048, are smoothed for every s at once.

    NaN where a counted label is no class, a counted prediction is NaN, or nothing is counted.

    Args:
      log_probs: `[b, c]`.
      labels: integers `[b]`.
      mask: boolean `[b]`, True = counted.

    Raises:
      TypeError or ValueError: as `ece` does.
    """
    log_probs = _check.log_probs(log_probs)
    mask = _check.mask(mask, log_probs.shape[:1])
    confidence = jnp.minimum(jnp.exp(jnp.max(log_probs, axis=1)), 1)
    residual = jnp.where(mask, accuracy(log_probs, labels) - confidence, 0) / jnp.sum(mask)
    return jnp.where(mask.any(), _fixed_point(jnp.where(mask, confidence, 0), residual), jnp.nan)


@jax.jit
def _fixed_point(confidence: jax.Array, residual: jax.Array) -> jax.Array:
    """The width that equals the integral at it."""
    smoothed = _at_points(_waves(confidence, residual))

    def narrow(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        width = (low + high) / 2
        exceeds = smoothed(width) > width
        return jnp.where(exceeds, width, low), jnp.where(exceeds, high, width)

    low, high = jax.lax.fori_loop(0, _HALVINGS, narrow, (jnp.zeros((), residual.dtype), jnp.ones((), residual.dtype)))
    return jnp.where(jnp.isnan(residual).any(), jnp.nan, (low + high) / 2)


def _waves(confidence: jax.Array, residual: jax.Array) -> jax.Array:
    """Coefficients `[_WAVES]` of the residuals in cos(pi k confidence)."""
    place = confidence * _NODES
    node = jnp.minimum(place.astype(jnp.int32), _NODES - 1)
    share = place - node
    on_nodes = (
        jnp.zeros(_NODES + 1, residual.dtype).at[node].add(residual * (1 - share)).at[node + 1].add(residual * share)
    )
    return jnp.matmul(_cosines(jnp.arange(_NODES + 1) / _NODES), on_nodes, precision="highest")


def _at_points(waves: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """The mean of |smoothed residual| over [0, 1] as a function of the width."""
    wave = jnp.arange(_WAVES)
    weight = jnp.where(wave == 0, 1, 2) * waves
    cosines = _cosines((jnp.arange(_POINTS) + 0.5) / _POINTS)

    def smoothed(width: jax.Array) -> jax.Array:
        decay = jnp.exp(-((jnp.pi * wave * width) ** 2) / 2)
        return jnp.mean(jnp.abs(jnp.matmul(weight * decay, cosines, precision="highest")))

    return smoothed


def _cosines(places: jax.Array) -> jax.Array:
    """cos(pi k place), `[_WAVES, n]`."""
    return jnp.cos(jnp.pi * jnp.arange(_WAVES)[:, None] * places[None])
