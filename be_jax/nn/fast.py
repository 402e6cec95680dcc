"""What a member has for itself in a linear layer, while it shares the kernel: rules of one call, for one member.

Every rule keeps the layer's own bias as it is, counted once and unscaled, beside the member's where it has one.
"""

import dataclasses
import math
from typing import Protocol

import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from be_jax.nn import rank1
from be_jax.nn.fast_init import FastInit, rank_scale
from be_jax.nn.globs import first_match
from be_jax.nn.interception import Call
from be_jax.nn.linear import Linear

FAST = "fast"
"""The collection of a member's own trained weights."""

ByPath = tuple[tuple[str, FastInit], ...]
"""An initialiser for each glob; the first that matches a layer's path is its."""


class FastWeights(Protocol):
    """How one member computes a layer of which it shares the kernel."""

    def linear(self, layer: Linear) -> jax.Array | None:
        """The layer's output `[..., *outputs]`; None where this rule has nothing for such a layer."""

    def embed(self, call: Call) -> jax.Array | None:
        """The output of `nn.Embed`, or of its `attend`; None where this rule has nothing for it."""


@dataclasses.dataclass(frozen=True)
class RankK:
    """`y = sum_k s_k * layer(x * r_k) + bias`, of BatchEnsemble (Wen et al. 2020, arXiv 2002.06715).

    `fast` holds `r [k, *inputs]`, `s [k, *outputs]` and, where the layer has a bias, `bias [*outputs]`, from 0. Of an
    embedding it holds `s [1, features]`. Where a layer does not multiply by its stored kernel (a weight-standardised
    convolution), they are named `x_scale` and `y_scale`: they act on inputs and outputs, and on no kernel.
    """

    rank: int
    init_r: ByPath
    init_s: ByPath

    def linear(self, layer: Linear) -> jax.Array:
        """See `FastWeights`."""
        call, (init_r, init_s) = layer.call, self._inits(layer.call.path)
        scale = rank_scale(init_r, init_s, self.rank) ** 0.5
        names = ("r", "s") if layer.stored else ("x_scale", "y_scale")
        r = call.own(FAST, names[0], (self.rank, *layer.inputs), lambda *draw: scale * init_r.sample(*draw))
        s = call.own(FAST, names[1], (self.rank, *layer.outputs), lambda *draw: scale * init_s.sample(*draw))
        dtype = layer.call.module.dtype  # type: ignore[attr-defined]
        x, r, s = promote_dtype(layer.x, r, s, dtype=dtype)
        if layer.is_plain_product:
            y = layer.run_as(lambda dot, x, kernel: rank1.product(dot, x, kernel, r, s), x)
        else:
            y = rank1.modulate(layer.run_without_bias, x, r, s)
        return add_biases(layer, y)

    def embed(self, call: Call) -> jax.Array:
        """See `FastWeights`."""
        _, init_s = self._inits(call.path)
        s = call.own(FAST, "s", (1, call.module.features), init_s.sample)[0]  # type: ignore[attr-defined]
        if call.method.__name__ == "attend":
            query = call.args[0] if call.args else call.kwargs["query"]
            return call.run(rank1.scale(query, s.astype(query.dtype)))  # type: ignore[no-any-return]
        y = call.run(*call.args, **call.kwargs)
        return rank1.scale(y, s.astype(y.dtype))

    def _inits(self, path: str) -> tuple[FastInit, FastInit]:
        return init_of(path, "init", self.init_r), init_of(path, "init_s", self.init_s)


@dataclasses.dataclass(frozen=True)
class FullRank:
    """`y = x @ (W * M) + bias`: every member has a full matrix of multipliers, `fast` holds `mask` shaped as `W`.

    Rank-1 fast weights are the special case `M = outer(r, s)`. A member is then as free as a network of its own: what
    is left of sharing is the start (`W` is common to all) and the gradient (`W` receives that of all members).
    """

    init: ByPath

    def linear(self, layer: Linear) -> jax.Array:
        """See `FastWeights`."""
        call = layer.call
        if not layer.is_dense:
            raise ValueError(
                "full_rank is for models of dense layers: a kernel per member makes convolutions grouped and slow; "
                f"keep {call.path!r} shared by shared=({call.path!r},)"
            )
        init = init_of(call.path, "init", self.init)
        mask = call.own(FAST, "mask", (*layer.inputs, *layer.outputs), init.sample)
        y = layer.run_as(lambda dot, x, kernel: dot(x, kernel * mask.astype(kernel.dtype)), layer.x)
        return add_biases(layer, y)

    def embed(self, call: Call) -> None:
        """See `FastWeights`."""


@dataclasses.dataclass(frozen=True)
class LowRankSum:
    """`y = layer(x) + (x @ a^T) @ b`, of LoRA-Ensemble (arXiv 2405.14438), for dense layers.

    `fast` holds `a [k, *inputs]`, drawn with variance 1 / inputs, and `b [k, *outputs]`, drawn with `std` / sqrt(k):
    with 0, as LoRA has it, members start as copies, and the gradient of `a` is 0 at the first step.
    """

    rank: int
    std: float

    def linear(self, layer: Linear) -> jax.Array | None:
        """See `FastWeights`."""
        call, k = layer.call, self.rank
        if not layer.is_dense:
            return None
        of_a, of_b = 1 / math.prod(layer.inputs) ** 0.5, self.std / k**0.5
        a = call.own(FAST, "a", (k, *layer.inputs), lambda *draw: of_a * jax.random.normal(*draw))
        b = call.own(FAST, "b", (k, *layer.outputs), lambda *draw: of_b * jax.random.normal(*draw))
        dtype = layer.call.module.dtype  # type: ignore[attr-defined]
        x, a, b = promote_dtype(layer.x, a, b, dtype=dtype)
        return layer.run(layer.x) + jnp.tensordot(_contract(x, a), b, 1)

    def embed(self, call: Call) -> None:
        """See `FastWeights`."""


def add_biases(layer: Linear, y: jax.Array) -> jax.Array:
    """`y [..., *outputs]` plus the layer's own bias and the member's, which starts at 0; neither, if it has none."""
    own = layer.bias()
    if own is None:
        return y
    bias = layer.call.own(FAST, "bias", layer.outputs, lambda _, shape: jnp.zeros(shape))
    total = (own + bias).astype(y.dtype)
    return y + total.reshape((1,) * (y.ndim - total.ndim) + total.shape)


def init_of(path: str, argument: str, by_path: ByPath) -> FastInit:
    """The initialiser of the layer at `path`.

    Raises:
      ValueError: no glob matches it.
    """
    init = first_match(path, by_path)
    if init is None:
        raise ValueError(
            f"{argument}={{{', '.join(repr(glob) for glob, _ in by_path)}}} has nothing for the layer {path!r}; "
            "add a glob for it, or '**' for all that are left"
        )
    return init  # type: ignore[no-any-return]


def _contract(x: jax.Array, a: jax.Array) -> jax.Array:
    """`x [..., *inputs]` and `a [k, *inputs]` to `[..., k]`."""
    axes = a.ndim - 1
    return jnp.tensordot(x, a, (tuple(range(x.ndim - axes, x.ndim)), tuple(range(1, a.ndim))))
