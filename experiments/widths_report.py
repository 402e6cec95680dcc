"""The ladder of widths as a figure and a page, from `widths.json`."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from be_jax.report.columns import percent
from experiments import ladder
from experiments.small_report import MEASURES, SCALE, controls, interval, made, table


def _steps(record: Mapping[str, Any]) -> ladder.Steps:
    return {f"{told['width']:g}": told for told in record["widths"]}


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """A panel for each measure: positions of every method over the width."""
    return {"widths": ladder.draw(_steps(record), record["config"]["methods"], "width, of the MNIST study's")}


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its caption, a table for all widths, and how far independent networks differ."""
    config, steps = record["config"], _steps(record)
    words = (
        f"Ensembles of {config['members']} of the MNIST study's MLP, all its hidden layers narrower or wider, on "
        f"{config['size']:,} images. {SCALE} The deep ensembles that are set against these are of networks trained "
        "apart; of those in the table, one is trained together (the same batches, each member for itself), one on the "
        "loss of its mixture, and two with a repulsive term between predictions, at the training images or halfway "
        f"between two of them. Intervals are of 95 %, over {config['pool_size']} networks of the pool, "
        f"{len(config['seeds'])} seeds of each method and the test images; they are not corrected for their number. "
        "Where a control fails nothing is said."
    )
    differ = "## How far independent networks differ: mutual information of deep ensembles, nats"
    checked = "\n".join(f"- width {width}: {controls(told)}" for width, told in steps.items())
    parts = ["# Widths: what the size of a network changes about ensembles of it", words, "![widths](widths.png)"]
    parts += [table(["width, method", *MEASURES.values()], ladder.rows(steps)).strip(), differ]
    heads = ["width (weights of a network)", "test", "of the narrowest's", "OOD", "of the narrowest's"]
    parts += [table(heads, list(_epistemic(steps))).strip(), "## Controls, by the primary endpoint", checked]
    return "\n\n".join([*parts, "## How this was made", made(record)]) + "\n"


def _epistemic(steps: ladder.Steps) -> Iterable[list[str]]:
    for width, told in steps.items():
        shown = []
        for of in (told["epistemic"][name] for name in ("test", "ood")):
            shown += [f"{of['value']:.4f}", percent(interval(of["of_narrowest"])) if of["of_narrowest"] else "–"]
        yield [f"{width} ({told['parameters']:,})", *shown]
