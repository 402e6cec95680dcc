"""The figures of the zoo: a row for each method with its worth and its price, and worth over every cost."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT, CARETRIGHT

from be_jax.methods import TABLE, Style
from be_jax.report.figures.illustration import FONT_SIZE, WIDTH, legend_above, new_figure, tidy
from experiments.zoo_worth import COSTS, ENDPOINTS, Cost, relative, worth

FIGURES = ("", "_shift", "_ood")
"""What the names of the figures end with."""

SIZES = (1, 2, 4, 8)
"""Of the deep ensembles on the line."""


BESIDE = 1.03
"""By how much apart marks of one cost stand, so that each is seen."""


ROW = 0.24  # inches
ABOVE, BELOW, OPEN = "#009E73", "#999999", "#000000"
"""A worth above the price, below it, and one that is not told from it."""
PRICES = {"parameters": ("o", "#D55E00"), "FLOPs of a prediction": ("|", "#D55E00")}
"""The marks of what is paid."""


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """By the record's name: what each method is worth and costs in one figure, and one of every cost by endpoint."""
    ends, name = zip(FIGURES, ENDPOINTS, strict=True), record["experiment"]
    return {f"{name}_rows": _rows(record)} | {f"{name}{end}": _figure(record, endpoint) for end, endpoint in ends}


def _figure(record: Mapping[str, Any], endpoint: str) -> Figure:
    costs = {title: cost for title, cost in COSTS.items() if relative(record, "single", cost) is not None}
    figure = new_figure(7.4)
    panels = figure.subplots(2, 2, sharey=True)
    for axes, (title, cost) in zip(panels.flat, costs.items(), strict=False):
        panel(axes, record, endpoint, cost)
        tidy(axes, x=f"{title}, x single")
    for axes in panels[:, 0]:
        axes.set_ylabel(f"worth in networks, by\n{ENDPOINTS[endpoint]}", fontsize=FONT_SIZE)
    for axes in panels.flat[len(costs) :]:
        axes.set_axis_off()
    legend_above(figure, panels.flat[0])
    return figure


def panel(axes: Axes, record: Mapping[str, Any], endpoint: str, cost: Cost) -> None:
    """Worth against a cost, of every method and of the deep ensembles."""
    paid = {size: relative(record, "single" if size == 1 else f"deep_ensemble_{size}", cost) for size in SIZES}
    line = {size: x for size, x in paid.items() if x is not None}
    deep = TABLE["deep_ensemble"].style
    axes.plot(list(line.values()), list(line), color=deep.colour, marker=deep.marker, label="deep ensembles of 1 to 8")
    taken: list[float] = []
    for name, fields in record["styles"].items():
        style, found, x = Style(**fields), worth(record, name, endpoint), relative(record, name, cost)
        if name == "single" or found is None or x is None:
            continue
        alike = [other for other in taken if abs(math.log(x / other)) < 0.01]
        taken.append(x)
        x *= BESIDE ** ((len(alike) + 1) // 2 * (-1) ** len(alike))
        low, high = (end if end == end else found.value for end in (found.lower, found.upper))
        axes.plot([x, x], [low, high], color=style.colour, linewidth=1)
        filled = name not in record["undertrained"]
        axes.plot(
            [x],
            [found.value],
            color=style.colour,
            marker=style.marker,
            markerfacecolor=style.colour if filled else "white",
            linestyle="none",
            label=record["labels"][name],
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.set_xticks([1, 2, 4, 8, 16, 32], ["1", "2", "4", "8", "16", "32"])
    axes.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axes.minorticks_off()


def _rows(record: Mapping[str, Any]) -> Figure:
    """A panel for each endpoint; methods in the order of their worth by the first, beside a deep ensemble."""
    names = [name for name in record["equivalents"] if name != "single"]
    first = {name: worth(record, name, next(iter(ENDPOINTS))) for name in names}
    names.sort(key=lambda name: found.value if (found := first[name]) else 0.0)
    size, deep = record["config"]["members"], TABLE["deep_ensemble"].style
    figure = Figure(figsize=(WIDTH, 1.7 + ROW * len(names)), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(ENDPOINTS), sharey=True)
    for axes, (endpoint, title) in zip(panels, ENDPOINTS.items(), strict=True):
        for row, name in enumerate(names):
            _row(axes, record, name, endpoint, row)
        _prices(axes, record, f"deep_ensemble_{size}", len(names))
        axes.plot([size], [len(names)], color=deep.colour, marker=deep.marker, linestyle="none")
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        axes.set(xlim=(0.85, 18.0), ylim=(-0.7, len(names) + 0.7))
        axes.minorticks_off()
        tidy(axes, title=f"by {title}", x="independent networks")
    labels = [*(record["labels"][name] for name in names), f"deep ensemble of {size}"]
    panels[0].set_yticks(range(len(labels)), labels, fontsize=FONT_SIZE)
    for colour, words in ((ABOVE, "worth more than its FLOPs"), (BELOW, "worth less"), (OPEN, "not told")):
        panels[0].plot([], [], color=colour, marker="s", markersize=4, label=f"{words}")
    for title, (marker, colour) in PRICES.items():
        panels[0].plot([], [], color=colour, marker=marker, fillstyle="none", linestyle="none", label=f"price: {title}")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=FONT_SIZE - 1, frameon=False)
    return figure


def _prices(axes: Axes, record: Mapping[str, Any], name: str, row: int) -> None:
    for title, (marker, colour) in PRICES.items():
        price = relative(record, name, COSTS[title]) or 0.0
        axes.plot([price], [row], color=colour, marker=marker, fillstyle="none", markersize=8, linestyle="none")


def _row(axes: Axes, record: Mapping[str, Any], name: str, endpoint: str, row: int) -> None:
    _prices(axes, record, name, row)
    found = worth(record, name, endpoint)
    if found is None:
        return
    low, high = (end if end == end else found.value for end in (found.lower, found.upper))
    paid = max(1.0, relative(record, name, COSTS["FLOPs of a prediction"]) or 0.0)
    colour = ABOVE if low > paid else BELOW if high < paid else OPEN
    axes.plot([low, high], [row, row], color=colour, linewidth=1.6)
    filled = "white" if name in record["undertrained"] else colour
    ends: dict[str, Any] = {"<": CARETLEFT, ">": CARETRIGHT}
    axes.plot(
        [found.value], [row], color=colour, marker=ends.get(found.beyond, "s"), markerfacecolor=filled, markersize=5
    )
    for end, cut, arrow in ((low, low <= 1, CARETLEFT), (high, high >= found.largest, CARETRIGHT)):
        if cut and not found.beyond:
            axes.plot([end], [row], color=colour, marker=arrow, markersize=4)
