"""The lift: a method is where the member axis lives, nothing else.

A model is written for one member. A constructor in `be_jax.construct` is a row of one table: it says which
collections of variables every member has for itself, and what it does in the layers of the model; all else is shared,
and everything after it is the same code.

| method         | shared (`params`)    | per member                                  | what differs between members   |
|----------------|----------------------|---------------------------------------------|--------------------------------|
| single         | all                  |                                             | nothing: there is one          |
| mc_dropout     | all                  |                                             | the dropout key, at prediction |
| batch_ensemble | every kernel         | `fast`: r, s and bias of each layer         | rank-k fast weights            |
| norm_ensemble  | all but these        | `fast`: scale and offset of normalisations  | these                          |
| full_rank      | every kernel         | `fast`: mask and bias of each layer         | a mask of full rank            |
| lora_ensemble  | every kernel         | `fast`: a and b of each dense layer         | a sum of rank k                |
| last_layer     | all but these        | `fast`: the parameters of the chosen layers | the head                       |
| masksembles    | all                  | `masks`, fixed                              | which units                    |
| deep_ensemble  |                      | `params`, whole                             | everything                     |
| snapshot       |                      | `params`, whole                             | the cycle of training          |
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core import unfreeze
from flax.errors import ScopeParamShapeError

from be_jax.nn import checks
from be_jax.nn.fold import plain_parameters
from be_jax.nn.lift import Conditions, Lift, Seen, lifted
from be_jax.nn.masks import MASKS
from be_jax.nn.own import Own, merged
from be_jax.nn.signature import mode_arguments
from be_jax.nn.table import table
from be_jax.nn.threefry import in_one_pass

Variables = Mapping[str, Any]

MEMBER_AXIS = "members"

PLAIN = Lift()
"""Members have nothing for themselves in the layers."""


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """`members` copies of `model`, in which the collections `per_member` have a leading axis `m`.

    Attributes:
      model: a flax module for one member, `model(x [b, ...]) -> logits [b, c]`; it may take `train` or `deterministic`.
      members: m.
      per_member: names of the collections that each member has for itself. `params` and `batch_stats` are shared where
        they are not named; any other collection is per member unless this is empty, where all is shared.
      lift: what each member has for itself in the layers of the model.
      own: which of the model's parameters each member has for itself, in `fast`.
      norm_over_members: whether batch-normalisation statistics are taken over all members' examples together.
      samples_at_prediction: whether members are dropout samples of one network (which then trains as one member).
      same_dropout: whether members drop the same units; else what they share steps by the mean over m masks.
      snapshots: whether members are one network, `trainee`, at the ends of m cycles of its learning rate.
      data_axis: name of the mapped axis over which every batch is split, inside `pmap`; None elsewhere.
    """

    model: nn.Module
    members: int
    per_member: frozenset[str] = frozenset()
    lift: Lift = PLAIN
    own: Own | None = None
    norm_over_members: bool = False
    samples_at_prediction: bool = False
    same_dropout: bool = False
    snapshots: bool = False
    data_axis: str | None = None

    def __post_init__(self) -> None:
        checks.check_positive("members", self.members)
        mode_arguments(self.model, train=False)

    def split_over(self, data_axis: str | None) -> "Ensemble":
        """The same ensemble for batches split over a mapped axis: it normalises, and drops, as if they were whole."""
        return dataclasses.replace(self, data_axis=data_axis)

    @property
    def train_members(self) -> int:
        """Members that a training step sees: 1 for MC dropout and snapshots, which train one network."""
        return 1 if self.samples_at_prediction or self.snapshots else self.members

    @property
    def cycles(self) -> int:
        """Of the learning rate, at whose ends the members are kept: m for snapshots, and 0 for all else."""
        return self.members if self.snapshots else 0

    @property
    def trainee(self) -> "Ensemble":
        """What a training step sees: of snapshots the one network; of every other method the ensemble itself."""
        one = {"members": 1, "per_member": frozenset(), "norm_over_members": True, "snapshots": False}
        return dataclasses.replace(self, **one) if self.snapshots else self  # type: ignore[arg-type]

    def is_per_member(self, collection: str) -> bool:
        """Whether the arrays of this collection have a leading axis of members."""
        return collection in self.per_member or (bool(self.per_member) and collection not in ("params", "batch_stats"))

    def init(self, key: jax.Array, x: jax.Array, trained: Variables | None = None) -> dict[str, Any]:
        """Variables for inputs like `x [b, ...]`: shared collections as the model has them, the others `[m, ...]`.

        Args:
          key: of all that is drawn.
          x: an input, of which only shape and type matter.
          trained: variables of the plain model, all collections of it. What members share becomes theirs to the bit;
            what each has for itself starts as a copy, plus the spread of the method. The arrays given are not touched.

        Raises:
          ValueError: the method finds nothing in this model (no layer to lift, no dropout to sample), a glob matches
            nothing, or `trained` does not fit the model.
        """
        return self._init(key, x, trained)[0]

    def apply(
        self,
        variables: Variables,
        x: jax.Array,
        *,
        train: bool = False,
        key: jax.Array | None = None,
        x_per_member: bool = False,
        mutable: bool | Sequence[str] = False,
    ) -> Any:
        """Logits `[m, b, c]` of every member.

        Args:
          variables: as `init` returns them.
          x: inputs `[b, ...]`, seen by every member and never tiled; or `[m, b, ...]` with `x_per_member`.
          train: training mode of dropout and batch normalisation. MC dropout then has one member.
          key: key of the dropout masks, different for each member.
          x_per_member: whether `x` has a leading member axis.
          mutable: which collections to return updated (`["batch_stats"]` in training), or made ("intermediates").

        Returns:
          Logits `[m, b, c]`; with `mutable`, the pair of logits and updated collections.

        Raises:
          ValueError: `variables` are none, or `x` does not fit them, or the member axis.
        """
        members = self.train_members if train else self.members
        checks.check_variables(variables)
        checks.check_batch(x[0] if x_per_member else x)
        if x_per_member and x.shape[0] != members:
            raise ValueError(f"x_per_member needs x [m, b, ...] with m = {members}; got x of shape {x.shape}")
        masks = jax.random.split(in_one_pass(key), 1 if self.same_dropout else members) if key is not None else None
        rngs = {} if masks is None else {"dropout": jnp.broadcast_to(masks, (members,))}
        args, kwargs = mode_arguments(self.model, train)
        conditions = self._conditions(sampling=self.samples_at_prediction and not train)
        in_axes = {c: 0 if self.is_per_member(c) else None for c in variables}, 0 if x_per_member else None, 0

        def one(variables: dict[str, Any], x: jax.Array, rngs: dict[str, jax.Array]) -> Any:
            if self.own is not None:
                variables = {**variables, "params": merged(variables["fast"], variables["params"])}
            with lifted(self.lift, conditions):
                out = self.model.apply(variables, x, *args, rngs=rngs, mutable=mutable, **kwargs)
            y, updates = (out, {}) if mutable is False else out
            apart = {c: v for c, v in updates.items() if members == 1 or self._is_apart(c, variables)}
            return y, {c: v for c, v in updates.items() if c not in apart}, apart

        def in_turn(variables: dict[str, Any], x: jax.Array, rngs: dict[str, jax.Array]) -> Any:
            slots = (variables, x if x_per_member else None, rngs)
            return jax.lax.map(lambda slot: one(slot[0], slot[1] if x_per_member else x, slot[2]), slots)

        at_once = jax.vmap(one, in_axes, (0, None, 0), axis_name=MEMBER_AXIS, axis_size=members)
        run = in_turn if self._has_own_convolutions(variables) else at_once
        try:
            logits, together, apart = run(dict(variables), x, rngs)
        except ScopeParamShapeError as error:
            raise ValueError(f"x of shape {x.shape} does not fit the variables of this ensemble: {error}") from error
        if mutable is False:
            return logits
        own = {c: v if self._is_apart(c, variables) else _first(v) for c, v in apart.items()}
        return logits, {**together, **own}

    def predict(self, variables: Variables, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Log-probabilities in nats, float32 `[m, b, c]`, of every member for `x [b, ...]`.

        Raises:
          ValueError: MC dropout without `key`; as in `apply`; the model returns no logits of two or more classes.
        """
        if self.samples_at_prediction and key is None:
            raise ValueError("mc_dropout draws its members at prediction: call predict(variables, x, key)")
        logits = self.apply(variables, x, key=key if self.samples_at_prediction else None)
        checks.check_logits(self.model, logits)
        return jax.nn.log_softmax(logits.astype(jnp.float32))

    def member(self, variables: Variables, index: int) -> dict[str, Any]:
        """Variables of the plain model that computes this member: `self.model.apply` takes them.

        Fast weights are folded into kernels and biases. For MC dropout it is the one network, without masks.

        Raises:
          ValueError: `index` not in 0 .. m - 1; no variables of the plain model compute the member: its units are
            masked, or a layer's kernel is not the stored one.
        """
        if isinstance(index, bool) or not 0 <= index < self.members:
            raise ValueError(f"an ensemble of {self.members} has members 0 to {self.members - 1}; got {index!r}")
        if MASKS in variables:
            raise ValueError("masks lie between layers: no variables of the plain model compute a member; use predict")
        of_member = {
            collection: jax.tree.map(lambda a: a[index], value) if self.is_per_member(collection) else value
            for collection, value in variables.items()
        }
        fast = of_member.pop("fast", None)
        return of_member if fast is None else of_member | {"params": plain_parameters(of_member["params"], fast)}

    def mean_over_users(self, grads: Variables) -> dict[str, Any]:
        """The gradient rule: each weight steps by the mean gradient over the members that use it.

        Args:
          grads: by collection, the gradient of the *sum* over members of each member's mean loss.

        Returns:
          The same tree: what all members share is divided by `train_members`, what each has for itself is as it was.
        """
        return {
            collection: tree
            if self.is_per_member(collection)
            else jax.tree.map(lambda gradient: gradient / self.train_members, tree)
            for collection, tree in grads.items()
        }

    def tabulate(self, x: jax.Array) -> str:
        """A table of what members share and what each has for itself, layer by layer, for inputs like `x [b, ...]`."""
        seen = Seen()
        variables = jax.eval_shape(lambda x: self._init(jax.random.key(0), x, None, seen)[0], x)
        return table(seen, variables, self.is_per_member)

    def _init(
        self, key: jax.Array, x: jax.Array, trained: Variables | None, seen: Seen | None = None
    ) -> tuple[dict[str, Any], Seen]:
        checks.check_batch(x)
        seen = Seen() if seen is None else seen
        key, rngs = in_one_pass(key), {}
        for i, stream in enumerate(("params", "fast", "dropout")):
            stream_key = jax.random.fold_in(key, i)
            own = stream in self.per_member or (stream == "fast" and bool(self.per_member))
            rngs[stream] = jax.random.split(stream_key, self.members) if own else stream_key
        args, kwargs = mode_arguments(self.model, train=False)
        if trained is not None:
            checks.warn_of_start(self.lift, self.members if self.is_per_member("params") else 1)
        trained = getattr(self.model, "trained", None) if trained is None else trained
        given = None if trained is None else jax.tree.map(jnp.asarray, unfreeze(dict(trained)))

        def one(rngs: dict[str, jax.Array], x: jax.Array) -> dict[str, Any]:
            with lifted(self.lift, self._conditions(), seen):
                variables = unfreeze(self.model.init(rngs, x, *args, **kwargs))
            if given is not None:
                checks.check_trained(given, {c: v for c, v in variables.items() if c not in ("fast", MASKS)})
                variables |= given
            if self.own is not None:
                fresh = self.model.init({**rngs, "params": rngs["fast"]}, x, *args, **kwargs)["params"]
                shared, own = self.own.start(rngs["fast"], variables["params"], fresh, seen, given is not None)
                variables |= {"params": shared, "fast": merged(variables.get("fast", {}), own)}
            return variables

        init = jax.vmap(
            one,
            in_axes=({c: 0 if jnp.ndim(k) else None for c, k in rngs.items()}, None),
            axis_name=MEMBER_AXIS,
            axis_size=self.members,
        )
        variables = {c: v if self.is_per_member(c) else _first(v) for c, v in init(rngs, x).items()}
        checks.check_seen(
            self.lift,
            () if self.own is None else self.own.only,
            seen,
            variables,
            moves=self.own is not None,
            samples=self.samples_at_prediction,
            masks=self.lift.masks is not None,
        )
        return variables, seen

    def _conditions(self, sampling: bool = False) -> Conditions:
        axes = (MEMBER_AXIS,) * self.norm_over_members + ((self.data_axis,) if self.data_axis else ())
        return Conditions(axes, self.data_axis, sampling)

    def _is_apart(self, collection: str, variables: Variables) -> bool:
        """Whether members' updates of it are told apart: their own, and what they make anew."""
        return self.is_per_member(collection) or collection not in variables

    def _has_own_convolutions(self, variables: Variables) -> bool:
        """Whether members have convolutions of their own and share nothing: under `vmap` those would be grouped ones.

        XLA on CPU runs grouped convolutions 2 to 7 times slower than one after the other.
        """
        apart = all(self.is_per_member(collection) for collection in variables)
        return apart and any(leaf.ndim == 5 for leaf in jax.tree.leaves(variables["params"]))


def _first(tree: Any) -> Any:
    return jax.tree.map(lambda a: a[0], tree)
