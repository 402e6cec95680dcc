"""Noise on every value of the image."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.noise import salt_and_pepper
from be_jax.data.corruptions.severity import at_severity

_REACH = 6  # standard deviations to each side of the mean within which a photon count is looked for


def gaussian_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Adds Gaussian noise of standard deviation 0.04 to 0.10."""
    return image + at_severity(severity, (0.04, 0.06, 0.08, 0.09, 0.10)) * jax.random.normal(key, image.shape)


def shot_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Poisson noise of a sensor that counts 500, 250, 100, 75 or 50 photons for a white value, clipped to white.

    The count is drawn by inverting the distribution function from six standard deviations below the mean upwards, as
    far as white; ``jax.random.poisson`` draws the same distribution in ten times the time.
    """
    white = at_severity(severity, (500, 250, 100, 75, 50))
    draw = jax.random.uniform(key, image.shape)
    rate = image * white
    first = jnp.floor(rate - _REACH * jnp.sqrt(rate))
    first = jnp.where(first < 8, 0, first)

    def add_term(step: jax.Array, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        count, probability, below = state
        count += draw >= below
        probability *= rate / (first + step)
        return count, probability, below + probability

    start = _poisson_probability(first, rate)
    steps = jnp.minimum(white, jnp.ceil(2 * _REACH * jnp.sqrt(white)).astype(int) + 8)
    count, *_ = jax.lax.fori_loop(1, steps + 1, add_term, (first, start, start))
    return jnp.minimum(count / white, 1)


def _poisson_probability(count: jax.Array, rate: jax.Array) -> jax.Array:
    """Of a ``count`` that is 0 or at least 8, by Stirling's series: its terms cancel better than a log-gamma's."""
    positive = jnp.maximum(count, 8)
    stirling = jnp.log(2 * jnp.pi * positive) / 2 + 1 / (12 * positive)
    ratio = jnp.where(count > 0, rate / positive, 1)
    return jnp.exp(jnp.where(count > 0, positive * jnp.log(ratio) + positive - rate - stirling, -rate))


def impulse_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Salt and pepper: 1 to 7 % of the values turn 0 or 1, each channel on its own."""
    return salt_and_pepper(key, image, at_severity(severity, (0.01, 0.02, 0.03, 0.05, 0.07)))


def speckle_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Gaussian noise in proportion to the value, of standard deviation 0.06 to 0.2 for white."""
    scale = at_severity(severity, (0.06, 0.1, 0.12, 0.16, 0.2))
    return image + image * scale * jax.random.normal(key, image.shape)
