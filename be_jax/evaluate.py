"""From trained variables to predictions on every evaluation set."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from be_jax.batches import shard_of
from be_jax.ensemble import Ensemble, Variables
from be_jax.keys import Purpose, key_for
from be_jax.parallel import DATA_AXIS, devices_of_hosts, on_devices
from be_jax.train import Preprocess

CHUNK = 1000


class EvaluationSet(NamedTuple):
    """Images `[n, ...]` as stored, with labels `[n]` or None where they have none in the model's classes."""

    images: np.ndarray
    labels: np.ndarray | None


Predict = Callable[[Variables, int, str, np.ndarray], np.ndarray]


def make_predict(ensemble: Ensemble, preprocess: Preprocess, devices: Sequence[jax.Device] | None = None) -> Predict:
    """A function from (variables, seed, set's name, images `[n, ...]`) to log-probabilities `[m, n, c]` on the host.

    Chunks are of `CHUNK` images, the last one padded, and of a smaller set there is one of its own size: sets of one
    size share a program, and devices share each chunk. MC dropout's masks are a function of the seed, the set's name,
    the chunk and the image's place in it; not of the padding.

    Args:
      ensemble: whose `predict` is called.
      preprocess: maps stored images to the model's input.
      devices: devices to predict on, of all hosts; all of them by default.
    """
    devices = list(devices or devices_of_hosts())
    ensemble = ensemble.split_over(DATA_AXIS)

    def of_chunk(variables: Variables, images: jax.Array, seed: jax.Array, name: jax.Array, chunk: jax.Array) -> Any:
        key = jax.random.fold_in(key_for(seed, Purpose.PREDICT, chunk), name)
        log_probs = ensemble.predict(variables, preprocess(shard_of(images, DATA_AXIS, axis=0)), key)
        return jax.lax.all_gather(log_probs, DATA_AXIS, axis=1, tiled=True)

    chunk_log_probs = on_devices(of_chunk, devices, num_args=5)

    def predict(variables: Variables, seed: int, name: str, images: np.ndarray) -> np.ndarray:
        count, parts = len(images), []
        size = -(-min(count, CHUNK) // len(devices)) * len(devices)
        name_hash = np.uint32(zlib.crc32(name.encode()))
        for index, start in enumerate(range(0, count, CHUNK)):
            chunk = images[start : start + CHUNK]
            padding = np.repeat(chunk[:1], size - len(chunk), axis=0)
            padded = np.concatenate([chunk, padding])
            log_probs = chunk_log_probs(variables, padded, np.uint32(seed), name_hash, np.int32(index))
            parts.append(np.asarray(log_probs)[:, : len(chunk)])
        return np.concatenate(parts, axis=1)

    return predict


def predict_sets(
    predict: Predict, variables: Variables, seed: int, sets: Mapping[str, EvaluationSet]
) -> dict[str, np.ndarray]:
    """The arrays of `predictions.npz`: `<set>/log_probs` `[m, n, c]` and, where it has labels, `<set>/labels` `[n]`."""
    arrays = {}
    for name, (images, labels) in sets.items():
        arrays[f"{name}/log_probs"] = predict(variables, seed, name, images)
        if labels is not None:
            arrays[f"{name}/labels"] = labels
    return arrays
