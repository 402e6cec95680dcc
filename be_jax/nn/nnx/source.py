"""A module of flax.nnx taken apart: its structure, and its variables as dicts of arrays by collection.

A module of nnx holds its parameters, and changes itself as it runs. Every module made here is a new one; the user's is
read once and never changed.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from flax.errors import ScopeParamShapeError
from flax.traverse_util import flatten_dict, unflatten_dict

from be_jax.nn.nnx.layers import Own
from be_jax.nn.signature import mode_arguments

Draw = Callable[..., nnx.Module]

CONSTANTS = "constants"
"""The collection of a module's arrays that are no `nnx.Variable`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """What an nnx module is made of.

    Attributes:
      class_name: of the module.
      graphdef: its structure.
      variables: by path, as nnx has them; where there is `draw`, of their values only shape and type are known.
      draw: makes the module anew from `rngs`; None for a module that has its parameters.
    """

    class_name: str
    graphdef: Any
    variables: Mapping[tuple[Any, ...], Any]
    draw: Draw | None

    @classmethod
    def of(cls, model: nnx.Module | Draw) -> "Source":
        """Of a module, or of a function `rngs -> module` (a class, a partial) that makes one.

        Raises:
          ValueError: the function makes no module of nnx, or one that cannot be called with `x` alone.
        """
        if isinstance(model, nnx.Module):
            module, draw = model, None
        else:
            draw = model
            module = nnx.eval_shape(lambda: draw(rngs=nnx.Rngs(0)))
        if not isinstance(module, nnx.Module):
            raise ValueError(f"a function `rngs -> module` must return a flax.nnx module; got {module!r}")
        mode_arguments(module, train=False, kind=nnx.Module)
        graphdef, state = nnx.split(module)
        return cls(type(module).__name__, graphdef, dict(nnx.to_flat_state(state)), draw)

    def drawn(self, key: jax.Array) -> dict[str, Any]:
        """Variables of the module that `draw` makes, or those of the module there is."""
        return by_collection(self.variables if self.draw is None else _flat(self.draw(rngs=nnx.Rngs(key))))

    def module(self, variables: Mapping[str, Any], key: jax.Array | None = None) -> nnx.Module:
        """A new module with these variables, its random streams seeded by `key`; without one, they refuse to draw.

        Raises:
          ScopeParamShapeError: a variable has another shape.
          ValueError: a variable is missing.
        """
        given, state = flatten_dict(dict(variables)), []
        for place, (path, variable) in enumerate(self.variables.items()):
            collection, names = _collection(variable), tuple(map(str, path))
            if collection is None:
                value = _stream(variable, None if key is None else jax.random.fold_in(key, place))
            elif (collection, *names) not in given:
                raise ValueError(f"the variables have no {'/'.join((collection, *names))}: they are of another model")
            else:
                value = given[(collection, *names)]
                shape, own_shape = np.shape(value), _value(variable).shape
                if shape != own_shape:
                    raise ScopeParamShapeError(names[-1], "/".join(names[:-1]), shape, own_shape)
            state.append((path, jax.tree.unflatten(jax.tree.structure(variable), [value])))
        module: nnx.Module = nnx.merge(self.graphdef, nnx.from_flat_state(state))
        if key is None:
            for _, node in list(nnx.iter_graph(module)):
                if type(node) is nnx.RngStream:
                    node.__class__ = _Unseeded
        return module


def values(module: nnx.Module) -> dict[str, Any]:
    """The variables of a module by collection, without random streams and what members have for themselves."""
    return by_collection(_flat(module))


def by_collection(flat: Mapping[tuple[Any, ...], Any]) -> dict[str, Any]:
    """Variables by path, as nested dicts of arrays: `{collection: {attribute: {item: array}}}`."""
    named = {
        (collection, *map(str, path)): _value(variable)
        for path, variable in flat.items()
        if (collection := _collection(variable)) is not None
    }
    return unflatten_dict(named)  # type: ignore[no-any-return]


class _Unseeded(nnx.RngStream):
    """A stream of a module that runs without a key: a draw would be the same for every member and every step.

    The stream `carry`, by which recurrent cells of nnx start at zero, is let be.
    """

    def __call__(self) -> jax.Array:
        if self.tag == "carry":
            return super().__call__()
        raise ValueError(f"the model draws random numbers (stream {self.tag!r}): give apply a key, apply(.., key=key)")


def _flat(module: nnx.Module) -> dict[tuple[Any, ...], Any]:
    return dict(nnx.to_flat_state(nnx.state(module)))


def _collection(variable: Any) -> str | None:
    """`params` and `batch_stats`, or as nnx names its type; None for random streams and the lift's own."""
    if not isinstance(variable, nnx.Variable):
        return CONSTANTS
    if isinstance(variable, nnx.RngState | Own):
        return None
    if isinstance(variable, nnx.Param):
        return "params"
    return str(nnx.variable_name_from_type(type(variable), allow_register=True))


def _value(variable: Any) -> Any:
    return variable.get_value() if isinstance(variable, nnx.Variable) else variable


def _stream(variable: Any, key: jax.Array | None) -> jax.Array:
    """A value for the key or the count of a random stream, of which there are several where it has axes."""
    shape = _value(variable).shape
    if isinstance(variable, nnx.RngCount):
        return jnp.zeros(shape, jnp.uint32)
    key = jax.random.key(0) if key is None else key
    return jax.random.split(key, shape) if shape else key
