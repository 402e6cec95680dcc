"""One member of an ensemble, computed by a plain model: what happens in each layer that is met on the way."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.core.scope import union_filters

from be_jax.nn import linear
from be_jax.nn.fast import FAST, FastWeights
from be_jax.nn.globs import Globs, matches_any
from be_jax.nn.interception import Call, Handler, Method, intercept
from be_jax.nn.linear import Linear
from be_jax.nn.masks import MASKS, Masks

_NORMS = (nn.BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, nn.InstanceNorm)


@dataclasses.dataclass
class Seen:
    """The layers that a trace has met, by path, the last one last: their class, and whether they were lifted."""

    layers: dict[str, tuple[str, bool]] = dataclasses.field(default_factory=dict)
    norms: dict[str, str] = dataclasses.field(default_factory=dict)
    dropouts: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Lift:
    """What each member has for itself in the layers of a plain model.

    Attributes:
      fast: the rule for linear layers and embeddings; None keeps them as they are.
      only: globs of the layers that it is for; None for all.
      shared: globs of layers that it is not for.
      masks: the fixed masks that stand for dropout (`be_jax.nn.masks`), if any.
    """

    fast: FastWeights | None = None
    only: Globs | None = None
    shared: Globs = ()
    masks: Masks | None = None

    def chooses(self, path: str) -> bool:
        """Whether the rule is for the layer at this path."""
        chosen = self.only is None or matches_any(path, self.only)
        return self.fast is not None and chosen and not matches_any(path, self.shared)


@dataclasses.dataclass(frozen=True)
class Conditions:
    """How the members run.

    Attributes:
      norm_axes: mapped axes over which batch statistics are taken.
      data_axis: the mapped axis over which the batch (axis 0) is split, or None.
      sampling: whether dropout is active whenever there is a key for it, as in MC dropout at prediction.
    """

    norm_axes: tuple[str, ...] = ()
    data_axis: str | None = None
    sampling: bool = False


def lifted(lift: Lift, conditions: Conditions, seen: Seen | None = None) -> Any:
    """The context in which a plain model computes one member; to be entered inside the function that is vmapped."""
    return intercept(Handlers(lift, conditions, Seen() if seen is None else seen).by_method())


class Foreign(nn.Module):
    """A model that is not made of linen's layers: it is told of the lift, and follows it by itself."""

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> Any:
        return self.under(None, Conditions(), Seen(), x, train)

    @property
    def class_name(self) -> str:
        """Of the model, as its author calls it."""
        raise NotImplementedError

    def under(self, lift: Lift | None, conditions: Conditions, seen: Seen, x: jax.Array, train: bool = False) -> Any:
        """`self(x, train)` of one member; of the plain model where `lift` is None."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class Handlers:
    """What happens in each layer of a kind, under one lift."""

    lift: Lift
    conditions: Conditions
    seen: Seen

    def by_method(self) -> Mapping[Method, Handler]:
        """A handler for each method of flax that the lift knows."""
        handlers: dict[Method, Handler] = dict.fromkeys(linear.METHODS, self.linear)
        handlers |= dict.fromkeys((nn.Embed.__call__, nn.Embed.attend), self.embed)
        handlers |= {norm.__call__: self.norm for norm in _NORMS}  # type: ignore[misc]
        handlers |= {nn.Dropout.__call__: self.dropout, nn.MultiHeadDotProductAttention.__call__: self.attention}
        return handlers | {nn.RNN.__call__: self.recurrence, Foreign.__call__: self.foreign}

    def foreign(self, call: Call) -> Any:
        under = call.module.under  # type: ignore[attr-defined]
        return under(self.lift, self.conditions, self.seen, *call.args, **call.kwargs)

    def linear(self, call: Call) -> Any:
        layer = Linear.of(call)
        y = None
        if layer is not None and self.lift.fast is not None and self.lift.chooses(call.path):
            y = self.lift.fast.linear(layer)
        self._note(call, y is not None)
        return call.run(*call.args, fields=linear.hooks(call), **call.kwargs) if y is None else y

    def embed(self, call: Call) -> Any:
        y = None
        if self.lift.fast is not None and self.lift.chooses(call.path):
            y = self.lift.fast.embed(call)
        self._note(call, y is not None)
        return call.run(*call.args, **call.kwargs) if y is None else y

    def norm(self, call: Call) -> Any:
        module: Any = call.module
        self.seen.norms[call.path] = type(module).__name__
        fields = {}
        if call.method is nn.BatchNorm.__call__ and self.conditions.norm_axes:
            theirs = (module.axis_name,) if isinstance(module.axis_name, str) else tuple(module.axis_name or ())
            fields["axis_name"] = self.conditions.norm_axes + theirs
        return call.run(*call.args, fields=fields, **call.kwargs)

    def dropout(self, call: Call) -> Any:
        module: Any = call.module
        given = dict(zip(("inputs", "deterministic", "rng"), call.args, strict=False)) | call.kwargs
        x, deterministic, rng = given["inputs"], given.get("deterministic"), given.get("rng")
        if module.rate > 0:
            self.seen.dropouts[call.path] = type(module).__name__
        if self.lift.masks is not None:
            return self.lift.masks.apply(call, x)
        if self._samples(call, module.rng_collection):
            deterministic = False
        else:
            deterministic = nn.merge_param("deterministic", module.deterministic, deterministic)
        if self.conditions.data_axis is None or deterministic or not 0 < module.rate < 1:
            return call.run(x, deterministic, rng, fields={"deterministic": None})
        key = call.scope.make_rng(module.rng_collection) if rng is None else rng
        return drop(x, key, module.rate, module.broadcast_dims, self.conditions.data_axis)

    def attention(self, call: Call) -> Any:
        module: Any = call.module
        if module.dropout_rate > 0:
            self.seen.dropouts[call.path] = type(module).__name__
        sampled = self._samples(call, "dropout")
        check_attention(module, call.kwargs.get("deterministic"), sampled, self.conditions.data_axis)
        if module.dropout_rate == 0 or not sampled:
            return call.run(*call.args, **call.kwargs)
        return call.run(*call.args, fields={"deterministic": None}, **(call.kwargs | {"deterministic": False}))

    def recurrence(self, call: Call) -> Any:
        module: Any = call.module
        own = (FAST, MASKS)
        fields = {
            "variable_broadcast": union_filters(module.variable_broadcast, own),
            "split_rngs": {**module.split_rngs, FAST: False},
        }
        return call.run(*call.args, fields=fields, **call.kwargs)

    def _samples(self, call: Call, stream: str) -> bool:
        return self.conditions.sampling and bool(call.scope.has_rng(stream))

    def _note(self, call: Call, is_lifted: bool) -> None:
        self.seen.layers.pop(call.path, None)  # a layer that is called again is the last one
        self.seen.layers[call.path] = (type(call.module).__name__, is_lifted)


def drop(x: jax.Array, key: jax.Array, rate: float, broadcast_dims: Sequence[int], data_axis: str) -> jax.Array:
    """Dropout of `x [b, ...]`, a device's share of a batch: its rows of the mask of the global batch."""
    broadcast = {axis % x.ndim for axis in broadcast_dims}
    shape = tuple(1 if axis in broadcast else size for axis, size in enumerate(x.shape))
    keep = _bernoulli(key, 1 - rate, shape, None if 0 in broadcast else data_axis)
    return jnp.where(keep, x / (1 - rate), 0)


def check_attention(module: Any, deterministic: bool | None, sampled: bool, data_axis: str | None) -> None:
    """Raises ValueError where devices share a batch and attention would draw a mask for each example: flax draws that
    of a device's share from one key, the same on every device.
    """
    deterministic = module.deterministic if deterministic is None else deterministic
    drops = module.dropout_rate > 0 and (sampled or deterministic is False)
    if drops and not module.broadcast_dropout and data_axis is not None and jax.lax.axis_size(data_axis) > 1:
        raise ValueError(
            f"{type(module).__name__} drops attention with broadcast_dropout=False, by the same mask on "
            f"each of {jax.lax.axis_size(data_axis)} devices: use broadcast_dropout=True, one device, or networks "
            "spread over devices"
        )


def _bernoulli(key: jax.Array, p: float, shape: tuple[int, ...], data_axis: str | None) -> jax.Array:
    """This device's rows of one draw for the global batch; XLA computes no other row."""
    if data_axis is None:
        return jax.random.bernoulli(key, p, shape)
    rows = shape[0]
    draw = jax.random.bernoulli(key, p, (jax.lax.axis_size(data_axis) * rows, *shape[1:]))
    return jax.lax.dynamic_slice_in_dim(draw, jax.lax.axis_index(data_axis) * rows, rows)
