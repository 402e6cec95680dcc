"""A training loop of one's own: a state, and a compiled step that is right for every method.

state = be_jax.create_state(ensemble, optimizer, key, x)
step = be_jax.train_step(ensemble, optimizer)
for i, (x, y) in enumerate(batches):
    state, loss = step(state, x, y, jax.random.fold_in(key, i))
log_probs = ensemble.predict(state.variables, x)
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from be_jax.ensemble import Ensemble, Variables
from be_jax.likelihood import CATEGORICAL, Likelihood

TRAINED = ("params", "fast")
"""The collections that are trained by gradient."""


class State(NamedTuple):
    """Arrays only. `weights` holds `params` and `fast`; `statistics` all that is not trained by gradient."""

    weights: Any
    statistics: Any
    opt_state: optax.OptState

    @property
    def variables(self) -> dict[str, Any]:
        """What `ensemble.apply` and `ensemble.predict` take."""
        return {**self.weights, **self.statistics}


def count_parameters(variables: Variables) -> int:
    """Trained numbers: the sizes of `params` and `fast`, over all members."""
    trained = {collection: variables[collection] for collection in TRAINED if collection in variables}
    return sum(leaf.size for leaf in jax.tree.leaves(trained))


Step = Callable[[State, jax.Array, jax.Array, jax.Array], tuple[State, jax.Array]]


def create_state(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    key: jax.Array,
    x: jax.Array,
    trained: Variables | None = None,
) -> State:
    """The state at the start, for inputs like `x [b, ...]`; `trained`, and what is raised, as in `ensemble.init`.

    Snapshots, which no step alone can make, are refused by a ValueError.
    """
    if ensemble.snapshots:
        raise ValueError(
            "snapshots are one network, kept at the end of each cycle of its learning rate: train single(model), keep "
            "state.variables at each end, and predict by deep_ensemble(model, members) from jax.tree.map(lambda *a: "
            "jnp.stack(a), *kept)"
        )
    variables = ensemble.init(key, x, trained)
    weights = {collection: value for collection, value in variables.items() if collection in TRAINED}
    statistics = {collection: value for collection, value in variables.items() if collection not in TRAINED}
    return State(weights, statistics, optimizer.init(weights))


def train_step(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    likelihood: Likelihood = CATEGORICAL,
    *,
    x_per_member: bool = False,
) -> Step:
    """A compiled `step(state, x, y, key) -> (state, loss)`, batch statistics and dropout included.

    Each weight steps by the mean gradient over the members that use it: a learning rate means for every method what it
    means for a single network. `loss` is the mean over members. The arrays given are not donated.

    Args:
      ensemble: what to train.
      optimizer: of the tree `{"params": ..., "fast": ...}`, one of which may be absent.
      likelihood: of classes `y [b]` by logits, or of real numbers by mean and log-variance (`likelihood.GAUSSIAN`).
      x_per_member: whether members see examples of their own, `x [m, b, ...]` and `y [m, b]`.

    Raises:
      ValueError: by `step`, targets that are not one for each example.
    """

    def total(weights: Any, statistics: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> tuple[jax.Array, Any]:
        outputs, updates = ensemble.apply(
            {**weights, **statistics}, x, train=True, key=key, x_per_member=x_per_member, mutable=list(statistics)
        )
        per_member = likelihood.member_nll(outputs.astype(jnp.float32), jnp.broadcast_to(y, outputs.shape[:2])).mean(-1)
        return per_member.sum(), (per_member.mean(), {**statistics, **updates})

    @jax.jit
    def step(state: State, x: jax.Array, y: jax.Array, key: jax.Array) -> tuple[State, jax.Array]:
        wanted = x.shape[: 2 if x_per_member else 1]
        if y.shape != wanted:
            raise ValueError(f"y needs one target for each example, {list(wanted)}; got shape {y.shape}")
        grads, (loss, statistics) = jax.grad(total, has_aux=True)(state.weights, state.statistics, x, y, key)
        updates, opt_state = optimizer.update(ensemble.mean_over_users(grads), state.opt_state, state.weights)
        return State(optax.apply_updates(state.weights, updates), statistics, opt_state), loss

    return step


def train_only(optimizer: optax.GradientTransformation, *collections: str) -> optax.GradientTransformation:
    """`optimizer` for these collections; the others stay as they are. `train_only(optax.adam(1e-3), "fast")` adapts a
    trained network by its fast weights alone.

    Raises:
      ValueError: by the optimiser's `init`, weights that have none of the collections.
    """

    def labels(weights: Mapping[str, Any]) -> dict[str, Any]:
        if not set(collections) & set(weights):
            raise ValueError(f"train_only({', '.join(map(repr, collections))}): the weights are {sorted(weights)}")
        return {c: jax.tree.map(lambda _, c=c: "yes" if c in collections else "no", v) for c, v in weights.items()}

    return optax.multi_transform({"yes": optimizer, "no": optax.set_to_zero()}, labels)
