"""The figures of the zoo: a row for each method with its worth and its price, and worth over every cost."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT, CARETRIGHT

from be_jax.methods import TABLE, Style
from be_jax.report.figures.illustration import FONT_SIZE, WIDTH, legend_above, new_figure, tidy
from experiments.zoo_worth import COSTS, ENDPOINTS, Cost, paid, relative, worth

FIGURES = ("", "_shift", "_ood")
"""What the names of the figures end with."""

SIZES = (1, 2, 4, 8)
"""Of the deep ensembles on the line."""


BESIDE = 1.03
"""By how much apart marks of one cost stand, so that each is seen."""


ROW = 0.3  # inches
ABOVE, BELOW, OPEN = "#0072B2", "#8C8C8C", "#000000"
LEGEND = {
    ABOVE: "worth more than its FLOPs",
    BELOW: "worth less than its FLOPs",
    OPEN: "undecided: its FLOPs are in the interval",
}
"""Of a worth and the FLOPs of a prediction."""
PRICES = {"parameters": ("o", 4), "FLOPs of a prediction": ("|", 6)}
"""The marks of what is paid, and their sizes."""
PRICE, LOWER = "#D55E00", 0.27
"""Their colour, and by how much they stand below a worth, in rows."""


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """By the record's name: what each method is worth and costs in one figure, and one of every cost by endpoint."""
    ends, name = zip(FIGURES, ENDPOINTS, strict=True), record["experiment"]
    return {f"{name}_rows": _rows(record)} | {f"{name}{end}": _figure(record, endpoint) for end, endpoint in ends}


def _figure(record: Mapping[str, Any], endpoint: str) -> Figure:
    costs = paid(record)
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
    prices = {size: relative(record, "single" if size == 1 else f"deep_ensemble_{size}", cost) for size in SIZES}
    line = {size: x for size, x in prices.items() if x is not None}
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
    """A panel for each endpoint; methods in the order of their gain by the first, below a deep ensemble."""
    first, size, last = next(iter(ENDPOINTS)), record["config"]["members"], LARGEST_PRICE
    names = [name for name in record["equivalents"] if name != "single"]
    names.sort(key=lambda name: gain(record, name, first))
    figure = Figure(figsize=(WIDTH, 1.8 + ROW * len(names)), layout="constrained", facecolor="white")
    panels = figure.subplots(1, len(ENDPOINTS), sharey=True)
    for axes, (endpoint, title) in zip(panels, ENDPOINTS.items(), strict=True):
        for row, name in enumerate(names):
            _prices(axes, record, name, row)
            _worth(axes, record, name, endpoint, row)
        _prices(axes, record, f"deep_ensemble_{size}", len(names))
        axes.plot([size], [len(names)], color=OPEN, marker="D", markersize=5, fillstyle="none", linestyle="none")
        for end in (1, largest(record)):
            axes.axvline(end, color="black", linewidth=0.8, linestyle=":")
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 2, 4, 8, last], ["1", "2", "4", "8", str(last)])
        axes.set(xlim=(0.8, 1.15 * last), ylim=(-0.8, len(names) + 0.7))
        axes.minorticks_off()
        tidy(axes, title=title, x="independent networks")
    labels = [*(record["labels"][name] for name in names), f"deep ensemble of {size} (by definition)"]
    panels[0].set_yticks(range(len(labels)), labels, fontsize=FONT_SIZE)
    key = panels[0]
    for colour, words in LEGEND.items():
        key.plot([], [], color=colour, marker="s", markersize=4, label=words)
    key.plot([], [], color=OPEN, marker=CARETRIGHT, linestyle="none", label="beyond the scale")
    for title, (marker, points) in PRICES.items():
        key.plot([], [], color=PRICE, label=f"price: {title}", **_mark(marker, points))
    handles, words = key.get_legend_handles_labels()
    figure.legend(handles, words, loc="outside upper center", ncols=3, fontsize=FONT_SIZE - 1, frameon=False)
    return figure


LARGEST_PRICE = 16
"""What costs more is not shown."""


def gain(record: Mapping[str, Any], name: str, endpoint: str) -> float:
    """Where a method stands by an endpoint; below all others where it was not judged."""
    found = record["methods"].get(name, {}).get(endpoint)
    return -math.inf if found is None or found["value"] is None else float(found["value"])


def largest(record: Mapping[str, Any]) -> int:
    """Size of the largest deep ensembles on the scale."""
    return next(each["largest"] for of in record["equivalents"].values() for each in of.values())


def _mark(marker: str, points: int) -> dict[str, Any]:
    return {"marker": marker, "markersize": points, "fillstyle": "none", "linestyle": "none"}


def _prices(axes: Axes, record: Mapping[str, Any], name: str, row: int) -> None:
    for title, (marker, points) in PRICES.items():
        price = relative(record, name, COSTS[title]) or 0.0
        axes.plot([price], [row - LOWER], color=PRICE, **_mark(marker, points))


def _worth(axes: Axes, record: Mapping[str, Any], name: str, endpoint: str, row: int) -> None:
    found = worth(record, name, endpoint)
    if found is None:
        return
    low, high = (end if end == end else found.value for end in (found.lower, found.upper))
    price = max(1.0, relative(record, name, COSTS["FLOPs of a prediction"]) or 0.0)
    colour = ABOVE if low > price else BELOW if high < price else OPEN
    axes.plot([low, high], [row, row], color=colour, linewidth=1.0 if colour == OPEN else 1.8)
    if not found.beyond:
        filled = "white" if name in record["undertrained"] else colour
        axes.plot([found.value], [row], color=colour, marker="s", markerfacecolor=filled, markersize=4)
    ends: tuple[tuple[float, bool, Any], ...] = (
        (low, low <= 1, CARETLEFT),
        (high, high >= found.largest, CARETRIGHT),
    )
    for end, cut, arrow in ends:
        if cut:
            axes.plot([end], [row], color=colour, marker=arrow, markersize=5)
