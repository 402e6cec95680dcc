"""Randomness as a function of (seed, purpose, step): no key is ever carried, so none can be lost on resume."""

import enum

import jax


class Purpose(enum.IntEnum):
    """What a key is for. The numbers are part of every result; never reuse one."""

    INIT = 0
    ORDER = 1
    DROPOUT = 2
    VALIDATE = 3
    PREDICT = 4
    CORRUPT = 5
    AUGMENT = 6


def key_for(seed: int | jax.Array, purpose: Purpose, step: int | jax.Array = 0) -> jax.Array:
    """The key of this seed, purpose and step."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), purpose), step)
