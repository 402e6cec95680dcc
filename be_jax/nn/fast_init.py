"""Initialisers of the fast weights r and s, and the factor that keeps a layer's output variance free of the rank.

The study draws r and s from N(1, 0.5); the BatchEnsemble paper (arXiv 2002.06715) draws random signs. They behave
differently, so the choice is named, never hidden in the sign of a float.
"""

import abc
import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp


class FastInit(abc.ABC):
    """A distribution of fast weights, compared by value: how to draw it, and the two moments `rank_scale` needs."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What it is called in tables, such as `normal(0.5)`."""

    @property
    @abc.abstractmethod
    def mean(self) -> float:
        """E[r]."""

    @property
    @abc.abstractmethod
    def second_moment(self) -> float:
        """E[r^2]."""

    @abc.abstractmethod
    def sample(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Independent draws, float32."""


@dataclasses.dataclass(frozen=True)
class random_sign(FastInit):
    """+1 or -1 with equal probability: members start far apart, at the weight scale of a plain layer."""

    name = "random_sign"
    mean = 0.0
    second_moment = 1.0

    def sample(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Independent signs, float32."""
        return jax.random.rademacher(key, shape, jnp.float32)


@dataclasses.dataclass(frozen=True)
class normal(FastInit):
    """N(1, std^2); the study's choice is `std=0.5`. The smaller `std`, the closer the members start.

    N(1, 0.5) for r and s makes the variance of a layer's output 1.56 times a plain layer's, N(1, 1) 4 times.
    `preserve_scale` divides the draws by sqrt(1 + std^2), so that it is a plain layer's; how far apart members start
    (`expected_cosine`) stays as it is.

    Raises:
      ValueError: `std` is negative or not finite.
    """

    std: float = 0.5
    preserve_scale: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.std) and self.std >= 0):
            raise ValueError(f"normal(std) needs a finite std >= 0; got {self.std!r}")

    @property
    def name(self) -> str:
        """Such as `normal(0.5)`."""
        return f"normal({self.std:g}{', preserve_scale' * self.preserve_scale})"

    @property
    def mean(self) -> float:
        """E[r] = 1, or 1 / sqrt(1 + std^2)."""
        return 1 / math.sqrt(1 + self.std**2) if self.preserve_scale else 1.0

    @property
    def second_moment(self) -> float:
        """E[r^2] = 1 + std^2, or 1."""
        return 1.0 if self.preserve_scale else 1 + self.std**2

    def sample(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Independent draws, float32."""
        drawn = 1 + self.std * jax.random.normal(key, shape)
        return self.mean * drawn if self.preserve_scale else drawn


@dataclasses.dataclass(frozen=True)
class ones(FastInit):
    """All ones: members start identical, and stay so unless dropout or the data tell them apart. A control."""

    name = "ones"
    mean = 1.0
    second_moment = 1.0

    def sample(self, key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        """Ones, float32."""
        del key
        return jnp.ones(shape)


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


def expected_cosine(init_r: FastInit, init_s: FastInit, rank: int = 1) -> float:
    """How near two members start: cosine of their masks `sum_k outer(r_k, s_k)`, of expected products; 1 for copies.

    With means `u, v` and second moments `p, q` of r and s it is `k (u v)^2 / (p q + (k - 1) (u v)^2)`: 0.64 for
    N(1, 0.5) at rank 1 and 0.93 at rank 7, so that a higher rank starts members closer; 0 for random signs.
    """
    of_means = (init_r.mean * init_s.mean) ** 2
    return rank * of_means / (init_r.second_moment * init_s.second_moment + (rank - 1) * of_means)


def std_of_cosine(cosine: float, rank: int = 1) -> float:
    """The std at which r, s ~ N(1, std^2) have this `expected_cosine`: what holds the start distance at every rank.

    Raises:
      ValueError: not in (0, 1].
    """
    if not 0 < cosine <= 1:
        raise ValueError(f"N(1, std^2) starts at a cosine in (0, 1]; got {cosine!r}")
    return math.sqrt(math.sqrt(rank / cosine - (rank - 1)) - 1)
