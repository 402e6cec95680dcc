"""How diversity comes and goes over training: is it what the start gave, or does training make it?

Every method of the MNIST study is trained by the study's protocol, and after 1, 2, 4, ... epochs, at each cut of the
learning rate and at the end its members are compared: as functions (mutual information and disagreement, on test and
out-of-distribution images) and in their weights (distance of effective kernels). Deep ensembles are those of a pool of
single networks that share no network, after as many epochs. Copies of one network are the control.

    python -m experiments.diversity                                  # 4,000 embedded images
    python -m experiments.diversity --data tfds --data-dir ~/tensorflow_datasets

Ends with `diversity.json` and a figure in the run folder. Methods that were finished are not trained again.
"""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.progress import Progress

from be_jax import deep_ensemble
from be_jax.config import check
from be_jax.data import StudyData
from be_jax.ensemble import Variables
from be_jax.files import write_atomically
from be_jax.fit import fit
from be_jax.identity import differences
from be_jax.keys import Purpose, key_for
from be_jax.results import DEEP_ENSEMBLE, SINGLE
from be_jax.runs import RunError, RunFolder
from be_jax.stats.judgement import as_json
from be_jax.study import Planned
from be_jax.study.progress import progress_bars
from experiments import command_line, diversity_report, mnist, small
from experiments.common import use_compilation_cache
from experiments.diversity_scores import scorer

METHODS = (SINGLE, "batch_ensemble", "batch_ensemble_sign", "mc_dropout", "copies")


@dataclasses.dataclass(frozen=True)
class Config(small.Config):
    """Everything that can be varied.

    Attributes:
      size: number of training images; all of them where not given.
      num_inputs: test and out-of-distribution images, of each the first so many, on which members are compared.
    """

    size: int | None = None
    num_inputs: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.num_inputs >= 1, "num_inputs", self.num_inputs, "an integer >= 1")

    @property
    def folder(self) -> Path:
        return self.out or Path("runs") / f"diversity_{self.data}"

    @property
    def recorded_epochs(self) -> list[int]:
        """0 (the start), 1, 2, 4, 8, ..., those after which the learning rate is cut, and the last one."""
        doubled = (2**k for k in range(self.train.epochs.bit_length()))
        wanted = {0, *doubled, *self.train.milestones, self.train.epochs}
        return sorted(epoch for epoch in wanted if epoch <= self.train.epochs)


def follow(method: Planned, data: StudyData, config: Config, progress: Progress) -> dict[str, list[list[float]]]:
    """Trains all runs of a method; its scores by name, `[runs][recorded epochs]`."""
    ensemble, seeds, pool = method.ensemble, method.seeds, method.name == SINGLE
    groups = len(seeds) // config.members if pool else len(seeds)
    compared = deep_ensemble(ensemble.model, config.members) if pool else ensemble
    score = scorer(compared, seeds[:groups], data, config.num_inputs)
    task, recorded = progress.add_task(method.name, total=config.train.epochs), []

    def record(variables: Variables) -> None:
        if pool:
            variables = jax.tree.map(lambda a: _grouped(a, groups, config.members), variables)
        recorded.append(jax.device_get(score(variables)))

    def on_epoch(state: Any, _: Any) -> None:
        epoch = int(state.epoch.max())
        progress.update(task, completed=epoch)
        if epoch in config.recorded_epochs:
            record(jax.tree.map(np.asarray, state.train.variables))

    x = mnist.preprocess(jnp.asarray(data.train.images[:1]))
    start = jax.jit(jax.vmap(lambda seed: ensemble.init(key_for(seed, Purpose.INIT), x)))
    record(jax.tree.map(np.asarray, start(jnp.asarray(seeds, jnp.uint32))))
    with tempfile.TemporaryDirectory() as folder:
        folders = {seed: RunFolder(Path(folder) / str(seed), {"seed": seed}) for seed in seeds}
        devices = config.execution.devices
        sets = data.train, data.validation
        fit(ensemble, method.train, *sets, mnist.preprocess, folders, devices=devices, on_epoch=on_epoch)
    names = recorded[0]
    return {name: np.stack([scores[name] for scores in recorded], axis=1).tolist() for name in names}


def _grouped(a: np.ndarray, groups: int, members: int) -> np.ndarray:
    return a[: groups * members].reshape(groups, members, *a.shape[1:])


def run(config: Config) -> dict[str, Any]:
    """The record: every method's scores over training."""
    data = small.load(config, config.size)
    settings = {**small.settings(config), "data_hash": data.fingerprint()}
    rows = []
    with progress_bars() as progress:
        for name in METHODS:
            path = config.folder / f"{name}.json"
            if not path.exists():
                scores = follow(small.planned(config, name), data, config, progress)
                write_atomically(path, json.dumps({"settings": settings, "scores": as_json(scores)}))
            kept = json.loads(path.read_text())
            if differ := differences(kept["settings"], json.loads(json.dumps(settings))):
                raise RunError(f"{path} was made by another configuration: {differ}; choose another --out")
            rows.append({"method": DEEP_ENSEMBLE if name == SINGLE else name, "scores": kept["scores"]})
    return small.record("diversity", config, data.describe(), epochs=config.recorded_epochs, methods=rows)


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    small.reported(run(config), config.folder, diversity_report)


if __name__ == "__main__":
    command_line.run(main, interrupted="interrupted: the same command goes on after the methods that are finished")
