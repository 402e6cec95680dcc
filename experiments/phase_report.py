"""The phase diagram as a figure and a page, from `phase.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from be_jax.report.figures.illustration import apart, legend_above, new_figure, tidy
from be_jax.stats.controls import NEGATIVE
from experiments.small_report import MEASURES, SCALE, bar, cells, controls, interval, looks, made, name_of, table

VIEW = (-1.5, 2.5)


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """A panel for each measure: positions of every method over the number of training images."""
    figure = new_figure(6.6)
    methods = ("copies", *record["config"]["methods"])
    sizes = [each["size"] for each in record["sizes"]]
    for axes, (endpoint, title) in zip(figure.subplots(2, 2).flat, MEASURES.items(), strict=True):
        for shift, (method, style) in zip(apart(len(methods), 0.11), looks(methods).items(), strict=True):
            shown = [_position(each, method, endpoint) for each in record["sizes"]]
            at = np.arange(len(sizes)) + shift
            for place, position in zip(at, shown, strict=True):
                bar(axes, place, position, *VIEW, style)
            values = [each.value if each.pieces else np.nan for each in shown]
            axes.plot(at, values, color=style.colour, linewidth=0.8, alpha=0.5)
            axes.plot([], [], color=style.colour, marker=style.marker, label=name_of(method))
        for level in (0, 1):
            axes.axhline(level, color="black", linewidth=0.9, linestyle=":" if level == 0 else "--")
        axes.set(ylim=VIEW)
        axes.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
        tidy(axes, title=title, x="training images")
    legend_above(figure, figure.axes[0])
    return {"phase": figure}


def _position(told: Mapping[str, Any], method: str, endpoint: str) -> Any:
    """Of the negative control, which is drawn where it failed too, by the primary endpoint alone."""
    if method == "copies":
        return interval(told["controls"][NEGATIVE] if endpoint == next(iter(MEASURES)) else None)
    return interval(None if method in told["undertrained"] else told["methods"].get(method, {}).get(endpoint))


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its caption, and a table for all sizes."""
    rows = []
    for told in record["sizes"]:
        size = f"{told['size']:,}"
        if told["failed"]:
            rows.append([f"{size}: control failed ({told['failed']})", *("" for _ in MEASURES)])
            continue
        for method, of in told["methods"].items():
            if method in told["undertrained"]:
                rows.append([f"{size}, {name_of(method)}: undertrained", *("" for _ in MEASURES)])
            else:
                rows.append([f"{size}, {name_of(method)}", *cells(of)])
    config = record["config"]
    checked = "\n".join(f"- {told['size']:,} images: {controls(told)}" for told in record["sizes"])
    words = (
        f"BatchEnsemble-{config['members']} of the MNIST study's MLP by the number of training images, drawn once for "
        f"each size. {SCALE} Of a smaller set images are repeated until an epoch takes {config['epoch_images']:,}, for "
        f"{config['train']['epochs']} epochs. Intervals are of 95 %, over {config['pool_size']} networks of the pool, "
        f"{len(config['seeds'])} seeds of each method and the test images; not over draws of the training images, and "
        "not corrected for their number. Where a control fails nothing is said."
    )
    return (
        "\n\n".join(
            [
                "# Phase diagram: how much data makes a BatchEnsemble an ensemble?",
                words,
                "![phase diagram](phase.png)",
                table(["images, method", *MEASURES.values()], rows).strip(),
                "## Controls, by the primary endpoint",
                checked,
                "## How this was made",
                made(record),
            ]
        )
        + "\n"
    )
