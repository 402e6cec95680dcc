"""The ablation as a figure and as a table, drawn from the record in `ablation.json`."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from be_jax.report.figures.illustration import new_figure, tidy
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE
from experiments.recovery import MEASURES, bound_text, diverged_note

SHOWN = {
    "nll": ("gain recovered,\nNLL", (-1.0, 1.5)),
    "epistemic": ("diversity ratio,\nmutual information", (-0.1, 2.0)),
    "ood_auroc": ("gain recovered,\nOOD AUROC", (-0.5, 1.5)),
}
"""Measures that are drawn, each with its title and the range of its axis."""

COLOUR, REFERENCE_COLOUR = "#0072B2", "#D55E00"

Row = Mapping[str, Any]


def draw(record: Mapping[str, Any]) -> Figure:
    """A row for each setting, a panel for each measure and for accuracy; dots are means, bars 95 % intervals."""
    rows = [row for row in record["settings"] if row["switch"] not in (SINGLE, DEEP_ENSEMBLE)]
    heights = _heights(rows)
    figure = new_figure(1.6 + 0.22 * heights[0])
    panels = figure.subplots(1, len(SHOWN) + 1, sharey=True)
    for axes, (measure, (title, limits)) in zip(panels, SHOWN.items(), strict=False):
        for row, height in zip(rows, heights, strict=True):
            _dot(axes, row["recovered"][measure], height, _colour(row, rows[0]))
        axes.axvline(0, color="black", linewidth=1, linestyle=":")
        axes.axvline(1, color="black", linewidth=1, linestyle="--")
        tidy(axes, title=title, x="0: single, 1: deep")
        axes.set_xlim(*limits)
    _draw_accuracy(panels[-1], record, rows, heights)
    panels[0].set_yticks(heights, [_name(row) for row in rows])
    panels[0].get_yticklabels()[0].set_color(REFERENCE_COLOUR)
    return figure


def _draw_accuracy(axes: Axes, record: Mapping[str, Any], rows: Sequence[Row], heights: Sequence[float]) -> None:
    for row, height in zip(rows, heights, strict=True):
        mean, half_width = row["means"]["accuracy"]
        interval = {"value": 100 * mean, "lower": 100 * (mean - half_width), "upper": 100 * (mean + half_width)}
        _dot(axes, interval, height, _colour(row, rows[0]))
    for switch, line in ((SINGLE, ":"), (DEEP_ENSEMBLE, "--")):
        first = next(row for row in record["settings"] if row["switch"] == switch)
        axes.axvline(100 * first["means"]["accuracy"][0], color="black", linewidth=1, linestyle=line)
    members = record["config"]["members"]
    tidy(axes, title="accuracy\n", x=f"%; dotted: single,\ndashed: deep ensemble-{members}")


def _dot(axes: Axes, interval: Mapping[str, Any], height: float, colour: str) -> None:
    if "undefined" in interval:
        return
    axes.plot([interval["lower"], interval["upper"]], [height, height], color=colour, linewidth=1.2)
    axes.plot(interval["value"], height, "o", color=colour, markersize=4)


def _colour(row: Row, reference: Row) -> str:
    return REFERENCE_COLOUR if row is reference else COLOUR


def _heights(rows: Sequence[Row]) -> list[float]:
    """From the top down to 0, with a gap where the switch changes."""
    steps = [1.6 if a["switch"] != b["switch"] else 1.0 for a, b in itertools.pairwise(rows)]
    depths = np.cumsum([0.0, *steps])
    return list(depths[-1] - depths)


def _name(row: Row) -> str:
    name = f"{row['switch']}: {row['value']}"
    return name if row["network"] == "MLP" else f"{row['network']}, {name}"


def caption(record: Mapping[str, Any]) -> str:
    """What the figure shows, and what it does not."""
    config = record["config"]
    return (
        f"One switch of a BatchEnsemble at a time, on {record['data']}. The orange row is the study's BatchEnsemble "
        f"(N(1, 0.5), rank 1, {config['members']} members); every other row differs from it in what it names, and the "
        "LeNet's also in the network, which is then that of the single network and the deep ensemble too. Dots are "
        "the part of the deep ensemble's gain over a single network that is recovered, the ratio of mutual information "
        "on test data to the deep ensemble's, and accuracy. 0 (dotted) is a single network, 1 (dashed) a deep ensemble "
        "of as many members. OOD AUROC is that of detection by maximum probability. "
        f"Lines are 95 % intervals over {len(config['seeds'])} seeds, "
        "cut where they leave the frame. A row without a dot is undefined, as the deep ensemble and the single network "
        "do not differ measurably. Two rows vary the deep ensemble, and compare it with the default one. It does not "
        "show interactions between switches, or the uncertainty that comes from the test set, which all seeds share. "
        "Lines of accuracy are the MLP's. The learning rate of the kernels was tuned for no row, and intervals are not "
        "corrected for their number."
    )


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its caption, and all settings as a table."""
    lines = [["setting", *MEASURES.values(), "accuracy %", "NLL", "parameters"], ["---", *("---:" for _ in range(7))]]
    for row in record["settings"]:
        ratios = [_ratio(row["recovered"][measure]) for measure in MEASURES]
        accuracy, nll = row["means"]["accuracy"], row["means"]["nll"]
        scores = [f"{100 * accuracy[0]:.1f} ± {100 * accuracy[1]:.1f}", f"{nll[0]:.3f} ± {nll[1]:.3f}"]
        lines.append([_name(row) + diverged_note(row), *ratios, *scores, f"{row['parameters']:,}"])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"![ablation](ablation.png)\n\n{caption(record)}\n\n{table}\n"


def _ratio(ratio: Mapping[str, Any]) -> str:
    if "undefined" in ratio:
        return "undefined"
    return f"{ratio['value']:.2f} [{bound_text(ratio['lower'])}, {bound_text(ratio['upper'])}]"
