"""Initialisers of the fast weights r and s, and the factor that keeps a layer's output variance free of the rank.

The study draws r and s from N(1, 0.5); the BatchEnsemble paper (arXiv 2002.06715) draws random signs. They behave
differently, so the choice is named, never hidden in the sign of a float.
"""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

Sampler = Callable[[jax.Array, tuple[int, ...]], jax.Array]


@dataclasses.dataclass(frozen=True)
class FastInit:
    """A distribution of fast weights: how to draw it, and the two moments that `rank_scale` needs."""

    name: str
    sample: Sampler
    mean: float
    second_moment: float


def random_sign() -> FastInit:
    """+1 or -1 with equal probability: members start far apart, at the weight scale of a plain layer."""
    return FastInit("random_sign", lambda key, shape: jax.random.rademacher(key, shape, jnp.float32), 0.0, 1.0)


def normal(std: float = 0.5) -> FastInit:
    """N(1, std^2); the study's choice is `std=0.5`. The smaller `std`, the closer the members start.

    Raises:
      ValueError: `std` is negative or not finite.
    """
    if not (math.isfinite(std) and std >= 0):
        raise ValueError(f"normal(std) needs a finite std >= 0; got {std!r}")
    return FastInit(f"normal({std:g})", lambda key, shape: 1 + std * jax.random.normal(key, shape), 1.0, 1 + std**2)


def ones() -> FastInit:
    """All ones: members start identical, and stay so unless dropout or the data tell them apart. A control."""
    return FastInit("ones", lambda key, shape: jnp.ones(shape), 1.0, 1.0)


INITS: dict[str, Callable[[], FastInit]] = {"random_sign": random_sign, "normal": normal, "ones": ones}


def resolve(init: str | FastInit) -> FastInit:
    """The initialiser with this name (`"normal"` is N(1, 0.5)), or `init` itself where it is one already.

    Raises:
      ValueError: an unknown name.
    """
    if isinstance(init, FastInit):
        return init
    if init not in INITS:
        raise ValueError(
            f"unknown init {init!r}; choose one of {', '.join(INITS)}, or pass be_jax.fast_init.normal(std)"
        )
    return INITS[init]()


def rank_scale(init_r: FastInit, init_s: FastInit, rank: int) -> float:
    """The factor `c` for which `c * sum_k outer(r_k, s_k)` has, entry by entry, the second moment of rank 1.

    With means `u, v` and second moments `p, q` of r and s, the sum's second moment is `k p q + k (k - 1) u^2 v^2`:
    a kernel with zero mean then gives outputs whose variance at initialisation does not depend on the rank `k`.
    """
    rank_one = init_r.second_moment * init_s.second_moment
    rank_k = rank * rank_one + rank * (rank - 1) * (init_r.mean * init_s.mean) ** 2
    return math.sqrt(rank_one / rank_k)
