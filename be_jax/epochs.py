"""An epoch of all seeds on all devices, of a training set that is there whole, or that stays with the host."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.config import TrainConfig
from be_jax.parallel import Spread, each_its_rows, on_devices, replicate
from be_jax.steps import State
from be_jax.train import EpochMetrics, Padded, RunState, Trainer, is_running

BYTES_AT_ONCE = 2**26
"""Of the images that are sent to a device at a time, for all seeds: those of one step at least."""

Epoch = Callable[[jax.Array, RunState, Any, Any, Padded], tuple[RunState, EpochMetrics]]
"""`trainer.epoch` of seeds `[s]` and states `[s, ...]`, whose memory the result takes."""


def of_seeds(
    function: Callable[..., Any], num_mapped: int, num_shared: int, seeds: int, devices: int, spread: Spread
) -> Callable[..., Any]:
    """A trainer's function for all seeds: of every device together, or of each device's own.

    Args:
      function: its first `num_mapped` arguments are a seed's own, and the others the same for all.
      num_mapped: see `function`.
      num_shared: how many others there are.
      seeds: how many.
      devices: how many.
      spread: what they share.
    """
    axes = (0,) * num_mapped + (None,) * num_shared
    if spread == "batch":
        return vmap_unless_one(function, axes, seeds)
    return each_its_rows(vmap_unless_one(function, axes, -(-seeds // devices)), seeds, num_mapped)


def resident_epoch(trainer: Trainer, seeds: int, devices: Sequence[jax.Device], spread: Spread) -> Epoch:
    """Of images and labels on the devices: no step touches the host."""
    run = of_seeds(trainer.epoch, 2, 3, seeds, len(devices), spread)
    return on_devices(run, devices, num_args=5, donate=(1,))


def streamed_epoch(
    trainer: Trainer, config: TrainConfig, seeds: int, devices: Sequence[jax.Device], spread: Spread
) -> Epoch:
    """The same, to the same bits, of images and labels that need not fit there: NumPy arrays, or maps of a file.

    The rows of some steps at a time, at most `BYTES_AT_ONCE`, are gathered on the host while the devices work on the
    last ones.
    """
    on_all = partial(of_seeds, seeds=seeds, devices=len(devices), spread=spread)

    def steps(
        seed: jax.Array, run: RunState, images: jax.Array, labels: jax.Array, first: jax.Array, of_epoch: jax.Array
    ) -> tuple[RunState, jax.Array]:
        def body(state: State, slot: tuple[jax.Array, ...]) -> tuple[State, jax.Array]:
            index, x, y = slot
            rows = jnp.arange(y.size).reshape(y.shape)
            return trainer.step(seed, index, state, x.reshape(-1, *x.shape[y.ndim :]), y.reshape(-1), rows)

        index = run.epoch * of_epoch + first + jnp.arange(len(labels))
        state, losses = jax.lax.scan(body, run.train, (index, images, labels))
        running = is_running(run, config)
        return run._replace(train=jax.tree.map(lambda new, old: jnp.where(running, new, old), state, run.train)), losses

    def close(seed: jax.Array, run: RunState, losses: jax.Array, validation: Padded) -> tuple[RunState, EpochMetrics]:
        return trainer.close(seed, run, run.train, losses, validation)

    order = jax.jit(jax.vmap(trainer.order))
    run_steps = on_devices(on_all(steps, 4, 2), devices, num_args=6, donate=(1,))
    run_close = on_devices(on_all(close, 3, 1), devices, num_args=4, donate=(1,))

    def epoch(
        numbers: jax.Array, state: RunState, images: np.ndarray, labels: np.ndarray, validation: Padded
    ) -> tuple[RunState, EpochMetrics]:
        rows = np.asarray(order(np.asarray(numbers), np.asarray(state.epoch)))
        in_epoch, losses = np.int32(rows.shape[1]), []
        at_once = max(1, BYTES_AT_ONCE // (rows[:, 0].size * images[:1].nbytes))
        for first in range(0, len(rows[0]), at_once):
            chosen = rows[:, first : first + at_once]
            sent = replicate((images[chosen], labels[chosen]), devices)
            state, loss = run_steps(numbers, state, *sent, np.int32(first), in_epoch)
            losses.append(loss)
        return run_close(numbers, state, jnp.concatenate(losses, axis=1), validation)  # type: ignore[no-any-return]

    return epoch


def vmap_unless_one(function: Callable[..., Any], in_axes: Sequence[int | None], size: int) -> Callable[..., Any]:
    """`jax.vmap` over axes 0 of this size; along one of size 1 the only entry is taken, and the result has the axis.

    Under an axis of size 1, XLA on CPU runs an epoch up to 2.8 times slower (jaxlib 0.10) and convolves far slower.
    """
    if size > 1:
        return jax.vmap(function, in_axes)

    def of_one(*args: Any) -> Any:
        pairs = zip(args, in_axes, strict=True)
        result = function(*(arg if axis is None else jax.tree.map(lambda a: a[0], arg) for arg, axis in pairs))
        return jax.tree.map(lambda a: a[None], result)

    return of_one
