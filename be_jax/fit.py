"""Training several seeds in one program, from the start or from checkpoints, to the best validation weights.

Between epochs the host does four things only: it logs, saves, reports progress, and ends when no seed is running.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.config import TrainConfig
from be_jax.ensemble import Ensemble
from be_jax.parallel import DATA_AXIS, on_devices, replicate
from be_jax.runs import RunFolder
from be_jax.train import RUNNING, EpochMetrics, Padded, Preprocess, RunState, make_trainer, over_seeds

VALIDATION_CHUNK = 1000

OnEpoch = Callable[[RunState, EpochMetrics], None]


def fit(
    ensemble: Ensemble,
    config: TrainConfig,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    preprocess: Preprocess,
    folders: Mapping[int, RunFolder],
    *,
    devices: Sequence[jax.Device] | None = None,
    save_every_s: float = 30.0,
    on_epoch: OnEpoch = lambda *_: None,
) -> dict[int, RunState]:
    """Trains `ensemble` once for each seed, all seeds in one program, and goes on where an interrupted call stopped.

    A run that was interrupted ends in the same bits as one that was not, for the same seeds, devices and versions.

    Args:
      ensemble: what to train.
      config: the protocol.
      train: images `[n, ...]` and labels `[n]`.
      validation: the same, for early stopping and the choice of weights; never the test set.
      preprocess: maps stored images `[b, ...]` to the model's input, inside the compiled step.
      folders: the run folder of each seed.
      devices: local devices that share each batch; all of them by default.
      save_every_s: seconds between checkpoints. One is saved at the end in any case.
      on_epoch: called after each epoch with the state and metrics of all seeds (leading axis: seeds).

    Returns:
      The final state of each seed, on the host.

    Raises:
      ConfigError: batches cannot be cut as `config` asks.
      CheckpointError: a checkpoint is damaged or belongs to another run; it is left as it was.
    """
    devices = list(devices or jax.local_devices())
    images, labels = train
    config.check_fits(examples=len(labels), members=ensemble.train_members, devices=len(devices))
    trainer = make_trainer(ensemble, config, len(labels), preprocess, DATA_AXIS)
    run_epoch = on_devices(over_seeds(trainer.epoch, len(folders), num_shared=3), devices, num_args=5, donate=(1,))

    seeds = jnp.asarray(list(folders), jnp.uint32)
    state = jax.jit(jax.vmap(trainer.init, in_axes=(0, None)))(seeds, images[:1])
    state = _resume(state, folders)
    saved_epoch = -1 if int(state.epoch.max()) == 0 else int(state.epoch.max())
    data = (images, labels, pad(*validation, VALIDATION_CHUNK, multiple_of=len(devices)))
    state, seeds, data = replicate((state, seeds, data), devices)

    epoch, last_save = int(state.epoch.max()), time.monotonic()
    while epoch < config.epochs and bool((state.status == RUNNING).any()):
        started = time.monotonic()
        was_running = np.asarray(state.status == RUNNING)
        state, metrics = run_epoch(seeds, state, *data)
        metrics = jax.tree.map(np.asarray, metrics)
        seconds = (time.monotonic() - started) / len(folders)
        _log(folders, epoch, metrics, was_running, seconds)
        epoch += 1
        on_epoch(state, metrics)
        if time.monotonic() - last_save >= save_every_s:
            _save(folders, epoch, state)
            saved_epoch, last_save = epoch, time.monotonic()
    if saved_epoch != epoch:
        _save(folders, epoch, state)
    return {seed: _of_seed(state, i) for i, seed in enumerate(folders)}


def pad(images: np.ndarray, labels: np.ndarray, chunk: int, *, multiple_of: int = 1) -> Padded:
    """Cuts examples into equal chunks of at most about `chunk`, the last padded with copies of the first example."""
    count = len(labels)
    chunks = -(-count // chunk)
    size = -(-count // (chunks * multiple_of)) * multiple_of
    index = np.arange(chunks * size)
    rows = np.where(index < count, index, 0).reshape(chunks, size)
    return Padded(images[rows], labels[rows], (index < count).reshape(chunks, size))


def _resume(initial: RunState, folders: Mapping[int, RunFolder]) -> RunState:
    """The state at the newest epoch of which every seed has a checkpoint; the initial one where there is none."""
    common = set.intersection(*(set(folder.checkpoints.steps()) for folder in folders.values()))
    epoch = max(common, default=0)
    if common:
        restored = [
            folder.checkpoints.restore(epoch, _of_seed(initial, i)) for i, folder in enumerate(folders.values())
        ]
        initial = jax.tree.map(lambda *leaves: np.stack(leaves), *restored)
    for folder in folders.values():
        folder.checkpoints.discard_after(epoch)
        folder.rewind_log(epoch)
    return initial


def _save(folders: Mapping[int, RunFolder], epoch: int, state: RunState) -> None:
    state = jax.tree.map(np.asarray, state)
    for i, folder in enumerate(folders.values()):
        folder.checkpoints.save(epoch, _of_seed(state, i))


def _log(
    folders: Mapping[int, RunFolder], epoch: int, metrics: EpochMetrics, was_running: np.ndarray, seconds: float
) -> None:
    for i, folder in enumerate(folders.values()):
        if was_running[i]:
            values: dict[str, Any] = {name: float(value[i]) for name, value in metrics._asdict().items()}
            folder.log({"epoch": epoch, **values, "seconds": round(seconds, 4)})


def _of_seed(state: RunState, index: int) -> RunState:
    return jax.tree.map(lambda a: np.asarray(a[index]), state)
