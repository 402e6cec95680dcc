"""Any ensemble as a deep ensemble: the weights that each member uses in effect, as a plain network of its own."""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from be_jax.construct import deep_ensemble
from be_jax.ensemble import Ensemble, Variables


def as_deep_ensemble(ensemble: Ensemble, variables: Variables) -> tuple[Ensemble, dict[str, Any]]:
    """The same members as independent plain networks, which predict the same.

    The kernels of a BatchEnsemble, of rank k or of full rank, become its members' effective ones (see
    `Ensemble.member`), and its members' biases are added to the layers' own. Of all that members share, batch
    statistics included, each gets a copy. The members of MC dropout, one network, become copies of it, without masks.

    Returns:
      A `deep_ensemble` of the model and its variables, every array `[m, ...]`: as `member`
      gives them for one member, they are those of a single network.
    """
    members = [ensemble.member(variables, index) for index in range(ensemble.members)]
    return deep_ensemble(ensemble.model, ensemble.members), jax.tree.map(lambda *arrays: jnp.stack(arrays), *members)


def kernels(variables: Variables) -> dict[str, jax.Array]:
    """The kernels of plain layers by the layer's name, such as `Dense_0`; slashes join the names of nested modules."""
    paths = flatten_dict(variables["params"])
    return {"/".join(layer): kernel for (*layer, name), kernel in paths.items() if name == "kernel"}


def pairs(members: int) -> np.ndarray:
    """The unordered pairs of members, `[m (m - 1) / 2, 2]`: (0, 1), (0, 2), ...

    Raises:
      ValueError: one member has none.
    """
    if members < 2:
        raise ValueError(f"members are compared in pairs: an ensemble of at least 2 is needed; got {members}")
    return np.stack(np.triu_indices(members, 1), axis=1)


def over_pairs(measure: Callable[[Any, Any], Any], members: Any) -> Any:
    """A symmetric measure of each pair, `[p, ...]`, of a tree of `[m, ...]`; one after the other, to save memory."""

    def of_pair(pair: jax.Array) -> Any:
        first, second = (jax.tree.map(itemgetter(index), members) for index in pair)
        return measure(first, second)

    return jax.lax.map(of_pair, jnp.asarray(pairs(len(jax.tree.leaves(members)[0]))))
