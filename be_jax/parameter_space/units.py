"""Hidden units of a network, whose order is not part of its function, and which of its arrays run over the same ones.

In a chain of layers each has its own. In a residual network all layers that write to a stream share theirs: they can
change places in all of these together, as in the layers that read from it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from be_jax.ensemble import Variables

Path = tuple[str, ...]
Weights = Mapping[Path, np.ndarray]
"""The variables of one network by their path, the collection first."""

_LOGITS: Path = ("logits",)
_OUTPUTS, _INPUTS = -1, -2


class Place(NamedTuple):
    """An axis of an array that runs over units: the last one, or the inputs of a kernel `[..., i, o]`."""

    path: Path
    axis: int


class Units(NamedTuple):
    """Units that change places together.

    Attributes:
      size: how many.
      places: all that has one number, or one row of numbers, for each of them: kernels into them and out of them,
        biases, and the weights and statistics of their normalisation.
    """

    size: int
    places: tuple[Place, ...]


def hidden_units(model: nn.Module, network: Variables, x: jax.Array) -> list[Units]:
    """The hidden units of a model, in the order in which layers give them.

    Two layers share their units where both reach an input of one layer without passing through another kernel between;
    derivatives say what reaches what. Layers whose outputs are concatenated are taken to share them too, and refused if
    they have not the same number.

    Args:
      model: for one member, built from plain layers, computing in float32.
      network: its variables.
      x: some inputs `[b, ...]`.

    Raises:
      ValueError: the model is another function when such units change places, as with normalisation by groups.
    """
    arrays, reached_by = by_path(network), _reached_by(model, network, x)
    sizes = {path[1:-1]: array.shape[-1] for path, array in arrays.items() if path[-1] == "kernel"}
    groups = [group for group in _joined(sizes, list(reached_by.values())) if not group & reached_by[_LOGITS]]
    called = {layer: index for index, layer in enumerate(reached_by)}
    units = []
    for group in sorted(groups, key=lambda group: min(called[layer] for layer in group)):
        places = [place for path in arrays for place in _places_of(path, sizes, group, reached_by)]
        units.append(Units(sizes[min(group, key=called.__getitem__)], tuple(places)))
    _check(model, network, x, units)
    return units


def by_path(network: Variables) -> dict[Path, np.ndarray]:
    """The variables as `Weights`."""
    return {path: np.asarray(value) for path, value in flatten_dict(dict(network)).items()}


def rows_of_units(weights: Weights, place: Place, size: int) -> np.ndarray:
    """`[size, n]`: what an array has for each unit."""
    array, axis = _split(weights[place.path], place, size)
    return np.moveaxis(array, axis, 0).reshape(size, -1)


def natural_orders(units: Sequence[Units]) -> list[np.ndarray]:
    """0, 1, ... for each group of units."""
    return [np.arange(group.size) for group in units]


def reorder(network: Variables, units: Sequence[Units], orders: Sequence[np.ndarray]) -> dict[str, Any]:
    """The network whose unit j of a group is what was unit `order[j]`; the same function.

    Args:
      network: variables.
      units: its hidden units.
      orders: of each group.
    """
    weights = by_path(network)
    for group, order in zip(units, orders, strict=True):
        weights |= reordered(weights, group, order)
    return unflatten_dict(weights)


def reordered(weights: Weights, units: Units, order: np.ndarray) -> dict[Path, np.ndarray]:
    """The arrays that run over these units, in another order of them."""
    changed: dict[Path, np.ndarray] = {}
    for place in units.places:
        whole = changed.get(place.path, weights[place.path])
        array, axis = _split(whole, place, units.size)
        changed[place.path] = np.take(array, order, axis).reshape(whole.shape)
    return changed


def _split(array: np.ndarray, place: Place, size: int) -> tuple[np.ndarray, int]:
    """The array with an axis for the units alone, and which that is.

    A dense layer after a flattened image has inputs for each place in the image, whose channels are the units.
    """
    axis = array.ndim + place.axis
    return array.reshape(*array.shape[:axis], -1, size, *array.shape[axis + 1 :]), axis + 1


def _places_of(
    path: Path, sizes: Mapping[Path, int], group: set[Path], reached_by: Mapping[Path, set[Path]]
) -> list[Place]:
    """The axes of an array that run over the units which the layers of a group give."""
    layer, has_kernel = path[1:-1], path[1:-1] in sizes
    gives, takes = layer in group, bool(reached_by.get(layer, set()) & group)
    outputs = [Place(path, _OUTPUTS)] if (gives if has_kernel else takes) else []
    inputs = [Place(path, _INPUTS)] if takes and path[-1] == "kernel" else []
    return outputs + inputs


def _joined(layers: Mapping[Path, int], reaching: Sequence[set[Path]]) -> list[set[Path]]:
    """Layers in groups: those together that reach one place, and so on."""
    groups = [{layer} for layer in layers]
    for together in reaching:
        joined = set().union(*(group for group in groups if group & together))
        groups = [group for group in groups if not group & together] + ([joined] if joined else [])
    return groups


def _reached_by(model: nn.Module, network: Variables, x: jax.Array) -> dict[Path, set[Path]]:
    """The layers with a kernel that reach the input of each layer, in the order of calls, and the logits, directly."""
    arrays = by_path(network)
    layers = {path[1:-1] for path in arrays}
    units = {path[1:-1]: jnp.zeros(array.shape[-1]) for path, array in arrays.items() if path[-1] == "kernel"}
    called: list[Path] = []

    def inputs_of_layers(nudges: Mapping[Path, jax.Array]) -> list[jax.Array]:
        """Of each call, where what a kernel gives is a constant but for a nudge of its units."""
        inputs: list[jax.Array] = []
        called.clear()

        def cut(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            layer = tuple(context.module.path)
            if context.method_name != "__call__" or layer not in layers:
                return call(*args, **kwargs)
            called.append(layer)
            inputs.append(args[0])
            given = call(*args, **kwargs)
            if layer not in nudges:
                return given
            return jax.lax.stop_gradient(given) + jnp.broadcast_to(nudges[layer].astype(given.dtype), given.shape)

        with nn.intercept_methods(cut):
            logits = model.apply(network, x)
        return [*inputs, jnp.asarray(logits)]

    _, push = jax.linearize(inputs_of_layers, units)
    reached: dict[Path, set[Path]] = {layer: set() for layer in [*called, _LOGITS]}
    random = np.random.default_rng(0)
    for layer, nudge in units.items():
        moved = push({**units, layer: random.normal(size=nudge.shape).astype(nudge.dtype)})
        for place, movement in zip([*called, _LOGITS], moved, strict=True):
            is_number = movement.dtype != jax.dtypes.float0  # and no index, as an embedding takes
            if is_number and np.any(np.asarray(movement) != 0):
                reached[place].add(layer)
    return reached


def _check(model: nn.Module, network: Variables, x: jax.Array, units: Sequence[Units]) -> None:
    """Shuffles one group at a time; if all were shuffled together, two errors could cancel."""
    arrays, logits, random = by_path(network), np.asarray(model.apply(network, x)), np.random.default_rng(0)
    for group in units:
        try:
            shuffled = reordered(arrays, group, random.permutation(group.size))
            after = np.asarray(model.apply(unflatten_dict(arrays | shuffled), x))
        except ValueError:  # an array does not run over so many units
            after = np.full_like(logits, np.nan)
        if not np.allclose(after, logits, rtol=1e-3, atol=1e-4 * np.abs(logits).max()):
            paths = ["/".join(place.path[1:]) for place in group.places]
            names = ", ".join(paths[:8]) + f" and {len(paths) - 8} more" * (len(paths) > 8)
            raise ValueError(
                f"hidden units cannot be matched in {type(model).__name__}: it is another function when the "
                f"{group.size} units of {names} change places"
            )
