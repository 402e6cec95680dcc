"""The phase diagram as a figure and a page, from `phase.json`."""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from be_jax.methods import TABLE
from be_jax.report.columns import percent
from experiments import ladder
from experiments.small_report import MEASURES, SCALE, controls, interval, made, name_of, table


def _steps(record: Mapping[str, Any]) -> ladder.Steps:
    return {f"{told['size']:,}": told for told in record["sizes"]}


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """A panel for each measure: positions of every method over the number of training images."""
    return {"phase": ladder.draw(_steps(record), record["config"]["methods"], "training images")}


def sentences(record: Mapping[str, Any]) -> list[str]:
    """What each BatchEnsemble of the studies recovers at every size."""
    return [_sentence(record, name) for name in record["config"]["methods"] if name in TABLE and TABLE[name].is_subject]


def _sentence(record: Mapping[str, Any], method: str) -> str:
    primary = next(iter(MEASURES))
    found = []
    for size, told in _steps(record).items():
        shown = percent(interval(told["methods"].get(method, {}).get(primary)))
        why = "undertrained" if method in told["undertrained"] else "a control failed" if told["failed"] else shown
        found.append(f"{why} with {size} training images")
    return f"Of the deep ensemble's gain in scaled test NLL {name_of(method)} recovers {', '.join(found)}."


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its caption, and a table for all sizes."""
    config = record["config"]
    checked = "\n".join(f"- {size} images: {controls(told)}" for size, told in _steps(record).items())
    words = (
        f"BatchEnsemble-{config['members']} of the MNIST study's MLP by the number of training images, drawn once for "
        f"each size. {SCALE} Images of a smaller set are repeated, so that an epoch has {config['epoch_images']:,} and "
        f"the number of steps is the same ({config['train']['epochs']} epochs). Intervals are of 95 %, over "
        f"{config['pool_size']} networks of the pool, {len(config['seeds'])} seeds of each method and the test images; "
        "not over draws of the training images, and not corrected for their number. Where a control fails nothing is "
        "said."
    )
    return (
        "\n\n".join(
            [
                "# Phase diagram: how much data makes a BatchEnsemble an ensemble?",
                words,
                "![phase diagram](phase.png)",
                table(["images, method", *MEASURES.values()], ladder.rows(_steps(record))).strip(),
                "## Controls, by the primary endpoint",
                checked,
                "## How this was made",
                made(record),
            ]
        )
        + "\n"
    )
