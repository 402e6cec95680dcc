"""Benchmark: one training epoch of the BatchEnsemble MLP on 60,000 images, against a plain eager PyTorch loop.

    python -m experiments.bench.epoch                                   # ours alone, about 1 minute
    python -m experiments.bench.epoch --torch-python /path/to/python    # with the ratio; that Python needs torch

Both train 784-64-32-16-10 with m = 4, r, s ~ N(1, 0.5), batch 128 seen by every member, dropout 0.05 and Adam, from
uint8 pixels in memory, and take turns in one run. The pixels are noise: time does not depend on them. Expected on two
CPU cores: a ratio of at most 0.40 (`experiments/results/bench_epoch.json`).
"""

import dataclasses
import json
import time
from contextlib import nullcontext
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich import print_json

from be_jax import batch_ensemble, models
from be_jax.config import TrainConfig
from be_jax.epochs import resident_epoch
from be_jax.files import write_atomically
from be_jax.fit import pad
from be_jax.parallel import DATA_AXIS, replicate
from be_jax.study import environment
from be_jax.train import make_trainer
from experiments import command_line
from experiments.bench.peer import Peer
from experiments.mnist import preprocess

NUM_IMAGES = 60_000
SCRIPT = Path(__file__).with_name("epoch_torch.py")


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    rounds: epochs timed of each; the median counts.
    num_seeds: seeds trained together in one program.
    torch_python: interpreter with torch, or None to leave the comparison out.
    save: where to write the result as JSON.
    """

    rounds: int = 5
    num_seeds: int = 1
    torch_python: Path | None = None
    save: Path | None = None


def make_epoch(num_seeds: int):  # type: ignore[no-untyped-def]
    """A function that trains one more epoch, as one compiled program, with no transfer from or to the host."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_IMAGES, 28, 28, 1), dtype=np.uint8)
    labels = rng.integers(0, 10, NUM_IMAGES).astype(np.int32)
    ensemble = batch_ensemble(models.MLP(dropout_rate=0.05), members=4, init="normal")
    trainer = make_trainer(ensemble, TrainConfig(), NUM_IMAGES, preprocess, DATA_AXIS)
    devices = jax.local_devices()[:1]
    seeds = jnp.arange(num_seeds, dtype=jnp.uint32)
    state = jax.jit(jax.vmap(trainer.init, (0, None)))(seeds, images[:1])
    run = resident_epoch(trainer, num_seeds, devices, "batch")
    seeds, state, *data = replicate((seeds, state, images, labels, pad(images[:1000], labels[:1000], 1000)), devices)

    def one_more() -> None:
        nonlocal state
        with jax.transfer_guard("disallow"):
            state, _ = run(seeds, state, *data)
        jax.block_until_ready(state)

    return one_more


def seconds_of(function) -> float:  # type: ignore[no-untyped-def]
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    ours = make_epoch(config.num_seeds)
    compile_seconds = seconds_of(ours)
    ours_seconds, torch_seconds = [], []
    with Peer(config.torch_python, SCRIPT, str(NUM_IMAGES)) if config.torch_python else nullcontext() as peer:
        for _ in range(config.rounds):
            ours_seconds.append(seconds_of(ours) / config.num_seeds)
            if peer:
                torch_seconds.append(peer.seconds("epoch"))
    result = {
        "seconds_per_epoch_and_seed": round(float(np.median(ours_seconds)), 3),
        "num_seeds": config.num_seeds,
        "first_call_seconds": round(compile_seconds, 1),
        **environment(),
    }
    if torch_seconds:
        ratios = np.divide(ours_seconds, torch_seconds)
        result |= {
            "torch_seconds_per_epoch": round(float(np.median(torch_seconds)), 3),
            "ratio": round(float(np.median(ratios)), 3),
            "ratio_range": [round(float(ratios.min()), 3), round(float(ratios.max()), 3)],
        }
    print_json(json.dumps(result))
    if config.save:
        write_atomically(config.save, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    command_line.run(main, interrupted=command_line.NOTHING_KEPT)
