"""Where a step runs. The only file that says `pmap`.

State and data are replicated (`in_axes=None`, `out_axes=None`: no replicate or unreplicate calls); each device takes
its own rows of every batch, and gradients, batch statistics and validation sums are combined over `DATA_AXIS`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

DATA_AXIS = "devices"


def on_devices(
    function: Callable[..., Any], devices: Sequence[jax.Device], num_args: int, donate: tuple[int, ...] = ()
) -> Callable[..., Any]:
    """Compiles `function` to run once on every device, as a function of the same arguments and result.

    Every argument is replicated; `function` tells devices apart by `jax.lax.axis_index(DATA_AXIS)` and must combine
    what it computes over that axis: of a result that it did not combine, the first device's would be returned.

    Args:
      function: takes `num_args` positional arguments.
      devices: local devices to use.
      num_args: number of arguments.
      donate: positions of the arguments whose buffers the result may reuse; the caller must not use them again.
    """
    mapped = jax.pmap(
        lambda _, *args: function(*args),
        axis_name=DATA_AXIS,
        in_axes=(0, *(None,) * num_args),
        out_axes=None,
        devices=list(devices),
        donate_argnums=tuple(1 + i for i in donate),
    )
    index = jnp.arange(len(devices))
    return lambda *args: mapped(index, *args)


def replicate(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """Puts arrays on every device once, so that no later call moves them."""
    mesh = Mesh(np.asarray(devices), (DATA_AXIS,))
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
