"""Noise on every pixel."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.severity import at_severity

_PHOTONS = (60, 25, 12, 5, 3)


def shot_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Poisson noise of a sensor that counts 60, 25, 12, 5 or 3 photons for a white pixel (MNIST-C).

    A count above white is clipped to white, so the count is drawn by inverting the distribution function that far only.
    """
    white = at_severity(severity, _PHOTONS)
    draw = jax.random.uniform(key, image.shape)
    rate = image * white

    def add_term(photons: int, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        count, probability, below = state
        count += (draw >= below) & (photons <= white)
        probability *= rate / photons
        return count, probability, below + probability

    nothing = jnp.exp(-rate)
    count, *_ = jax.lax.fori_loop(1, max(_PHOTONS) + 1, add_term, (jnp.zeros_like(image), nothing, nothing))
    return count / white


def impulse_noise(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Salt and pepper: a fraction of the pixels turns black or white, with even odds (MNIST-C)."""
    return salt_and_pepper(key, image, at_severity(severity, (0.03, 0.06, 0.09, 0.17, 0.27)))


def salt_and_pepper(key: jax.Array, image: jax.Array, fraction: jax.Array) -> jax.Array:
    """A ``fraction`` of the values turns 0 or 1, with even odds, each channel on its own."""
    half = fraction / 2
    draw = jax.random.uniform(key, image.shape)
    return jnp.where(draw < half, 0, jnp.where(draw > 1 - half, 1, image))
