"""The upper end of BatchEnsemble's rank: members share every kernel, each times a full matrix of its own.

    y = x @ (W * M) + bias,    M [i, o]

Rank-1 fast weights are the special case `M = outer(r, s)`. A member is then as free as a network of its own: what is
left of sharing is the start (`W` is common to all) and the gradient (`W` receives that of all members). One row of the
lift's table: `params` shared, `fast` per member.
"""

import dataclasses
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.linen.dtypes import promote_dtype

from be_jax.ensemble import Ensemble, batch_ensemble
from be_jax.nn import fast_init


class Dense(nn.Module):
    """`nn.Dense` for one member: `params` holds `kernel [i, o]`; `fast` holds `mask [i, o]` and `bias [o]`."""

    features: int
    init_mask: fast_init.FastInit
    use_bias: bool = True
    dtype: Any = None
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        mask = self.variable("fast", "mask", lambda: self.init_mask.sample(self.make_rng("fast"), shape)).value
        bias = self.variable("fast", "bias", jnp.zeros, (self.features,)).value if self.use_bias else None
        x, kernel, mask, bias = promote_dtype(x, kernel, mask, bias, dtype=self.dtype)
        y = x @ (kernel * mask)
        return y if bias is None else y + bias.reshape((1,) * (y.ndim - 1) + bias.shape)


def full_rank(model: nn.Module, members: int, init: str | fast_init.FastInit = "random_sign") -> Ensemble:
    """`members` networks that share every kernel up to a full multiplicative mask of their own.

    Args:
      model: a module for one member, with a field `layers`, built of dense layers.
      members: m.
      init: how the entries of the masks start, as in `batch_ensemble`.

    Raises:
      ValueError: `members` < 1, an unknown `init`, a model without `layers`; when it is built, one with convolutions.
    """
    lifted = batch_ensemble(model, members)
    dense = partial(Dense, init_mask=fast_init.resolve(init))
    layers = dataclasses.replace(model.layers, Dense=dense, Conv=_no_convolution)
    return dataclasses.replace(lifted, model=model.clone(layers=layers))


def _no_convolution(*_: Any, **__: Any) -> Any:
    raise ValueError("full_rank is for models of dense layers: a kernel per member makes convolutions grouped and slow")
