"""What is refused, or named in a warning, before it can give a wrong answer: each says what was found and the cure."""

import warnings
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from be_jax.nn.globs import Globs, matches, matches_any
from be_jax.nn.lift import Foreign, Lift, Seen


def check_positive(name: str, value: Any) -> None:
    """Raises ValueError unless `value` is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer >= 1; got {value!r}")


def check_batch(x: Any) -> None:
    """Raises ValueError unless `x` is `[b, ...]` with at least one more axis."""
    if jnp.ndim(x) < 2:
        raise ValueError(f"x needs a batch axis and at least one feature axis, [b, ...]; got shape {jnp.shape(x)}")


def check_logits(model: nn.Module, outputs: Any) -> None:
    """Raises ValueError unless `outputs` are logits `[m, b, c]` with c >= 2."""
    name = model.class_name if isinstance(model, Foreign) else type(model).__name__
    if not isinstance(outputs, jax.Array):
        raise ValueError(
            f"predict needs logits [b, c]; {name} returns a {type(outputs).__name__}. Wrap it in a model that returns "
            "the logits alone; what else it computes, `self.sow` keeps for apply(.., mutable=['intermediates'])"
        )
    if outputs.ndim != 3 or outputs.shape[-1] < 2:
        raise ValueError(
            f"predict needs logits [b, c] of c >= 2 classes; {name} returns {list(outputs.shape[1:])}. Of one logit z, "
            "return jnp.stack([jnp.zeros_like(z), z], -1); for regression use apply, and be_jax.metrics.regression"
        )


def check_trained(trained: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    """Raises ValueError unless `trained` has the collections, names and shapes of the plain model's variables."""
    theirs, ours = ({path: jnp.shape(a) for path, a in flatten_dict(dict(tree)).items()} for tree in (trained, plain))
    wrong = [f"{'/'.join(path)} is missing" for path in ours if path not in theirs]
    wrong += [f"{'/'.join(path)} is not of the model" for path in theirs if path not in ours]
    wrong += [
        f"{'/'.join(path)} has shape {theirs[path]}, not {ours[path]}"
        for path in ours
        if path in theirs and theirs[path] != ours[path]
    ]
    if wrong:
        more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
        raise ValueError(
            f"`trained` must be the variables of the plain model, {{{', '.join(map(repr, plain))}}}: "
            f"{'; '.join(wrong[:3])}{more}"
        )


def check_variables(variables: Any) -> None:
    """Raises ValueError unless these are collections by name, with the model's parameters among them."""
    if not isinstance(variables, Mapping) or "params" not in variables:
        got = sorted(map(str, variables)) if isinstance(variables, Mapping) else type(variables).__name__
        raise ValueError(
            "variables must be what `init` returns, collections by name such as {'params', 'fast'}; of a training "
            f"state, state.variables. Got {got}"
        )


def warn_of_start(lift: Lift, copies: int) -> None:
    """Warns of what becomes of a trained network: all `copies` of it stay one, or multipliers of mean 0 undo it."""
    if copies > 1:
        warnings.warn(
            f"all {copies} members start as copies of the trained network, and stay copies unless they see examples of "
            "their own (x_per_member) or draw dropout masks; last_layer, and batch_ensemble from "
            "be_jax.fast_init.normal(0.1), spread members around it",
            stacklevel=4,
        )
    inits = [init for field in ("init", "init_r", "init_s") for _, init in getattr(lift.fast, field, ())]
    if lost := sorted({init.name for init in inits if not init.mean}):
        warnings.warn(
            f"members start from {', '.join(lost)}, which multiplies the trained kernels by numbers of mean 0: what "
            "the network has learned is lost. Start as copies, init='ones', or spread around it, "
            "be_jax.fast_init.normal(0.1)",
            stacklevel=4,
        )


def check_seen(
    lift: Lift, own: Globs, seen: Seen, variables: Mapping[str, Any], *, moves: bool, samples: bool, masks: bool
) -> None:
    """Raises ValueError where a method found nothing in a model; warns of kernels that stay shared unasked.

    Args:
      lift: what was to be done in the layers.
      own: globs of the parameters that members were to have for themselves.
      seen: what was met.
      variables: of the ensemble.
      moves: whether members were to have parameters of the model for themselves.
      samples: whether members are to be dropout samples.
      masks: whether they are to be masked.
    """
    params = ["/".join(path) for path in flatten_dict(dict(variables.get("params", {})))]
    params += ["/".join(path) for path in flatten_dict(dict(variables.get("fast", {})))] if moves else []
    places = {*params, *(path.rpartition("/")[0] for path in params)}
    for globs, among in ((lift.only or (), {*seen.layers}), (lift.shared, {*seen.layers, *places}), (own, places)):
        for glob in globs:
            if not any(matches(path, glob) for path in among):
                raise ValueError(f"the glob {glob!r} matches no layer; there are {_listed(seen.layers or places)}")
    if lift.fast is not None and not any(lifted for _, lifted in seen.layers.values()):
        raise ValueError(
            "no layer was lifted, so that all members would be one network: the model has no layer of flax's Dense, "
            f"DenseGeneral, Conv, ConvTranspose or Embed that was chosen; its layers are {_listed(seen.layers)}"
        )
    for field in ("init", "init_r", "init_s"):
        for glob, _ in getattr(lift.fast, field, ()):
            if not any(matches(path, glob) for path in seen.layers):
                raise ValueError(f"{field}: the glob {glob!r} matches no layer; there are {_listed(seen.layers)}")
    if moves and not variables.get("fast"):
        raise ValueError("no parameter is a member's own, so that all members would be one network: the model has none")
    if (samples or masks) and not seen.dropouts:
        raise ValueError(
            f"{'mc_dropout needs dropout' if samples else 'masksembles puts its masks in the place of dropout'}: no "
            "layer with a rate above 0 was met; give the model flax's nn.Dropout (such as dropout_rate=0.1)"
        )
    if masks and "masks" not in variables:
        raise ValueError("masksembles puts its masks in the place of nn.Dropout; there is only dropout of attention")
    if lift.fast is not None and lift.only is None:
        _warn_of_shared_kernels(lift.shared, seen, variables)


def _warn_of_shared_kernels(shared: Globs, seen: Seen, variables: Mapping[str, Any]) -> None:
    lifted = {path for path, (_, is_lifted) in seen.layers.items() if is_lifted}
    kernels = []
    for path, value in flatten_dict(dict(variables.get("params", {}))).items():
        layer, name = "/".join(path[:-1]), "/".join(path)
        known = layer in lifted or layer in seen.norms or matches_any(layer, shared) or matches_any(name, shared)
        if jnp.ndim(value) >= 2 and path[-1] != "bias" and not known:
            kernels.append(name)
    if kernels:
        warnings.warn(
            f"all members share {_listed(kernels)} as it is: no layer that the lift knows. Accept it by "
            f"shared=({', '.join(map(repr, kernels[:3]))},), or build it from nn.Dense, nn.Conv or nn.Embed",
            stacklevel=4,
        )


def _listed(names: Any) -> str:
    names = [repr(name) for name in names]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") if names else "none"
