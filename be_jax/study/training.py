"""A method of a study, from nothing to scored runs: train what is not finished, predict, record."""

import dataclasses
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from be_jax.checkpoint import CheckpointFolder
from be_jax.config import ConfigError, TrainConfig
from be_jax.data import StudyData
from be_jax.ensemble import Ensemble, Variables
from be_jax.evaluate import EvaluationSet, make_predict, predict_sets
from be_jax.fit import OnEpoch, fit
from be_jax.parallel import replicate, wait_for_hosts
from be_jax.pool import Score
from be_jax.results import RunRecord, renamed
from be_jax.runs import TRAINED_WITH, RunError, RunFolder, programs, read_config, seed_folder
from be_jax.scores import score_predictions
from be_jax.steps import count_parameters
from be_jax.train import DIVERGED, STOPPED, Preprocess, RunState, make_trainer

if TYPE_CHECKING:
    from be_jax.study.study import Study

EvaluationSets = Callable[[], Mapping[str, EvaluationSet]]
Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Planned:
    """A method as a study runs it.

    Attributes:
      name: also of its folder.
      ensemble: what is trained.
      train: how.
      seeds: one run for each.
      start: single networks of the same model, before this method in the study, which it starts from: each seed from
        the one that `start_of` says.
      label: in the report, of a method that is not in `be_jax.methods.TABLE`; its name where it is not given.
    """

    name: str
    ensemble: Ensemble
    train: TrainConfig
    seeds: tuple[int, ...] = ()
    start: "Planned | None" = None
    label: str = ""

    def start_of(self, seed: int) -> int:
        """The seed of the trained network that this one starts from, where there is a `start`."""
        assert self.start
        return self.start.seeds[seed % len(self.start.seeds)]


def run_method(
    study: "Study",
    method: Planned,
    seeds: Sequence[int],
    evaluation_sets: EvaluationSets,
    *,
    on_epoch: OnEpoch,
    score: Score,
    say: Report,
) -> list[RunRecord]:
    """Trains and evaluates a method for some seeds; a finished run is not touched, an interrupted one goes on.

    Args:
      study: that has been checked.
      method: of the study.
      seeds: of the method.
      evaluation_sets: makes the sets to predict, by name; called only where a run needs them.
      on_epoch: see `be_jax.fit.fit`.
      score: from a run's predictions to `{set: {metric: value}}`.
      say: receives messages for the user.
    """
    execution, defaults, folder = study.execution, study.defaults, study.folder / method.name
    predict = make_predict(method.ensemble, study.preprocess, execution.devices)
    records: dict[int, RunRecord] = {}
    for group in programs(folder, seeds, execution.at_once(len(seeds))):
        wait_for_hosts("the groups are read")
        folders = {
            seed: RunFolder(seed_folder(folder, seed), run_config(study.identity, method, seed), group, defaults)
            for seed in group
        }
        wait_for_hosts("the folders are made")
        wanted = [seed for seed in seeds if seed in group]
        unfinished = [seed for seed in wanted if not folders[seed].finished]
        if unfinished:
            states = fit(
                method.ensemble,
                method.train,
                study.data.train,
                study.data.validation,
                study.preprocess,
                folders,
                trained=_starts(study, method, tuple(folders)),
                augment=study.augment,
                devices=execution.devices,
                spread=execution.spread,
                resident=execution.resident,
                save_every_s=execution.save_every_s,
                on_epoch=on_epoch,
            )
            for seed in unfinished:
                state, run = states[seed], folders[seed]
                if int(state.status) == DIVERGED:
                    say(f"{method.name}, seed {seed}: the loss was not finite at step {int(state.diverged_step)}")
                else:
                    variables = replicate(state.kept, execution.devices)
                    run.save_predictions(predict_sets(predict, variables, seed, evaluation_sets()))
                run.log(_outcome(state))
            wait_for_hosts("the outcomes are written")
        records |= {seed: read_record(method, seed, folders[seed], score) for seed in wanted}
    return [records[seed] for seed in seeds]


def run_config(identity: Mapping[str, Any], method: Planned, seed: int) -> dict[str, Any]:
    """What `config.json` records of a run: of the settings of the study, the learning rate is the method's own."""
    train = {**identity.get("train", {}), "learning_rate": method.train.learning_rate}
    start = {"start": f"{method.start.name} {method.start_of(seed)}"} if method.start else {}
    same = {"same_dropout": True} if method.ensemble.same_dropout else {}
    return {**identity, "train": train, "method": method.name, "seed": seed, **start, **same}


def check_model(method: Planned, data: StudyData, preprocess: Preprocess) -> None:
    """Raises ConfigError unless the model takes the images and gives their number of classes; computes nothing."""

    def log_probs(images: jax.Array) -> jax.Array:
        x, key = preprocess(images), jax.random.key(0)
        return method.ensemble.predict(method.ensemble.init(key, x), x, key)

    try:
        classes = jax.eval_shape(log_probs, data.train.images[:1]).shape[-1]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{method.name}: {error}") from error
    if classes != data.num_classes:
        raise ConfigError(f"{method.name}: the model gives {classes} classes, but the data have {data.num_classes}")
    trained = method.train.trained
    if trained != "all" and "fast" not in method.ensemble.per_member:
        raise ConfigError(f"{method.name}: there are no fast weights to train alone, or to hold (train.{trained=})")


def read_record(method: Planned, seed: int, run: RunFolder, score: Score = score_predictions) -> RunRecord:
    """The record of a finished run, with scores computed anew from its `predictions.npz`."""
    outcome = run.outcome()
    if outcome is None:
        raise ValueError(f"{run.path} is not finished")
    epochs = run.epochs()
    diverged = outcome["status"] == "diverged"
    return RunRecord(
        method=method.name,
        seed=seed,
        seconds=len(epochs) * statistics.median(line["seconds"] for line in epochs),
        epochs=len(epochs),
        scores={} if diverged else score(run.load_predictions()),
        curve=_curve(epochs),
        learning_rate=method.train.learning_rate,
        start=method.start_of(seed) if method.start else None,
        **renamed(outcome),
    )


def _curve(epochs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    """The logged epochs at which the fit of members was measured; empty where there is none."""
    measured = [line for line in epochs if "train_nll" in line]
    if not measured:
        return {}
    of_members = ("train_nll", "train_accuracy")
    minimised = [_mean([line["train_minimised"]]) for line in measured if "train_minimised" in line]
    return {
        "epoch": tuple(line["epoch"] + 1 for line in measured),
        **{name: tuple(_mean(line[name]) for line in measured) for name in of_members},
        **({"train_minimised": tuple(minimised)} if len(minimised) == len(measured) else {}),
        "validation_nll": tuple(_mean([line["validation_nll"]]) for line in measured),
    }


def _mean(values: Sequence[float | None]) -> float:
    """NaN where one of them was not finite, which is logged as null."""
    return math.nan if None in values else statistics.fmean(v for v in values if v is not None)


def kept_weights(
    method: Planned,
    data: StudyData,
    preprocess: Preprocess,
    folder: Path,
    defaults: Mapping[str, Any] | None = None,
) -> Variables:
    """The variables that the run in this folder kept: of its newest checkpoint.

    Args:
      method: of the run.
      data, preprocess: of the study.
      folder: of the run.
      defaults: of what its record, or its checkpoint, does not name; see `be_jax.identity`.

    Raises:
      RunError: the folder holds no run, or no checkpoint.
      CheckpointError: the checkpoint is damaged, or of another method or data.
    """
    record = read_config(folder)
    if record is None:
        raise RunError(f"{folder} holds no run; its weights are needed")
    config = {name: value for name, value in record.items() if name != TRAINED_WITH}
    checkpoints = CheckpointFolder(folder / "checkpoints", config, defaults=defaults)
    steps = checkpoints.steps()
    if not steps:
        raise RunError(f"{folder} holds no checkpoint; train the run anew, in another folder, to have its weights")
    trainer = make_trainer(method.ensemble, method.train, len(data.train.labels), preprocess)
    like = jax.eval_shape(trainer.init, jnp.uint32(0), data.train.images[:1])
    return checkpoints.restore(steps[-1], like).kept  # type: ignore[no-any-return]


def _starts(study: "Study", method: Planned, seeds: Sequence[int]) -> Variables | None:
    """What each seed starts from, stacked; None where it is drawn."""
    if (start := method.start) is None:
        return None
    weights = []
    for seed in seeds:
        of = seed_folder(study.folder / start.name, method.start_of(seed))
        weights.append(kept_weights(start, study.data, study.preprocess, of, study.defaults))
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(weights[-1])):
            raise RunError(f"{of} diverged, and {method.name} of seed {seed} starts from it: choose other seeds")
    return jax.tree.map(lambda *leaves: np.stack(leaves), *weights)  # type: ignore[no-any-return]


def _outcome(state: RunState) -> dict[str, Any]:
    status = {DIVERGED: "diverged", STOPPED: "stopped"}.get(int(state.status), "finished")
    return {
        "status": status,
        "parameters": count_parameters(state.kept),
        "kept_epoch": int(state.kept_epoch),
        "diverged_step": int(state.diverged_step) if status == "diverged" else None,
    }
