"""What is measured: networks, and the methods that make ensembles of them."""

import importlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from be_jax import Ensemble, methods, models
from be_jax.config import ConfigError

DROPOUT_RATE = 0.1
"""Of methods that live by dropout, in a network that has the field `dropout_rate`."""


class Network(NamedTuple):
    """How a network is built, and the shape of one input, without batch axis."""

    build: Callable[[], nn.Module]
    input_shape: tuple[int, ...]


METHODS: Mapping[str, methods.Method] = {name: row for name, row in methods.TABLE.items() if not row.is_control}
"""All but controls, which cost what their subject costs."""


def ensemble_of(method: methods.Method, model: nn.Module, members: int, input_shape: tuple[int, ...]) -> Ensemble:
    """The method's ensemble; one that lives by dropout has it where the model has a rate to set."""
    rate = DROPOUT_RATE if hasattr(model, "dropout_rate") else None
    return method.build(model, methods.Options(members=members, input_shape=input_shape, dropout_rate=rate))


_GREY, _COLOUR = (28, 28, 1), (32, 32, 3)

NETWORKS: Mapping[str, Network] = {
    "mlp": Network(models.MLP, _GREY),
    "lenet": Network(models.LeNet, _GREY),
    "resnet18": Network(models.ResNet18, _COLOUR),
    "wrn28_10": Network(models.WideResNet28x10, _COLOUR),
    "vit": Network(models.ViT, _COLOUR),
}


def users_network(where: str, input_shape: tuple[int, ...]) -> Network:
    """The network that `module:function` builds.

    Raises:
      ConfigError: there is no such function, or it builds no flax module.
    """
    module, colon, name = where.partition(":")
    if not colon or not module or not name:
        raise ConfigError(f"model must be module:function, such as my_module:build; got {where!r}")
    try:
        build = getattr(importlib.import_module(module), name)
        built = build()
    except (ImportError, AttributeError, TypeError) as error:
        raise ConfigError(f"model {where!r} cannot be built, called without arguments: {error}") from error
    if not isinstance(built, nn.Module):
        raise ConfigError(f"model {where!r} must build a flax.linen module; got {type(built).__name__}")
    return Network(build, input_shape)


def built(network: Network, dtype: str) -> nn.Module:
    """The network that computes in this type; parameters are float32.

    Raises:
      ValueError: another type than float32, and a network without the field `dtype`.
    """
    model = network.build()
    if hasattr(model, "dtype"):
        return model.clone(dtype=jnp.dtype(dtype))
    if dtype != "float32":
        raise ValueError(f"{type(model).__name__} has no field dtype, and computes in float32")
    return model
