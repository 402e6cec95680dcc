"""The same lift for modules of `flax.nnx`, which is imported when a first such module is lifted."""

import functools
import importlib
import inspect
import sys
from typing import Any

import flax.linen as nn


def as_linen(model: Any, *, drawn: bool = False) -> Any:
    """A module of nnx, or a function `rngs -> module` that makes one, as a linen module; anything else as it is.

    Args:
      model: of an nnx module nothing is changed. Its parameters are where every `init` starts, whatever the key; a
        function (a class, a partial, `lambda rngs: Net(rngs=rngs)`) draws them by the key, as linen does.
      drawn: whether members are drawn independently, which a module that has its parameters cannot be.

    Raises:
      ValueError: members of a module that has its parameters are to be drawn, or nnx cannot call the module with `x`.
    """
    if isinstance(model, nn.Module) or "flax.nnx" not in sys.modules:
        return model
    module = sys.modules["flax.nnx"].Module
    is_module = isinstance(model, module)
    if not (is_module or _is_constructor(model, module)):
        return model
    if is_module and drawn:
        name = type(model).__name__
        raise ValueError(
            f"members of a deep ensemble are drawn independently, and this {name} has its parameters: give what makes "
            f"one, such as lambda rngs: {name}(.., rngs=rngs)"
        )
    return importlib.import_module("be_jax.nn.nnx.model").from_nnx(model)


def _is_constructor(model: Any, module: type) -> bool:
    made_by = model.func if isinstance(model, functools.partial) else model
    if isinstance(made_by, type):
        return issubclass(made_by, module)
    return inspect.isroutine(made_by) and "rngs" in inspect.signature(made_by).parameters
