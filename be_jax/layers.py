"""The layers that models are built from: plain flax ones, and those with rank-1 fast weights, each for one member.

A model never names a layer class; it takes them from its field `layers`. The lift (`be_jax.ensemble`) replaces that
field, so that one model definition serves every method.
"""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from be_jax.nn import rank1
from be_jax.nn.conv import conv_general_dilated
from be_jax.nn.fast_init import FastInit, rank_scale

_CONV = partial(nn.Conv, conv_general_dilated=conv_general_dilated)


@dataclasses.dataclass(frozen=True)
class Layers:
    """A family of layers, called as the flax classes of those names are.

    Under every method a model may pass Dense `features`, `use_bias`, `dtype` and `kernel_init`; Conv these and
    `kernel_size`, `strides` and `padding`; Dropout its `rate` and `deterministic`. A deep ensemble and a single network
    keep the Dense, Conv and BatchNorm that they are given; a BatchEnsemble replaces Dense and Conv by those below, and
    every method replaces Dropout.
    """

    Dense: Callable[..., Any] = nn.Dense
    Conv: Callable[..., Any] = _CONV
    BatchNorm: Callable[..., Any] = nn.BatchNorm
    Dropout: Callable[..., Any] = nn.Dropout


PLAIN = Layers()
"""The plain flax layers, the default of every model; convolutions have the weight gradient of `be_jax.conv`."""


class Dense(nn.Module):
    """`nn.Dense` for one member of a BatchEnsemble: `y = sum_k ((x * r_k) @ kernel) * s_k + bias`.

    Collections: `params` holds `kernel [i, o]`; `fast` holds `r [k, i]`, `s [k, o]` and `bias [o]`, which the lift
    gives to each member apart. Input `[..., i]`, output `[..., o]`.
    """

    features: int
    init_r: FastInit
    init_s: FastInit
    rank: int = 1
    use_bias: bool = True
    dtype: Any = None
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        r, s, bias = _fast_weights(self, x.shape[-1])
        x, kernel, r, s, bias = promote_dtype(x, kernel, r, s, bias, dtype=self.dtype)
        return _add_bias(rank1.dense(x, kernel, r, s), bias)


class Conv(nn.Module):
    """`nn.Conv` (two-dimensional, ungrouped) for one member: r scales input channels, s and bias output channels.

    Collections as in `Dense`, with `kernel [kh, kw, i, o]`. Input `[b, h, w, i]`, output `[b, h', w', o]`.
    """

    features: int
    kernel_size: Sequence[int]
    init_r: FastInit
    init_s: FastInit
    strides: int | Sequence[int] = 1
    padding: int | Sequence[int] | rank1.Padding = "SAME"
    rank: int = 1
    use_bias: bool = True
    dtype: Any = None
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", self.kernel_init, (*self.kernel_size, x.shape[-1], self.features))
        r, s, bias = _fast_weights(self, x.shape[-1])
        x, kernel, r, s, bias = promote_dtype(x, kernel, r, s, bias, dtype=self.dtype)
        strides = (self.strides,) * 2 if isinstance(self.strides, int) else self.strides
        return _add_bias(rank1.conv(x, kernel, r, s, strides=strides, padding=_explicit(self.padding)), bias)


class Dropout(nn.Module):
    """`nn.Dropout` whose mask depends on an example's place in the global batch, not on the device that holds it.

    Attributes:
      rate: probability of dropping a unit, in [0, 1).
      deterministic: pass everything, as at prediction; given here or at the call.
      data_axis: name of the mapped axis over which the batch (axis 0) is split, or None.
      at_prediction: drop whenever a `dropout` key is given, also when `deterministic` (MC dropout: Gal and Ghahramani
        2016, arXiv 1506.02142).
    """

    rate: float
    deterministic: bool | None = None
    data_axis: str | None = None
    at_prediction: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, deterministic: bool | None = None) -> jax.Array:
        deterministic = nn.merge_param("deterministic", self.deterministic, deterministic)
        active = self.has_rng("dropout") if self.at_prediction else not deterministic
        if self.rate == 0 or not active:
            return x
        keep = _global_bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape, self.data_axis)
        return jnp.where(keep, x / (1 - self.rate), 0)


def _fast_weights(layer: "Dense | Conv", inputs: int) -> tuple[jax.Array, jax.Array, jax.Array | None]:
    scale = rank_scale(layer.init_r, layer.init_s, layer.rank) ** 0.5

    def fast(name: str, init: FastInit, features: int) -> jax.Array:
        shape = (layer.rank, features)
        return layer.variable("fast", name, lambda: scale * init.sample(layer.make_rng("fast"), shape)).value

    r = fast("r", layer.init_r, inputs)
    s = fast("s", layer.init_s, layer.features)
    bias = layer.variable("fast", "bias", jnp.zeros, (layer.features,)).value if layer.use_bias else None
    return r, s, bias


def _explicit(padding: int | Sequence[int] | rank1.Padding) -> rank1.Padding:
    """Padding as `rank1.conv` takes it: flax also takes one number for all sides, or one for each spatial axis."""
    if isinstance(padding, str):
        return padding
    per_axis = (padding,) * 2 if isinstance(padding, int) else padding
    return tuple((p, p) if isinstance(p, int) else p for p in per_axis)


def _add_bias(y: jax.Array, bias: jax.Array | None) -> jax.Array:
    return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)


def _global_bernoulli(key: jax.Array, p: float, shape: tuple[int, ...], data_axis: str | None) -> jax.Array:
    """This device's rows of one draw for the global batch; XLA computes no other row."""
    if data_axis is None:
        return jax.random.bernoulli(key, p, shape)
    rows = shape[0]
    draw = jax.random.bernoulli(key, p, (jax.lax.axis_size(data_axis) * rows, *shape[1:]))
    return jax.lax.dynamic_slice_in_dim(draw, jax.lax.axis_index(data_axis) * rows, rows)
