"""Snow and fog, as in CIFAR-10-C."""

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.data.corruptions.colour.filters import filtered, motion_blurred, zoom_matrix
from be_jax.data.corruptions.light import veil
from be_jax.data.corruptions.severity import at_severity


def snow(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Flakes blown downwards, enlarged and blurred along their way, over an image that is paler than before."""
    flake_key, angle_key = jax.random.split(key)
    mean, spread, least, reach, sigma, kept = (
        at_severity(severity, column)
        for column in (
            (0.1, 0.1, 0.15, 0.25, 0.3),
            (0.2, 0.2, 0.3, 0.3, 0.3),
            (0.6, 0.5, 0.55, 0.6, 0.65),
            (8, 10, 10, 12, 14),
            (3, 4, 4, 6, 12),
            (0.95, 0.9, 0.9, 0.85, 0.8),
        )
    )
    height, width, _ = image.shape
    rows, columns = (
        jnp.asarray(np.stack([zoom_matrix(size, f) for f in (1, 1, 1.75, 2.25, 1.25)]))[severity - 1]
        for size in (height, width)
    )
    flakes = filtered(mean + spread * jax.random.normal(flake_key, (height, width, 1)), rows, columns)
    flakes = _as_uint8(jnp.where(flakes < least, 0, flakes))
    angle = jax.random.uniform(angle_key, minval=-135, maxval=-45)
    layer = motion_blurred(flakes, reach, sigma, angle)
    grey = jnp.tensordot(image, jnp.array([0.299, 0.587, 0.114]), 1)[..., None]
    pale = kept * image + (1 - kept) * jnp.maximum(image, 1.5 * grey + 0.5)
    return pale + layer + layer[::-1, ::-1]


def fog(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Mixes the image with a plasma fractal: ``(image + c plasma) max / (max + c)``, c from 0.2 to 1.5."""
    amount = at_severity(severity, (0.2, 0.5, 0.75, 1.0, 1.5))
    decay = at_severity(severity, (3.0, 3.0, 2.5, 2.0, 1.75))
    height, width, _ = image.shape
    mist = plasma(key, 1 << (max(height, width) - 1).bit_length(), decay)[:height, :width]
    return veil(image, mist, amount)


def plasma(key: jax.Array, size: int, decay: jax.Array) -> jax.Array:
    """Diamond-square fractal ``[size, size]`` on a torus, spanning [0, 1]; size is a power of two.

    Each round doubles the grid: a new point is the mean of its four neighbours plus a uniform draw, first in the middle
    of the squares, then on their sides. The spread of the draw falls by ``decay^2`` from round to round.
    """
    heights = jnp.zeros((1, 1))
    for octave in range(size.bit_length() - 1):
        draws = jax.random.uniform(jax.random.fold_in(key, octave), (3, *heights.shape), minval=-1)
        wobble = decay ** (-2 * octave) * draws
        below, right = jnp.roll(heights, -1, axis=0), jnp.roll(heights, -1, axis=1)
        middle = (heights + below + right + jnp.roll(below, -1, axis=1)) / 4 + wobble[0]
        top = (heights + right + middle + jnp.roll(middle, 1, axis=0)) / 4 + wobble[1]
        left = (heights + below + middle + jnp.roll(middle, 1, axis=1)) / 4 + wobble[2]
        pairs = jnp.stack([jnp.stack([heights, top], axis=-1), jnp.stack([left, middle], axis=-1)], axis=1)
        heights = pairs.reshape(2 * len(heights), 2 * len(heights))
    return (heights - heights.min()) / (heights.max() - heights.min())


def _as_uint8(image: jax.Array) -> jax.Array:
    """Cut to 256 levels, as writing an 8-bit image does."""
    return jnp.floor(255 * jnp.clip(image, 0, 1)) / 255
