"""How a model is told whether it trains: by whichever argument of its own says so."""

import inspect
from typing import Any

import flax.linen as nn

_TRAIN = ("train", "training", "is_training")
_DETERMINISTIC = "deterministic"


def mode_arguments(model: Any, train: bool, kind: type = nn.Module) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What `model(x, ...)` takes beside `x`: positional and keyword arguments that say whether it trains.

    An argument named `train` (or `training`, `is_training`) gets `train`, one named `deterministic` its negation, by
    position where it is the second and keyword elsewhere; a model with neither gets nothing.

    Raises:
      ValueError: the model is none of this kind, takes no `x`, or needs an argument that is none of these.
    """
    first, *others = _parameters(model, kind)
    del first
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for place, parameter in enumerate(others):
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if name not in (*_TRAIN, _DETERMINISTIC):
            if parameter.default is parameter.empty:
                raise ValueError(
                    f"{type(model).__name__}.__call__ needs {name!r} beside its input; an ensemble has none; "
                    f"give it a default, or wrap the model in one that calls it with {name!r}"
                )
            continue
        value = not train if name == _DETERMINISTIC else train
        if place == 0 and parameter.kind is not parameter.KEYWORD_ONLY:
            args.append(value)
        else:
            kwargs[name] = value
    return tuple(args), kwargs


def _parameters(model: Any, kind: type) -> list[inspect.Parameter]:
    callable_ = isinstance(model, kind) and callable(model)
    parameters = list(inspect.signature(type(model).__call__).parameters.values())[1:] if callable_ else []
    if not parameters or parameters[0].kind is inspect.Parameter.KEYWORD_ONLY:
        raise ValueError(
            f"an ensemble is made from a flax.linen module `model(x)`; got {model!r}. One of flax.nnx will do, or a "
            "function `rngs -> module` that makes it"
        )
    return parameters
