"""What an accelerator says of the library, in at most 8 minutes and in the order of what matters most.

    python -m experiments.bench.device_check --out device.json --images cifar10.npz
    python -m experiments.bench.device_check --out device.json --minutes 4        # a CPU does less by itself

1. `devices`: devices, versions, and the rate of a matrix product.
2. `tests`: `pytest -m device`, the tests that need no file, in a process of their own.
3. `costs`: the table of costs for ResNet-18 and WideResNet-28-10 in float32 and bfloat16.
4. `epochs`: ten epochs of ResNet-18, single and BatchEnsemble, on the images of `--images` (an .npz file with `images`
   [n, 32, 32, 3] uint8 and `labels` [n]), or else on random ones.

Each part has its share of the time, leaves out what it has none left for, and says so; what is being compiled when the
time is over still ends. The file is written anew after
everything that was found, so that one cut short still says what it has; a part that fails leaves its error there.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich import print as say

from be_jax import batch_ensemble, single
from be_jax.config import check
from be_jax.cost import matmul_rate
from be_jax.data import crop_and_flip
from be_jax.fit import pad
from be_jax.runs import write_atomically
from be_jax.study import provenance
from be_jax.train import make_trainer
from experiments import cifar10, command_line
from experiments.bench.device_size import Size, size_of
from experiments.cifar10_config import PUBLISHED
from experiments.common import check_chosen
from experiments.cost import __main__ as cost

PARTS = ("devices", "tests", "costs", "epochs")
ENDS = {"devices": 0.1, "tests": 0.35, "costs": 0.7, "epochs": 1.0}
"""When each part must have ended, of all the time."""

REPOSITORY = Path(__file__).parents[2]

SMALLEST = 300
"""Images, at least: for batches of 128, and the tenth that is kept for validation."""


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    out: JSON file to write.
    images: .npz file with `images` [n, 32, 32, 3] uint8 and `labels` [n]; random ones where it is not given.
    minutes: for everything.
    parts: which to do.
    small: small networks and few images; where it is not given, on a CPU.
    """

    out: Path
    images: Path | None = None
    minutes: float = 8.0
    parts: tuple[str, ...] = PARTS
    small: bool | None = None

    def __post_init__(self) -> None:
        check_chosen("parts", self.parts, PARTS)
        check(self.minutes > 0, "minutes", self.minutes, "a number > 0")


class Record:
    """What was found so far, on disk."""

    def __init__(self, config: Config) -> None:
        self._path = config.out
        self._found: dict[str, Any] = {}
        self._began, self._seconds = time.monotonic(), 60 * config.minutes

    def put(self, name: str, value: Any) -> None:
        """Keeps what a part has found, in the place of what it had found before."""
        self._found[name] = value
        write_atomically(self._path, json.dumps({**self._found, "seconds": round(self.gone(), 1)}, indent=1) + "\n")

    def gone(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def left(self, part: str) -> float:
        """Seconds that a part still has."""
        return ENDS[part] * self._seconds - self.gone()

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """A part whose failure the others survive."""
        say(f"[bold]{name}[/bold] ({self.gone():.0f} s gone)")
        try:
            yield
        except Exception as error:  # whatever a device does, the other parts are worth having
            self.put(f"{name}_error", f"{type(error).__name__}: {error}")
            say(f"[red]{name}: {type(error).__name__}: {error}")


# Until the tests have run, this process leaves the device to theirs: a TPU, or a GPU's memory, has one owner.
ASKED = "import json; from be_jax.study import environment; print(json.dumps(environment()))"


def ask_devices(record: Record) -> dict[str, Any]:
    """Devices and versions, from a process of their own.

    Raises:
      RuntimeError: with what that process said, where it failed.
    """
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=max(1.0, record.left("tests")),
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    record.put("devices", found)
    return found


def run_tests(record: Record, arguments: tuple[str, ...]) -> None:
    """`pytest -m device`, with float32 products in float32."""
    variables = {"JAX_DEFAULT_MATMUL_PRECISION": "highest", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "pytest", "-m", "device", "-n", "0", "-q", "--maxfail=20", *arguments]
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=max(1.0, record.left("tests")))
        except subprocess.TimeoutExpired:
            process.kill()
            printed, _ = process.communicate()
    record.put(
        "tests",
        {
            "whole": process.returncode >= 0,
            "passed": process.returncode == 0,
            "seconds": round(time.monotonic() - began, 1),
            "end_of_output": printed[-4000:],
        },
    )


def measure_costs(record: Record, configs: tuple[cost.Config, ...]) -> None:
    """The tables, one after the other, kept after every method."""
    done: list[dict[str, Any]] = []
    for config in configs:
        result = cost.measure(
            config,
            on_each=lambda result: record.put("costs", [*done, result.as_json()]),
            has_time=lambda: record.left("costs") > 0,
        )
        cost.show(result, None)
        done.append(result.as_json())


class Images(NamedTuple):
    """Images `[n, 32, 32, 3]` uint8, labels `[n]` int32, and what they are."""

    images: np.ndarray
    labels: np.ndarray
    what: str


def load_images(path: Path | None) -> Images:
    """The images of a file, or as many random ones as CIFAR-10 has.

    Raises:
      ConfigError: the file does not hold what it must.
      OSError: it cannot be read.
    """
    if path is None:
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (50_000, 32, 32, 3), dtype=np.uint8)
        labels = rng.integers(0, 10, len(images), dtype=np.int32)
        return Images(images, labels, "random: accuracies mean nothing")
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
    wanted = f"a file with images, uint8 [n >= {SMALLEST}, 32, 32, 3], and labels [n] in 0 to 9"
    holds = {name: f"{array.dtype} {list(array.shape)}" for name, array in arrays.items()}
    check({"images", "labels"} <= set(arrays), "images", holds, wanted)
    images, labels = arrays["images"], arrays["labels"]
    fits = images.dtype == np.uint8 and images.shape[1:] == (32, 32, 3) and len(images) >= SMALLEST
    fits &= labels.shape == (len(images),) and labels.min() >= 0 and labels.max() <= 9
    check(fits, "images", holds, wanted)
    return Images(images, labels.astype(np.int32), path.name)


def train_epochs(record: Record, data: Images, size: Size, epochs: int = 10) -> None:
    """Ten epochs of each, one program an epoch; kept after every epoch."""
    images, labels = data.images[: size.examples], data.labels[: size.examples]
    held_out = len(images) // 10
    validation = pad(images[:held_out], labels[:held_out], min(held_out, 1000))
    images, labels = jax.device_put((images[held_out:], labels[held_out:]))
    found: dict[str, Any] = {"images": data.what, "training_images": len(images)}
    train = dataclasses.replace(PUBLISHED, epochs=epochs, milestones=(5, 8))
    model = size.network(dtype=jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16)
    for name, ensemble in {"single": single(model), "batch_ensemble": batch_ensemble(model, 4)}.items():
        if record.left("epochs") < 0:
            found[name] = {"note": "no time was left"}
            record.put("epochs", found)
            continue
        trainer = make_trainer(ensemble, train, len(images), cifar10.preprocess, augment=crop_and_flip)
        seed, began = jnp.uint32(0), time.monotonic()
        state = jax.jit(trainer.init)(seed, images[:1])
        epoch = jax.jit(trainer.epoch, donate_argnums=1).lower(seed, state, images, labels, validation).compile()
        found[name] = {"compilation_s": round(time.monotonic() - began, 1), "epochs": []}
        for _ in range(epochs):
            if record.left("epochs") < 0:
                found[name]["note"] = "no time was left for more epochs"
                break
            began = time.monotonic()
            state, metrics = epoch(seed, state, images, labels, validation)
            values = {key: float(value) for key, value in metrics._asdict().items()}
            found[name]["epochs"].append({"seconds": round(time.monotonic() - began, 3), **values})
            record.put("epochs", found)
        record.put("epochs", found)


def device_check(config: Config) -> None:
    """Does what there is time for.

    Raises:
      ConfigError: the file of images does not hold what it must.
    """
    record, data, small = Record(config), load_images(config.images), config.small
    if "devices" in config.parts:
        with record.part("devices"):
            found = ask_devices(record)
            small = found["devices"].endswith("x cpu") if small is None else small
    if "tests" in config.parts:
        with record.part("tests"):
            run_tests(record, size_of(small is True).tests)
    small = jax.default_backend() == "cpu" if small is None else small
    size = size_of(small)
    record.put("provenance", provenance("experiments.bench.device_check"))
    record.put("matmul_rates", {dtype: matmul_rate(dtype) for dtype in cost.DTYPES})
    if "costs" in config.parts:
        with record.part("costs"):
            measure_costs(record, size.costs)
    if "epochs" in config.parts:
        with record.part("epochs"):
            train_epochs(record, data, size)
    say(f"{config.out}: {record.gone():.0f} s")


def main() -> None:
    device_check(tyro.cli(Config, description=__doc__))


if __name__ == "__main__":
    command_line.run(main, interrupted=command_line.NOTHING_KEPT)
