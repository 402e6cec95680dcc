"""Where a step runs: on which devices, of which hosts. The only file that says `pmap`.

State and data are replicated (`in_axes=None`, `out_axes=None`: no replicate or unreplicate calls). Devices share either
each batch (each takes its own rows; gradients, batch statistics and validation sums are combined over `DATA_AXIS`), or
the networks to be trained (`each_its_rows`: each takes its own, and nothing is combined but the results).

Several hosts run the same program (`jax.distributed`): every process calls the same functions in the same order, one of
them writes. What a process decides by itself (a clock, a file) is agreed on first.
"""

import dataclasses
import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from be_jax.config import ConfigError, check

DATA_AXIS = "devices"

Spread = Literal["batch", "networks"]
"""What devices share: each batch, or the networks (seeds) that are trained together."""


@dataclasses.dataclass(frozen=True)
class Hosts:
    """How the processes of one run find each other; by default there is one process.

    Attributes:
      detect: let jax find them, as it can under SLURM, Open MPI, Kubernetes and on Cloud TPU.
      coordinator_address: `host:port` of the process with id 0, where jax does not find them.
      num_processes: how many there are, with `coordinator_address`.
      process_id: of this one, 0 to num_processes - 1, with `coordinator_address`.
      heartbeat_timeout_s: seconds after which a process that is silent, or has ended with an error, counts as dead, and
        all others end with an error.
      start_timeout_s: seconds within which all must have come, and exchanged something once.
    """

    detect: bool = False
    coordinator_address: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    heartbeat_timeout_s: int = 100
    start_timeout_s: int = 300

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in ("coordinator_address", "num_processes", "process_id")}
        missing = [name for name, value in given.items() if value is None]
        if missing and len(missing) < len(given):
            raise ConfigError(f"hosts need coordinator_address, num_processes and process_id together; got {given}")
        for name in ("heartbeat_timeout_s", "start_timeout_s"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "an integer >= 1")


def connect(hosts: Hosts) -> None:
    """Joins the other processes, if there are to be any; before anything else is asked of jax.

    A process that has not exchanged anything with the others within `start_timeout_s` ends with an error and status 1.
    """
    if hosts.detect or hosts.coordinator_address is not None:
        jax.distributed.initialize(
            hosts.coordinator_address,
            hosts.num_processes,
            hosts.process_id,
            initialization_timeout=hosts.start_timeout_s,
            heartbeat_timeout_seconds=hosts.heartbeat_timeout_s,
            shutdown_timeout_seconds=hosts.heartbeat_timeout_s,
        )
        _exchange_once(hosts.start_timeout_s)


def _exchange_once(timeout_s: float) -> None:
    """The first collective, which on CPUs (gloo) has been seen to wait forever in one of two processes."""
    exchanged = threading.Event()

    def exchange() -> None:
        wait_for_hosts("all are there")
        exchanged.set()

    threading.Thread(target=exchange, daemon=True).start()
    if not exchanged.wait(timeout_s):
        print(
            f"error: process {jax.process_index()} of {jax.process_count()} has exchanged nothing with the others in "
            f"{timeout_s:g} s. Start all of them anew: a run goes on from its checkpoints",
            file=sys.stderr,
            flush=True,
        )
        os._exit(1)  # no exception ends a collective that waits, and none would let jax shut down


def is_first_host() -> bool:
    """Whether this process is the one that writes."""
    return jax.process_index() == 0


def wait_for_hosts(what: str) -> None:
    """Returns once every process has come here: what the first has written, all can read."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(what)


def agreed(value: bool) -> bool:
    """The first process's value, in every process."""
    return bool(multihost_utils.broadcast_one_to_all(np.bool_(value))) if jax.process_count() > 1 else value


def share_of_host(count: int) -> range:
    """The rows, of `count`, that this process reads: equal shares, the last one shorter."""
    size = -(-count // jax.process_count())
    start = min(jax.process_index() * size, count)
    return range(start, min(start + size, count))


def from_all_hosts(share: np.ndarray, count: int) -> np.ndarray:
    """All `count` rows in every process, from the share that each has read."""
    if jax.process_count() == 1:
        return share
    size = -(-count // jax.process_count())
    padding = np.zeros((size - len(share), *share.shape[1:]), share.dtype)
    return np.asarray(multihost_utils.process_allgather(np.concatenate([share, padding]), tiled=True))[:count]


def devices_of_hosts(num_devices: int | None = None) -> list[jax.Device]:
    """The first `num_devices` devices of every host; all where it is None.

    Raises:
      ConfigError: a host has fewer.
    """
    by_host: dict[int, list[jax.Device]] = {}
    for device in jax.devices():
        by_host.setdefault(device.process_index, []).append(device)
    available = min(len(devices) for devices in by_host.values())
    fits = num_devices is None or 1 <= num_devices <= available
    check(fits, "num_devices", num_devices, f"1 to {available}, the devices here")
    return [device for devices in by_host.values() for device in devices[:num_devices]]


def on_devices(
    function: Callable[..., Any], devices: Sequence[jax.Device], num_args: int, donate: tuple[int, ...] = ()
) -> Callable[..., Any]:
    """Compiles `function` to run once on every device, as a function of the same arguments and result.

    Every argument is replicated; `function` tells devices apart by `jax.lax.axis_index(DATA_AXIS)` and must combine
    what it computes over that axis: of a result that it did not combine, the first device's would be returned.

    Args:
      function: takes `num_args` positional arguments.
      devices: devices to use, of all hosts.
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
    local = np.arange(sum(device.process_index == jax.process_index() for device in devices))
    return lambda *args: mapped(local, *args)


def each_its_rows(function: Callable[..., Any], rows: int, num_rowed: int) -> Callable[..., Any]:
    """Inside `on_devices`: `function` of this device's rows alone; returns the results of all rows, in order.

    Args:
      function: the first `num_rowed` arguments, and all results, are trees with a leading axis of rows; every device
        calls it with `ceil(rows / devices)` of them, the last ones repeated where they do not come out even.
      rows: their number.
      num_rowed: see `function`; the other arguments are the same for all rows.
    """

    def of_all(*args: Any) -> Any:
        size = -(-rows // jax.lax.axis_size(DATA_AXIS))
        mine = jnp.minimum(jax.lax.axis_index(DATA_AXIS) * size + jnp.arange(size), rows - 1)
        own = jax.tree.map(lambda a: a[mine], args[:num_rowed])
        result = function(*own, *args[num_rowed:])
        return jax.tree.map(lambda a: jax.lax.all_gather(a, DATA_AXIS, tiled=True)[:rows], result)

    return of_all


def replicate(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """Puts arrays on every device once, so that no later call moves them; hosts must have the same."""
    mesh = Mesh(np.asarray(devices), (DATA_AXIS,))
    return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
