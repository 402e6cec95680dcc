"""A study as one object: an experiment describes it, and everything from training to the result is here.

Controls are methods like any other: `copies` (a BatchEnsemble whose members are one network: its gain must be 0) and
`single_wide` (a single network of the ensemble's cost). The networks of `single` are a pool, from which deep ensembles
of every size are made, unless the study trains a `deep_ensemble` of its own.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import rich
from rich.progress import Progress, track

from be_jax.config import check
from be_jax.data import StudyData
from be_jax.evaluate import EvaluationSet
from be_jax.identity import completed, defaults_of, identity_of
from be_jax.npz import read_npz
from be_jax.parallel import Spread, devices_of_hosts, is_first_host
from be_jax.pool import PoolScores, Score, over_subsets, score_pool, subsets
from be_jax.provenance import provenance
from be_jax.results import DEEP_ENSEMBLE, SINGLE, PoolRecord, RunRecord, StudyResult
from be_jax.runs import check_folder, exclusive, seed_folder
from be_jax.scores import score_predictions
from be_jax.study.progress import progress_bars, shows_progress
from be_jax.study.training import Planned, check_model, run_config, run_method
from be_jax.train import Augment, Preprocess

POOL = SINGLE


@dataclasses.dataclass(frozen=True)
class Execution:
    """Where runs are trained, and how many at a time. It does not determine their results.

    Attributes:
      together: train all seeds of a method in one program (faster for small dense networks; on a CPU slower for
        convolutions, which become grouped ones).
      num_devices: local devices of every host to use; all where it is not given.
      spread: whether devices share each batch ("batch"), or each trains networks of its own ("networks").
      resident: whether the training set is on the devices whole, or sent there some steps at a time.
      save_every_s: seconds between checkpoints.
    """

    together: bool = True
    num_devices: int | None = None
    spread: Spread = "batch"
    resident: bool = True
    save_every_s: float = 30.0

    def __post_init__(self) -> None:
        check(self.save_every_s >= 0, "save_every_s", self.save_every_s, "a number >= 0")

    @property
    def devices(self) -> list[jax.Device]:
        return devices_of_hosts(self.num_devices)

    def at_once(self, seeds: int) -> int:
        """How many of so many new seeds are trained in one program."""
        return seeds if self.together else len(self.devices) if self.spread == "networks" else 1


@dataclasses.dataclass(frozen=True)
class Study:
    """What an experiment describes.

    Attributes:
      name: of the experiment.
      folder: of its runs, result and report.
      data: its sets; on `test` and `ood` members are compared before training too.
      methods: what to train, each with its seeds; `single` is the pool.
      members: m, of every ensemble.
      preprocess: maps stored examples `[b, ...]` to the models' input.
      evaluation_sets: from a progress display to the sets to predict, by name: `validation`, on which the temperature
        is fitted, `test`, `shift/<corruption>_<severity>` and `ood/<name>`; called only where a run needs them.
      config: the experiment's configuration, a frozen dataclass whose fields all have defaults.
      not_part: names of its fields that do not determine a run's numbers, such as where results are written.
      augment: of training examples; see `be_jax.train.make_trainer`.
      execution: where to train.

    Raises:
      ConfigError: no method, two of one name, one without seeds, or one that starts from none before it.
    """

    name: str
    folder: Path
    data: StudyData
    methods: tuple[Planned, ...]
    members: int
    preprocess: Preprocess
    evaluation_sets: Callable[[Progress], Mapping[str, EvaluationSet]]
    config: Any
    not_part: tuple[str, ...] = ()
    augment: Augment | None = None
    execution: Execution = dataclasses.field(default_factory=Execution)

    def __post_init__(self) -> None:
        names = [method.name for method in self.methods]
        check(bool(names) and len(set(names)) == len(names), "methods", names, "different ones, at least one")
        for i, method in enumerate(self.methods):
            if method.start:
                _check_start(method, self.methods[:i])
            distinct = len(set(method.seeds)) == len(method.seeds) > 0
            fits = distinct and min(method.seeds) >= 0 and max(method.seeds) < 2**32
            check(fits, f"seeds of {method.name}", method.seeds, "different integers in [0, 2^32), at least one")

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """What determines a run's result, beside its method and seed: settings that are not at their default, data."""
        own = identity_of(self.config, self.not_part)
        return {**own, "data_sizes": self.data.describe(), "data_hash": self.data.fingerprint()}

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """Of settings that a record does not name; of data, these, where a run is older than hashes of them."""
        return {**defaults_of(type(self.config), self.not_part), "data_hash": self.identity["data_hash"]}

    def check(self) -> None:
        """Raises, before any training, where a model, batches or a run on disk do not fit.

        Raises:
          ConfigError: a model or batches do not fit the data.
          RunError: a folder holds another run.
        """
        shares = len(self.execution.devices) if self.execution.spread == "batch" else 1
        examples = len(self.data.train.labels)
        for method in self.methods:
            check_model(method, self.data, self.preprocess)
            method.train.check_fits(
                examples=examples,
                members=method.ensemble.train_members,
                devices=shares,
                cycles=method.ensemble.cycles,
            )
            for seed in method.seeds:
                config = run_config(self.identity, method, seed)
                check_folder(seed_folder(self.folder / method.name, seed), config, self.defaults)


def _check_start(method: Planned, before: Sequence[Planned]) -> None:
    """Raises ConfigError unless each seed can start from a network of its own, of the same model, trained before."""
    start = method.start
    assert start is not None
    ensemble = start.ensemble
    fits = start in before and ensemble.members == 1 and ensemble.model == method.ensemble.model
    wanted = "single networks of the same model, before it in the study"
    check(fits, f"start of {method.name}", start.name, wanted)
    given = [method.start_of(seed) for seed in method.seeds]
    check(len(set(given)) == len(given), f"start of {method.name}", f"seeds {given}", "a network for each seed")


def run_study(study: Study, module: str, score: Score = score_predictions) -> StudyResult:
    """Trains what is not finished, predicts and scores; returns the result and leaves it in the study's folder.

    Args:
      study: what to run.
      module: by which it was started, for the provenance.
      score: from the predictions of a run, or of a deep ensemble of the pool, to `{set: {metric: value}}`.
    """
    study.check()
    with exclusive(study.folder):
        records = _train(study, score)
        pool = _score_pool(study, records, score)
    result = StudyResult(
        study.name,
        study.data.describe(),
        {
            **completed(study.identity, study.defaults),
            "members": study.members,
            "num_classes": study.data.num_classes,
            "labels": {method.name: method.label for method in study.methods if method.label},
        },
        provenance(module),
        tuple(records),
        tuple(pool),
    )
    if is_first_host():
        (study.folder / "verdicts.json").unlink(missing_ok=True)  # of another result; the judgement comes after this
        result.save(study.folder / "results.json")
    return result


def _train(study: Study, score: Score) -> list[RunRecord]:
    execution = study.execution
    if is_first_host():
        kind = execution.devices[0].device_kind
        rich.print(f"[bold]{study.data.describe()}[/bold]\n{len(execution.devices)} x {kind}")
    records: list[RunRecord] = []
    with progress_bars() as progress:
        sets = functools.cache(functools.partial(study.evaluation_sets, progress))
        whole = progress.add_task(
            "whole study", total=sum(_work(method, len(method.seeds)) for method in study.methods)
        )
        for method in study.methods:
            count = len(method.seeds)
            size = execution.at_once(count)
            for start in range(0, count, size):
                group = method.seeds[start : start + size]
                records += _train_group(study, method, group, sets, progress, score)
                progress.advance(whole, _work(method, len(group)))
    return records


def _work(method: Planned, seeds: int) -> int:
    """About in proportion to the time that so many runs take."""
    return seeds * method.ensemble.train_members * method.train.epochs


def _train_group(
    study: Study,
    method: Planned,
    seeds: Sequence[int],
    sets: Callable[[], Mapping[str, EvaluationSet]],
    progress: Progress,
    score: Score,
) -> list[RunRecord]:
    shown = f"seeds {seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else f"seed {seeds[0]}"
    name = f"{method.name}, {shown}"
    task = progress.add_task(name, total=method.train.epochs)

    def on_epoch(state, metrics):  # type: ignore[no-untyped-def]
        accuracy = 100 * float(metrics.validation_accuracy.mean())
        progress.update(task, completed=int(state.epoch.max()), description=f"{name} (validation {accuracy:.1f} %)")

    def say(message: str) -> None:
        progress.console.print(f"[yellow]{message}")

    records = run_method(study, method, seeds, sets, on_epoch=on_epoch, score=score, say=say)
    epochs = max(record.epochs for record in records)
    progress.update(task, total=epochs, completed=epochs, description=name)
    return records


def _score_pool(study: Study, records: Sequence[RunRecord], score: Score) -> list[PoolRecord]:
    """Deep ensembles of every size up to twice `members`, from the networks of the pool that did not diverge.

    Shifted sets, which are the many, are scored for single networks and for as many as the other methods have.
    """
    if any(method.name == DEEP_ENSEMBLE for method in study.methods):
        return []
    whole = [record for record in records if record.method == POOL and record.status != "diverged"]
    networks = [read_npz(seed_folder(study.folder / POOL, r.seed) / "predictions.npz") for r in whole]
    few = [{name: a for name, a in each.items() if not name.startswith("shift/")} for each in networks]
    seeds = tuple(record.seed for record in whole)
    sizes = range(1, min(len(whole), 2 * study.members) + 1)

    def scores(size: int) -> PoolScores:
        if size == 1:
            return over_subsets([record.scores for record in whole], subsets(len(whole), 1))
        return score_pool(networks if size == study.members else few, size, score)

    return [
        PoolRecord(POOL, seeds, size, size * whole[0].parameters, scores(size))
        for size in track(sizes, description="scoring deep ensembles", disable=not shows_progress())
    ]
