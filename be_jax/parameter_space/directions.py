"""In how many directions a member can move without the others: its part of a deep ensemble's parameter space."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
from flax.traverse_util import flatten_dict

from be_jax.ensemble import Ensemble, Variables


class Directions(NamedTuple):
    """Dimensions of one layer's kernel.

    Attributes:
      own: of the set of kernels that a member can reach while the others stay where they are.
      network: of all kernels, as an independent network can reach them.
    """

    own: int
    network: int


def free_directions(ensemble: Ensemble, variables: Variables) -> dict[str, Directions]:
    """Free directions of one member, by layer with a kernel; their sums give the fraction of the parameter space.

    A mask `sum_k outer(r_k, s_k)` on a kernel `[..., i, o]` has k (i + o) numbers, of which k^2 change nothing (for
    k = 1, a factor that moves from r to s): matrices of rank k <= min(i, o) have k (i + o - k) dimensions. A member of
    full rank or of a deep ensemble has the whole kernel, one of a single network or of MC dropout nothing. Biases are
    left out: the members of a BatchEnsemble have their own, as those of a deep ensemble do.
    """
    fast = flatten_dict(variables.get("fast", {}))
    apart = "params" in ensemble.per_member
    directions = {}
    for (*layer, name), leaf in flatten_dict(variables["params"]).items():
        if name == "kernel":
            *window, inputs, outputs = leaf.shape[1:] if apart else leaf.shape
            size = math.prod(window) * inputs * outputs
            rank = _rank(fast, tuple(layer), min(inputs, outputs))
            directions["/".join(layer)] = Directions(size if apart else rank * (inputs + outputs - rank), size)
    return directions


def _rank(fast: Mapping[tuple[str, ...], jax.Array], layer: tuple[str, ...], full: int) -> int:
    """Of the masks that members have on this layer's kernel; 0 without any."""
    if (*layer, "mask") in fast:
        return full
    r = fast.get((*layer, "r"))
    return 0 if r is None else min(r.shape[-2], full)
