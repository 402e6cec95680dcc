"""Which rows of the training set a step sees, and which of them a device does."""

import jax
import jax.numpy as jnp

from be_jax.config import TrainConfig
from be_jax.nn.threefry import in_one_pass


def epoch_order(key: jax.Array, num_examples: int, steps: int, members: int, config: TrainConfig) -> jax.Array:
    """Rows of the training set that each step sees: `[steps, b]`, or `[steps, m, b]` where members see different ones.

    Every epoch is the start of a fresh permutation; what `steps` do not use of it is left out.
    """
    key, used = in_one_pass(key), steps * config.batch_size
    if config.batch_mode == "independent":
        keys = jax.random.split(key, members)
        order = jax.vmap(lambda k: jax.random.permutation(k, num_examples)[:used])(keys)
        return order.reshape(members, steps, config.batch_size).swapaxes(0, 1)
    order = jax.random.permutation(key, num_examples)[:used]
    shape = (steps, config.batch_size) if config.batch_mode == "repeat" else (steps, members, -1)
    return order.reshape(shape)


def masked_sum(values: jax.Array, mask: jax.Array) -> jax.Array:
    """Sum over the last axis of `[..., b]` where `mask [b]` holds; what stands elsewhere does not matter."""
    return jnp.where(jnp.broadcast_to(mask, values.shape), values, 0).sum(-1)


def shard_of(a: jax.Array, axis_name: str | None, axis: int = -1) -> jax.Array:
    """This device's part of `a` along `axis`; all of it without a mapped axis."""
    if axis_name is None:
        return a
    size = a.shape[axis] // jax.lax.axis_size(axis_name)
    return jax.lax.dynamic_slice_in_dim(a, jax.lax.axis_index(axis_name) * size, size, axis)
