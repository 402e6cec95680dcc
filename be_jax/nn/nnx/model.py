"""A module of flax.nnx as one of linen: all that lifts, trains and measures models takes it as it is."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx
from flax.errors import ModifyScopeVariableError
from flax.traverse_util import flatten_dict, unflatten_dict

from be_jax.nn.lift import Conditions, Foreign, Lift, Seen
from be_jax.nn.nnx import layers
from be_jax.nn.nnx.handlers import Handlers
from be_jax.nn.nnx.source import Source, values
from be_jax.nn.signature import mode_arguments

OWN = ("fast", "masks")
"""Collections that are members' own: they are at the paths of layers, and no variables of the module."""


class FromNNX(Foreign):
    """A flax.nnx module as a linen one: `init` and `apply` take and give dicts of arrays, by collection.

    `params` holds what is an `nnx.Param`, `batch_stats` an `nnx.BatchStat`, and so on by type, each at the path of its
    attributes and items; `module(variables)` is the nnx module again. With `train` it runs as after `module.train()`,
    else as after `module.eval()`. Its random streams are seeded anew by the key of each call.

    Attributes:
      source: the module, or what draws it. `init` of a module that has its parameters keeps them, whatever the key.
    """

    source: Source

    @property
    def trained(self) -> dict[str, Any] | None:
        """The variables that the module has; None where they are drawn."""
        return None if self.source.draw is not None else self.source.drawn(jax.random.key(0))

    @property
    def class_name(self) -> str:
        """Of the nnx module."""
        return self.source.class_name

    def module(self, variables: Mapping[str, Any]) -> nnx.Module:
        """A new nnx module with these variables of the plain model, such as `Ensemble.member` gives."""
        return self.source.module(variables, jax.random.key(0))

    def under(self, lift: Lift | None, conditions: Conditions, seen: Seen, x: jax.Array, train: bool = False) -> Any:
        """See `Foreign`."""
        key = self.make_rng("dropout") if self.has_rng("dropout") else None

        def run(variables: Mapping[str, Any], asked: layers.Asked | None) -> tuple[Any, dict[str, Any]]:
            module = self.source.module(variables, key)
            (module.train if train else module.eval)()
            args, kwargs = mode_arguments(module, train, kind=nnx.Module)
            if lift is None:
                return module(x, *args, **kwargs), values(module)
            _give(layers.prepare(module), {c: variables[c] for c in OWN if c in variables})
            with layers.handled(Handlers(lift, conditions, seen, key is not None).by_method(), asked):
                y = module(x, *args, **kwargs)
            return y, values(module)

        if self.is_initializing():
            variables, asked = self.source.drawn(self.make_rng("params")), layers.Asked()
            y = jax.eval_shape(lambda variables: run(variables, asked)[0], variables)
            self._put(variables | self._draw(asked, variables))
            return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), y)
        given = dict(self.variables)
        y, after = run(given, None)
        if train and not self.is_mutable_collection("batch_stats"):
            _check_unchanged("batch_stats", given, after)
        self._put(after)
        return y

    def _draw(self, asked: layers.Asked, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What members have for themselves, for each of the layers where one stands for several (`nnx.scan`)."""
        params, own = flatten_dict(variables.get("params", {})), {}
        for (path, collection, name), wanted in asked.items():
            layer, several = tuple(path.split("/")) if path else (), ()
            for parameter, shape in wanted.parameters.items():
                if (*layer, parameter) in params:  # a parameter that layers share has the path of one of them
                    whole = params[(*layer, parameter)].shape
                    several = whole[: len(whole) - len(shape)]
            keys = jax.random.split(self.make_rng("fast"), several)
            draw = lambda key, wanted=wanted: wanted.init(key, wanted.shape)  # noqa: E731
            for _ in several:
                draw = jax.vmap(draw)
            own[(collection, *layer, name)] = draw(keys)
        return unflatten_dict(own)  # type: ignore[no-any-return]

    def _put(self, variables: Mapping[str, Any]) -> None:
        """Keeps the variables of mutable collections."""
        for collection, tree in variables.items():
            if self.is_mutable_collection(collection):
                for name, value in tree.items():
                    self.scope.put_variable(collection, name, value)  # type: ignore[union-attr]


def from_nnx(model: Any) -> nn.Module:
    """The linen module of an nnx module, or of a function `rngs -> module` that makes one."""
    return FromNNX(Source.of(model))


def _give(layer_at: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Gives layers what a member has for itself in them."""
    for (collection, *path, name), value in flatten_dict(dict(own)).items():
        layer = layer_at.get("/".join(path))
        if layer is not None:
            setattr(layer, layers.attribute(collection, name), layers.Own(value))


def _check_unchanged(collection: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    old = flatten_dict(dict(before.get(collection, {})))
    for path, value in flatten_dict(after.get(collection, {})).items():
        if value is not old.get(path):
            raise ModifyScopeVariableError(collection, path[-1], "/".join(path[:-1]))
