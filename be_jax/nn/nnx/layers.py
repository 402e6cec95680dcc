"""Meeting flax.nnx's own layers inside a module that was written without us.

Python resolves `super().__call__` along the class of the *object*. So a layer of a user's class `C(nnx.Linear)` is
given the class `(C, H)`, where `H(nnx.Linear)` runs the handler in the place of `nnx.Linear.__call__`: whatever `C`
does around its `super().__call__` is done as before, and `isinstance` holds. Only layers of a copy are treated so.
"""

import contextlib
import contextvars
import dataclasses
import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from flax.errors import ScopeParamShapeError
from jax import lax

from be_jax.nn import interception, linear
from be_jax.nn.conv import conv_general_dilated
from be_jax.nn.dot import dot_general
from be_jax.nn.interception import Init, Method

METHODS = (nnx.Linear.__call__, nnx.LinearGeneral.__call__, nnx.Conv.__call__, nnx.ConvTranspose.__call__)
"""The calls that `Linear.of` understands."""


class Own(nnx.Variable[jax.Array]):
    """A variable that a member has for itself in a layer of the plain model."""


class Wanted(NamedTuple):
    """A variable that a layer has asked for: its shape in one call, how it is drawn, and the layer's own shapes then.

    Under `nnx.scan` or `nnx.vmap` a layer that is called has fewer axes than the one in the module, which is several.
    """

    shape: tuple[int, ...]
    init: Init
    parameters: dict[str, tuple[int, ...]]


Asked = dict[tuple[str, str, str], Wanted]
"""By path of the layer, collection and name."""


@dataclasses.dataclass(frozen=True)
class Call(interception.Call):
    """One call of an nnx layer; what `be_jax.nn.interception.Call` is for one of linen.

    Attributes:
      asked: where own variables are noted while they do not exist yet, at initialisation.
    """

    module: Any
    asked: Asked | None

    @property
    def path(self) -> str:
        """Of the layer, attributes and items joined by slashes: as globs name it."""
        return str(self.module.lift_path)

    def run(self, *args: Any, fields: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """Calls the nnx layer, with some of its attributes replaced; its variables and random streams are the same."""
        module = self.module
        if fields:
            module = object.__new__(type(module))
            vars(module).update(vars(self.module) | dict(fields))
        return self.method(module, *args, **kwargs)

    def own(self, collection: str, name: str, shape: tuple[int, ...], init: Init) -> jax.Array:
        """A variable of this layer in a collection of the lift; at initialisation, one in its place.

        Raises:
          ScopeParamShapeError: it has another shape.
          ValueError: there is none.
        """
        if self.asked is not None:
            own = {k: v.shape for k, v in vars(self.module).items() if isinstance(v, nnx.Param)}
            self.asked[self.path, collection, name] = Wanted(shape, init, own)
            return jnp.ones(shape)
        variable = getattr(self.module, attribute(collection, name), None)
        if variable is None:
            raise ValueError(f"`{collection}` has no {name!r} for {self.path!r}: the variables are of another ensemble")
        value: jax.Array = variable.get_value()
        if value.shape != shape:
            raise ScopeParamShapeError(name, self.path, value.shape, shape)
        return value


@dataclasses.dataclass(frozen=True)
class Linear(linear.Linear):
    """One call of a linear layer of nnx; what `be_jax.nn.linear.Linear` is for one of linen."""

    call: Call

    @classmethod
    def of(cls, call: interception.Call) -> "Linear | None":
        """The call as that of a linear layer; None where features are not last, or kernels are local.

        Raises:
          ScopeParamShapeError: the input has other features than the kernel.
        """
        assert isinstance(call, Call)
        module, x, stored = call.module, linear.input_of(call), True
        inputs, outputs = _shape(module.in_features), _shape(module.out_features)
        if call.method is nnx.LinearGeneral.__call__:
            axes = [axis % x.ndim for axis in module.axis]
            if module.batch_axis or axes != list(range(x.ndim - len(axes), x.ndim)):
                return None
        elif call.method is nnx.ConvTranspose.__call__:
            stored = not module.transpose_kernel
        if x.shape[-len(inputs) :] != inputs:
            raise ScopeParamShapeError("kernel", call.path, inputs, x.shape[-len(inputs) :])
        return cls(call, inputs, outputs, stored)

    @property
    def is_dense(self) -> bool:
        """Whether it multiplies by its kernel as a matrix."""
        return self.call.method in METHODS[:2]

    def make_parameters(self) -> None:
        """A module of nnx has them."""

    def run(self, x: jax.Array, **fields: Any) -> jax.Array:
        """The layer as it is, its bias included."""
        if self.call.method is nnx.LinearGeneral.__call__:
            fields["axis"] = tuple(range(-len(self.inputs), 0))
        if not fields.get("use_bias", True):
            fields["bias"] = None
        return self.call.run(x, fields=hooks(self.call, lifted=True) | fields)  # type: ignore[no-any-return]

    def bias(self) -> jax.Array | None:
        """The layer's own bias `[*outputs]`, if it has one."""
        return None if self.call.module.bias is None else self.call.module.bias.get_value()


def hooks(call: interception.Call, lifted: bool = False) -> dict[str, Any]:
    """Attributes by which a layer's gradients are fast on a CPU too; none where the user's module has set its own."""
    module: Any = call.module
    if call.method is nnx.Conv.__call__ and module.conv_general_dilated is lax.conv_general_dilated:
        return {"conv_general_dilated": conv_general_dilated}
    dense = lifted and call.method in METHODS[:2] and getattr(module, "dot_general_cls", None) is None
    return {"dot_general": dot_general} if dense and module.dot_general in (None, lax.dot_general) else {}


Handler = Callable[[Call], Any]

_HOOKED = (
    *((kind, ("__call__",)) for kind in (nnx.Linear, nnx.LinearGeneral, nnx.Conv, nnx.ConvTranspose)),
    (nnx.Embed, ("__call__", "attend")),
    *((kind, ("__call__",)) for kind in (nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm, nnx.InstanceNorm)),
    (nnx.Dropout, ("__call__",)),
    (nnx.MultiHeadAttention, ("__call__",)),
)

_active: contextvars.ContextVar[tuple[Mapping[Method, Handler], Asked | None] | None] = contextvars.ContextVar(
    "_active", default=None
)


def prepare(module: nnx.Module) -> dict[str, Any]:
    """Makes the layers of a module run handlers, and returns them by path. It must be a copy that is thrown away."""
    layers = {}
    layer: Any
    for path, layer in list(nnx.iter_modules(module)):
        kind = _hooked(type(layer))  # type: ignore[arg-type]
        if kind is not None:
            layer.__class__ = kind
            layer.lift_path = "/".join(map(str, path))
            layers[layer.lift_path] = layer
    return layers


@contextlib.contextmanager
def handled(handlers: Mapping[Method, Handler], asked: Asked | None = None) -> Iterator[None]:
    """A context in which each method of an nnx class that is a key here is run by its handler, in `prepare`d layers."""
    token = _active.set((handlers, asked))
    try:
        yield
    finally:
        _active.reset(token)


def attribute(collection: str, name: str) -> str:
    """The attribute of a layer that holds a member's own variable."""
    return f"lifted_{collection}_{name}"


@functools.cache
def _hooked(kind: type) -> type | None:
    """The class `kind` with a handler in the place of flax's own methods; None if there are none of these."""
    for base, methods in _HOOKED:
        if issubclass(kind, base):
            hook = _subclass(base.__name__, (base,), {name: _through(getattr(base, name)) for name in methods})
            return hook if kind is base else _subclass(kind.__name__, (kind, hook), {})
    return None


def _subclass(name: str, bases: tuple[type, ...], members: dict[str, Any]) -> type:
    return types.new_class(name, bases, exec_body=lambda namespace: namespace.update(members))


def _through(method: Method) -> Method:
    @functools.wraps(inspect.unwrap(method))
    def through(self: Any, *args: Any, **kwargs: Any) -> Any:
        active = _active.get()
        if active is None or method not in active[0]:
            return method(self, *args, **kwargs)
        handlers, asked = active
        return handlers[method](Call(self, method, args, kwargs, asked))

    return through


def _shape(features: Any) -> tuple[int, ...]:
    return (features,) if isinstance(features, int) else tuple(features)
