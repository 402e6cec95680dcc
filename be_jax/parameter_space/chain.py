"""Networks that are chains of layers, and the order of their hidden units, which is not part of their function."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from be_jax.ensemble import Variables

Path = tuple[str, ...]
Weights = Mapping[Path, np.ndarray]
"""The variables of one network by their path, the collection first."""


class Layer(NamedTuple):
    """A layer of a chain, by paths into the variables.

    Attributes:
      kernel: its kernel, `[..., i, o]`.
      vectors: all that has one number for each of its units, `[o]`: its bias, and the weights and statistics of the
        normalisation that follows.
    """

    kernel: Path
    vectors: tuple[Path, ...]


def chain_of(model: nn.Module, network: Variables, x: jax.Array) -> list[Layer]:
    """The layers of a model, in the order in which it calls them on `x [b, ...]`.

    Args:
      model: built from plain layers, each of which takes what the one before gives, as in `MLP` and `LeNet`.
      network: its variables.
      x: some inputs, on which that is checked.

    Raises:
      ValueError: reordering hidden units changes the logits: the model is no chain, as residual networks are none.
    """
    called: list[Path] = []

    def record(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        if context.method_name == "__call__":
            called.append(tuple(context.module.path))
        return call(*args, **kwargs)

    with nn.intercept_methods(record):
        jax.eval_shape(lambda: model.apply(network, x))
    chain: list[Layer] = []
    for module in dict.fromkeys(called):
        own = [path for path in by_path(network) if path[1:-1] == module]
        vectors = tuple(path for path in own if path[-1] != "kernel")
        kernel = ("params", *module, "kernel")
        if kernel in own:
            chain.append(Layer(kernel, vectors))
        elif vectors and chain:
            chain[-1] = chain[-1]._replace(vectors=chain[-1].vectors + vectors)
    _check_chain(model, network, x, chain)
    return chain


def by_path(network: Variables) -> dict[Path, np.ndarray]:
    """The variables as `Weights`."""
    return {path: np.asarray(value) for path, value in flatten_dict(dict(network)).items()}


def by_units(kernel: np.ndarray, inputs: int) -> np.ndarray:
    """A kernel as `[position, input, unit]`.

    A convolution has a position for each place in its window; a dense layer after a flattened image has one for each
    place in that image, whose channels are the inputs.
    """
    return kernel.reshape(-1, inputs, kernel.shape[-1])


def natural_orders(network: Variables, chain: Sequence[Layer]) -> list[np.ndarray]:
    """Of the inputs, and then of the units of each layer: 0, 1, ..."""
    kernels = [by_path(network)[layer.kernel] for layer in chain]
    sizes = [kernels[0].shape[-2], *(kernel.shape[-1] for kernel in kernels)]
    return [np.arange(size) for size in sizes]


def reorder(network: Variables, chain: Sequence[Layer], orders: Sequence[np.ndarray]) -> dict[str, Any]:
    """The network whose unit j of a layer is what was unit `order[j]`; the same function.

    Args:
      network: variables.
      chain: its layers.
      orders: of the inputs, and then of each layer's units. The first and the last must be 0, 1, ...
    """
    weights = by_path(network)
    for layer, before, order in zip(chain, orders[:-1], orders[1:], strict=True):
        kernel = weights[layer.kernel]
        weights[layer.kernel] = by_units(kernel, len(before))[:, before][:, :, order].reshape(kernel.shape)
        weights |= {path: weights[path][order] for path in layer.vectors}
    return unflatten_dict(weights)


def _check_chain(model: nn.Module, network: Variables, x: jax.Array, chain: Sequence[Layer]) -> None:
    """Reverses the units of one hidden layer at a time; if all were reversed, residual networks could pass."""
    orders = natural_orders(network, chain)
    reversals = ([*orders[:i], orders[i][::-1], *orders[i + 1 :]] for i in range(1, len(orders) - 1))
    if not all(_is_the_same(model, network, x, chain, reversal) for reversal in reversals):
        layers = ", ".join("/".join(layer.kernel[1:-1]) for layer in chain)
        raise ValueError(
            f"hidden units can be matched in chains of layers only, such as MLP and LeNet; {type(model).__name__} with "
            f"the layers {layers} is another function when its hidden units change places"
        )


def _is_the_same(
    model: nn.Module, network: Variables, x: jax.Array, chain: Sequence[Layer], orders: Sequence[np.ndarray]
) -> bool:
    try:
        reordered = reorder(network, chain, orders)
    except (ValueError, IndexError):  # the shape of a layer does not follow from the one before
        return False
    logits, after = (np.asarray(model.apply(each, x)) for each in (network, reordered))
    return np.allclose(after, logits, rtol=1e-3, atol=1e-4 * np.abs(logits).max())
