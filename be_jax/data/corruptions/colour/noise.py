"""Noise on every channel of every pixel, as in CIFAR-10-C."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.severity import at_severity


def gaussian_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Adds normal noise of standard deviation 0.04 to 0.1."""
    return image + at_severity(severity, (0.04, 0.06, 0.08, 0.09, 0.10)) * jax.random.normal(key, image.shape)


def shot_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Poisson noise of a sensor that counts 500, 250, 100, 75 or 50 photons for white."""
    photons = at_severity(severity, (500, 250, 100, 75, 50)).astype(jnp.float32)
    return jax.random.poisson(key, image * photons) / photons


def impulse_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Salt and pepper: 1 to 7 % of the values become 0 or 1, with even odds."""
    half = at_severity(severity, (0.01, 0.02, 0.03, 0.05, 0.07)) / 2
    draw = jax.random.uniform(key, image.shape)
    return jnp.where(draw < half, 0, jnp.where(draw > 1 - half, 1, image))


def speckle_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Multiplies by normal noise of mean 1 and standard deviation 0.06 to 0.2."""
    spread = at_severity(severity, (0.06, 0.1, 0.12, 0.16, 0.2))
    return image * (1 + spread * jax.random.normal(key, image.shape))
