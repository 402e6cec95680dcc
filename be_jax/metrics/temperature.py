"""Temperature scaling of an ensemble (Guo et al. 2017, arXiv 1706.04599): one temperature, the same for all members.

It is applied to the members, before they are averaged, so that the split into aleatoric and epistemic uncertainty holds
at every temperature. (Ashukha et al. 2020 scale the average instead; for one member that is the same.)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from be_jax.metrics import _check, _information

LOWEST, HIGHEST = 0.05, 20.0
_GRID = np.linspace(np.log(LOWEST), np.log(HIGHEST), 10, dtype=np.float32)
_TOLERANCE = 1e-7  # of log temperature, a step of float32
_STEPS = 40  # more than are ever taken: one in three halves the interval at least
_AT_ONCE = 2**24  # log-probabilities


def temper(member_log_probs: ArrayLike, temperature: ArrayLike) -> jax.Array:
    """Log-probabilities `[m, b, c]` of every member at a temperature: `log softmax(log p / temperature)`.

    Args:
      member_log_probs: `[m, b, c]`. Probability 0 stays 0.
      temperature: > 0, scalar or one for each member, `[m]`; 1 changes nothing.

    Raises:
      ValueError: a temperature of another shape.
    """
    member_log_probs = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    temperature = _check.real(temperature, "temperature")
    if temperature.shape not in ((), member_log_probs.shape[:1]):
        raise ValueError(
            f"temperature must be one number, or one for each of {len(member_log_probs)} members; got shape "
            f"{temperature.shape}."
        )
    return jax.nn.log_softmax(_centred(member_log_probs) / temperature.reshape(-1, 1, 1), axis=-1)


def is_impossible(member_log_probs: ArrayLike, labels: ArrayLike) -> jax.Array:
    """Whether every member gives the label of an example probability 0, boolean `[b]`; False where it is no class.

    The NLL of such an example is infinite at every temperature. To fit one without them, pass `mask=~is_impossible(..)`
    and say how many they were.

    Raises:
      TypeError or ValueError: as `fit_temperature` does.
    """
    members, labels = _members_and_labels(member_log_probs, labels)
    return jnp.all(_of_label(members, labels) == -jnp.inf, axis=0)


def fit_temperature(member_log_probs: ArrayLike, labels: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """The temperature that minimises the mean NLL of the mixture of tempered members: float32 scalar.

    It is a root of the derivative, exact to a few steps of float32 (1e-6); fit it on validation data, never on test
    data. Of several minima it is the one about the best of ten temperatures.

    It is exactly `LOWEST` or `HIGHEST`, 0.05 or 20, where the loss falls all the way there, as it does where every
    prediction is right, or none better than chance; 1 where temperature changes nothing, as of uniform predictions; and
    NaN where no temperature is best: a counted label is no class, a counted prediction is NaN, an example has
    probability 0 for its label in every member (`is_impossible`), or nothing is counted.

    Args:
      member_log_probs: `[m, b, c]`.
      labels: integers `[b]`.
      mask: boolean `[b]`, True = counted.

    Raises:
      TypeError or ValueError: for other shapes and kinds of numbers, as `nll` and `mixture` do.
    """
    members, labels = _members_and_labels(member_log_probs, labels)
    mask = _check.mask(mask, labels.shape)
    return _fit(members, labels, mask) if len(labels) else jnp.float32(jnp.nan)


@jax.jit
def _fit(members: jax.Array, labels: jax.Array, mask: jax.Array) -> jax.Array:
    def loss(log_temperature: jax.Array) -> _Loss:
        return _mean_loss(members, labels, mask, log_temperature)

    grid = jnp.asarray(_GRID, members.dtype)
    on_grid = jax.lax.map(loss, grid)
    best = jnp.argmin(on_grid.value)
    low = jnp.where(on_grid.slope[best] > 0, best - 1, best)  # may be -1 or the last, where a bound is the answer
    inside = jnp.clip(low, 0, len(_GRID) - 2)
    ends = grid[inside], grid[inside + 1]
    root = _root(lambda t: loss(t).slope, *ends, on_grid.slope[inside], on_grid.slope[inside + 1])
    temperature = jnp.exp(root)
    temperature = jnp.where((best == 0) & (on_grid.slope[0] >= 0), LOWEST, temperature)
    temperature = jnp.where((best == len(_GRID) - 1) & (on_grid.slope[-1] <= 0), HIGHEST, temperature)
    temperature = jnp.where((on_grid.slope == 0).all() & (on_grid.value == on_grid.value[0]).all(), 1, temperature)
    return jnp.where(jnp.isfinite(on_grid.value).all(), temperature, jnp.nan).astype(jnp.float32)


def fit_member_temperatures(member_log_probs: ArrayLike, labels: ArrayLike, mask: ArrayLike | None = None) -> jax.Array:
    """The temperature of each member alone, as `fit_temperature` of it: float32 `[m]`, for `temper`.

    Raises:
      TypeError or ValueError: as `fit_temperature` does.
    """
    members, labels = _members_and_labels(member_log_probs, labels)
    return jax.lax.map(lambda member: fit_temperature(member[None], labels, mask), members)


class _Loss(NamedTuple):
    """The mean NLL, and its derivative with respect to the logarithm of the temperature."""

    value: jax.Array
    slope: jax.Array


def _mean_loss(members: jax.Array, labels: jax.Array, mask: jax.Array, log_temperature: jax.Array) -> _Loss:
    """Over the counted examples, so many at a time that memory stays bounded."""
    m, b, c = members.shape
    size = max(1, min(b, _AT_ONCE // (m * c)))
    chunks = -(-b // size)

    def of_chunk(k: jax.Array) -> _Loss:
        start = jnp.minimum(k * size, b - size)  # the last chunk begins early; what it repeats is not counted
        part = jax.lax.dynamic_slice_in_dim(members, start, size, axis=1)
        is_new = start + jnp.arange(size) >= k * size
        of_part, counted = (jax.lax.dynamic_slice_in_dim(values, start, size) for values in (labels, mask))
        losses = _losses(part, of_part, log_temperature)
        return _Loss(*(_pairwise_sum(jnp.where(counted & is_new, values, 0)) for values in losses))

    sums = jax.lax.map(of_chunk, jnp.arange(chunks))
    return _Loss(*(_pairwise_sum(values) / jnp.sum(mask) for values in sums))


def _losses(members: jax.Array, labels: jax.Array, log_temperature: jax.Array) -> _Loss:
    """Of each example, `[b]`. With w_k the share of member k in the label's probability and z = log p, the slope is

    sum_k w_k (z_k[label] - mean of z_k under the tempered p_k) / T.
    """
    coldness, members = jnp.exp(-log_temperature), _centred(members)
    tempered = jax.nn.log_softmax(members * coldness, axis=-1)
    mean = jnp.sum(jnp.exp(tempered) * jnp.where(members == -jnp.inf, 0, members), axis=-1)
    log_p = _of_label(tempered, labels)
    weight = jax.nn.softmax(log_p, axis=0)
    excess = jnp.where(weight == 0, 0, _of_label(members, labels) - mean)
    return _Loss(-_information.log_mean_exp(log_p), coldness * jnp.sum(weight * excess, axis=0))


def _centred(log_probs: jax.Array) -> jax.Array:
    """Less the largest of each row: small numbers to divide, whose rounding a low temperature does not magnify."""
    return log_probs - jnp.max(log_probs, axis=-1, keepdims=True)


def _root(
    slope: Callable[[jax.Array], jax.Array], low: jax.Array, high: jax.Array, at_low: jax.Array, at_high: jax.Array
) -> jax.Array:
    """Where an increasing function passes 0 between two points: false position, with a bisection every third step."""

    def is_open(state: tuple[Any, ...]) -> jax.Array:
        step, low, high, at_low, at_high = state
        return (step < _STEPS) & (high - low > _TOLERANCE) & (at_low != 0) & (at_high != 0)

    def narrow(state: tuple[Any, ...]) -> tuple[Any, ...]:
        step, low, high, at_low, at_high = state
        share = jnp.clip(at_low / (at_low - at_high), 0.01, 0.99)
        use_share = (step % 3 < 2) & (at_low < 0) & (at_high > 0)
        middle = low + (high - low) * jnp.where(use_share, share, 0.5)
        at_middle = slope(middle)
        rises = at_middle > 0
        # Illinois: an end that stays counts half the next time, or false position would creep from one side.
        return (
            step + 1,
            jnp.where(rises, low, middle),
            jnp.where(rises, middle, high),
            jnp.where(rises, at_low / 2, at_middle),
            jnp.where(rises, at_middle, at_high / 2),
        )

    _, low, high, at_low, at_high = jax.lax.while_loop(is_open, narrow, (0, low, high, at_low, at_high))
    return jnp.where(at_low == 0, low, jnp.where(at_high == 0, high, (low + high) / 2))


def _pairwise_sum(values: jax.Array) -> jax.Array:
    """The sum of `[n]` by halves, whose error grows with log n and not with n."""
    size = 1 << max(len(values) - 1, 0).bit_length()
    values = jnp.pad(values, (0, size - len(values)))
    while len(values) > 1:
        values = values[: len(values) // 2] + values[len(values) // 2 :]
    return values[0]


def _of_label(log_probs: jax.Array, labels: jax.Array) -> jax.Array:
    """`[m, b]` of `[m, b, c]`; NaN for a label that is no class."""
    index = labels[None, :, None]
    taken = jnp.take_along_axis(log_probs, jnp.clip(index, 0, log_probs.shape[-1] - 1), axis=-1)[..., 0]
    is_class = (labels >= 0) & (labels < log_probs.shape[-1])
    return jnp.where(is_class[None], taken, jnp.nan)


def _members_and_labels(member_log_probs: ArrayLike, labels: ArrayLike) -> tuple[jax.Array, jax.Array]:
    members = _check.log_probs(member_log_probs, "m, b, c", "member_log_probs")
    return members, _check.labels(labels, members.shape[1])
