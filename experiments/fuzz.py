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

from be_jax.audit import AuditError, read_predictions
from be_jax.checkpoint import CheckpointError
from be_jax.npz import NpzError, read_npz
from be_jax.runs import RunError, RunFolder, check_folder, programs, seed_folder
from experiments.command_line import run

CONFIG = {"rank": 1, "train": {"epochs": 3, "milestones": [1, 2]}, "method": "single"}
SEEDS = (1, 2)
WEIGHTS = {"kernel": np.arange(12, dtype=np.float32).reshape(3, 4), "bias": np.zeros(4, np.float32)}

Random = np.random.Generator
Damage = Callable[[Random, Path], str]
"""Damages a file, or an entry of a folder; says what it did."""


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


def flip(random: Random, path: Path) -> str:
    """One bit."""
    data = bytearray(path.read_bytes())
    if not data:
        return "nothing, of an empty file"
    at, bit = int(random.integers(len(data))), int(random.integers(8))
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at} flipped"


def cut(random: Random, path: Path) -> str:
    """The end."""
    data = path.read_bytes()
    kept = int(random.integers(len(data) + 1))
    path.write_bytes(data[:kept])
    return f"cut to {kept} of {len(data)} bytes"


def overwrite(random: Random, path: Path) -> str:
    """A stretch by zeros, by noise or by another stretch."""
    data = bytearray(path.read_bytes())
    start = int(random.integers(len(data) + 1))
    length = int(random.integers(1, 200))
    kind = int(random.integers(3))
    stretch = bytes(length) if kind == 0 else random.bytes(length) if kind == 1 else bytes(data[:length])
    data[start : start + length] = stretch
    path.write_bytes(data)
    return f"{length} bytes at {start} overwritten ({('zeros', 'noise', 'the beginning')[kind]})"


def empty(random: Random, path: Path) -> str:
    path.write_bytes(b"")
    return "emptied"


def delete(random: Random, path: Path) -> str:
    path.unlink()
    return "deleted"


BYTES: tuple[Damage, ...] = (flip, flip, flip, cut, overwrite, overwrite, empty, delete)


def change_arrays(random: Random, path: Path) -> str:
    """A file that is whole, but not what it was: names, shapes, kinds and values of its arrays."""
    arrays = read_npz(path)
    names = list(arrays)
    name, other = (str(each) for each in random.choice(names, 2, replace=False))
    array = arrays[name]
    changes: dict[str, Callable[[], dict[str, Any]]] = {
        "dropped": lambda: {key: value for key, value in arrays.items() if key != name},
        "renamed": lambda: {(f"{key}x" if key == name else key): value for key, value in arrays.items()},
        f"swapped with {other}": lambda: {**arrays, name: arrays[other], other: array},
        "as float16": lambda: {**arrays, name: array.astype(np.float16)},
        "as text": lambda: {**arrays, name: array.astype(str)},
        "as objects": lambda: {**arrays, name: array.astype(object)},
        "as bytes": lambda: {**arrays, name: array.view(f"V{array.itemsize}")},
        "as complex": lambda: {**arrays, name: array.astype(complex)},
        "transposed": lambda: {**arrays, name: array.T},
        "flattened": lambda: {**arrays, name: array.ravel()},
        "a scalar": lambda: {**arrays, name: array.ravel()[0]},
        "without members or examples": lambda: {**arrays, name: array[:0]},
        "one example short": lambda: {**arrays, name: array[..., :-1]},
        "times 2": lambda: {**arrays, name: 2 * array},
        "NaN": lambda: {**arrays, name: np.full(array.shape, np.nan)},
        "infinite": lambda: {**arrays, name: np.full(array.shape, np.inf)},
        "negative": lambda: {**arrays, name: -np.abs(array) - 1},
    }
    what = str(random.choice(list(changes)))
    changed = changes[what]()
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **changed)
    return f"{name} {what}"


def exchange(random: Random, path: Path) -> str:
    """Another file of the folder in its place."""
    others = sorted(other for other in path.parent.rglob("*") if other.is_file())
    other = others[int(random.integers(len(others)))]
    path.write_bytes(other.read_bytes())
    return f"replaced by {other.name}"


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
    arrays = predictions() if random.random() < 0.7 else regression()
    path = folder / "predictions.npz"
    with path.open("wb") as file:
        save = np.savez if random.random() < 0.7 else np.savez_compressed
        save(file, allow_pickle=False, **arrays)
    of_bytes = bool(random.random() < 0.6)
    damage = BYTES[int(random.integers(len(BYTES)))] if of_bytes else change_arrays
    told = damage(random, path)
    return _judged("file", seed, told, folder, lambda: read_predictions(path), lambda: arrays if of_bytes else None)


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
