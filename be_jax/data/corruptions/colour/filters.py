"""Linear filters: as matrices ``[size, size]`` for rows and for columns, made while tracing, and as small kernels."""

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

MOTION_TAPS = 29

Pad = Literal["edge", "symmetric", "reflect", "constant"]


def gaussian_matrix(size: int, sigma: float, *, truncate: float = 4.0, pad: Pad = "edge") -> np.ndarray:
    """``scipy.ndimage.gaussian_filter1d``; ``pad`` "edge" is its mode "nearest", "symmetric" its "reflect"."""
    reach = int(truncate * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2) if reach else np.ones(1)
    sources = np.pad(np.arange(size), reach, mode=pad)
    matrix = np.zeros((size, size), np.float32)
    for offset, weight in enumerate(weights / weights.sum()):
        matrix[np.arange(size), sources[offset : offset + size]] += weight
    return matrix


def zoom_matrix(size: int, factor: float) -> np.ndarray:
    """Enlarges the middle by ``factor`` with linear interpolation (``scipy.ndimage.zoom``) and cuts out ``size``."""
    cut = math.ceil(size / factor)
    enlarged = round(cut * factor)
    trim = (enlarged - size) // 2
    places = (size - cut) // 2 + (np.arange(size) + trim) * (cut - 1) / (enlarged - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(size)[None])).astype(np.float32)


def box_matrix(size: int, small: int) -> np.ndarray:
    """``[small, size]``: each output is the mean of the inputs whose centres are within half a step (as Pillow)."""
    step = size / small
    centres = (np.arange(small) + 0.5) * step
    reach = max(step, 1) / 2
    first, stop = (centres - reach + 0.5).astype(int), (centres + reach + 0.5).astype(int)
    places = np.arange(size)
    inside = (places[None] >= first[:, None]) & (places[None] < stop[:, None])
    distance = (places[None] - centres[:, None] + 0.5) / max(step, 1)
    inside &= (distance > -0.5) & (distance <= 0.5)
    return (inside / inside.sum(1, keepdims=True)).astype(np.float32)


def filtered(image: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """``rows @ image @ columns^T`` for every channel of ``image [h, w, ch]``."""
    return jnp.einsum("ij,jkc,lk->ilc", rows, image, columns)


def correlated(image: jax.Array, kernel: jax.Array | np.ndarray, pad: Pad = "reflect") -> jax.Array:
    """``image [h, w, ...]``, each pixel the sum of its neighbours times ``kernel [k, k]``, k odd.

    ``pad`` "reflect" is OpenCV's default and the mode "mirror" of ``scipy.ndimage.correlate``.
    """
    height, width, *rest = image.shape
    reach = len(kernel) // 2
    framed = jnp.pad(image, [(reach, reach), (reach, reach)] + [(0, 0)] * len(rest), mode=pad)
    total = jnp.zeros_like(image)
    for row, column in np.ndindex(*kernel.shape):
        total += kernel[row, column] * framed[row : row + height, column : column + width]
    return total


def motion_blurred(image: jax.Array, reach: jax.Array, sigma: jax.Array, angle: jax.Array) -> jax.Array:
    """ImageMagick's motion blur: one-sided Gaussian of ``2 reach + 1`` pixels at ``angle`` degrees, edges repeated."""
    taps = jnp.arange(MOTION_TAPS)
    weights = jnp.where(taps < 2 * reach + 1, jnp.exp(-(taps**2) / (2 * sigma**2)), 0)
    radians = jnp.deg2rad(angle)
    height, width, _ = image.shape
    rows, columns = jnp.indices((height, width))

    def add_tap(total: jax.Array, tap: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        distance, weight = tap
        down, right = (jnp.ceil(distance * f(radians) - 0.5).astype(int) for f in (jnp.sin, jnp.cos))
        shifted = image[jnp.clip(rows + down, 0, height - 1), jnp.clip(columns + right, 0, width - 1)]
        return total + weight * shifted, None

    return jax.lax.scan(add_tap, jnp.zeros_like(image), (taps, weights / weights.sum()))[0]
