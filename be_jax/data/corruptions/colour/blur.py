"""Blurs, as in CIFAR-10-C."""

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.data.corruptions.colour.filters import correlated, filtered, gaussian_matrix, motion_blurred, zoom_matrix
from be_jax.data.corruptions.severity import at_severity

ZOOM_STEPS = tuple(len(np.arange(1, end, 0.01)) for end in (1.06, 1.11, 1.16, 1.21, 1.26))


def gaussian_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Gaussian blur of 0.4 to 1 pixel standard deviation, edges repeated."""
    del key
    return by_sigma(image, severity, (0.4, 0.6, 0.7, 0.8, 1.0))


def defocus_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """A disk of radius 0.3 to 1.5 pixels, itself softened by a 3x3 Gaussian; the image is mirrored at its edges."""
    del key
    table = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
    kernel = jnp.asarray(np.stack([disk(*row) for row in table]))[severity - 1]
    return correlated(image, kernel)


def disk(radius: float, sigma: float) -> np.ndarray:
    """The kernel ``[5, 5]`` of ``defocus_blur``, for a radius below 2."""
    places = np.arange(-2, 3)
    inside = (places[:, None] ** 2 + places[None] ** 2 <= radius**2).astype(np.float64)
    weights = np.exp(-0.5 * (np.arange(-1, 2) / sigma) ** 2)
    soft = np.pad(inside / inside.sum(), 1)
    for axis in (0, 1):
        soft = sum(w * np.roll(soft, k, axis) for k, w in zip((-1, 0, 1), weights / weights.sum(), strict=True))
    return np.asarray(soft[1:-1, 1:-1], np.float32)


def glass_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Each pixel is taken from itself or its neighbour above, left or both, once or twice, between two Gaussian blurs.

    CIFAR-10-C's code reads as if neighbours swapped places; what it does is to copy, which is what made its files. Its
    two first rows and columns stay.
    """
    sigmas = (0.05, 0.25, 0.4, 0.25, 0.4)
    twice = at_severity(severity, (0, 0, 0, 1, 1))
    height, width, _ = image.shape
    rows, columns = jnp.indices((height, width))
    inner = (rows >= 2) & (columns >= 2)
    moves = jax.random.bernoulli(key, shape=(2, 2, height, width)) & inner[None, None]
    blurred = jnp.floor(255 * by_sigma(image, severity, sigmas)) / 255
    for down, right in (moves[0].astype(int), moves[1] * twice):
        blurred = blurred[rows - down, columns - right]
    return by_sigma(blurred, severity, sigmas)


def motion_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """ImageMagick's motion blur, radius 6 to 9 and sigma 1 to 2.5, at an angle within 45 degrees of the rows."""
    angle = jax.random.uniform(key, minval=-45, maxval=45)
    reach, sigma = at_severity(severity, (6, 6, 6, 8, 9)), at_severity(severity, (1, 1.5, 2, 2, 2.5))
    return motion_blurred(image, reach, sigma, angle)


def zoom_blur(key: jax.Array, image: jax.Array, severity: jax.Array) -> jax.Array:
    """Mean of the image and its enlargements, by 1 to 1.06 (severity 1) or 1.25 (severity 5) in steps of 0.01."""
    del key
    factors = np.arange(1, 1.26, 0.01)
    rows, columns = (jnp.asarray(np.stack([zoom_matrix(size, f) for f in factors])) for size in image.shape[:2])
    steps = at_severity(severity, ZOOM_STEPS)

    def add(total: jax.Array, slot: tuple[jax.Array, ...]) -> tuple[jax.Array, None]:
        index, row, column = slot
        return total + jnp.where(index < steps, filtered(image, row, column), 0), None

    total = jax.lax.scan(add, image, (jnp.arange(len(factors)), rows, columns))[0]
    return total / (steps + 1)


def by_sigma(image: jax.Array, severity: jax.Array, sigmas: tuple[float, ...]) -> jax.Array:
    """Gaussian filter of ``image [h, w, ch]``, with one of five standard deviations."""
    rows, columns = (
        jnp.asarray(np.stack([gaussian_matrix(size, sigma) for sigma in sigmas]))[severity - 1]
        for size in image.shape[:2]
    )
    return filtered(image, rows, columns)
