"""Changes of light."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.severity import at_severity


def brightness(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Adds 0.1 to 0.5 to the value of each pixel in HSV, its brightest channel (MNIST-C; the key is not used).

    Hue and saturation stay: the other channels are scaled along.
    """
    del key
    return brighten(image, at_severity(severity, (0.1, 0.2, 0.3, 0.4, 0.5)))


def brighten(image: jax.Array, amount: jax.Array) -> jax.Array:
    """Adds ``amount`` to the value of each pixel in HSV, up to 1; black turns grey."""
    value = image.max(axis=-1, keepdims=True)
    brighter = jnp.minimum(value + amount, 1)
    return jnp.where(value > 0, image * (brighter / jnp.where(value > 0, value, 1)), brighter)


def contrast(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Pulls every channel to its mean, leaving 0.75 to 0.1 of the deviations (the key is not used).

    In MNIST-C's code, where 0.4 to 0.05 are left.
    """
    del key
    return pull_to_mean(image, at_severity(severity, (0.75, 0.5, 0.35, 0.2, 0.1)))


def pull_to_mean(image: jax.Array, left: jax.Array) -> jax.Array:
    """Leaves the part ``left`` of the deviations of every channel from its mean."""
    mean = image.mean(axis=(0, 1), keepdims=True)
    return mean + (image - mean) * left


def fog(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Mixes the image with smooth random haze: ``(image + c haze) max / (max + c)``, c from 0.4 to 2.5.

    The mix is MNIST-C's, with c from 1.5 to 3 and a diamond-square fractal there; see :func:`haze`.
    """
    return veil(image, haze(key, *image.shape[:2]), at_severity(severity, (0.4, 0.8, 1.2, 1.8, 2.5)))


def veil(image: jax.Array, mist: jax.Array, amount: jax.Array) -> jax.Array:
    """Adds ``amount`` times ``mist [h, w]`` to the image and scales the sum to the range of the image."""
    brightest = image.max()
    return (image + amount * mist[..., None]) * brightest / (brightest + amount)


def haze(key: jax.Array, height: int, width: int) -> jax.Array:
    """Smooth noise ``[height, width]`` that spans [0, 1].

    It is a sum of random grids of 2, 4, 8 and 16 points a side, enlarged to the image, each half as strong as the last.
    """
    draws = jax.random.uniform(key, (4, 16, 16))
    total = jnp.zeros((height, width))
    for octave, side in enumerate((2, 4, 8, 16)):
        total += jax.image.resize(draws[octave, :side, :side], (height, width), "cubic") / 2**octave
    return (total - total.min()) / (total.max() - total.min())
