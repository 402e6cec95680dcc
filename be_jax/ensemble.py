"""The lift: a method is where the member axis lives, nothing else.

A model is written for one member. Each constructor below is a row of one table: it names the variable collections
that every member has for itself; all others are shared. Everything else is the same code.

| method         | `params` (kernels) | `fast` (r, s, bias) | `batch_stats`          | what differs between members   |
|----------------|--------------------|---------------------|------------------------|--------------------------------|
| single         | shared             | absent              | shared                 | nothing: there is one          |
| mc_dropout     | shared             | absent              | shared                 | the dropout key, at prediction |
| batch_ensemble | shared             | per member          | shared, or per member  | rank-1 fast weights            |
| deep_ensemble  | per member         | absent              | per member             | everything                     |
"""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.errors import ScopeParamShapeError

from be_jax import fast_init
from be_jax.layers import Conv, Dense, Dropout, Layers

Variables = Mapping[str, Any]

MEMBER_AXIS = "members"


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """`members` copies of `model`, in which the collections `per_member` have a leading axis `m` and no other has.

    Attributes:
      model: a flax module for one member, `model(x [b, ...], train) -> logits [b, c]`, with a field `layers`.
      members: m.
      per_member: names of the collections that each member has for itself.
      norm_over_members: whether batch-normalisation statistics are taken over all members' examples together.
      samples_at_prediction: whether members are dropout samples of one network (which then trains as one member).
      data_axis: name of the mapped axis over which every batch is split, inside `pmap`; None elsewhere.
    """

    model: nn.Module
    members: int
    per_member: frozenset[str] = frozenset()
    norm_over_members: bool = False
    samples_at_prediction: bool = False
    data_axis: str | None = None

    def __post_init__(self) -> None:
        _check_positive("members", self.members)
        _check_layers(self.model)

    def split_over(self, data_axis: str | None) -> "Ensemble":
        """The same ensemble for batches split over a mapped axis: it normalises, and drops, as if they were whole."""
        return dataclasses.replace(self, data_axis=data_axis)

    @property
    def train_members(self) -> int:
        """Members that a training step sees: 1 for MC dropout, whose members exist only at prediction."""
        return 1 if self.samples_at_prediction else self.members

    def init(self, key: jax.Array, x: jax.Array) -> dict[str, Any]:
        """Variables for inputs like `x [b, ...]`: shared collections as the model has them, the others `[m, ...]`."""
        _check_batch(x)
        rngs = {}
        for i, stream in enumerate(("params", "fast")):
            stream_key = jax.random.fold_in(key, i)
            own = stream in self.per_member
            rngs[stream] = jax.random.split(stream_key, self.members) if own else stream_key
        init = jax.vmap(self._lifted.init, (self._axes(rngs), None), axis_name=MEMBER_AXIS, axis_size=self.members)
        return {
            collection: value if collection in self.per_member else jax.tree.map(lambda a: a[0], value)
            for collection, value in init(rngs, x).items()
        }

    def apply(
        self,
        variables: Variables,
        x: jax.Array,
        *,
        train: bool = False,
        key: jax.Array | None = None,
        x_per_member: bool = False,
        mutable: Sequence[str] | Literal[False] = False,
    ) -> Any:
        """Logits `[m, b, c]` of every member.

        Args:
          variables: as `init` returns them.
          x: inputs `[b, ...]`, seen by every member and never tiled; or `[m, b, ...]` with `x_per_member`.
          train: training mode of dropout and batch normalisation. MC dropout then has one member.
          key: key of the dropout masks, different for each member.
          x_per_member: whether `x` has a leading member axis.
          mutable: which collections of `variables` to return updated (`["batch_stats"]` in training).

        Returns:
          Logits `[m, b, c]`; with `mutable`, the pair of logits and updated collections.

        Raises:
          ValueError: `x` does not fit the variables, or the member axis.
        """
        members = self.train_members if train else self.members
        _check_batch(x[0] if x_per_member else x)
        if x_per_member and x.shape[0] != members:
            raise ValueError(f"x_per_member needs x [m, b, ...] with m = {members}; got x of shape {x.shape}")
        rngs = {} if key is None else {"dropout": jax.random.split(key, members)}
        changed = [c for c in mutable or () if c in variables]

        def one(variables: Variables, x: jax.Array, rngs: dict[str, jax.Array]) -> Any:
            out = self._lifted.apply(variables, x, train, rngs=rngs, mutable=changed if changed else False)
            return out if changed else (out, {})

        def in_turn(variables: Variables, x: jax.Array, rngs: dict[str, jax.Array]) -> Any:
            slots = (variables, x if x_per_member else None, rngs)
            return jax.lax.map(lambda slot: one(slot[0], slot[1] if x_per_member else x, slot[2]), slots)

        at_once = jax.vmap(
            one,
            in_axes=(self._axes(variables), 0 if x_per_member else None, 0),
            out_axes=(0, self._axes(dict.fromkeys(changed))),
            axis_name=MEMBER_AXIS,
            axis_size=members,
        )
        lifted = in_turn if self._has_own_convolutions(variables) else at_once
        try:
            logits, updates = lifted(dict(variables), x, rngs)
        except ScopeParamShapeError as error:
            raise ValueError(f"x of shape {x.shape} does not fit the variables of this ensemble: {error}") from error
        return logits if mutable is False else (logits, updates)

    def predict(self, variables: Variables, x: jax.Array, key: jax.Array | None = None) -> jax.Array:
        """Log-probabilities in nats, float32 `[m, b, c]`, of every member for `x [b, ...]`.

        Raises:
          ValueError: MC dropout without `key`; `x` does not fit the variables.
        """
        if self.samples_at_prediction and key is None:
            raise ValueError("mc_dropout draws its members at prediction: call predict(variables, x, key)")
        logits = self.apply(variables, x, key=key if self.samples_at_prediction else None)
        return jax.nn.log_softmax(logits.astype(jnp.float32))

    def member(self, variables: Variables, index: int) -> dict[str, Any]:
        """The variables of one member, as `self.model.apply` takes them."""
        return {
            collection: jax.tree.map(lambda a: a[index], value) if collection in self.per_member else value
            for collection, value in variables.items()
        }

    def mean_over_users(self, grads: Variables) -> dict[str, Any]:
        """The gradient rule: each weight steps by the mean gradient over the members that use it.

        Args:
          grads: by collection, the gradient of the *sum* over members of each member's mean loss.

        Returns:
          The same tree: what all members share is divided by `train_members`, what each has for itself is as it was.
        """

        def users(collection: str) -> int:
            return 1 if collection in self.per_member else self.train_members

        return {c: jax.tree.map(lambda g, n=users(c): g / n, tree) for c, tree in grads.items()}

    @property
    def _lifted(self) -> nn.Module:
        """The model as it runs under the lift, where the axes over which it normalises and drops are mapped."""
        layers = self.model.layers
        axes = (MEMBER_AXIS,) * self.norm_over_members + ((self.data_axis,) if self.data_axis else ())
        norm = partial(layers.BatchNorm, axis_name=axes) if axes else layers.BatchNorm
        dropout = partial(Dropout, data_axis=self.data_axis, at_prediction=self.samples_at_prediction)
        return self.model.clone(layers=dataclasses.replace(layers, BatchNorm=norm, Dropout=dropout))

    def _has_own_convolutions(self, variables: Variables) -> bool:
        """Whether members have convolutions of their own and share nothing: under `vmap` those would be grouped ones.

        XLA on CPU runs grouped convolutions 2 to 7 times slower than one after the other.
        """
        apart = set(variables) <= self.per_member
        return apart and any(leaf.ndim == 5 for leaf in jax.tree.leaves(variables["params"]))

    def _axes(self, collections: Mapping[str, Any]) -> dict[str, int | None]:
        return {collection: 0 if collection in self.per_member else None for collection in collections}


def single(model: nn.Module) -> Ensemble:
    """One network, as an ensemble of one: predictions are `[1, b, c]`."""
    return Ensemble(model, members=1, norm_over_members=True)


def mc_dropout(model: nn.Module, members: int) -> Ensemble:
    """One network, of which `predict` draws `members` dropout samples (Gal and Ghahramani 2016, arXiv 1506.02142).

    Raises:
      ValueError: `members` < 1, or a model whose field `dropout_rate` is 0, so that all samples would agree.
    """
    if getattr(model, "dropout_rate", None) == 0:
        raise ValueError(f"mc_dropout needs dropout; got a {type(model).__name__} with dropout_rate=0")
    return Ensemble(model, members, norm_over_members=True, samples_at_prediction=True)


def batch_ensemble(
    model: nn.Module,
    members: int,
    rank: int = 1,
    init: str | fast_init.FastInit = "random_sign",
    *,
    init_s: str | fast_init.FastInit | None = None,
    norm: Literal["shared", "per_member"] = "shared",
) -> Ensemble:
    """`members` networks that share every kernel and differ by fast weights of this rank (arXiv 2002.06715).

    Args:
      model: a module for one member, with a field `layers`.
      members: m.
      rank: k of the multiplicative mask; the output variance at initialisation does not depend on it.
      init: how r (and s, unless `init_s` says otherwise) starts: "random_sign", "normal" (N(1, 0.5), the study's),
        "ones", or one of `be_jax.fast_init`.
      init_s: how s starts, where it differs from r.
      norm: batch-normalisation statistics over all `m * b` examples ("shared", as published implementations do), or
        over each member's own. Scale and offset are shared either way.

    Raises:
      ValueError: `members` or `rank` < 1, an unknown `init` or `norm`, a model without `layers`.
    """
    _check_positive("rank", rank)
    _check_layers(model)
    if norm not in ("shared", "per_member"):
        raise ValueError(f"unknown norm {norm!r}; choose 'shared' or 'per_member'")
    init_r = fast_init.resolve(init)
    fast: dict[str, Any] = {
        "rank": rank,
        "init_r": init_r,
        "init_s": init_r if init_s is None else fast_init.resolve(init_s),
    }
    layers = dataclasses.replace(model.layers, Dense=partial(Dense, **fast), Conv=partial(Conv, **fast))
    shared = norm == "shared"
    per_member = frozenset({"fast"} if shared else {"fast", "batch_stats"})
    return Ensemble(model.clone(layers=layers), members, per_member, norm_over_members=shared)


def deep_ensemble(model: nn.Module, members: int) -> Ensemble:
    """`members` independent networks (Lakshminarayanan et al. 2017, arXiv 1612.01474).

    Raises:
      ValueError: `members` < 1.
    """
    return Ensemble(model, members, frozenset({"params", "batch_stats"}))


def count_parameters(variables: Variables) -> int:
    """Trained numbers: the sizes of `params` and `fast`, over all members."""
    trained = {collection: variables[collection] for collection in ("params", "fast") if collection in variables}
    return sum(leaf.size for leaf in jax.tree.leaves(trained))


def _check_layers(model: nn.Module) -> None:
    if not isinstance(getattr(model, "layers", None), Layers):
        raise ValueError(
            f"{type(model).__name__} has no field `layers`: give it `layers: be_jax.Layers = be_jax.PLAIN` and build "
            "it from self.layers.Dense, .Conv, .BatchNorm and .Dropout, so that the lift can say what they are"
        )


def _check_positive(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1; got {value!r}")


def _check_batch(x: jax.Array) -> None:
    if jnp.ndim(x) < 2:
        raise ValueError(f"x needs a batch axis and at least one feature axis, [b, ...]; got shape {jnp.shape(x)}")
