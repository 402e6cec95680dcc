"""What a study found, as one small JSON file: every run with its outcome and scores, and how it was made."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from be_jax.files import write_atomically

Scores = Mapping[str, Mapping[str, float]]

SINGLE, DEEP_ENSEMBLE = "single", "deep_ensemble"
"""Methods that others are set against: the networks of a pool, and ensembles of networks."""
COPIES = "copies"
"""The negative control: an ensemble of identical members."""
SINGLE_WIDE = "single_wide"
"""A reference: one network of an ensemble's training cost."""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """One run: a method and a seed.

    Attributes:
      method: name of the method, also of its folder.
      seed: the seed.
      status: "finished" (all epochs), "stopped" (early) or "diverged" (a loss was not finite, at step `diverged_step`).
      parameters: trained numbers, over all members.
      seconds: training time, epochs times their median: without compilation; a seed's share of a shared program.
      epochs: epochs trained.
      kept_epoch: the epoch, counted from 0, whose weights were kept.
      diverged_step: see `status`; None otherwise.
      scores: `{set: {metric: value}}` as `be_jax.scores.score_predictions` gives them; empty for a diverged run.
      curve: how it was trained: `epoch` (1 after the first) and, at these, `train_nll` and `train_accuracy` (of
        members alone, without augmentation, mean over them), `train_minimised` (the NLL that training made small, of
        these or of the mixture; not in older runs) and `validation_nll` (of the mixture); in nats.
      learning_rate: at the start; None in older results.
      start: the seed of the trained network that it started from; None where its weights were drawn.
    """

    method: str
    seed: int
    status: Literal["finished", "stopped", "diverged"]
    parameters: int
    seconds: float
    epochs: int
    kept_epoch: int
    diverged_step: int | None
    scores: Scores
    curve: Mapping[str, tuple[float, ...]] = dataclasses.field(default_factory=dict)
    learning_rate: float | None = None
    start: int | None = None


class PoolScore(NamedTuple):
    """One metric of deep ensembles of one size, from a pool of N networks.

    Attributes:
      mean: over the scored subsets of the networks.
      without: `[N]`, what the mean would be without network i (`be_jax.pool.without_each`); NaN where none can tell.
    """

    mean: float
    without: tuple[float, ...]

    @property
    def standard_error(self) -> float:
        """Jackknife standard error over networks, NaN where a network is in every subset."""
        n = len(self.without)
        return math.sqrt((n - 1) / n * sum((value - self.mean) ** 2 for value in self.without))


@dataclasses.dataclass(frozen=True)
class PoolRecord:
    """Deep ensembles of `size` members, made from the networks of one method.

    Attributes:
      method: of the networks, each of which is a run.
      networks: their seeds.
      size: l.
      parameters: trained numbers, over all members.
      scores: `{set: {metric: PoolScore}}`.
    """

    method: str
    networks: tuple[int, ...]
    size: int
    parameters: int
    scores: Mapping[str, Mapping[str, PoolScore]]


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """All runs of a study.

    Attributes:
      experiment: name of the experiment.
      data: one line on the data sets and their sizes.
      config: the experiment's configuration.
      provenance: command, versions, hardware and date.
      runs: in the order of methods, then seeds.
      pool: deep ensembles made from the runs of a method, by size; empty where they are runs of their own.
    """

    experiment: str
    data: str
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    runs: tuple[RunRecord, ...]
    pool: tuple[PoolRecord, ...] = ()

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in order; last `deep_ensemble`, where it comes from a pool."""
        pooled = ("deep_ensemble",) if self.pooled else ()
        return tuple(dict.fromkeys([*(run.method for run in self.runs), *pooled]))

    @property
    def pooled(self) -> PoolRecord | None:
        """The deep ensembles from the pool that have as many members as the other methods."""
        return next((record for record in self.pool if record.size == self.config.get("members")), None)

    @property
    def predicted(self) -> list[tuple[str, int]]:
        """(method, seed) of all that has predictions; deep ensembles from a pool have numbers 0, 1, ... for seeds."""
        runs = [(run.method, run.seed) for run in self.runs if run.status != "diverged"]
        groups = len(self.pooled.networks) // self.pooled.size if self.pooled else 0
        return runs + [("deep_ensemble", group) for group in range(groups)]

    def save(self, path: Path) -> None:
        """Writes the result as JSON, a line for each run."""
        record = _rounded(dataclasses.asdict(self))
        runs, pool = (",\n".join(json.dumps(each) for each in record.pop(name)) for name in ("runs", "pool"))
        lists = f' "runs": [\n{runs}\n]' + (f',\n "pool": [\n{pool}\n]' if pool else "")
        write_atomically(path, f"{json.dumps(record, indent=1)[:-2]},\n{lists}}}\n")

    @classmethod
    def load(cls, path: Path) -> "StudyResult":
        """Reads what `save` wrote."""
        record = json.loads(path.read_text())
        runs = tuple(RunRecord(**renamed(run)) for run in record["runs"])
        pool = tuple(_pool_record(**each) for each in record.get("pool", ()))
        return cls(**{**record, "runs": runs, "pool": pool})


def renamed(record: Mapping[str, Any]) -> dict[str, Any]:
    """A run's record under today's names: `kept_epoch` was `best_epoch` while the best weights were always kept."""
    return {"kept_epoch" if name == "best_epoch" else name: value for name, value in record.items()}


def _pool_record(scores: Mapping[str, Any], networks: list[int], **fields: Any) -> PoolRecord:
    """The record from its JSON, where a named tuple is a list."""
    read = {
        name: {metric: PoolScore(mean, tuple(without)) for metric, (mean, without) in values.items()}
        for name, values in scores.items()
    }
    return PoolRecord(scores=read, networks=tuple(networks), **fields)


def _rounded(value: Any) -> Any:
    """Floats to six significant digits, finer than any interval over seeds."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
