"""What happens in each nnx layer that a member's computation meets: the rules of `be_jax.nn.lift`, other layers."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from flax import nnx

from be_jax.nn import lift
from be_jax.nn.interception import Call, Handler, Method
from be_jax.nn.nnx import layers
from be_jax.nn.nnx.layers import Linear

_NORMS = (nnx.BatchNorm, nnx.LayerNorm, nnx.GroupNorm, nnx.RMSNorm, nnx.InstanceNorm)


@dataclasses.dataclass(frozen=True)
class Handlers(lift.Handlers):
    """The handlers of one lift.

    Attributes:
      has_key: whether the random streams of the module are seeded.
    """

    has_key: bool = False

    def by_method(self) -> Mapping[Method, Handler]:
        """A handler for each method of nnx that the lift knows."""
        handlers: dict[Method, Handler] = dict.fromkeys(layers.METHODS, self.linear)
        handlers |= dict.fromkeys((nnx.Embed.__call__, nnx.Embed.attend), self.embed)
        handlers |= {norm.__call__: self.norm for norm in _NORMS}
        return handlers | {nnx.Dropout.__call__: self.dropout, nnx.MultiHeadAttention.__call__: self.attention}

    def linear(self, call: Call) -> Any:
        """A linear layer, lifted or as it is."""
        layer, y = Linear.of(call), None
        if layer is not None and self.lift.fast is not None and self.lift.chooses(call.path):
            y = self.lift.fast.linear(layer)
        self._note(call, y is not None)
        return call.run(*call.args, fields=layers.hooks(call), **call.kwargs) if y is None else y

    def norm(self, call: Call) -> Any:
        """A normalisation, of which batch statistics are over the mapped axes too."""
        module: Any = call.module
        self.seen.norms[call.path] = type(module).__name__
        if call.method is nnx.BatchNorm.__call__ and self.conditions.norm_axes:
            theirs = (module.axis_name,) if isinstance(module.axis_name, str) else tuple(module.axis_name or ())
            return call.run(*call.args, fields={"axis_name": self.conditions.norm_axes + theirs}, **call.kwargs)
        return call.run(*call.args, **call.kwargs)

    def dropout(self, call: Call) -> Any:
        """Dropout, sampled or masked; its masks do not depend on how the batch is split."""
        module: Any = call.module
        x, given = (call.args[0] if call.args else call.kwargs["inputs"]), call.kwargs
        if module.rate > 0:
            self.seen.dropouts[call.path] = type(module).__name__
        if self.lift.masks is not None:
            return self.lift.masks.apply(call, x)
        deterministic, stream = given.get("deterministic"), given.get("rngs")
        deterministic = module.deterministic if deterministic is None else deterministic
        deterministic = False if self._is_sampling() else deterministic
        if self.conditions.data_axis is None or deterministic is not False or not 0 < module.rate < 1:
            return call.run(x, deterministic=deterministic, rngs=stream)
        stream = module.rngs if stream is None else stream
        if isinstance(stream, nnx.Rngs):
            stream = stream[module.rng_collection]
        key = stream() if callable(stream) else stream
        return lift.drop(x, key, module.rate, module.broadcast_dims, self.conditions.data_axis)

    def attention(self, call: Call) -> Any:
        """Attention, of which the dropout may be sampled."""
        module: Any = call.module
        if module.dropout_rate > 0:
            self.seen.dropouts[call.path] = type(module).__name__
        lift.check_attention(module, call.kwargs.get("deterministic"), self._is_sampling(), self.conditions.data_axis)
        sampled = {"deterministic": False} if module.dropout_rate > 0 and self._is_sampling() else {}
        return call.run(*call.args, **(call.kwargs | sampled))

    def _is_sampling(self) -> bool:
        return self.conditions.sampling and self.has_key
