"""From stored pixels to what a network sees; pure functions."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


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
