"""What an ensemble costs: parameters, operations, memory and seconds of every method, relative to a single network.

    python -m experiments.cost --networks mlp lenet                  # some minutes on two CPU cores
    python -m experiments.cost --no-times                            # counted and compiled, nothing run
    python -m experiments.cost --model my_module:build --input-shape 32 32 3
    python -m experiments.cost --dtypes float32 bfloat16 --out cost.json

FLOPs and bytes are XLA's count of a program before any fusion, the same on every machine. Memory is that of the program
compiled for this device. Seconds are medians after a warm-up, of a prediction of one example and of a batch, of a
training step and of compilation; how near they are to the limit says the share of the matmul rate, which is measured in
the same run. What does not fit is skipped, and named. Ends with a table for each network and, with `--out`, its JSON
file, a page and a figure beside it.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import jax
import rich
import tyro
from rich.console import Console

from be_jax.config import check
from be_jax.cost import matmul_rate
from be_jax.files import replacing, write_atomically
from be_jax.report.terminal import fitted
from be_jax.study import provenance
from be_jax.study.progress import progress_bars
from experiments import command_line
from experiments.common import check_chosen
from experiments.cost.figure import draw
from experiments.cost.measure import Settings, costs
from experiments.cost.result import SINGLE, Result, Skipped
from experiments.cost.shown import markdown, tables
from experiments.cost.subjects import METHODS, NETWORKS, Network, users_network

DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Config:
    """Attributes:
    networks: which to measure; all where it is empty, and none of ours with `model`.
    methods: which to measure; all where it is empty.
    dtypes: of the computation.
    model: a network of your own, `module:function`; the function takes no argument and builds a flax.linen module.
    input_shape: of one of its inputs, without batch axis.
    members: m.
    batch: examples of a prediction, and for each member those of a step.
    times: whether programs are timed, or only counted and compiled.
    rounds: calls that are timed.
    at_most_s: seconds after which no further round of a program begins.
    out: JSON file to write; a page (.md) and a figure (.png) are put beside it.
    """

    networks: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ("float32",)
    model: str | None = None
    input_shape: tuple[int, ...] = ()
    members: int = 4
    batch: int = 128
    times: bool = True
    rounds: int = 20
    at_most_s: float = 20.0
    out: Path | None = None

    def __post_init__(self) -> None:
        check_chosen("networks", self.networks or tuple(NETWORKS), tuple(NETWORKS))
        check_chosen("methods", self.methods or tuple(METHODS), tuple(METHODS))
        check_chosen("dtypes", self.dtypes, DTYPES)
        for name in ("members", "batch", "rounds"):
            check(getattr(self, name) >= 1, name, getattr(self, name), "an integer >= 1")
        check(self.at_most_s >= 0, "at_most_s", self.at_most_s, "a number >= 0")
        whole = all(size >= 1 for size in self.input_shape)
        wanted = "the shape of one input, such as 32 32 3, with model, and only there"
        check(whole and bool(self.input_shape) == (self.model is not None), "input_shape", self.input_shape, wanted)
        suffix_fits = self.out is None or self.out.suffix == ".json"
        check(suffix_fits, "out", self.out, "a file named *.json")

    @property
    def settings(self) -> Settings:
        return Settings(self.members, self.batch, self.times, self.rounds, self.at_most_s)

    @property
    def subjects(self) -> dict[str, Network]:
        """The networks to measure, by name."""
        if self.model is not None:
            return {self.model: users_network(self.model, self.input_shape)}
        return {name: NETWORKS[name] for name in self.networks or NETWORKS}


def measure(
    config: Config,
    on_each: Callable[[Result], None] = lambda _: None,
    has_time: Callable[[], bool] = lambda: True,
) -> Result:
    """The costs of every network, method and dtype.

    Args:
      config: what to measure.
      on_each: is given the result after each method.
      has_time: where it says no, what is left is skipped.
    """
    subjects, methods = config.subjects, config.methods or tuple(METHODS)
    rates = {dtype: matmul_rate(dtype) for dtype in config.dtypes} if config.times else {}
    result = Result(config.settings, provenance("experiments.cost"), rates)
    todo = [(name, dtype, method) for name in subjects for dtype in config.dtypes for method in methods]
    with progress_bars() as progress:
        task = progress.add_task("", total=len(todo))
        for name, dtype, method in todo:
            progress.update(task, description=f"{name}, {dtype}, {method}")
            try:
                if not has_time():
                    raise ValueError("no time was left")
                found = costs(name, subjects[name], METHODS[method], dtype, config.settings)
                result = dataclasses.replace(result, costs=(*result.costs, found))
            except ValueError as error:
                skipped = Skipped(name, method, dtype, str(error))
                result = dataclasses.replace(result, skipped=(*result.skipped, skipped))
                progress.console.print(f"[yellow]{name}, {dtype}, {method} is skipped: {error}")
            on_each(result)
            progress.advance(task)
    return result


def show(result: Result, out: Path | None, console: Console | None = None) -> None:
    """Prints the tables, and writes the files."""
    console = console or Console()
    for table in tables(result, compact=True):
        console.print()
        console.print(fitted(table, console))
    if out is None:
        return
    result.save(out)
    page, figure = out.with_suffix(".md"), out.with_suffix(".png")
    drawn = any(costs.method == SINGLE for costs in result.costs)
    write_atomically(page, markdown(result, figure.name if drawn else ""))
    if drawn:
        with replacing(figure) as file:
            draw(result).savefig(file, dpi=110)
    written = [out, page, *([figure] if drawn else [])]
    console.print("\nwritten: " + ", ".join(map(str, written)))


def main() -> None:
    config = tyro.cli(Config, description=__doc__)
    kind = jax.local_devices()[0].device_kind
    rich.print(f"[bold]{kind}[/bold], m = {config.members}, batches of {config.batch}")
    if config.out is not None:
        config.out.parent.mkdir(parents=True, exist_ok=True)
    show(measure(config), config.out)


if __name__ == "__main__":
    command_line.run(main, interrupted=command_line.NOTHING_KEPT)
