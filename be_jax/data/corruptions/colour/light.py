"""Changes of light and colour, as in CIFAR-10-C. No key is used."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.severity import at_severity


def brightness(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Adds 0.05 to 0.3 to the value in HSV, at most to 1: the brightest channel, with which the others are scaled."""
    del key
    value = image.max(-1, keepdims=True)
    brighter = jnp.minimum(value + at_severity(severity, (0.05, 0.1, 0.15, 0.2, 0.3)), 1)
    return jnp.where(value > 0, image * (brighter / jnp.where(value > 0, value, 1)), brighter)


def contrast(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Leaves 0.75 to 0.15 of each channel's deviations from its mean."""
    del key
    mean = image.mean((0, 1), keepdims=True)
    return mean + (image - mean) * at_severity(severity, (0.75, 0.5, 0.4, 0.3, 0.15))


def saturate(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Multiplies the saturation in HSV by 0.3 and 0.1 (severities 1, 2), or by 1.5 to 2.5, adding up to 0.2.

    Greys, whose hue is 0, turn red where saturation is added.
    """
    del key
    factor = at_severity(severity, (0.3, 0.1, 1.5, 2.0, 2.5))
    offset = at_severity(severity, (0.0, 0.0, 0.0, 0.1, 0.2))
    value, least = image.max(-1, keepdims=True), image.min(-1, keepdims=True)
    grey = value == least
    span = jnp.where(grey, 1, value - least)
    saturation = jnp.where(grey, 0, (value - least) / jnp.where(value > 0, value, 1))
    depth = jnp.where(grey, jnp.array([[[0.0, 1.0, 1.0]]]), (value - image) / span)  # 1 in the darkest channel
    return value * (1 - depth * jnp.clip(factor * saturation + offset, 0, 1))
