"""A wider network that computes as much as an ensemble."""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from be_jax.cost.counted import count


def forward_flops(model: nn.Module, input_shape: tuple[int, ...]) -> float:
    """Floating-point operations of one prediction, for one example, as XLA counts them; nothing is computed.

    Args:
      model: for one member.
      input_shape: of one example, without batch axis.
    """
    x = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), x)
    return count(model.apply, variables, x).flops


def as_costly(build: Callable[[int], nn.Module], width: int, times: float, input_shape: tuple[int, ...]) -> nn.Module:
    """The network of a family that computes `times` as much as the one of this width, as nearly as whole widths allow.

    It is the single model that costs as much as an ensemble of `times` members.

    Args:
      build: from a width to the network; wider ones must compute more.
      width: of the network to compare with.
      times: how many times as much.
      input_shape: of one example, without batch axis.

    Raises:
      ValueError: `times` below 1.
    """
    if times < 1:
        raise ValueError(f"times must be at least 1; got {times}")
    wanted = times * forward_flops(build(width), input_shape)
    low, high = width, int(width * times) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if forward_flops(build(middle), input_shape) <= wanted else (low, middle)
    nearest = min((low, high), key=lambda w: abs(forward_flops(build(w), input_shape) - wanted))
    return build(nearest)
