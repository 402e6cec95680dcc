"""Random bits in one pass on a CPU: jax's own generator, and its own bits.

Threefry-2x32 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") has 20 rounds. On CPU jax keeps them
in a loop, and the numbers go through memory between its passes. Written out they are one fused pass, which takes a
twelfth of the time (a seventh with jax 0.10), and programs of initialisation take half the time to compile.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.random import define_prng_impl

JAX = "threefry2x32"
"""jax's name of the generator."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def in_one_pass(keys: jax.Array) -> jax.Array:
    """The same keys, from which the same bits are drawn; what is no key of that generator as it is.

    Only `jax.random.poisson` refuses them: it is for jax's own kind of key alone.
    """
    is_typed = isinstance(keys, jax.Array) and jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    if not is_typed or jax.random.key_impl(keys) != JAX:
        return keys
    return jax.random.wrap_key_data(jax.random.key_data(keys), impl=_IMPL)


def threefry(key: jax.Array, counter: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """The two words that a key `[2]` makes of a counter of two words, uint32 each."""
    words = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    x, y = counter[0] + words[0], counter[1] + words[1]
    for block in range(5):
        for rotation in _ROTATIONS[block % 2]:
            x = x + y
            y = x ^ ((y << rotation) | (y >> (32 - rotation)))
        x = x + words[(block + 1) % 3]
        y = y + words[(block + 2) % 3] + jnp.uint32(block + 1)
    return x, y


@partial(jax.jit, static_argnums=(1, 2))
def _random_bits(key: jax.Array, bit_width: int, shape: tuple[int, ...]) -> jax.Array:
    def by_jax(key: jax.Array) -> jax.Array:
        return jax.random.bits(_of_jax(key), shape, f"uint{bit_width}")

    def written_out(key: jax.Array) -> jax.Array:
        index = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
        x, y = threefry(key, (jnp.zeros_like(index), index))
        return x ^ y

    is_known = all(isinstance(size, int) for size in shape)  # a batch of an export is not
    is_partitionable: bool = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]  # jax 0.10 hides it
    if bit_width != 32 or not is_known or math.prod(shape) >= 2**32 or not is_partitionable:
        return by_jax(key)
    return lax.platform_dependent(key, cpu=written_out, default=by_jax)


def _of_jax(key: jax.Array) -> jax.Array:
    return jax.random.wrap_key_data(key, impl=JAX)


_IMPL = define_prng_impl(
    key_shape=(2,),
    seed=lambda seed: jax.random.key_data(jax.random.key(seed, impl=JAX)),
    split=lambda key, shape: jax.random.key_data(jax.random.split(_of_jax(key), shape)),
    random_bits=_random_bits,
    fold_in=lambda key, data: jax.random.key_data(jax.random.fold_in(_of_jax(key), data)),
    name="threefry2x32_in_one_pass",
    tag="fry1",
)
