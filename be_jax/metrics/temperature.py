"""Temperature scaling of an ensemble (Guo et al. 2017, arXiv 1706.04599): one temperature, the same for all members.

It is applied to the members, before they are averaged, so that the split into aleatoric and epistemic uncertainty holds
at every temperature. (Ashukha et al. 2020 scale the average instead; for one member that is the same.)
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from be_jax.metrics import _check
from be_jax.metrics.scoring import nll
from be_jax.metrics.uncertainty import mixture

LOWEST, HIGHEST = 0.05, 20.0
_STEPS = 40  # of golden section, which leave an interval of 6 / 1.618^40 = 3e-8 in log temperature
_GOLDEN = (5**0.5 - 1) / 2


def temper(member_log_probs: ArrayLike, temperature: ArrayLike) -> jax.Array:
    """Log-probabilities `[m, b, c]` of every member at a temperature: `log softmax(log p / temperature)`.

    Args:
      member_log_probs: `[m, b, c]`. Probability 0 stays 0.
      temperature: scalar > 0; 1 changes nothing.
    """
    member_log_probs = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    return jax.nn.log_softmax(member_log_probs / temperature, axis=-1)


def fit_temperature(member_log_probs: ArrayLike, labels: ArrayLike) -> jax.Array:
    """The temperature in [0.05, 20] that minimises the mean NLL of the mixture of tempered members: scalar.

    Found by golden section in log temperature; fit it on validation data, never on test data.

    Args:
      member_log_probs: `[m, b, c]`, b >= 1.
      labels: integers `[b]`.

    Raises:
      TypeError or ValueError: as `nll` and `mixture` do.
    """
    member_log_probs = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")

    def loss(log_temperature: jax.Array) -> jax.Array:
        return nll(mixture(temper(member_log_probs, jnp.exp(log_temperature))), labels).mean()

    def narrow(_: int, bounds: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        low, high = bounds
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        rises = loss(left) < loss(right)
        return jnp.where(rises, low, left), jnp.where(rises, right, high)

    bounds = (jnp.log(jnp.float32(LOWEST)), jnp.log(jnp.float32(HIGHEST)))
    low, high = jax.lax.fori_loop(0, _STEPS, narrow, bounds)
    return jnp.exp((low + high) / 2)
