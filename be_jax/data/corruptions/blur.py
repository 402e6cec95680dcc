"""Blurs: each pixel becomes an average of, or a draw from, its neighbours."""

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.geometry import sample
from be_jax.data.corruptions.severity import at_severity

_REACH = 8  # pixels to each side that a Gaussian takes into account: four standard deviations of the widest
_TAPS = 11  # along the line of a motion blur


def gaussian_filter(image: jax.Array, sigma: jax.Array) -> jax.Array:
    """Gaussian filter of ``image [h, w, ch]`` with the edges repeated, as two small matrix products.

    The same as ``scipy.ndimage.gaussian_filter`` with ``mode="nearest"`` and ``radius=8``.
    """
    rows, columns = (_filter_matrix(size, sigma) for size in image.shape[:2])
    return jnp.einsum("ij,jkc,lk->ilc", rows, image, columns)


def _filter_matrix(size: int, sigma: jax.Array) -> jax.Array:
    """``[size, size]``: row i holds the weights of a Gaussian about i."""
    offsets = jnp.arange(-_REACH, _REACH + 1)
    weights = jax.nn.softmax(-0.5 * (offsets / sigma) ** 2)
    centres = jnp.arange(size)[:, None]
    neighbours = jnp.clip(centres + offsets[None], 0, size - 1)
    return jnp.zeros((size, size)).at[centres, neighbours].add(weights[None])


def gaussian_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Gaussian blur of 0.5 to 2 pixels standard deviation (in MNIST-C's code, but 1 to 6; the key is not used)."""
    del key
    return gaussian_filter(image, at_severity(severity, (0.5, 0.8, 1.1, 1.5, 2.0)))


def glass_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Frosted glass: each pixel is drawn from a neighbourhood, between two Gaussian blurs.

    MNIST-C swaps neighbours one after another; here every pixel draws on its own, which needs no loop over pixels.
    """
    sigma = at_severity(severity, (0.5, 0.6, 0.7, 0.8, 0.9))
    reach = at_severity(severity, (0.8, 1.2, 1.7, 2.3, 3.0))
    height, width, _ = image.shape
    row_shift, column_shift = jnp.round(reach * jax.random.uniform(key, (2, height, width), minval=-1)).astype(int)
    rows = jnp.clip(jnp.arange(height)[:, None] + row_shift, 0, height - 1)
    columns = jnp.clip(jnp.arange(width)[None] + column_shift, 0, width - 1)
    return gaussian_filter(gaussian_filter(image, sigma)[rows, columns], sigma)


def motion_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Average along a line of 3 to 11 pixels, at an angle within 45 degrees of the rows.

    MNIST-C has ImageMagick's one-sided Gaussian along such a line; this one is even, centred and of a stated length.
    """
    angle = jax.random.uniform(key, minval=-jnp.pi / 4, maxval=jnp.pi / 4)
    reach = at_severity(severity, (3, 5, 7, 9, 11)) / 2 * jnp.linspace(-1, 1, _TAPS)
    rows, columns = jnp.indices(image.shape[:2])

    def add_tap(total: jax.Array, distance: jax.Array) -> tuple[jax.Array, None]:
        shifted = sample(image, rows + distance * jnp.sin(angle), columns + distance * jnp.cos(angle))
        return total + shifted / _TAPS, None

    return jax.lax.scan(add_tap, jnp.zeros_like(image), reach)[0]
