"""Changes of light and colour."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.light import brighten, pull_to_mean
from be_jax.data.corruptions.severity import at_severity


def brightness(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Adds 0.05 to 0.3 to the value of each pixel in HSV (the key is not used)."""
    del key
    return brighten(image, at_severity(severity, (0.05, 0.1, 0.15, 0.2, 0.3)))


def contrast(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Pulls every channel to its mean, leaving 0.75 to 0.15 of the deviations (the key is not used)."""
    del key
    return pull_to_mean(image, at_severity(severity, (0.75, 0.5, 0.4, 0.3, 0.15)))


def saturate(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Changes the saturation s of each pixel in HSV: 0.3 s, 0.1 s, 1.5 s, 2 s + 0.1, 2.5 s + 0.2 (the key is not used).

    Grey has hue 0, as in the published program: at severities 4 and 5 it turns reddish.
    """
    del key
    value = image.max(axis=-1, keepdims=True)
    chroma = value - image.min(axis=-1, keepdims=True)
    saturation = chroma / jnp.where(value > 0, value, 1)
    # By hue: how far each channel lies below the highest, in parts of the distance of the lowest.
    depth = jnp.where(chroma > 0, (value - image) / jnp.where(chroma > 0, chroma, 1), jnp.array([[[0.0, 1.0, 1.0]]]))
    factor, offset = at_severity(severity, (0.3, 0.1, 1.5, 2, 2.5)), at_severity(severity, (0, 0, 0, 0.1, 0.2))
    return value * (1 - jnp.clip(factor * saturation + offset, 0, 1) * depth)
