"""How much of a deep ensemble do other ensembles recover? Many small trainings on MNIST, scored and compared."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from be_jax import Ensemble
from be_jax.config import TrainConfig
from be_jax.data import StudyData, split
from be_jax.ensemble import Variables
from be_jax.files import replacing
from be_jax.identity import differences
from be_jax.report.summary import sets_of
from be_jax.results import RunRecord, Scores, StudyResult
from be_jax.runs import RunError, write_atomically
from be_jax.scores import score_predictions
from be_jax.stats import Row, diversity_ratio, gain_recovered
from be_jax.stats.means import estimate
from experiments import mnist
from experiments.together import SeedData, outputs_of, recorded, train_together

MEASURES = {
    "nll": "Gain recovered in NLL",
    "accuracy": "Gain recovered in accuracy",
    "epistemic": "Diversity ratio (mutual information)",
    "ood_auroc": "Gain recovered in OOD AUROC",
}
"""What a method recovers of a deep ensemble: 0 is a single network, 1 a deep ensemble."""

UNBOUNDED = 100.0


class Evaluation(NamedTuple):
    """What trained ensembles are scored on, as the model takes it: test inputs and labels, and the OOD inputs."""

    x: np.ndarray
    labels: np.ndarray
    ood: Mapping[str, np.ndarray]


def make_evaluation(data: StudyData) -> Evaluation:
    """All test and out-of-distribution images of the study."""
    ood = {name: as_input(images) for name, images in data.ood.items()}
    return Evaluation(as_input(data.test.images), data.test.labels, ood)


def draw_data(data: StudyData, size: int, epoch_images: int, seeds: Sequence[int]) -> SeedData:
    """Each seed's own `size` training images, stratified by class, and the study's validation set.

    Fewer than `epoch_images` are repeated until there are as many, so that an epoch can have as many steps at any size.
    """
    drawn = [split(data.train, (size,), seed=seed)[0] for seed in seeds]
    rows = np.arange(max(size, epoch_images)) % size
    return SeedData(
        np.stack([as_input(each.images)[rows] for each in drawn]),
        np.stack([each.labels[rows] for each in drawn]),
        np.stack([as_input(data.validation.images)] * len(seeds)),
        np.stack([data.validation.labels] * len(seeds)),
    )


def as_input(images: np.ndarray) -> np.ndarray:
    """Stored images as the model takes them."""
    return np.asarray(mnist.preprocess(jnp.asarray(images)))


def train_and_score(
    methods: Mapping[str, Ensemble],
    train: TrainConfig,
    seeds: Sequence[int],
    data: SeedData,
    evaluation: Evaluation,
    on_epoch: Callable[[], None],
    steps_per_epoch: int | None = None,
) -> list[RunRecord]:
    """Trains ensembles of one structure from every seed in one program; scores the weights of the best validation NLL.

    Args:
      methods: ensembles by name, which differ in how their variables start and in nothing else.
      train: the protocol of all.
      seeds: one for each entry of `data`.
      data: the sets of each seed.
      evaluation: what they are scored on.
      on_epoch: called after each epoch.
      steps_per_epoch: as many as the data fill, where not given.
    """
    ensembles = list(methods.values())
    started = time.monotonic()
    state, _ = train_together(ensembles, train, seeds, data, on_epoch=on_epoch, steps_per_epoch=steps_per_epoch)
    seconds = (time.monotonic() - started) / (len(methods) * len(seeds))
    state = jax.tree.map(np.asarray, state)
    predict = jax.jit(partial(_log_probs, ensembles[0]))
    records = []
    for e, name in enumerate(methods):
        for s, seed in enumerate(seeds):
            run = jax.tree.map(lambda a, e=e, s=s: a[e, s], state)
            score = partial(_scores, partial(predict, seed=np.uint32(seed)), evaluation)
            records.append(recorded(name, seed, run, seconds, score))
    return records


def _log_probs(ensemble: Ensemble, variables: Variables, x: np.ndarray, seed: jax.Array) -> jax.Array:
    return jax.nn.log_softmax(outputs_of(ensemble, variables, seed, x))


def _scores(predict: Callable[..., jax.Array], evaluation: Evaluation, variables: Variables) -> Scores:
    predictions = {"test/log_probs": np.asarray(predict(variables, evaluation.x)), "test/labels": evaluation.labels}
    for name, x in evaluation.ood.items():
        predictions[f"ood/{name}/log_probs"] = np.asarray(predict(variables, x))
    return score_predictions(predictions)


def load_or_make(path: Path, config: Mapping[str, Any], make: Callable[[], StudyResult]) -> StudyResult:
    """The result saved at `path`, made first where there is none.

    Raises:
      RunError: the saved one is of another configuration than `config`.
    """
    if not path.exists():
        make().save(path)
    result = StudyResult.load(path)
    if differ := differences(result.config, json.loads(json.dumps(config))):
        raise RunError(
            f"{path} was made by another configuration: {differ}. It was left as it was; choose another --folder, "
            "or move this one away"
        )
    return result


def recovered(result: StudyResult, method: str) -> dict[str, Row]:
    """The `MEASURES` of a method, each with its 95 % interval over seeds, which share their training data.

    OOD examples are detected by maximum probability, which a single network has too.
    """
    (ood,) = sets_of(result, "ood/")
    return {
        "nll": gain_recovered(result, method, "test", "nll", paired=True),
        "accuracy": gain_recovered(result, method, "test", "accuracy", paired=True),
        "epistemic": diversity_ratio(result, method, "test", "epistemic", paired=True),
        "ood_auroc": gain_recovered(result, method, ood, "auroc_max_probability", paired=True),
    }


def summary_of(result: StudyResult, method: str) -> dict[str, Any]:
    """What is kept of a method as JSON: scores by seed, their means with half-widths, and what it recovers."""
    (ood,) = sets_of(result, "ood/")
    runs = [run for run in result.runs if run.method == method]
    kept = {"nll": ("test", "nll"), "accuracy": ("test", "accuracy"), "epistemic": ("test", "epistemic")}
    kept |= {"ood_epistemic": (ood, "epistemic"), "ood_auroc": (ood, "auroc_max_probability")}
    values = {name: [r.scores[of][metric] for r in runs if r.scores] for name, (of, metric) in kept.items()}
    return {
        "parameters": runs[0].parameters,
        "kept_epochs": [run.kept_epoch for run in runs],
        "diverged": [run.seed for run in runs if run.status == "diverged"],
        "scores": values,
        "means": {name: [estimate(v).mean, estimate(v).half_width] for name, v in values.items()},
        "recovered": {name: _as_json(row) for name, row in recovered(result, method).items()},
    }


def _as_json(row: Row) -> dict[str, Any]:
    if row.reason:
        return {"undefined": row.reason}
    return {"value": row.position.value, "lower": row.position.lower, "upper": row.position.upper}


def diverged_note(summary: Mapping[str, Any]) -> str:
    """Which seeds of a method diverged and are left out of its numbers; empty where none did."""
    return f" (left out: diverged seeds {', '.join(map(str, summary['diverged']))})" if summary["diverged"] else ""


def bound_text(bound: float) -> str:
    """A bound of an interval; one that is not known to be finite is huge, and shown as infinite."""
    if abs(bound) > UNBOUNDED:
        return "∞" if bound > 0 else "−∞"
    return f"{bound:.2f}"


def save_record(record: Mapping[str, Any], listed: str, folder: Path, figure: Figure, markdown: str) -> None:
    """Writes `<experiment>.json` (see `to_json`), `<experiment>.png` and `<experiment>.md`."""
    name = record["experiment"]
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / f"{name}.json", to_json(record, listed))
    with replacing(folder / f"{name}.png") as file:
        figure.savefig(file, dpi=130)
    write_atomically(folder / f"{name}.md", markdown)


def to_json(record: Mapping[str, Any], listed: str) -> str:
    """The record as JSON to five significant digits, null for NaN, with a line for each item of its list `listed`."""
    text = json.dumps(record)
    rounded = json.loads(text, parse_float=lambda digits: float(f"{float(digits):.5g}"), parse_constant=lambda _: None)
    items = ",\n".join(json.dumps(item) for item in rounded.pop(listed))
    return f'{json.dumps(rounded, indent=1)[:-2]},\n "{listed}": [\n{items}\n]}}\n'
