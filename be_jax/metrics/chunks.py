"""Scores of many examples, so many at a time that memory stays bounded."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

SCORED_AT_ONCE = 2**20
"""Log-probabilities: 4 MB, which stay in the cache of a processor."""


def in_chunks(function: Callable[[jax.Array], Any], member_log_probs: jax.Array) -> Any:
    """`function` from `[m, b, c]` to arrays `[b, ...]`, of so many examples at a time that memory stays bounded."""
    members, examples, classes = member_log_probs.shape
    size = max(1, SCORED_AT_ONCE // (members * classes))
    whole = examples // size
    if whole == 0 or examples == size:
        return function(member_log_probs)
    chunks = jax.lax.map(
        lambda i: function(jax.lax.dynamic_slice_in_dim(member_log_probs, i * size, size, axis=1)), jnp.arange(whole)
    )
    rest = function(member_log_probs[:, whole * size :])
    return jax.tree.map(
        lambda of_chunks, of_rest: jnp.concatenate([of_chunks.reshape(-1, *of_chunks.shape[2:]), of_rest]), chunks, rest
    )
