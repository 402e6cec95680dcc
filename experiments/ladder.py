"""One study at each step of a ladder, such as of widths of the network, in one figure and one table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from be_jax.report.figures.illustration import apart, legend_above, new_figure, tidy
from be_jax.stats import Interval
from be_jax.stats.controls import NEGATIVE
from experiments.small_report import MEASURES, bar, cells, interval, looks, name_of

VIEW = (-1.5, 2.5)

Steps = Mapping[str, Mapping[str, Any]]
"""By the name of each step, what was told of its study (`experiments.small.told`)."""


def draw(steps: Steps, methods: Sequence[str], x: str) -> Figure:
    """A panel for each measure: positions of every method, and of copies, over the steps; `x` says what these are."""
    figure, methods = new_figure(6.6), ("copies", *methods)
    for axes, (endpoint, title) in zip(figure.subplots(2, 2).flat, MEASURES.items(), strict=True):
        for shift, (method, style) in zip(apart(len(methods), 0.11), looks(methods).items(), strict=True):
            shown = [_position(each, method, endpoint) for each in steps.values()]
            at = np.arange(len(steps)) + shift
            for place, position in zip(at, shown, strict=True):
                bar(axes, place, position, *VIEW, style)
            values = [each.value if each.pieces else np.nan for each in shown]
            axes.plot(at, values, color=style.colour, linewidth=0.8, alpha=0.5)
            axes.plot([], [], color=style.colour, marker=style.marker, label=name_of(method))
        for level in (0, 1):
            axes.axhline(level, color="black", linewidth=0.9, linestyle=":" if level == 0 else "--")
        axes.set(ylim=VIEW)
        axes.set_xticks(range(len(steps)), list(steps))
        tidy(axes, title=title, x=x)
    legend_above(figure, figure.axes[0])
    return figure


def _position(told: Mapping[str, Any], method: str, endpoint: str) -> Interval:
    """Of the negative control, which is drawn where it failed too, by the primary endpoint alone."""
    if method == "copies":
        return interval(told["controls"][NEGATIVE] if endpoint == next(iter(MEASURES)) else None)
    return interval(None if method in told["undertrained"] else told["methods"].get(method, {}).get(endpoint))


def rows(steps: Steps) -> list[list[str]]:
    """Of the table: a row for each step and method; where a control failed, one that says so."""
    found = []
    for name, told in steps.items():
        if told["failed"]:
            found.append([f"{name}: control failed ({told['failed']})", *("" for _ in MEASURES)])
            continue
        for method, of in told["methods"].items():
            if method in told["undertrained"]:
                found.append([f"{name}, {name_of(method)}: undertrained", *("" for _ in MEASURES)])
            else:
                found.append([f"{name}, {name_of(method)}", *cells(of)])
    return found
