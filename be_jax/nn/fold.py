"""Fast weights folded away: the parameters of the plain model that computes one member."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

from be_jax.nn.rank1 import effective_kernel

Path = tuple[str, ...]


def plain_parameters(params: Mapping[str, Any], fast: Mapping[str, Any]) -> dict[str, Any]:
    """What the plain model needs to compute the member with these fast weights; neither has an axis of members.

    Kernels become the effective ones, members' biases are added to the layers' own, and parameters that a member has
    for itself stand at their place. The layers of an `nn.scan` over axis 0 are folded one by one.

    Raises:
      ValueError: a layer that multiplies by another kernel than one stored for it alone has fast weights.
    """
    plain = {**flatten_dict(dict(fast)), **flatten_dict(dict(params))}
    for path in flatten_dict(dict(fast)):
        layer, name = path[:-1], path[-1]
        match name:
            case "r" | "mask" | "a":
                _fold_kernel(plain, fast, layer)
            case "s" if (*layer, "embedding") in plain:
                s = _at(fast, path)
                plain[(*layer, "embedding")] = plain[(*layer, "embedding")] * s
                del plain[path]
            case "bias" if path in flatten_dict(dict(params)):
                plain[path] = plain[path] + _at(fast, path)
            case "x_scale":
                raise ValueError(
                    f"the layer {'/'.join(layer)!r} computes its kernel from the stored one, so that no parameters of "
                    "the plain model compute this member; use apply or predict"
                )
    return unflatten_dict(plain)


def _fold_kernel(plain: dict[Path, Any], fast: Mapping[str, Any], layer: Path) -> None:
    own, path = _at(fast, layer), (*layer, "kernel")
    if path not in plain:
        raise ValueError(
            f"the layer {'/'.join(layer)!r} has its kernel from another, with fast weights of its own, so that no "
            "parameters of the plain model compute this member; use apply or predict"
        )
    for name in set(own) & {"r", "s", "mask", "a", "b"}:
        del plain[(*layer, name)]
    if "mask" in own:
        plain[path] = plain[path] * own["mask"]
    elif "a" in own:
        plain[path] = _plus_low_rank(plain[path], own["a"], own["b"])
    else:
        plain[path] = _unscanned(plain[path], own["r"], own["s"])


def _unscanned(kernel: jax.Array, r: jax.Array, s: jax.Array) -> jax.Array:
    """`effective_kernel`, for each layer of a scan where the arrays have a leading axis of layers."""
    try:
        return effective_kernel(kernel, r, s)
    except ValueError:
        if not kernel.shape[0] == r.shape[0] == s.shape[0]:
            raise
    return jax.vmap(_unscanned)(kernel, r, s)


def _plus_low_rank(kernel: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
    """`kernel + sum_k outer(a_k, b_k)`, for each layer of a scan where the arrays have a leading axis of layers."""
    if a.ndim + b.ndim - 2 > kernel.ndim:
        return jax.vmap(_plus_low_rank)(kernel, a, b)
    return kernel + jnp.tensordot(a, b, ((0,), (0,)))


def _at(tree: Any, path: Path) -> Any:
    for name in path:
        tree = tree[name]
    return tree
