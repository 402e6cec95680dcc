"""Seconds of a call, as a median with its spread; and the rate of a matrix product, the limit to compare with."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Seconds:
    """Wall time of one call.

    Attributes:
      median: of all rounds.
      fastest, slowest: of all rounds.
      rounds: how many were measured.
    """

    median: float
    fastest: float
    slowest: float
    rounds: int


def timed(call: Callable[[], Any], rounds: int, at_most_s: float = float("inf"), warm_up: int = 2) -> Seconds:
    """Wall time of `call`, which returns arrays that are waited for.

    Args:
      call: what to measure; run `warm_up` times before.
      rounds: how often it is measured, at least once.
      at_most_s: no further round begins after so many seconds, those of the warm-up included; of the warm-up only the
        first call is made in any case.
      warm_up: calls that are not measured.

    Raises:
      ValueError: `rounds` below 1.
    """
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1; got {rounds}")
    began = time.perf_counter()

    def time_left() -> bool:
        return time.perf_counter() - began < at_most_s

    for done in range(warm_up):
        if done == 0 or time_left():
            jax.block_until_ready(call())
    seconds: list[float] = []
    while len(seconds) < rounds and (not seconds or time_left()):
        started = time.perf_counter()
        jax.block_until_ready(call())
        seconds.append(time.perf_counter() - started)
    return Seconds(statistics.median(seconds), min(seconds), max(seconds), len(seconds))


def matmul_rate(dtype: Any = jnp.float32, size: int | None = None, rounds: int = 10) -> float:
    """Floating-point operations a second in a product of two square matrices, the fastest of several.

    Args:
      dtype: of the matrices and the product; its precision is jax's default for this device.
      size: of the matrices; 2048 on a CPU and 8192 elsewhere where it is not given.
      rounds: how many products.
    """
    if size is None:
        size = 2048 if jax.default_backend() == "cpu" else 8192
    left, right = (jax.random.normal(key, (size, size), dtype) for key in jax.random.split(jax.random.key(0)))
    product = jax.jit(jnp.matmul)
    return 2.0 * size**3 / timed(lambda: product(left, right), rounds).fastest
