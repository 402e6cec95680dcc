"""Weather, as in CIFAR-10-C."""

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.data.corruptions.colour.filters import filtered, gaussian_matrix, motion_blurred, zoom_matrix
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
    """Mixes the image with a plasma fractal: `(image + c plasma) max / (max + c)`, c from 0.2 to 1.5."""
    amount = at_severity(severity, (0.2, 0.5, 0.75, 1.0, 1.5))
    decay = at_severity(severity, (3.0, 3.0, 2.5, 2.0, 1.75))
    brightest = image.max()
    height, width, _ = image.shape
    mist = plasma(key, 1 << (max(height, width) - 1).bit_length(), decay)[:height, :width, None]
    return (image + amount * mist) * brightest / (brightest + amount)


def plasma(key: jax.Array, size: int, decay: jax.Array) -> jax.Array:
    """Diamond-square fractal `[size, size]` on a torus, spanning [0, 1]; size is a power of two.

    A point is the mean of four neighbours plus a uniform draw, whose spread falls by `decay^2` from level to level.
    """
    heights, step, wobble = jnp.zeros((size, size)), size, jnp.float32(100)
    while step >= 2:
        half, count = step // 2, size // step
        key, *keys = jax.random.split(key, 4)
        draws = [wobble**2 * jax.random.uniform(k, (count, count), minval=-1) for k in keys]
        corners = heights[::step, ::step]
        below = corners + jnp.roll(corners, -1, 0)
        centres = (below + jnp.roll(below, -1, 1)) / 4 + draws[0]
        across = centres + jnp.roll(centres, 1, 0) + corners + jnp.roll(corners, -1, 1)
        down = centres + jnp.roll(centres, 1, 1) + corners + jnp.roll(corners, -1, 0)
        heights = heights.at[half::step, half::step].set(centres)
        heights = heights.at[::step, half::step].set(across / 4 + draws[1])
        heights = heights.at[half::step, ::step].set(down / 4 + draws[2])
        step, wobble = half, wobble / decay
    return (heights - heights.min()) / (heights.max() - heights.min())


def spatter(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Drops where blurred noise passes a threshold: of pale water at severities 1 to 3, of brown mud at 4 and 5.

    Departs for water, which is lit here by the height of the drop alone; CIFAR-10-C adds relief along its edges.
    """
    mean, spread, least = (
        at_severity(severity, column)
        for column in ((0.62, 0.65, 0.65, 0.65, 0.65), (0.1, 0.1, 0.3, 0.1, 0.1), (0.7, 0.7, 0.69, 0.69, 0.68))
    )
    height, width, _ = image.shape
    liquid = mean + spread * jax.random.normal(key, (height, width, 1))
    liquid = _by_sigma(liquid, severity, (0.7, 0.8, 1.0, 0.7, 0.5))
    drops = jnp.where(liquid < least, 0, liquid)
    water = 0.5 * drops / jnp.maximum(drops.max(), 1e-6)
    mud = _by_sigma((drops > least).astype(jnp.float32), severity, (0.5, 0.5, 0.5, 0.6, 0.6))
    mud = jnp.where(mud < 0.8, 0, mud)
    wet = image + water * jnp.array([[[175, 238, 238]]]) / 255
    muddy = image * (1 - mud) + mud * jnp.array([[[63, 42, 20]]]) / 255
    return jnp.where(severity <= 3, wet, muddy)


def _by_sigma(image: jax.Array, severity: jax.Array, sigmas: tuple[float, ...]) -> jax.Array:
    rows, columns = (
        jnp.asarray(np.stack([gaussian_matrix(size, sigma) for sigma in sigmas]))[severity - 1]
        for size in image.shape[:2]
    )
    return filtered(image, rows, columns)


def _as_uint8(image: jax.Array) -> jax.Array:
    """Cut to 256 levels, as writing an 8-bit image does."""
    return jnp.floor(255 * jnp.clip(image, 0, 1)) / 255
