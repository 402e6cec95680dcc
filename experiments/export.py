"""Exports a run of a finished study as one file, which predicts anywhere jax is, without the model's code.

    python -m experiments.export runs/mnist_embedded --method batch_ensemble
    python -m experiments.export runs/mnist_embedded --method deep_ensemble --seed 4
    python -m be_jax.export score runs/mnist_embedded/batch_ensemble_seed_1000.zip images/

The file takes images as the data set stores them, and predicts at the temperature that was fitted on the run's
validation predictions. A deep ensemble of a pool is made of as many networks as the study's ensembles have members, the
one of `--seed` and those after it. Before the command ends, the file is opened, and its predictions of test images are
compared with those that the run left.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import rich
import tyro

from be_jax import Ensemble, deep_ensemble, export, metrics
from be_jax.config import check
from be_jax.ensemble import Variables
from be_jax.export import artefact
from be_jax.files import seed_folder
from be_jax.npz import read_npz
from be_jax.pool import ensemble_of
from be_jax.results import DEEP_ENSEMBLE, StudyResult
from be_jax.scores import temperature_of
from be_jax.study import Planned, Study, kept_weights
from experiments import command_line, weights
from experiments.common import use_compilation_cache

CLASSES = {
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}
COMPARED = 200
"""Test images on which the file must agree with the run."""

FARTHEST = 0.01
"""The most by which a probability may differ: rounding in bfloat16 on another device."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    runs: folder of a finished study, with its checkpoints.
    method: of the run.
    seed: of the run, or of the first network of a deep ensemble; the method's first where it is not given.
    temperature: of the predictions; that of the validation predictions where it is not given, and 1 leaves them alone.
    platforms: where the file is to run.
    data_dir: TFDS folder, for a study whose data come from there; TFDS's default where it is not given.
    out: the file; `<method>_seed_<seed>.zip` in the folder of the study where it is not given.
    """

    runs: tyro.conf.Positional[Path]
    method: str
    seed: int | None = None
    temperature: float | None = None
    platforms: tuple[str, ...] = export.PLATFORMS
    data_dir: Path | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        known = {"cpu", "cuda", "rocm", "tpu"}
        fits = bool(self.platforms) and set(self.platforms) <= known
        check(fits, "platforms", self.platforms, f"some of {', '.join(sorted(known))}")
        fits = self.temperature is None or self.temperature > 0
        check(fits, "temperature", self.temperature, "a number > 0")


class Trained(NamedTuple):
    """What is exported, and the predictions that it left."""

    ensemble: Ensemble
    variables: Variables
    seeds: Sequence[int]
    predictions: dict[str, np.ndarray]


def trained(study: Study, result: StudyResult, name: str, seed: int | None) -> Trained:
    """A run of a method, or a deep ensemble of the study's pool.

    Raises:
      ValueError: the study has no such method, or no such run that did not diverge.
    """
    pool = result.pooled if name == DEEP_ENSEMBLE else None
    if name not in result.methods:
        raise ValueError(f"method must be one of {', '.join(result.methods)}; got {name!r}")
    whole = [run.seed for run in result.runs if run.method == name and run.status != "diverged"]
    seeds = list(pool.networks) if pool else whole
    if not seeds or (seed is not None and seed not in seeds):
        raise ValueError(f"seed of {name} must be one of {', '.join(map(str, seeds)) or 'none'}; got {seed}")
    start = 0 if seed is None else seeds.index(seed)
    planned = {method.name: method for method in study.methods}
    if pool is None:
        method, first = planned[name], seeds[start]
        return Trained(method.ensemble, _weights(study, method, first), [first], _left(study, name, first))
    members = result.config["members"]
    chosen = seeds[start : start + members]
    if len(chosen) < members:
        last = seeds[-members] if len(seeds) >= members else "none"
        raise ValueError(f"{members} networks, from seed {seed} on, are too many for the pool; the last seed is {last}")
    method = planned[pool.method]
    networks = [dict(_weights(study, method, each)) for each in chosen]
    left = [_left(study, pool.method, each) for each in chosen]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)
    return Trained(deep_ensemble(method.ensemble.model, members), stacked, chosen, ensemble_of(left))


def _weights(study: Study, method: Planned, seed: int) -> Variables:
    folder = seed_folder(study.folder / method.name, seed)
    return kept_weights(method, study.data, study.preprocess, folder, study.defaults)


def _left(study: Study, method: str, seed: int) -> dict[str, np.ndarray]:
    """The predictions that a run left."""
    predictions = read_npz(seed_folder(study.folder / method, seed) / "predictions.npz")
    return {name: array for name, array in predictions.items() if name.startswith(("validation/", "test/"))}


def export_run(config: Config) -> tuple[Path, dict[str, Any]]:
    """Writes the file; returns where it is, and its metadata.

    Raises:
      ValueError: there is no such run, or the file does not predict what the run did.
    """
    study, result = weights.reopened(config.runs, config.data_dir)
    found = trained(study, result, config.method, config.seed)
    temperature = _temperature(found, config.temperature)
    out = config.out or config.runs / f"{config.method}_seed_{found.seeds[0]}.zip"
    export.save(
        out,
        found.ensemble,
        found.variables,
        study.data.train.images[:1],
        preprocess=study.preprocess,
        preprocessing=f"in the program. {(study.preprocess.__doc__ or '').strip()}",
        classes=CLASSES.get(result.experiment),
        temperature=temperature,
        platforms=config.platforms,
        about={
            "experiment": result.experiment,
            "data": result.data,
            "method": config.method,
            "seeds": list(found.seeds),
        },
    )
    farthest = _difference(study, found, out, temperature)
    if farthest is not None and farthest > FARTHEST:
        out.unlink()
        raise ValueError(f"what was exported differs from the run by {farthest:.2g} in a probability; nothing is left")
    return out, {**export.load(out).metadata, "largest_difference": farthest}


def _temperature(found: Trained, given: float | None) -> float:
    if given is not None:
        return given
    fitted = temperature_of(found.predictions)
    return 1.0 if fitted is None else fitted


def _difference(study: Study, found: Trained, path: Path, temperature: float) -> float | None:
    """The largest difference in a member's probability, on test images.

    None where there is nothing to compare: MC dropout has other masks, and the file may be for other platforms.
    """
    predict = export.load(path)
    if found.ensemble.samples_at_prediction or artefact.platform() not in predict.metadata["platforms"]:
        return None
    here = predict(study.data.test.images[:COMPARED], members=True)["member_log_probs"]
    there = metrics.temper(found.predictions["test/log_probs"][:, :COMPARED], temperature)
    return float(jnp.abs(jnp.exp(here) - jnp.exp(there)).max())


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    path, metadata = export_run(config)
    shown = ("members", "parameters", "classes", "temperature", "input", "platforms", "largest_difference")
    rich.print({name: metadata[name] for name in shown})
    print(
        f"\n{path}: {path.stat().st_size / 1e6:.2f} MB\nTo score images: python -m be_jax.export score {path} images/"
    )


if __name__ == "__main__":
    command_line.run(main, ValueError, ImportError, interrupted="interrupted")
