"""From stored pixels to what a network sees; pure functions."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from be_jax.data.checks import check_shape

_IMAGES_PER_COUNT = 1000  # of which one channel at a time is copied


def as_float(images: ArrayLike) -> jax.Array:
    """Maps uint8 images to float32 in [0, 1]; floating images pass through as float32.

    Raises:
      TypeError: a dtype that is neither uint8 nor floating.
    """
    images = jnp.asarray(images)
    if images.dtype == jnp.uint8:
        return images.astype(jnp.float32) / 255
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise TypeError(f"images must be uint8 or float, got {images.dtype}")
    return images.astype(jnp.float32)


def standardise(images: jax.Array, mean: ArrayLike, std: ArrayLike) -> jax.Array:
    """``(images - mean) / std`` for float images ``[..., ch]``; ``mean`` and ``std`` are scalars or ``[ch]``."""
    mean, std = (jnp.broadcast_to(jnp.asarray(value, images.dtype), images.shape) for value in (mean, std))
    return (images - mean) / std


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation, each ``[ch]`` float64, of the pixels of uint8 images ``[n, h, w, ch]``.

    In units of [0, 1], as :func:`standardise` takes them after :func:`as_float`; a constant channel has deviation 0.
    They come from a histogram, so there is no float copy of the images.

    Raises:
      TypeError: images that are not uint8.
      ValueError: images of another shape, or none.
    """
    if images.dtype != np.uint8:
        raise TypeError(f"channel_statistics counts uint8 values, got {images.dtype}; pass the images as stored")
    check_shape(images.shape, "channel_statistics:")
    histogram = np.zeros((images.shape[-1], 256), np.int64)
    for start in range(0, len(images), _IMAGES_PER_COUNT):
        for channel, counts in enumerate(histogram):
            counts += np.bincount(images[start : start + _IMAGES_PER_COUNT, ..., channel].ravel(), minlength=256)
    share, value = histogram / histogram[0].sum(), np.arange(256) / 255
    mean = share @ value
    return mean, np.sqrt((share * (value - mean[:, None]) ** 2).sum(axis=1))
