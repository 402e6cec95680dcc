"""Does the diversity of a BatchEnsemble fade in training, or is it what the initialiser gave?

Trains the MNIST study's BatchEnsembles (N(1, 0.5) fast weights, and random signs) and its deep ensemble without early
stopping, and follows from initialisation on how far apart members are: as functions (mutual information, disagreement,
Jensen-Shannon divergence, error correlation, on test and out-of-distribution data) and in their effective weights
(distance of kernels, CKA of representations, barrier on the line between two members). The deep ensemble is measured
once more in weights after matching hidden units, for units in another order are no difference.

    python -m experiments.diversity                                  # 4,000 embedded images, 5 seeds
    python -m experiments.diversity --data tfds --data-dir ~/tensorflow_datasets

Ends with a table on the terminal, and `diversity.json` and `diversity.png` in the output folder.
"""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import rich
import tyro
from rich.progress import Progress

from be_jax import Ensemble, deep_ensemble, metrics
from be_jax.config import TrainConfig, check
from be_jax.data import StudyData
from be_jax.ensemble import Variables
from be_jax.files import replacing
from be_jax.fit import VALIDATION_CHUNK, pad
from be_jax.parameter_space import barriers, free_directions, matched_pairs, score_parameters
from be_jax.study import Planned, provenance
from be_jax.study.progress import progress_bars
from be_jax.train import make_trainer, over_seeds
from experiments import command_line, mnist
from experiments.common import use_compilation_cache
from experiments.diversity_report import MATCHED, METHODS, Result, Scores, draw, table

TRAINED = tuple(method for method in METHODS if method != MATCHED)


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    data: "embedded" (4,000 real MNIST images that ship with a dependency; OOD: drawn letters) or "tfds" (all of MNIST;
      OOD: Fashion-MNIST).
    data_dir: TFDS folder, for "tfds".
    seeds: one run of each method for each.
    members: m, at least 2.
    init_std: of r and s ~ N(1, init_std^2) in `batch_ensemble`.
    epochs: to train; none is cut short.
    num_inputs: training, test and out-of-distribution images, of each the first so many, on which members are compared.
    out: folder of the result.
    """

    data: Literal["embedded", "tfds"] = "embedded"
    data_dir: Path | None = None
    seeds: tuple[int, ...] = (42, 69, 123, 456, 789)
    members: int = 4
    init_std: float = 0.5
    epochs: int = 75
    num_inputs: int = 1000
    out: Path = Path("runs/diversity")

    def __post_init__(self) -> None:
        check(self.members >= 2, "members", self.members, "an integer >= 2: members are compared in pairs")
        check(self.num_inputs >= 1, "num_inputs", self.num_inputs, "an integer >= 1")

    @property
    def study(self) -> mnist.Config:
        """The MNIST study of these settings."""
        return mnist.Config(
            data=self.data,
            data_dir=self.data_dir,
            seeds=self.seeds,
            members=self.members,
            init_std=self.init_std,
            train=TrainConfig(epochs=self.epochs, patience=0),
        )

    @property
    def recorded_epochs(self) -> list[int]:
        """0 (initialisation), 1, 2, 4, 8, ..., and the last one."""
        return [0, *(2**k for k in range(self.epochs.bit_length()) if 2**k < self.epochs), self.epochs]


class Inputs(NamedTuple):
    """What members are compared on: model inputs `[n, ...]` and labels `[n]`."""

    train: tuple[jax.Array, jax.Array]
    test: tuple[jax.Array, jax.Array]
    ood: jax.Array


def make_inputs(data: StudyData, count: int) -> Inputs:
    """The first `count` images of each set, as the model takes them; of the study's one out-of-distribution set."""
    (ood,) = data.ood.values()
    train, test = (
        (_as_input(part.images[:count]), jnp.asarray(part.labels[:count])) for part in (data.train, data.test)
    )
    return Inputs(train, test, _as_input(ood[:count]))


def trajectory(method: Planned, data: StudyData, config: Config) -> Iterator[tuple[int, Variables]]:
    """Trains all seeds in one program; yields every recorded epoch and the variables at its end, `[seeds, ...]`."""
    trainer = make_trainer(method.ensemble, method.train, len(data.train.labels), mnist.preprocess)
    seeds = jnp.asarray(config.seeds, jnp.uint32)
    run_epoch = jax.jit(over_seeds(trainer.epoch, len(seeds), num_shared=3))
    images, labels = map(jnp.asarray, data.train)
    state = jax.jit(jax.vmap(trainer.init, in_axes=(0, None)))(seeds, images[:1])
    validation = pad(*data.validation, VALIDATION_CHUNK)
    yield 0, state.train.variables
    for epoch in range(1, config.epochs + 1):
        state, _ = run_epoch(seeds, state, images, labels, validation)
        if epoch in config.recorded_epochs:
            yield epoch, state.train.variables


def score_functions(ensemble: Ensemble, variables: Variables, inputs: Inputs) -> dict[str, jax.Array]:
    """How far apart the members are as functions, and how good they are together."""
    x, labels = inputs.test
    test, ood = ensemble.predict(variables, x), ensemble.predict(variables, inputs.ood)
    scores = {
        "test/accuracy": metrics.accuracy(metrics.mixture(test), labels).mean(),
        "test/nll": metrics.nll(metrics.mixture(test), labels).mean(),
        "test/same_error": metrics.same_error(test, labels).mean(),
        "test/error_kappa": metrics.error_kappa(test, labels),
    }
    for name, log_probs in (("test", test), ("ood", ood)):
        scores |= {
            f"{name}/mutual_information": metrics.decompose(log_probs).epistemic.mean(),
            f"{name}/disagreement": metrics.disagreement(log_probs).mean(),
            f"{name}/pairwise_js": metrics.pairwise_js(log_probs).mean(),
        }
    return scores


def score_weights(ensemble: Ensemble, variables: Variables, inputs: Inputs) -> dict[str, jax.Array]:
    """How far apart the members are in parameter space (see `score_parameters`)."""
    scores = score_parameters(ensemble, variables, *inputs.test)
    scores["train_loss_barrier"] = barriers(ensemble, variables, *inputs.train).loss.mean()
    return {f"weights/{name}": value for name, value in scores.items()}


def score_matched(ensemble: Ensemble, variables: Variables, inputs: Inputs) -> dict[str, jax.Array]:
    """The same of a deep ensemble once the hidden units of each pair of members are matched: means over pairs.

    Takes and gives all seeds, `[seeds, ...]`, as matching runs on the host.
    """
    seeds = len(jax.tree.leaves(variables)[0])
    x, _ = inputs.test
    of_seeds = [matched_pairs(ensemble, jax.tree.map(lambda a, i=i: a[i], variables), x[:10]) for i in range(seeds)]
    matched = jax.tree.map(lambda *leaves: jnp.stack(leaves), *of_seeds)
    return {name: value.mean(1) for name, value in _score_pairs(ensemble, matched, inputs).items()}


@functools.partial(jax.jit, static_argnums=0)
def _score_pairs(ensemble: Ensemble, matched: Variables, inputs: Inputs) -> dict[str, jax.Array]:
    pair = deep_ensemble(ensemble.model, 2)
    return jax.vmap(jax.vmap(lambda variables: score_weights(pair, variables, inputs)))(matched)


def follow(method: Planned, data: StudyData, config: Config, progress: Progress) -> dict[str, Scores]:
    """Every score of a method, `[seeds, recorded epochs]`; of the deep ensemble also those of its matched members."""
    inputs, ensemble = make_inputs(data, config.num_inputs), method.ensemble

    @jax.jit
    @jax.vmap
    def score(variables: Variables) -> dict[str, jax.Array]:
        return score_functions(ensemble, variables, inputs) | score_weights(ensemble, variables, inputs)

    recorded: dict[str, list[dict[str, np.ndarray]]] = {method.name: []}
    task = progress.add_task(METHODS[method.name], total=config.epochs)
    for epoch, variables in trajectory(method, data, config):
        recorded[method.name].append(jax.device_get(score(variables)))
        if method.name == "deep_ensemble":
            recorded.setdefault(MATCHED, []).append(jax.device_get(score_matched(ensemble, variables, inputs)))
        progress.update(task, completed=epoch)
    return {
        name: {score: np.stack([at_epoch[score] for at_epoch in epochs], axis=1) for score in epochs[0]}
        for name, epochs in recorded.items()
    }


def run(config: Config) -> Result:
    """Trains and measures all methods."""
    data = mnist.load_data(config.study)
    methods = [mnist.build_method(config.study, name) for name in TRAINED]
    scores: dict[str, Scores] = {}
    with progress_bars() as progress:
        for method in methods:
            scores |= follow(method, data, config, progress)
    about = {
        "experiment": "diversity",
        "data": data.describe(),
        "config": {k: v for k, v in dataclasses.asdict(config).items() if k not in ("data_dir", "out")},
        "provenance": provenance("experiments.diversity"),
        "free_directions": {method.name: free_share(method.ensemble, data) for method in methods},
    }
    return Result(about, config.seeds, tuple(config.recorded_epochs), scores)


def free_share(ensemble: Ensemble, data: StudyData) -> float:
    """The part of a deep ensemble's space of kernels in which a member can move for itself."""
    x = _as_input(data.train.images[:1])
    directions = free_directions(ensemble, jax.eval_shape(ensemble.init, jax.random.key(0), x)).values()
    return sum(layer.own for layer in directions) / sum(layer.network for layer in directions)


def _as_input(images: np.ndarray) -> jax.Array:
    return mnist.preprocess(jnp.asarray(images))


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    use_compilation_cache()
    result = run(config)
    result.save(config.out / "diversity.json")
    with replacing(config.out / "diversity.png") as file:
        draw(result).savefig(file, dpi=110)
    rich.print(table(result))
    rich.print(f"\nresults: {config.out / 'diversity.json'}\nfigure:  {config.out / 'diversity.png'}")


if __name__ == "__main__":
    command_line.run(main, interrupted="interrupted")
