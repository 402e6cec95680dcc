"""Random damage to files of predictions and to run folders: each is refused in one line, or read as it was written.

    python -m experiments.fuzz --minutes 30

Bytes are flipped, cut and overwritten; arrays are renamed, dropped, swapped, and given other kinds of number; files are
emptied, deleted, and put in each other's place. A fault is an exception that is not one of ours, arrays and
records that differ from those that were written, and a file that reading has changed. A log without its end, and a run
without predictions, is of a run that did not come to its end: it goes on from its checkpoint. Ends with status 1
if there was a fault.
"""

import contextlib
import dataclasses
import shutil
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from be_jax.audit import AuditError, checked, read_predictions
from be_jax.checkpoint import CheckpointError
from be_jax.npz import NpzError
from be_jax.runs import RunError, RunFolder, check_folder, programs, seed_folder
from experiments.command_line import run
from experiments.damage import BYTES, change_arrays, exchange

CONFIG = {"rank": 1, "train": {"epochs": 3, "milestones": [1, 2]}, "method": "single"}
SEEDS = (1, 2)
WEIGHTS = {"kernel": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.zeros(4, np.float32)}


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    minutes: how long to go on.
    seed: of the first damage; each has its own, by which it can be repeated.
    """

    minutes: float = 30.0
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Fault:
    """What should not have happened: to what, by which seed, after which damage."""

    target: str
    seed: int
    damage: str
    told: str


def predictions(members: int = 3, examples: int = 60, classes: int = 4) -> dict[str, np.ndarray]:
    """A run of a classification, of every kind of set."""
    random, arrays = np.random.default_rng(0), {}
    for name in ("validation", "test", "shift/fog_1", "ood/far"):
        logits = random.normal(0, 2, (members, examples, classes))
        log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        arrays[f"{name}/log_probs"] = log_probs.astype(np.float32)
        if not name.startswith("ood/"):
            arrays[f"{name}/labels"] = random.integers(0, classes, examples).astype(np.int32)
    return arrays


def logits() -> dict[str, np.ndarray]:
    """The same run, saved as logits with a scale."""
    renamed = {name.replace("log_probs", "logits"): array for name, array in predictions().items()}
    return {name: array + np.float32(3) if array.ndim == 3 else array for name, array in renamed.items()}


def regression(members: int = 3, examples: int = 60) -> dict[str, np.ndarray]:
    """A run of a regression."""
    random = np.random.default_rng(0)
    return {
        "test/mean": random.normal(0, 1, (members, examples)),
        "test/variance": random.uniform(0.5, 2, (members, examples)),
        "test/targets": random.normal(0, 1, examples),
    }


def make_run(folder: Path, finished: bool) -> None:
    """Two seeds of one program: with logs and checkpoints and, where they are finished, predictions and outcomes."""
    for seed in SEEDS:
        made = RunFolder(seed_folder(folder, seed), {**CONFIG, "seed": seed}, trained_with=SEEDS)
        for epoch in range(3):
            made.log({"epoch": epoch, "train_loss": 1 / (1 + epoch), "seconds": 0.5})
        made.checkpoints.save(3, WEIGHTS)
        if finished:
            made.save_predictions(predictions())
            made.log({"status": "finished", "parameters": 16, "kept_epoch": 2, "diverged_step": None})


def read_run(folder: Path) -> dict[str, Any]:
    """All that the library reads of the two seeds, as it reads it: what is finished has no need of checkpoints."""
    found: dict[str, Any] = {"programs": programs(folder, SEEDS, 2)}
    for seed in SEEDS:
        path, config = seed_folder(folder, seed), {**CONFIG, "seed": seed}
        if not check_folder(path, config):
            found[f"{seed}"] = "no run"
            continue
        opened = RunFolder(path, config)
        if opened.finished:
            found[f"{seed}"] = opened.outcome(), opened.epochs(), opened.load_predictions()
        elif steps := opened.checkpoints.steps():
            found[f"{seed}"] = steps[-1], opened.checkpoints.restore(steps[-1], WEIGHTS)
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two readings are the same, to the last bit."""
    if isinstance(one, np.ndarray):
        equal = isinstance(other, np.ndarray) and one.dtype == other.dtype and one.shape == other.shape
        return equal and one.tobytes() == other.tobytes()
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def contents(folder: Path) -> dict[str, int]:
    """Every file with its checksum."""
    return {str(path): zlib.crc32(path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()}


def try_file(seed: int, folder: Path) -> Fault | None:
    """Damages a file of predictions and has it audited: refused, or read as it was but for what the damage changed."""
    random = np.random.default_rng([seed, 0])
    kind = random.random()
    arrays = predictions() if kind < 0.5 else logits() if kind < 0.7 else regression()
    path = folder / "predictions.npz"
    with path.open("wb") as file:
        save = np.savez if random.random() < 0.7 else np.savez_compressed
        save(file, allow_pickle=False, **arrays)
    of_bytes = bool(random.random() < 0.6)
    damage = BYTES[int(random.integers(len(BYTES)))] if of_bytes else change_arrays
    told = damage(random, path)
    return _judged(
        "file", seed, told, folder, lambda: read_predictions(path), lambda: checked(arrays) if of_bytes else None
    )


def try_run(seed: int, folder: Path, whole: Path, before: dict[str, Any]) -> Fault | None:
    """Damages a file in a copy of a run folder and reads the folder: refused, or read as it was."""
    random = np.random.default_rng([seed, 1])
    copy = folder / "runs"
    shutil.copytree(whole, copy)
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    path = files[int(random.integers(len(files)))]
    damages = (*BYTES, exchange, *(change_arrays,) * 4 * (path.name == "predictions.npz"))
    told = f"{path.relative_to(copy)}: {damages[int(random.integers(len(damages)))](random, path)}"

    def unfinished_or_as_before() -> dict[str, Any]:
        found = read_run(copy)
        return {key: value for key, value in found.items() if same(value, before.get(key)) or not _is_resumed(value)}

    def expected() -> dict[str, Any]:
        return {key: value for key, value in before.items() if key in unfinished_or_as_before()}

    return _judged("run", seed, told, copy, unfinished_or_as_before, expected)


def _is_resumed(value: Any) -> bool:
    """Whether a seed was read as a run to go on with, from the checkpoint that it has."""
    return value == "no run" or (isinstance(value, tuple) and len(value) == 2 and same(value, (3, WEIGHTS)))


def _judged(
    target: str, seed: int, damage: str, folder: Path, read: Callable[[], Any], wanted: Callable[[], Any]
) -> Fault | None:
    there = contents(folder)
    try:
        found, expected = read(), wanted()
    except (AuditError, RunError, CheckpointError, NpzError) as error:
        told = "" if "\n" not in str(error) or target == "run" else f"more than a line: {error}"
    except Exception:
        told = traceback.format_exc()
    else:
        told = "" if expected is None or same(found, expected) else "accepted, though it is not what it was"
    if contents(folder) != there:
        told = "reading changed a file"
    return Fault(target, seed, damage, told) if told else None


@contextlib.contextmanager
def _emptied() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="be_jax_fuzz_") as folder:
        yield Path(folder)


def tries(first_seed: int) -> Iterator[tuple[int, Fault | None]]:
    """One damage after another, for ever: files, finished runs and interrupted ones in turn."""
    with _emptied() as runs:
        for kind in ("finished", "interrupted"):
            make_run(runs / kind, kind == "finished")
        before = {kind: read_run(runs / kind) for kind in ("finished", "interrupted")}
        seed = first_seed
        while True:
            with _emptied() as folder:
                yield seed, try_file(seed, folder)
            for kind in before:
                with _emptied() as folder:
                    yield seed, try_run(seed, folder, runs / kind, before[kind])
            seed += 1


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    until, count, faults = time.monotonic() + 60 * config.minutes, 0, 0
    for seed, fault in tries(config.seed):
        count += 1
        if fault:
            faults += 1
            print(f"{fault.target}, seed {seed}, {fault.damage}:\n  {fault.told}", flush=True)
        if time.monotonic() > until:
            break
    print(f"{count:,} damages, {faults} faults")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    run(main, interrupted="interrupted")
