"""Weight matching: the order of hidden units in which one network is nearest to another.

Exchanging the units of a hidden layer changes the weights and not the function, so two networks may be far apart in
their weights for no other reason. Weight matching (Ainsworth et al. 2022, arXiv 2209.04836, algorithm 1) chooses the
order of one layer's units after the other by a linear assignment problem, until none gets better: a local optimum.
Layers are taken from the first to the last and not at random, so that the result depends on the weights alone. It runs
on the host.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

from be_jax.ensemble import Ensemble, Variables
from be_jax.parameter_space.chain import Layer, Weights, by_path, by_units, chain_of, natural_orders, reorder
from be_jax.parameter_space.members import as_deep_ensemble, pairs

_TOLERANCE = 1e-9  # of a gain, relative: less is rounding, and could go on for ever


def match(model: nn.Module, reference: Variables, network: Variables, x: jax.Array) -> dict[str, Any]:
    """The variables of `network` with its hidden units in the order nearest to `reference`: the same function.

    Args:
      model: a chain of plain layers, for one member.
      reference: variables of one network.
      network: variables of another.
      x: some inputs `[b, ...]`.

    Raises:
      ValueError: the model is not a chain; see `be_jax.parameter_space.chain_of`.
    """
    chain = chain_of(model, network, x)
    a, b = ({path: value.astype(np.float64) for path, value in by_path(each).items()} for each in (reference, network))
    orders = natural_orders(network, chain)
    improved = True
    while improved:
        improved = False
        for index in range(len(chain) - 1):
            gain = _gain(a, b, chain, orders, index)
            units, order = linear_sum_assignment(gain, maximize=True)
            if (gain[units, order] - gain[units, orders[index + 1]]).sum() > _TOLERANCE * np.abs(gain).sum():
                orders[index + 1], improved = order, True
    return reorder(network, chain, orders)


def matched_pairs(ensemble: Ensemble, variables: Variables, x: jax.Array) -> dict[str, Any]:
    """Every pair of members as plain networks, the second matched to the first: `[p, 2, ...]`, (0, 1), (0, 2), ...

    Each of the p = m (m - 1) / 2 pairs holds the variables of a deep ensemble of two.

    Args:
      ensemble: of a model that is a chain.
      variables: its variables.
      x: some inputs `[b, ...]`.

    Raises:
      ValueError: the ensemble has one member, or its model is not a chain.
    """
    deep, networks = as_deep_ensemble(ensemble, variables)
    members = [deep.member(networks, k) for k in range(ensemble.members)]
    matched = [_stack(members[i], match(deep.model, members[i], members[j], x)) for i, j in pairs(ensemble.members)]
    return _stack(*matched)


def _gain(a: Weights, b: Weights, chain: Sequence[Layer], orders: Sequence[np.ndarray], index: int) -> np.ndarray:
    """`[i, j]`: the part of the inner product of both networks' weights that is there if unit j of `b` takes place i.

    These are the weights into the unit, those that act on it alone, and those out of it (the paper's section 3.2).
    """
    layer, following = chain[index], chain[index + 1]
    before, units, after = orders[index : index + 3]
    into_a, into_b = (by_units(w[layer.kernel], len(before)) for w in (a, b))
    from_a, from_b = (by_units(w[following.kernel], len(units)) for w in (a, b))
    into = np.einsum("pui,puj->ij", into_a, into_b[:, before], optimize=True)
    out_of = np.einsum("pio,pjo->ij", from_a, from_b[:, :, after], optimize=True)
    return into + out_of + sum(np.outer(a[path], b[path]) for path in layer.vectors if path[0] == "params")


def _stack(*trees: Any) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
