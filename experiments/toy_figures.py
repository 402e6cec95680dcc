"""Figures and page of the toy: uncertainty over the plane, and what the start of a BatchEnsemble makes of it."""

from collections.abc import Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from be_jax.report.columns import percent
from be_jax.report.figures.illustration import FONT_SIZE, new_figure, tidy
from be_jax.stats import ratio_of_means
from be_jax.stats.means import estimate
from experiments.small_report import made, table

TITLES = {
    "single": "single\nnetwork",
    "mc_dropout": "MC\ndropout",
    "rank_1": "BatchEns.\nrank 1",
    "rank_2": "BatchEns.\nrank 2",
    "rank_3": "BatchEns.\nrank 3",
    "rank_4": "BatchEns.\nrank 4",
    "full_rank": "BatchEns.\nfull rank",
    "rank_1_sign": "BatchEns.\nrank 1, ±1",
    "copies": "copies\n(control)",
    "deep_ensemble": "deep\nensemble",
}
ROWS = {
    "total": ("total entropy", "nats", np.log(5)),
    "epistemic": ("mutual information", "nats", None),
    "disagreement": ("disagreement", "fraction of pairs", None),
}
COLOURS = "magma"  # perceptually uniform, also in grey and without colour vision
MARKERS = "osD^v"

AUTHOR: Mapping[str, Mapping[str, Any]] = {
    "rank_1": {"kernel_distance": (0.51, 0.53), "epistemic": 0.168, "disagreement": 0.137},
    "rank_2": {"kernel_distance": (0.41, 0.43)},
    "rank_4": {"kernel_distance": (0.33, 0.34)},
    "deep_ensemble": {"kernel_distance": (1.00, 0.97), "epistemic": 0.028, "disagreement": 0.044},
}
"""The author's own networks (100 members, cross-entropy, one run each), measured from his checkpoints in the far region
and by the distance of kernels used here.
"""


def draw_surfaces(
    result: Mapping[str, Any], surfaces: Mapping[str, np.ndarray], points: tuple[np.ndarray, np.ndarray]
) -> Figure:
    """Measures as rows, methods as columns, one colour scale a row; the training points, and the mean far from them.

    Args:
      result: the record of the toy.
      surfaces: `[3, points]` of each method, for the first seed.
      points: training inputs and labels of that seed.
    """
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(14.0, 5.4), layout=tight, facecolor="white")
    panels = figure.subplots(len(ROWS), len(surfaces), sharex=True, sharey=True)
    for row, (measure, (title, unit, top)) in enumerate(ROWS.items()):
        scale = mpl.colors.Normalize(0, top or max(float(each[row].max()) for each in surfaces.values()))
        for axes, (method, surface) in zip(panels[row], surfaces.items(), strict=True):
            side = round(len(surface[row]) ** 0.5)
            image = axes.imshow(
                surface[row].reshape(side, side),
                cmap=COLOURS,
                norm=scale,
                origin="lower",
                extent=(-20, 20, -20, 20),
                interpolation="bilinear",
            )
            axes.plot(*points[0].T, ".", color="white", markersize=2.0, alpha=0.9, markeredgewidth=0)
            _note_mean(axes, np.mean(_by_method(result)[method]["far"][measure]))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if row == 0:
                axes.set_title(TITLES[method], fontsize=FONT_SIZE + 2)
        panels[row, 0].set_ylabel(title, fontsize=FONT_SIZE + 2)
        bar = figure.colorbar(image, ax=panels[row], aspect=12, pad=0.005)
        bar.set_label(unit, fontsize=FONT_SIZE + 1)
        bar.ax.tick_params(labelsize=FONT_SIZE)
        bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _note_mean(axes: Axes, mean: float) -> None:
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axes.text(0.04, 0.05, f"far {mean:.2f}", transform=axes.transAxes, fontsize=FONT_SIZE, bbox=box)


def draw_sweep(result: Mapping[str, Any]) -> Figure:
    """Mutual information near and far, of a deep ensemble's with as many members, and the held-out NLL; over starts."""
    config = result["config"]
    positions = {f"normal({std:g})": float(std) for std in config["sweep_stds"]}
    beside = max(positions.values(), default=0.0) + 0.25
    positions["random_sign"] = beside
    figure = new_figure(3.6)
    panels = figure.subplots(1, 3)
    colours = mpl.colormaps["viridis"](np.linspace(0.85, 0.0, len(config["sweep_members"])))
    by_setting = {(each["init"], each["members"]): each for each in result["sweep"]}
    for index, members in enumerate(config["sweep_members"]):
        style = {"color": colours[index], "marker": MARKERS[index % len(MARKERS)], "markersize": 4, "linewidth": 1.3}
        shift = 0.008 * (index - len(colours) / 2)
        for axes, region in zip(panels, ("near", "far"), strict=False):
            deep = by_setting["deep_ensemble", members][region]["epistemic"]
            rows = [
                (x, ratio_of_means(by_setting[init, members][region]["epistemic"], deep))
                for init, x in positions.items()
            ]
            _line(axes, [(x + shift, r.value, r.lower, r.upper) for x, r in rows], style)
        nll = [(x, estimate(by_setting[init, members]["nll"])) for init, x in positions.items()]
        _line(panels[2], [(x + shift, e.mean, e.mean - e.half_width, e.mean + e.half_width) for x, e in nll], style)
    for axes in panels:
        axes.set_xticks([0, 0.5, 1, beside], ["0", "0.5", "1", "±1"])
    for axes, title in zip(panels, ("near the data", "far from the data"), strict=False):
        axes.axhline(1, color="black", linewidth=1, linestyle="--")
        tidy(axes, title=f"Mutual information, {title}", x="std of r, s ~ N(1, std²); ±1: random signs")
    panels[0].set_ylabel("of the deep ensemble's (dashed: 1)", fontsize=FONT_SIZE)
    deep_nll = estimate(_by_method(result)["deep_ensemble"]["nll"]).mean
    panels[2].axhline(deep_nll, color="black", linewidth=1, linestyle="--")
    tidy(
        panels[2],
        title="Held-out NLL",
        x="std of r, s ~ N(1, std²); ±1: random signs",
        y="nats (dashed: deep ensemble)",
    )
    handles = [
        Line2D([], [], color=colour, marker=MARKERS[i % len(MARKERS)], markersize=4, label=f"{members} members")
        for i, (members, colour) in enumerate(zip(config["sweep_members"], colours, strict=True))
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=FONT_SIZE, frameon=False)
    return figure


def _line(axes: Axes, rows: list[tuple[float, float, float, float]], style: Mapping[str, Any]) -> None:
    """Points with intervals, joined but for the last, which is no spread of the normal."""
    x, value, lower, upper = np.array(rows).T
    spread = np.stack([value - lower, upper - value])
    axes.errorbar(x[:-1], value[:-1], yerr=spread[:, :-1], elinewidth=0.8, capsize=1.5, **style)
    axes.errorbar(
        x[-1:], value[-1:], yerr=spread[:, -1:], elinewidth=0.8, capsize=1.5, **{**style, "linestyle": "none"}
    )


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figures with their words, and every method beside the author's networks."""
    config, by_method = record["config"], _by_method(record)
    deep = by_method["deep_ensemble"]["far"]["epistemic"]
    rows = []
    for name, of in by_method.items():
        known = AUTHOR.get(name, {})
        of_deep = "–" if name in ("single", "deep_ensemble") else percent(ratio_of_means(of["far"]["epistemic"], deep))
        distance = " / ".join(f"{np.mean(layer):.2f}" for layer in of["kernel_distance"])
        rows.append(
            [
                TITLES[name].replace("\n", " "),
                f"{estimate(of['nll']).mean:.3f} ± {estimate(of['nll']).half_width:.3f}",
                _beside(np.mean(of["far"]["epistemic"]), known.get("epistemic")),
                of_deep,
                _beside(np.mean(of["far"]["disagreement"]), known.get("disagreement")),
                (distance or "–")
                + (f" ({' / '.join(f'{d:.2f}' for d in known['kernel_distance'])})" if known and distance else ""),
            ]
        )
    heads = [
        "method",
        "held-out NLL",
        "MI far, nats",
        "of the deep ensemble's",
        "disagreement far",
        "kernels, layer 1 / 2",
    ]
    copied = max(max(values) for region in ("near", "far") for values in [by_method["copies"][region]["epistemic"]])
    words = (
        f"{config['members']} members, {len(config['seeds'])} seeds of data and training. Far: at least 10 standard "
        "deviations from every centre. In parentheses the networks of the study's own author (one run each, measured "
        "from his checkpoints). Kernels: mean relative distance of two members' effective kernels. Intervals are of "
        f"95 %, over seeds. Control: copies of one network have a mutual information of at most {copied:.1g} nats."
    )
    parts = [
        "# Toy: where in the plane do members disagree?",
        words,
        "![surfaces](toy.png)",
        table(heads, rows).strip(),
    ]
    return "\n\n".join([*parts, "![over starts](toy_sweep.png)", "## How this was made", made(record)]) + "\n"


def _by_method(record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {each["method"]: each for each in record["methods"]}


def _beside(ours: float, author: float | None) -> str:
    return f"{ours:.3f}" + (f" ({author:.3f})" if author is not None else "")
