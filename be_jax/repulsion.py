"""A term of the loss that keeps members apart as functions: a kernel between their predictions."""

import jax
import jax.numpy as jnp

_TINY = 1e-12


def repulsion(log_probs: jax.Array, axis_name: str | None = None) -> jax.Array:
    """Mean radial basis function kernel between two members' probabilities: 1 for copies, whose gradient is 0.

        1 / (m (m - 1))  sum_{i != j}  exp(-d_ij / (2 h)),   d_ij = mean_b |p_ib - p_jb|^2

    h is the median of d over pairs, through which no gradient flows: by this median heuristic the values do not depend
    on how near all members are. Repulsion by such a kernel is that of D'Angelo and Fortuin (2021, arXiv
    2106.11642); the sum of its values as a loss, and its weight, are those of the code of the study.

    Args:
      log_probs: `[m, b, c]`, all members at the same examples.
      axis_name: mapped axis over which the batch is split: distances are means over the whole batch.

    Returns:
      A scalar in (0, 1]; 0 for one member, which has none to keep away from.
    """
    members = log_probs.shape[0]
    if members == 1:
        return jnp.float32(0.0)
    first, second = jnp.triu_indices(members, k=1)
    probs = jnp.exp(log_probs)
    distances = jnp.square(probs[first] - probs[second]).sum(-1).mean(-1)
    if axis_name is not None:
        distances = jax.lax.pmean(distances, axis_name)
    bandwidth = jax.lax.stop_gradient(jnp.maximum(jnp.median(distances), _TINY))
    return jnp.exp(-distances / (2 * bandwidth)).mean()
