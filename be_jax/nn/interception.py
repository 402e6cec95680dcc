"""Meeting flax's own layers inside a model that was written without us.

A handler is called where the *flax layer's own* `__call__` runs, wherever it stands: in `nn.Sequential`, in attention,
in a `setup()` module, in a subclass that calls `super().__call__`, and inside, not around, `nn.remat`, `nn.scan` and
`nn.vmap`, so that it sees the scope and the input of one layer.
"""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
from flax.errors import ScopeParamShapeError

Method = Callable[..., Any]
Init = Callable[[jax.Array, tuple[int, ...]], jax.Array]


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of a flax layer, in the layer's own scope.

    Attributes:
      module: the layer, of the flax class or a subclass of it.
      method: the flax class's method, such as `nn.Dense.__call__`.
      args: of the call, the module left out.
      kwargs: of the call.
    """

    module: nn.Module
    method: Method
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def path(self) -> str:
        """Of the layer, its names joined by slashes: as globs name it."""
        return "/".join(self.module.path)

    @property
    def scope(self) -> Any:
        """The layer's scope: its variables and random streams."""
        return self.module.scope

    def run(self, *args: Any, fields: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """Calls the flax layer, with some of its fields replaced; parameters and random streams are the same."""
        return self.method(self.module.clone(parent=self.scope.rewound(), **fields or {}), *args, **kwargs)

    def own(self, collection: str, name: str, shape: tuple[int, ...], init: Init) -> jax.Array:
        """A variable of this layer in a collection of the lift, drawn by the stream `fast` at initialisation.

        Raises:
          ScopeParamShapeError: it has another shape.
          ValueError: the collection does not reach this layer, being kept away by an `nn.scan` or `nn.vmap`.
        """
        if not self.scope.has_variable(collection, name):
            if not (self.scope.is_mutable_collection(collection) and self.scope.has_rng("fast")):
                raise ValueError(
                    f"`{collection}` does not reach {type(self.module).__name__} at {self.path!r}. Inside nn.scan or "
                    f'nn.vmap, write variable_axes={{"params": 0, "{collection}": 0}} and '
                    'split_rngs={"params": True, "fast": True} (variable_broadcast and False where `params` are '
                    "broadcast); elsewhere, the variables are those of another ensemble"
                )
            self.scope.put_variable(collection, name, init(self.scope.make_rng("fast"), shape))
        value: jax.Array = self.scope.get_variable(collection, name)
        if value.shape != shape:
            raise ScopeParamShapeError(name, self.path, value.shape, shape)
        return value


Handler = Callable[[Call], Any]


def intercept(handlers: Mapping[Method, Handler]) -> Any:
    """A context in which each method of a flax class that is a key here is run by its handler."""
    by_function = {inspect.unwrap(method): (method, handler) for method, handler in handlers.items()}
    active: set[tuple[Any, ...]] = set()

    def interceptor(next_fun: Any, args: Any, kwargs: Any, context: Any) -> Any:
        function = getattr(context.orig_method, "func", None)
        if function not in by_function:
            return next_fun(*args, **kwargs)
        place = (context.module.path, function)
        if place in active:  # the handler itself runs the layer
            return next_fun(*args, **kwargs)
        method, handler = by_function[function]
        active.add(place)
        try:
            return handler(Call(context.module, method, args, kwargs))
        finally:
            active.discard(place)

    return nn.intercept_methods(interceptor)
