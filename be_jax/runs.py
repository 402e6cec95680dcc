"""One run on disk: `<experiment>/<method>/seed_<seed>/` with its configuration, log, checkpoints and predictions.

Every table and figure is computed from `predictions.npz`, so any metric can be recomputed without training, with
anyone's tools: `<set>/log_probs` float32 `[m, n, c]` and, where the set has labels, `<set>/labels` int32 `[n]`, with
sets named `test`, `shift/<corruption>_<severity>` and `ood/<name>`.

What is written carries checksums, and what does not match its own is refused and left as it was. Several hosts share
the folder: each reads it, the first one writes.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from be_jax.checkpoint import CheckpointFolder
from be_jax.files import PARTIAL, checksum_of, naming, replacing, seed_folder, write_atomically
from be_jax.identity import completed, differences, under_todays_names
from be_jax.npz import Predictions, read_npz
from be_jax.parallel import is_first_host

TRAINED_WITH = "trained_with"
CHECKSUM = "crc32"
_OF_PREDICTIONS = "predictions_crc32"
_KEPT = "It was left as it was"


class RunError(RuntimeError):
    """A run folder that cannot be used as asked. It was left as it was."""


class RunFolder:
    """The files of one run. Opening it creates the folder, or checks that it holds a run of the same configuration.

    Args:
      path: the folder.
      config: JSON-compatible record of everything that determines the run's result.
      trained_with: seeds trained in one program with this run. Recorded, since they may decide its last bits; a folder
        that exists already keeps its own.
      defaults: of fields that `config`, or a run from before they existed, does not name: see `be_jax.identity`.

    Raises:
      RunError: the folder holds a run of another configuration, or files that are not a run.
    """

    def __init__(
        self,
        path: Path,
        config: Mapping[str, Any],
        trained_with: Sequence[int] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        config = json.loads(json.dumps(completed(config, defaults or {})))
        if not check_folder(self.path, config, defaults) and is_first_host():
            record = sealed({**config, TRAINED_WITH: list(trained_with)})
            write_atomically(self.path / "config.json", json.dumps(record, indent=2) + "\n")
        self.checkpoints = CheckpointFolder(self.path / "checkpoints", config, defaults=defaults)

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
        if not lines or "status" not in lines[-1]:
            return None
        return {name: value for name, value in lines[-1].items() if name != _OF_PREDICTIONS}

    def epochs(self) -> list[dict[str, Any]]:
        """Logged epochs, in order.

        Raises:
          RunError: one is missing.
        """
        epochs = [line for line in self._log_lines() if "status" not in line]
        if [line.get("epoch") for line in epochs] != list(range(len(epochs))):
            raise RunError(f"{self._log_path} is damaged: epochs are missing. {_KEPT}; move the run away to train anew")
        return epochs

    def rewind_log(self, epoch: int) -> None:
        """Forgets what was logged from this epoch on: the run goes on from a checkpoint made before it.

        Raises:
          RunError: epochs before it are missing.
        """
        epochs = self.epochs()
        if len(epochs) < epoch:
            raise RunError(
                f"{self._log_path} is damaged: it ends after {len(epochs)} epochs, and the checkpoint after {epoch}. "
                f"{_KEPT}; move the run away to train anew"
            )
        if is_first_host():
            write_atomically(self._log_path, "".join(json.dumps(sealed(line)) + "\n" for line in epochs[:epoch]))

    def log(self, line: Mapping[str, Any]) -> None:
        """Appends one record to `metrics.jsonl`; an outcome with the checksum of the predictions."""
        if not is_first_host():
            return
        if "status" in line and self.predictions_path.exists():
            line = {**line, _OF_PREDICTIONS: checksum_of(self.predictions_path)}
        with naming(self._log_path), self._log_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(sealed(line)) + "\n")

    def save_predictions(self, predictions: Predictions) -> None:
        """Writes `predictions.npz`, which appears under its name only once it is whole."""
        if not is_first_host():
            return
        with replacing(self.predictions_path) as file:
            np.savez(file, allow_pickle=False, **predictions)

    def load_predictions(self) -> dict[str, np.ndarray]:
        """All arrays of `predictions.npz`.

        Raises:
          RunError: the file is missing, damaged, or not the one that the run wrote.
        """
        advice = f"{_KEPT}; move it away to predict anew"
        try:
            predictions = read_npz(self.predictions_path)
            checksum = checksum_of(self.predictions_path)
        except OSError as error:
            raise RunError(f"{error}. {advice}") from error
        wanted = next((line.get(_OF_PREDICTIONS, checksum) for line in self._log_lines() if "status" in line), checksum)
        if wanted != checksum:
            raise RunError(f"{self.predictions_path} is not what the run wrote. {advice}")
        for name, array in predictions.items():
            of, kind = (3, np.floating) if name.endswith("/log_probs") else (1, np.integer)
            if array.ndim != of or not np.issubdtype(array.dtype, kind):
                raise RunError(
                    f"{self.predictions_path}: {name} is {array.dtype}{list(array.shape)}, where predictions have "
                    f"<set>/log_probs [m, n, c] of floats and <set>/labels [n] of integers. {advice}"
                )
        return predictions

    @property
    def _log_path(self) -> Path:
        return self.path / "metrics.jsonl"

    def _log_lines(self) -> list[dict[str, Any]]:
        if not self._log_path.exists():
            return []
        *texts, rest = self._log_path.read_bytes().split(b"\n")
        lines = [_opened(text, f"{self._log_path}, line {number}") for number, text in enumerate(texts, 1)]
        try:
            return [*lines, _opened(rest, "the last line")] if rest else lines
        except RunError:  # it was being written when the process was killed
            return lines


def check_folder(path: Path, config: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> bool:
    """Whether the folder holds a run of this configuration; False where there is no run yet.

    Raises:
      RunError: it holds a run of another configuration, or files that are not a run.
    """
    saved = read_config(path)
    if saved is None:
        return False
    saved.pop(TRAINED_WITH)
    if differ := differences(under_todays_names(saved), json.loads(json.dumps(config)), defaults):
        raise RunError(
            f"{path} holds a run of another configuration: {differ}. {_KEPT}; choose another output folder, or move "
            "this one away"
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
            _lock(file)
        except OSError as error:
            raise RunError(f"{folder} is in use by another process; wait for it, or choose another folder") from error
        yield


def _lock(file: IO[str]) -> None:
    """Until the file is closed. Raises OSError where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


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

    One look at the folder tells: another host may be making the run meanwhile.

    Raises:
      RunError: the folder holds something else, or a damaged configuration.
    """
    file = path / "config.json"
    there = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if file.name not in there:
        if there - {file.name + PARTIAL}:
            raise RunError(f"{path} is not empty and holds no config.json: not a run of be_jax; left as it was")
        return None
    config = _opened(file.read_bytes(), str(file))
    if not isinstance(config.get(TRAINED_WITH), list):
        raise RunError(f"{file} was not written by be_jax: it has no {TRAINED_WITH!r}. {_KEPT}")
    return config


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with its checksum."""
    return {**record, CHECKSUM: _of_record(record)}


def _opened(text: bytes, where: str) -> dict[str, Any]:
    """The record of which `sealed` was written, without its checksum; one from before there were any, as it is."""
    try:
        record = json.loads(text)
    except ValueError as error:  # UnicodeDecodeError too
        raise RunError(f"{where} is damaged: {error}. {_KEPT}; move the run away to train anew") from error
    if not isinstance(record, dict):
        raise RunError(f"{where} was not written by be_jax. {_KEPT}; move the run away to train anew")
    name, checksum = record.popitem() if record else (None, None)
    if (name == CHECKSUM) != (checksum == _of_record(record)):  # damage to the name is damage too
        raise RunError(f"{where} does not match its checksum. {_KEPT}; move the run away to train anew")
    return record if name in (None, CHECKSUM) else {**record, name: checksum}


def _of_record(record: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(record, sort_keys=True).encode()):08x}"
