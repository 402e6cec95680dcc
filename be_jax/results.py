"""What a study found, as one small JSON file: every run with its outcome and scores, and how it was made."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from be_jax.runs import write_atomically

Scores = Mapping[str, Mapping[str, float]]


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
      best_epoch: the epoch, counted from 0, whose weights were kept.
      diverged_step: see `status`; None otherwise.
      scores: `{set: {metric: value}}` as `be_jax.evaluate.score_predictions` gives them; empty for a diverged run.
    """

    method: str
    seed: int
    status: Literal["finished", "stopped", "diverged"]
    parameters: int
    seconds: float
    epochs: int
    best_epoch: int
    diverged_step: int | None
    scores: Scores


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """All runs of a study.

    Attributes:
      experiment: name of the experiment.
      data: one line on the data sets and their sizes.
      config: the experiment's configuration.
      provenance: command, versions, hardware and date.
      runs: in the order of methods, then seeds.
    """

    experiment: str
    data: str
    config: Mapping[str, Any]
    provenance: Mapping[str, Any]
    runs: tuple[RunRecord, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the methods, in order."""
        return tuple(dict.fromkeys(run.method for run in self.runs))

    def save(self, path: Path) -> None:
        """Writes the result as JSON, a line for each run."""
        record = _rounded(dataclasses.asdict(self))
        runs = ",\n".join(json.dumps(run) for run in record.pop("runs"))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f'{json.dumps(record, indent=1)[:-2]},\n "runs": [\n{runs}\n]}}\n')

    @classmethod
    def load(cls, path: Path) -> "StudyResult":
        """Reads what `save` wrote."""
        record = json.loads(path.read_text())
        return cls(**{**record, "runs": tuple(RunRecord(**run) for run in record["runs"])})


def _rounded(value: Any) -> Any:
    """Floats to six significant digits, finer than any interval over seeds."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return value
