"""Flax's layers that are linear in their input, features last, as the lift sees them."""

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
from flax.core import meta

from be_jax.nn.conv import conv_general_dilated
from be_jax.nn.dot import Dot, dot_general
from be_jax.nn.interception import Call

Shape = tuple[int, ...]

METHODS = (nn.Dense.__call__, nn.DenseGeneral.__call__, nn.Conv.__call__, nn.ConvTranspose.__call__)
"""The calls that `Linear.of` understands."""

Hooks = dict[Any, tuple[str, Callable[..., jax.Array]]]

_OF_ALL: Hooks = {nn.Conv.__call__: ("conv_general_dilated", conv_general_dilated)}

# For m times the batch only: an epoch of the study's MLP takes a single network 1.09 times as long with it.
_OF_LIFTED: Hooks = _OF_ALL | dict.fromkeys(METHODS[:2], ("dot_general", dot_general))


@dataclasses.dataclass(frozen=True)
class Linear:
    """One call `y = layer(x) + bias` of a linear layer, `x [..., *inputs]`, `y [..., *outputs]`.

    Attributes:
      call: of the flax layer.
      inputs: the features that its kernel takes, several for `nn.DenseGeneral` of several axes.
      outputs: the features that it gives.
      stored: whether the stored kernel is the one that multiplies: not so in a subclass that standardises it, say.
    """

    call: Call
    inputs: Shape
    outputs: Shape
    stored: bool

    @classmethod
    def of(cls, call: Call) -> "Linear | None":
        """The call as that of a linear layer; None where features are not last, or kernels are local."""
        module: Any = call.module
        x = input_of(call)
        features = (module.features,) if isinstance(module.features, int) else tuple(module.features)
        inputs: Shape = x.shape[-1:]
        stored = type(module).param is nn.Module.param
        if call.method is nn.DenseGeneral.__call__:
            axes = (module.axis,) if isinstance(module.axis, int) else module.axis
            axes = sorted(axis % x.ndim for axis in axes)
            if tuple(module.batch_dims) or axes != list(range(x.ndim - len(axes), x.ndim)):
                return None
            inputs = x.shape[-len(axes) :]
        elif call.method is nn.Conv.__call__ and not module.shared_weights:
            return None
        elif call.method is nn.ConvTranspose.__call__:
            stored &= not module.transpose_kernel
        return cls(call, inputs, features, stored)

    @property
    def x(self) -> jax.Array:
        """The input."""
        return input_of(self.call)

    @property
    def is_dense(self) -> bool:
        """Whether it multiplies by its kernel as a matrix."""
        return self.call.method in METHODS[:2]

    @property
    def is_plain_product(self) -> bool:
        """Whether it is dense, and how it multiplies is not the user's own."""
        return self.is_dense and bool(hooks(self.call, _OF_LIFTED))

    def make_parameters(self) -> None:
        """At initialisation, makes all its parameters."""
        if self.call.module.is_initializing():
            self.run(self.x)

    def run(self, x: jax.Array, **fields: Any) -> jax.Array:
        """The layer as it is, its bias included."""
        if self.call.method is nn.DenseGeneral.__call__:
            fields["axis"] = tuple(range(-len(self.inputs), 0))  # whatever axes there are before them
        return self.call.run(x, fields=hooks(self.call, _OF_LIFTED) | fields)  # type: ignore[no-any-return]

    def run_without_bias(self, x: jax.Array) -> jax.Array:
        """The layer, which is linear then. At initialisation all its parameters are made."""
        if self.call.module.use_bias:  # type: ignore[attr-defined]
            self.make_parameters()
        return self.run(x, use_bias=False)

    def run_as(self, product: Callable[[Dot, jax.Array, jax.Array], jax.Array], x: jax.Array) -> jax.Array:
        """The dense layer without its bias, which computes `product(dot, x, kernel)` for `dot(x, kernel)`."""
        module: Any = self.call.module
        own_class = getattr(module, "dot_general_cls", None)  # which not all nnx layers have
        multiply = own_class() if own_class else module.dot_general or dot_general

        def changed(x: jax.Array, kernel: jax.Array, dimension_numbers: Any, **options: Any) -> jax.Array:
            return product(Dot.of(multiply, dimension_numbers, options), x, kernel)

        self.make_parameters()
        fields = {"dot_general": changed} | ({"dot_general_cls": None} if own_class else {})
        return self.run(x, **fields, use_bias=False)

    def bias(self) -> jax.Array | None:
        """The layer's own bias `[*outputs]`, if it has one."""
        if not self.call.module.use_bias:  # type: ignore[attr-defined]
            return None
        return meta.unbox(self.call.scope.get_variable("params", "bias"))  # type: ignore[no-any-return]


def hooks(call: Call, of_method: Hooks = _OF_ALL) -> dict[str, Any]:
    """Fields by which a layer's gradients are fast on a CPU too; none where the user's module has set its own."""
    if call.method not in of_method:
        return {}
    field, function = of_method[call.method]
    own = getattr(call.module, field) is not None or getattr(call.module, f"{field}_cls") is not None
    return {} if own else {field: function}


def input_of(call: Call) -> jax.Array:
    """What the layer is called with."""
    x: jax.Array = call.args[0] if call.args else call.kwargs["inputs"]
    return x
