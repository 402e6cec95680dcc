"""Benchmark: a training step of ResNet-18, alone and as a BatchEnsemble of four, against torch-uncertainty.

    python -m experiments.bench.step                                  # ours alone, some minutes on two CPU cores
    python -m experiments.bench.step --peer-python /path/to/python    # that Python needs torch and torch-uncertainty

A step is forward, backward, SGD with momentum and batch statistics, in float32, in a loop as an epoch runs it: of 128
images by a single network, of 32 images by each of four members. All take turns in one run; ratios are those of a
round. How near a step is to the limit says the share of the matmul rate, measured in the same run.
"""

import dataclasses
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import tyro
from rich import print_json

import be_jax
from be_jax import models
from be_jax.config import TrainConfig
from be_jax.cost import count, matmul_rate, timed
from be_jax.files import write_atomically
from be_jax.study import environment
from be_jax.train import make_trainer
from experiments import command_line
from experiments.bench.peer import Peer

MEMBERS, IMAGES, STEPS = 4, 32, 2
ENSEMBLES = {
    "single": be_jax.single(models.ResNet18()),
    "batch_ensemble": be_jax.batch_ensemble(models.ResNet18(), MEMBERS),
}
SCRIPT = Path(__file__).with_name("step_torch.py")
BATCH = {"single": MEMBERS * IMAGES, "batch_ensemble": IMAGES}


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    rounds: each times every program once; medians count.
    peer_python: interpreter with torch and torch-uncertainty, or None to leave the comparison out.
    save: where to write the result as JSON.
    """

    rounds: int = 7
    peer_python: Path | None = None
    save: Path | None = None


class Steps:
    """A loop of training steps as one compiled program, which goes on where it stopped."""

    def __init__(self, ensemble: be_jax.Ensemble, batch: int) -> None:
        train = TrainConfig(optimizer="sgd", learning_rate=0.05, weight_decay=5e-4, batch_size=batch)
        trainer = make_trainer(ensemble, train, batch * STEPS, lambda x: x)
        images = jax.random.normal(jax.random.key(0), (batch * STEPS, 32, 32, 3))
        labels = jax.random.randint(jax.random.key(1), (batch * STEPS,), 0, 10)
        seed, rows = jnp.uint32(0), jnp.arange(batch * STEPS).reshape(STEPS, batch)
        self._state = jax.jit(trainer.init)(seed, images[:1]).train

        def loop(state: Any, images: jax.Array, labels: jax.Array) -> Any:
            def one(state: Any, rows: jax.Array) -> Any:
                return trainer.step(seed, jnp.int32(0), state, images, labels, rows)

            return jax.lax.scan(one, state, rows)

        def step(state: Any, images: jax.Array, labels: jax.Array) -> Any:
            return trainer.step(seed, jnp.int32(0), state, images, labels, rows[0])

        self.flops = count(step, self._state, images, labels).flops
        self._loop, self._data = jax.jit(loop, donate_argnums=0), (images, labels)
        self.seconds()

    def seconds(self) -> float:
        """Of a step."""

        def call() -> Any:
            self._state, losses = self._loop(self._state, *self._data)
            return losses

        return timed(call, rounds=1, warm_up=0).median / STEPS


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range."""
    return {
        "median": round(statistics.median(values), 3),
        "least": round(min(values), 3),
        "most": round(max(values), 3),
    }


def ratios(over: Sequence[float], under: Sequence[float]) -> dict[str, float]:
    return spread([a / b for a, b in zip(over, under, strict=True)])


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    programs = {name: Steps(ensemble, BATCH[name]) for name, ensemble in ENSEMBLES.items()}
    clocks: dict[str, Callable[[], float]] = {name: program.seconds for name, program in programs.items()}
    with Peer(config.peer_python, SCRIPT) if config.peer_python else nullcontext() as peer:
        if peer:
            for name in ENSEMBLES:
                peer.seconds(f"{name} 1")
                clocks[f"peer_{name}"] = lambda name=name: peer.seconds(f"{name} {STEPS}")  # type: ignore[misc]
        seconds, rates = defaultdict(list), []
        for _ in range(config.rounds):
            rates.append(matmul_rate())
            for name, clock in clocks.items():
                seconds[name].append(clock())
    result: dict[str, Any] = {
        "seconds_per_step": {name: spread(each) for name, each in seconds.items()},
        "gflops_per_step": {name: float(f"{program.flops / 1e9:.4g}") for name, program in programs.items()},
        "matmul_gflops_per_second": spread([rate / 1e9 for rate in rates]),
        "share_of_matmul_rate": {
            name: spread([program.flops / s / rate for s, rate in zip(seconds[name], rates, strict=True)])
            for name, program in programs.items()
        },
        "batch_ensemble_over_single": ratios(seconds["batch_ensemble"], seconds["single"]),
    }
    if config.peer_python:
        result["over_peer"] = {name: ratios(seconds[name], seconds[f"peer_{name}"]) for name in ENSEMBLES}
        result["peer_batch_ensemble_over_single"] = ratios(seconds["peer_batch_ensemble"], seconds["peer_single"])
    result |= {"rounds": config.rounds, **environment()}
    print_json(json.dumps(result))
    if config.save:
        write_atomically(config.save, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    command_line.run(main, interrupted=command_line.NOTHING_KEPT)
