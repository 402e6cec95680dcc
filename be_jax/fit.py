"""Training several seeds in one program, from the start or from checkpoints, to the end.

Between epochs the host does five things only: it measures now and then how well members fit the training set, logs,
saves, reports progress, and ends when no seed is running. Of several hosts each runs this, and one writes.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.config import TrainConfig
from be_jax.ensemble import Ensemble, Variables
from be_jax.epochs import of_seeds, resident_epoch, streamed_epoch
from be_jax.parallel import DATA_AXIS, Spread, agreed, devices_of_hosts, on_devices, replicate
from be_jax.runs import RunFolder
from be_jax.train import (
    STOPPED,
    Augment,
    EpochMetrics,
    Fit,
    Padded,
    Preprocess,
    RunState,
    is_running,
    make_trainer,
)

VALIDATION_CHUNK = 1000
FITTED_EXAMPLES = 10_000
"""The most training examples, evenly spaced, on which the fit of members is measured."""

FITTED_TIMES = 25
"""How often, about, it is measured in a training."""

OnEpoch = Callable[[RunState, EpochMetrics], None]


def fit(
    ensemble: Ensemble,
    config: TrainConfig,
    train: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    preprocess: Preprocess,
    folders: Mapping[int, RunFolder],
    *,
    trained: Variables | None = None,
    augment: Augment | None = None,
    devices: Sequence[jax.Device] | None = None,
    spread: Spread = "batch",
    resident: bool = True,
    save_every_s: float = 30.0,
    on_epoch: OnEpoch = lambda *_: None,
) -> dict[int, RunState]:
    """Trains `ensemble` once for each seed, all seeds in one program, and goes on where an interrupted call stopped.

    A run that was interrupted ends in the same bits as one that was not, for the same seeds, devices and versions.

    Args:
      ensemble: what to train.
      config: the protocol.
      train: images `[n, ...]` and labels `[n]`.
      validation: the same, for early stopping, the choice of weights and the temperature; never the test set.
      preprocess: maps stored images `[b, ...]` to the model's input, inside the compiled step.
      folders: the run folder of each seed. Those of finished runs stay as they are.
      trained: variables of the plain model to start from, with a leading axis of seeds; see `Ensemble.init`.
      augment: see `be_jax.train.make_trainer`.
      devices: devices to train on, of all hosts; all of them by default.
      spread: whether they share each batch, or each trains its own seeds.
      resident: whether the training set is put on the devices whole, or stays where it is (it may be a map of a file)
        and is sent there some steps at a time. Results are the same.
      save_every_s: seconds between checkpoints. One is saved at the end in any case.
      on_epoch: called after each epoch with the state and metrics of all seeds (leading axis: seeds). The next epoch
        reuses the state's buffers: keep none of it.

    Returns:
      The final state of each seed, on the host.

    Raises:
      ConfigError: batches cannot be cut as `config` asks.
      CheckpointError: a checkpoint is damaged or belongs to another run; it is left as it was.
    """
    devices = list(devices or devices_of_hosts())
    images, labels = train
    shares = len(devices) if spread == "batch" else 1
    config.check_fits(examples=len(labels), members=ensemble.train_members, devices=shares, cycles=ensemble.cycles)
    axis_name = DATA_AXIS if spread == "batch" else None
    trainer = make_trainer(ensemble, config, len(labels), preprocess, axis_name, augment)
    run_epoch = (
        resident_epoch(trainer, len(folders), devices, spread)
        if resident
        else streamed_epoch(trainer, config, len(folders), devices, spread)
    )
    run_fit = on_devices(of_seeds(trainer.fit, 2, 1, len(folders), len(devices), spread), devices, num_args=3)

    seeds = jnp.asarray(list(folders), jnp.uint32)
    state = jax.jit(jax.vmap(trainer.init, in_axes=(0, None, 0)))(seeds, np.asarray(images[:1]), trained)
    state = _resume(state, folders)
    saved_epochs = np.array(state.epoch)
    held_out = pad(*validation, VALIDATION_CHUNK, multiple_of=shares)
    some = np.linspace(0, len(labels) - 1, min(len(labels), FITTED_EXAMPLES)).astype(int)
    fitted = pad(images[some], labels[some], VALIDATION_CHUNK, multiple_of=shares)
    state, seeds, held_out, fitted = replicate((state, seeds, held_out, fitted), devices)
    data = (*(replicate(train, devices) if resident else train), held_out)
    fit_every = max(1, config.epochs // FITTED_TIMES)

    last_save = time.monotonic()
    while (running := np.asarray(is_running(state, config))).any():
        epochs, started = np.array(state.epoch), time.monotonic()
        state, metrics = run_epoch(seeds, state, *data)
        metrics = jax.tree.map(np.asarray, metrics)
        seconds = (time.monotonic() - started) / len(folders)
        ended = running & ~np.asarray(is_running(state, config))
        measured = ended | (running & (epochs % fit_every == fit_every - 1))
        fit_now = jax.tree.map(np.asarray, run_fit(seeds, state, fitted)) if measured.any() else None
        for i, folder in enumerate(folders.values()):
            if running[i]:
                line = {"epoch": int(epochs[i]), **_numbers(metrics, i), "seconds": round(seconds, 4)}
                if fit_now is not None and measured[i]:
                    line |= {f"train_{name}": value for name, value in _numbers(fit_now, i).items()}
                folder.log(line)
        on_epoch(state, metrics)
        if agreed(time.monotonic() - last_save >= save_every_s):
            saved_epochs = _save(folders, saved_epochs, state)
            last_save = time.monotonic()
    state = jax.tree.map(np.asarray, state)
    _save(folders, saved_epochs, state)
    return {seed: _of_seed(state, i) for i, seed in enumerate(folders)}


def pad(images: np.ndarray, labels: np.ndarray, chunk: int, *, multiple_of: int = 1) -> Padded:
    """Cuts examples into equal chunks of at most `chunk`, each padded with the first example to a multiple.

    What is in a chunk, and where, does not depend on `multiple_of`.
    """
    count = len(labels)
    chunks = -(-count // chunk)
    size = -(-count // chunks)
    padded_size = -(-size // multiple_of) * multiple_of
    place = np.arange(padded_size)
    rows = size * np.arange(chunks)[:, None] + place
    mask = (place < size) & (rows < count)
    rows = np.where(mask, rows, 0)
    return Padded(images[rows], labels[rows], mask)


def _resume(initial: RunState, folders: Mapping[int, RunFolder]) -> RunState:
    """Each seed's newest checkpoint, or its initial state. A finished run is not touched: it stands still."""
    states, initial = [], jax.tree.map(np.asarray, initial)
    for i, folder in enumerate(folders.values()):
        state, steps = _of_seed(initial, i), folder.checkpoints.steps()
        if folder.finished:
            state = state._replace(status=jnp.int32(STOPPED))
        elif steps:
            state = folder.checkpoints.restore(steps[-1], state)
        states.append(state)
    for folder, state in zip(folders.values(), states, strict=True):
        if not folder.finished:
            folder.rewind_log(int(state.epoch))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *states)


def _save(folders: Mapping[int, RunFolder], saved_epochs: np.ndarray, state: RunState) -> np.ndarray:
    """Saves every run that went on since it was last saved; returns the epochs that are saved now."""
    state = jax.tree.map(np.asarray, state)
    for i, folder in enumerate(folders.values()):
        if state.epoch[i] != saved_epochs[i]:
            folder.checkpoints.save(int(state.epoch[i]), _of_seed(state, i))
    return np.array(state.epoch)


def _numbers(metrics: EpochMetrics | Fit, seed: int) -> dict[str, Any]:
    """The metrics of one of the seeds, JSON-compatible: what is not finite is null."""

    def number(value: Any) -> Any:
        return [number(each) for each in value] if np.ndim(value) else float(value) if np.isfinite(value) else None

    return {name: number(value[seed]) for name, value in metrics._asdict().items()}


def _of_seed(state: RunState, index: int) -> RunState:
    return jax.tree.map(lambda a: np.asarray(a[index]), state)
