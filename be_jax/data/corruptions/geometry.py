"""Affine maps of the image about its centre, with linear interpolation and black outside (constants of MNIST-C)."""

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from be_jax.data.corruptions.severity import at_severity


def sample(image: jax.Array, rows: jax.Array, columns: jax.Array, mode: str = "constant") -> jax.Array:
    """``image [h, w, ch]`` at fractional ``rows`` and ``columns`` (each ``[h, w]``): linear, black outside.

    Another ``mode`` of ``scipy.ndimage.map_coordinates`` continues the image in another way.
    """

    def one_channel(channel: jax.Array) -> jax.Array:
        return map_coordinates(channel, [rows, columns], order=1, mode=mode)

    return jax.vmap(one_channel, in_axes=2, out_axes=2)(image)


def warp(image: jax.Array, matrix: jax.Array) -> jax.Array:
    """Takes output pixel p from input ``matrix @ p``, p being (row, column) from the centre of ``image [h, w, ch]``."""
    height, width, _ = image.shape
    centre = jnp.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    rows, columns = jnp.tensordot(matrix, jnp.indices((height, width)) - centre, axes=1) + centre
    return sample(image, rows, columns)


def _random_sign(key: jax.Array, shape: tuple[int, ...] = ()) -> jax.Array:
    return jax.random.rademacher(key, shape, jnp.float32)


def shear(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Slants the image to the left or the right: a row moves by 0.2 to 1 times its distance from the middle."""
    slope = at_severity(severity, (0.2, 0.4, 0.6, 0.8, 1.0)) * _random_sign(key)
    return warp(image, jnp.array([[1, 0], [slope, 1]]))


def scale(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Shrinks the image to 0.9 to 0.5 of its size (the key is not used)."""
    del key
    return warp(image, jnp.eye(2) / at_severity(severity, (0.9, 0.8, 0.7, 0.6, 0.5)))


def rotate(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Turns the image by 0.2 to 1 radians, to the left or the right."""
    angle = at_severity(severity, (0.2, 0.4, 0.6, 0.8, 1.0)) * _random_sign(key)
    return warp(image, jnp.array([[jnp.cos(angle), -jnp.sin(angle)], [jnp.sin(angle), jnp.cos(angle)]]))


def translate(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Moves the image by 1 to 5 pixels along both axes, towards one of the four corners."""
    row_shift, column_shift = severity * _random_sign(key, (2,))
    rows, columns = jnp.indices(image.shape[:2])
    return sample(image, rows + row_shift, columns + column_shift)
