"""Random changes of training images, for one image each; they run inside the compiled step."""

import jax
import jax.numpy as jnp


def crop_and_flip(key: jax.Array, image: jax.Array, *, padding: int = 4) -> jax.Array:
    """A crop of the image's own size out of the image `[h, w, ch]` with black borders; mirrored with even odds.

    The augmentation of the CIFAR networks of He et al. 2016 (arXiv 1512.03385).
    """
    shift_key, flip_key = jax.random.split(key)
    framed = jnp.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    row, column = jax.random.randint(shift_key, (2,), 0, 2 * padding + 1)
    crop = jax.lax.dynamic_slice(framed, (row, column, jnp.zeros_like(row)), image.shape)
    return jnp.where(jax.random.bernoulli(flip_key), crop[:, ::-1], crop)
