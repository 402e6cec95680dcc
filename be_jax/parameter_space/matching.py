"""Weight matching: the order of hidden units in which one network is nearest to another.

Exchanging hidden units changes the weights and not the function, so two networks may be far apart in their weights for
no other reason. Weight matching (Ainsworth et al. 2022, arXiv 2209.04836, algorithm 1) chooses the order of one group
of units (a layer's, or those of a residual stream) after the other by a linear assignment problem, until none gets
better: a local optimum. Groups are taken from the first to the last and not at random, so that the result depends on
the weights alone. It runs on the host.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

from be_jax.ensemble import Ensemble, Variables
from be_jax.parameter_space.members import as_deep_ensemble, pairs
from be_jax.parameter_space.units import (
    Units,
    Weights,
    by_path,
    hidden_units,
    natural_orders,
    reorder,
    reordered,
    rows_of_units,
)

_TOLERANCE = 1e-9  # of a gain, relative: less is rounding, and could go on for ever


def match(
    model: nn.Module, reference: Variables, network: Variables, x: jax.Array, units: Sequence[Units] | None = None
) -> dict[str, Any]:
    """The variables of `network` with its hidden units in the order nearest to `reference`: the same function.

    Args:
      model: for one member, built from plain layers.
      reference: variables of one network.
      network: variables of another.
      x: some inputs `[b, ...]`.
      units: the model's `hidden_units`; found out where not given, which takes longer than the rest.

    Raises:
      ValueError: the model's hidden units cannot change places; see `be_jax.parameter_space.hidden_units`.
    """
    units = hidden_units(model, network, x) if units is None else units
    fixed, moving = (_trained(each) for each in (reference, network))
    groups = [group._replace(places=tuple(p for p in group.places if p.path in fixed)) for group in units]
    orders = natural_orders(units)
    improved = True
    while improved:
        improved = False
        for index, group in enumerate(groups):
            order = _best_order(fixed, moving, group)
            moved = {**moving, **reordered(moving, group, order)}
            before, after = (_inner_product(fixed, each, group) for each in (moving, moved))
            if after - before > _TOLERANCE * _inner_product(fixed, fixed, group):
                orders[index], moving, improved = orders[index][order], moved, True
    return reorder(network, units, orders)


def matched_pairs(ensemble: Ensemble, variables: Variables, x: jax.Array) -> dict[str, Any]:
    """Every pair of members as plain networks, the second matched to the first: `[p, 2, ...]`, (0, 1), (0, 2), ...

    Each of the p = m (m - 1) / 2 pairs holds the variables of a deep ensemble of two.

    Args:
      ensemble: of a model whose hidden units can change places.
      variables: its variables.
      x: some inputs `[b, ...]`.

    Raises:
      ValueError: the ensemble has one member, or its model's hidden units cannot change places.
    """
    deep, networks = as_deep_ensemble(ensemble, variables)
    members = [deep.member(networks, k) for k in range(ensemble.members)]
    units = hidden_units(deep.model, members[0], x)

    def matched(first: Variables, second: Variables) -> Any:
        return _stack(first, match(deep.model, first, second, x, units))

    return _stack(*(matched(members[i], members[j]) for i, j in pairs(ensemble.members)))


def _best_order(fixed: Weights, moving: Weights, units: Units) -> np.ndarray:
    """The order of these units, all others staying, in which both networks' weights have the largest inner product.

    Element i, j of the gain is the part of it that is there if unit j takes place i: of the weights into the unit,
    those that act on it alone, and those out of it (the paper's section 3.2).
    """
    rows = [[rows_of_units(weights, place, units.size) for place in units.places] for weights in (fixed, moving)]
    gain = sum((a @ b.T for a, b in zip(*rows, strict=True)), np.zeros((units.size, units.size)))
    return np.asarray(linear_sum_assignment(gain, maximize=True)[1])


def _inner_product(a: Weights, b: Weights, units: Units) -> float:
    """Of all weights that the order of these units moves."""
    return float(sum(np.vdot(a[path], b[path]) for path in {place.path: None for place in units.places}))


def _trained(network: Variables) -> dict[Any, np.ndarray]:
    return {path: array.astype(np.float64) for path, array in by_path(network).items() if path[0] == "params"}


def _stack(*trees: Any) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
