"""Marks laid over the image."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from be_jax.data.corruptions.blur import gaussian_filter
from be_jax.data.corruptions.severity import MAX_SEVERITY, at_severity

Line = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
"""``(key, columns [w]) -> (row of the line, whether it is drawn)`` in each of the columns."""


def stripe(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Inverts bands at the left and the right, 3, 5, 7, 9 or 11 of 28 columns wide (in MNIST-C 7; no key is used)."""
    del key
    width = image.shape[1]
    columns = jnp.arange(width)
    band = 28 * jnp.minimum(columns, width - 1 - columns) < at_severity(severity, (3, 5, 7, 9, 11)) * width
    return jnp.where(band[None, :, None], 1 - image, image)


def dotted_line(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """One to five dotted lines from the left to the right edge (MNIST-C has one)."""

    def line(key: jax.Array, columns: jax.Array) -> tuple[jax.Array, jax.Array]:
        start, stop = jax.random.uniform(key, (2,), maxval=image.shape[0] - 1)
        return start + (stop - start) * columns / columns[-1], columns % 4 >= 2

    return _overlay(key, image, severity, line)


def zigzag(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """One to five nearly level zigzags, 8 pixels long and 4 high (MNIST-C has one)."""

    def line(key: jax.Array, columns: jax.Array) -> tuple[jax.Array, jax.Array]:
        start, rise = jax.random.uniform(
            key, (2,), minval=jnp.array([0, -5]), maxval=jnp.array([image.shape[0] - 1, 5])
        )
        wave = 4 * jnp.abs((columns / 8 + 0.25) % 1 - 0.5) - 1
        margin = (columns >= 2) & (columns < columns[-1] - 1)
        return start + rise * columns / columns[-1] + 2 * wave, margin

    return _overlay(key, image, severity, line)


def _overlay(key: jax.Array, image: jax.Array, severity: jax.Array, line: Line) -> jax.Array:
    """Adds ``severity`` white lines, with the soft profile of MNIST-C."""
    rows, columns = (jnp.arange(size, dtype=jnp.float32) for size in image.shape[:2])

    def profile(key: jax.Array) -> jax.Array:
        heights, drawn = line(key, columns)
        distance = jnp.abs(rows[:, None] - heights[None])
        return drawn[None] * jnp.clip(1 + jnp.log1p(-jnp.clip(distance / 2.3, 0, 0.99)), 0, 1)

    lines = jax.vmap(profile)(jax.random.split(key, MAX_SEVERITY))
    shown = jnp.arange(MAX_SEVERITY) < severity
    return image + jnp.tensordot(shown.astype(jnp.float32), lines, axes=1)[..., None]


def spatter(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Drops of mud, a dark grey of 63 / 255, on about 8 to 40 % of the image.

    As in MNIST-C, the drops are where blurred noise passes a threshold, and their edges are soft.
    """
    noise = gaussian_filter(jax.random.normal(key, (*image.shape[:2], 1)), jnp.float32(1.2))
    level = noise / noise.std()
    threshold = at_severity(severity, (1.4, 1.1, 0.8, 0.5, 0.25))
    mud = jax.nn.sigmoid(8 * (level - threshold))
    return image * (1 - mud) + 63 / 255 * mud
