"""One run on disk: `<experiment>/<method>/seed_<seed>/` with its configuration, log, checkpoints and predictions.

Every table and figure is computed from `predictions.npz`, so any metric can be recomputed without training, with
anyone's tools: `<set>/log_probs` float32 `[m, n, c]` and, where the set has labels, `<set>/labels` int32 `[n]`, with
sets named `test`, `shift/<corruption>_<severity>` and `ood/<name>`.

Several hosts share the folder: each reads it, the first one writes.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from be_jax.checkpoint import CheckpointFolder, config_differences
from be_jax.parallel import is_first_host

TRAINED_WITH = "trained_with"

Predictions = Mapping[str, np.ndarray]


class RunError(RuntimeError):
    """A run folder that cannot be used as asked. It was left as it was."""


class RunFolder:
    """The files of one run. Opening it creates the folder, or checks that it holds a run of the same configuration.

    Args:
      path: the folder.
      config: JSON-compatible record of everything that determines the run's result.
      trained_with: seeds trained in one program with this run. Recorded, since they may decide its last bits; a folder
        that exists already keeps its own.

    Raises:
      RunError: the folder holds a run of another configuration, or files that are not a run.
    """

    def __init__(self, path: Path, config: Mapping[str, Any], trained_with: Sequence[int] = ()) -> None:
        self.path = Path(path)
        config = json.loads(json.dumps(config))
        if not check_folder(self.path, config) and is_first_host():
            self.path.mkdir(parents=True, exist_ok=True)
            record = {**config, TRAINED_WITH: list(trained_with)}
            write_atomically(self.path / "config.json", json.dumps(record, indent=2) + "\n")
        self.checkpoints = CheckpointFolder(self.path / "checkpoints", config)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end: its outcome is logged, and its predictions are whole unless it diverged."""
        outcome = self.outcome()
        return outcome is not None and (outcome["status"] == "diverged" or self.predictions_path.exists())

    @property
    def predictions_path(self) -> Path:
        return self.path / "predictions.npz"

    def outcome(self) -> dict[str, Any] | None:
        """The last line of the log, where it is an outcome."""
        lines = self._log_lines()
        return lines[-1] if lines and "status" in lines[-1] else None

    def epochs(self) -> list[dict[str, Any]]:
        """Logged epochs, in order."""
        return [line for line in self._log_lines() if "epoch" in line and "status" not in line]

    def rewind_log(self, epoch: int) -> None:
        """Forgets what was logged from this epoch on: the run goes on from a checkpoint made before it."""
        kept = [line for line in self.epochs() if line["epoch"] < epoch]
        if is_first_host():
            write_atomically(self._log_path, "".join(json.dumps(line) + "\n" for line in kept))

    def log(self, line: Mapping[str, Any]) -> None:
        """Appends one record to `metrics.jsonl`."""
        if is_first_host():
            with self._log_path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def save_predictions(self, predictions: Predictions) -> None:
        """Writes `predictions.npz`, which appears under its name only once it is whole."""
        if not is_first_host():
            return
        partial = self.path / "predictions.npz.partial"
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **predictions)
        os.replace(partial, self.predictions_path)

    def load_predictions(self) -> dict[str, np.ndarray]:
        """All arrays of `predictions.npz`.

        Raises:
          RunError: the file is missing or damaged.
        """
        try:
            with np.load(self.predictions_path) as file:
                return dict(file)
        except Exception as error:  # zipfile, zlib and numpy raise kinds that share no base class
            raise RunError(
                f"{self.predictions_path} cannot be read: {type(error).__name__}: {error}. It was left as it was; "
                "move it away to predict anew"
            ) from error

    @property
    def _log_path(self) -> Path:
        return self.path / "metrics.jsonl"

    def _log_lines(self) -> list[dict[str, Any]]:
        if not self._log_path.exists():
            return []
        lines = []
        for text in self._log_path.read_text().splitlines():
            try:
                lines.append(json.loads(text))
            except ValueError:  # the line being written when the process was killed
                break
        return lines


def check_folder(path: Path, config: Mapping[str, Any]) -> bool:
    """Whether the folder holds a run of this configuration; False where there is no run yet.

    Raises:
      RunError: it holds a run of another configuration, or files that are not a run.
    """
    saved = read_config(path)
    if saved is None:
        return False
    saved.pop(TRAINED_WITH)
    if differences := config_differences(saved, json.loads(json.dumps(config))):
        raise RunError(
            f"{path} holds a run of another configuration: {differences}. It was left as it was; "
            "choose another output folder, or move this one away"
        )
    return True


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the folder for this run, whose first process locks it.

    Raises:
      RunError: another run holds it.
    """
    if not is_first_host():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RunError(f"{folder} is in use by another process; wait for it, or choose another folder") from error
        yield


def seed_folder(method_folder: Path, seed: int) -> Path:
    """Where the run of this seed is."""
    return method_folder / f"seed_{seed}"


def programs(method_folder: Path, seeds: Sequence[int], size: int) -> list[tuple[int, ...]]:
    """Groups of seeds to train in one program each: as recorded for those begun before, the rest `size` at a time."""
    recorded = {}
    for seed in seeds:
        config = read_config(seed_folder(method_folder, seed))
        recorded[seed] = None if config is None else tuple(config[TRAINED_WITH])
    groups = list(dict.fromkeys(group for group in recorded.values() if group is not None))
    fresh = tuple(seed for seed in seeds if not any(seed in group for group in groups))
    return [*groups, *(fresh[start : start + size] for start in range(0, len(fresh), size))]


def read_config(path: Path) -> dict[str, Any] | None:
    """The saved configuration of the run in this folder, or None where there is no run.

    Raises:
      RunError: the folder holds something else, or a damaged configuration.
    """
    file = path / "config.json"
    if not file.exists():
        if path.is_dir() and any(entry.name != "config.json.partial" for entry in path.iterdir()):
            raise RunError(f"{path} is not empty and holds no config.json: not a run of be_jax; left as it was")
        return None
    try:
        config = json.loads(file.read_text())
    except ValueError as error:
        raise RunError(f"{file} is damaged: {error}. It was left as it was; move it away to train anew") from error
    if not isinstance(config, dict) or TRAINED_WITH not in config:
        raise RunError(f"{file} was not written by be_jax: it has no {TRAINED_WITH!r}. It was left as it was")
    return config


def write_atomically(path: Path, text: str) -> None:
    """Writes a file that appears under its name only once it is whole."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
