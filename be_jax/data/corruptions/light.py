"""Changes of light."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.severity import at_severity


def brightness(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Adds 0.1 to 0.5 to the value of each pixel in HSV, its brightest channel (MNIST-C; the key is not used).

    Hue and saturation stay: the other channels are scaled along.
    """
    del key
    value = image.max(axis=-1, keepdims=True)
    brighter = jnp.minimum(value + at_severity(severity, (0.1, 0.2, 0.3, 0.4, 0.5)), 1)
    return jnp.where(value > 0, image * (brighter / jnp.where(value > 0, value, 1)), brighter)


def contrast(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Pulls every channel to its mean, leaving 0.75 to 0.1 of the deviations (the key is not used).

    In MNIST-C's code, where 0.4 to 0.05 are left.
    """
    del key
    mean = image.mean(axis=(0, 1), keepdims=True)
    return mean + (image - mean) * at_severity(severity, (0.75, 0.5, 0.35, 0.2, 0.1))


def fog(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Mixes the image with smooth random haze: ``(image + c haze) max / (max + c)``, c from 0.4 to 2.5.

    The mix is MNIST-C's, with c from 1.5 to 3 and a diamond-square fractal there; see :func:`haze`.
    """
    amount = at_severity(severity, (0.4, 0.8, 1.2, 1.8, 2.5))
    brightest = image.max()
    mist = haze(key, *image.shape[:2])[..., None]
    return (image + amount * mist) * brightest / (brightest + amount)


def haze(key: jax.Array, height: int, width: int) -> jax.Array:
    """Smooth noise ``[height, width]`` that spans [0, 1].

    It is a sum of random grids of 2, 4, 8 and 16 points a side, enlarged to the image, each half as strong as the last.
    """
    draws = jax.random.uniform(key, (4, 16, 16))
    total = jnp.zeros((height, width))
    for octave, side in enumerate((2, 4, 8, 16)):
        total += jax.image.resize(draws[octave, :side, :side], (height, width), "cubic") / 2**octave
    return (total - total.min()) / (total.max() - total.min())
