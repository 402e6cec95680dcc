"""A masked population of scores in ascending order: counting below a threshold, and sharing out ties."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

# XLA may divide by multiplying with a rounded reciprocal, so k / n can come out just under the level it equals.
_ROUNDING = 4 * float(jnp.finfo(jnp.float32).eps)


def reaches(ratio: jax.Array, level: float) -> jax.Array:
    """Whether ratio >= level, up to float32 rounding: 19 / 20 reaches 0.95."""
    return ratio >= level - _ROUNDING


class Ranked(NamedTuple):
    """Scores [n] ascending, the `size` counted ones first; counts are integers, exact for any n.

    Masked-out scores stand at the end as +inf. They are told from counted scores of +inf by position, not by value.
    """

    scores: jax.Array
    order: jax.Array
    size: jax.Array
    is_valid: jax.Array

    @classmethod
    def of(cls, scores: jax.Array, mask: jax.Array) -> "Ranked":
        """Sorts; `order` [n] is the permutation, `is_valid` is False if a counted score is NaN, which has no rank."""
        kept = jnp.where(mask, scores, jnp.inf)
        order = jnp.lexsort((~mask, kept))
        return cls(kept[order], order, jnp.sum(mask, dtype=jnp.int32), ~jnp.isnan(kept).any())

    @property
    def is_counted(self) -> jax.Array:
        """Which places of `scores` hold counted ones: [n]."""
        return jnp.arange(len(self.scores)) < self.size

    def below(self, thresholds: jax.Array) -> jax.Array:
        """How many counted scores are < each threshold."""
        return jnp.searchsorted(self.scores, thresholds, side="left")

    def at_most(self, thresholds: jax.Array) -> jax.Array:
        """How many counted scores are <= each threshold."""
        return jnp.minimum(jnp.searchsorted(self.scores, thresholds, side="right"), self.size)

    def at_least(self, thresholds: jax.Array) -> jax.Array:
        """How many counted scores are >= each threshold."""
        return self.size - self.below(thresholds)

    def expected_events(self, events: jax.Array) -> jax.Array:
        """Expected number of events among the k lowest counted scores, k = 0 .. n, with ties broken at random: [n + 1].

        `events` [n] is boolean in the order of the original scores. A tie group with e events in g places contributes
        e / g per place, which is its exact expectation. Entries past k = size mean nothing.
        """
        total = jnp.concatenate([jnp.zeros(1, jnp.int32), jnp.cumsum(events[self.order], dtype=jnp.int32)])
        first, last = self.below(self.scores), self.at_most(self.scores)
        share = (jnp.arange(1, len(self.scores) + 1) - first) / jnp.maximum(last - first, 1)
        inside = total[first] + share * (total[last] - total[first])
        return jnp.concatenate([jnp.zeros(1, inside.dtype), inside])
