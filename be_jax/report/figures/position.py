"""The figure of the answer: where each method stands, by each endpoint, between a single model and a deep ensemble."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from be_jax.report.figures.illustration import FONT_SIZE, Illustration, new_figure
from be_jax.report.methods import Style, label, styles
from be_jax.report.words import conditions, control_sentence, table_title
from be_jax.results import StudyResult
from be_jax.stats import Endpoint, Interval, Judgement
from be_jax.stats.controls import NEGATIVE, POSITIVE

SHOWN = (-1.0, 2.0)
"""What is always in view: a single model's place and a deep ensemble's, and as much again on either side."""
_SINGLE, _DEEP = "#000000", "#009E73"
_CONTROLS = {NEGATIVE: Style("#595959", "x", "-"), POSITIVE: Style("#595959", "+", "-")}


class _Line(NamedTuple):
    """One interval to draw."""

    name: str
    style: Style
    position: Interval
    decided: bool


def positions(result: StudyResult, judgement: Judgement) -> Illustration:
    """A band for each endpoint with a line for each method, and one for the controls at the bottom."""
    names = tuple(each.name for each in judgement.methods)
    looks = styles(names)
    bands = [(table_title(e), _lines(result, judgement, e, looks)) for e in judgement.config.quality]
    run = [control for control in judgement.controls if control.position.pieces]
    if run:
        bands.append(
            (
                "controls",
                [
                    _Line(f"{each.name} (control)", _CONTROLS[each.name], each.position, each.passed is True)
                    for each in run
                ],
            )
        )
    low, high = _view([line.position for _, lines in bands for line in lines])
    rows = sum(max(1, len(lines)) for _, lines in bands)
    figure = new_figure(1.3 + 0.21 * rows + 0.17 * len(bands))
    axes = figure.subplots()
    _draw_scale(axes, judgement.config.margin)
    at, ticks = 0.0, []
    for index, (title, lines) in enumerate(bands):
        height = max(1, len(lines))
        if index % 2:
            axes.axhspan(at - 0.9, at + height - 0.1, color="#f3f6f9", linewidth=0, zorder=0)
        ticks.append((at + (height - 1) / 2, title))
        for line in lines:
            _draw(axes, at, line, low, high)
            at += 1
        at += (not lines) + 0.8
    axes.set(xlim=(low, high), ylim=(at - 0.9, -0.9))
    axes.set_yticks([place for place, _ in ticks], [title for _, title in ticks], fontsize=FONT_SIZE)
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=FONT_SIZE)
    axes.set_xlabel("gain recovered, % of the deep ensemble's over a single model", fontsize=FONT_SIZE)
    step = 0.5 if high - low <= 5 else 1.0
    places = np.arange(np.ceil(low / step) * step, high + 1e-9, step)
    axes.set_xticks(places, [f"{100 * place:.0f}".replace("-", "−") for place in places])
    axes.spines[["top", "right", "left"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(
        list(unique.values()),
        list(unique),
        loc="outside upper center",
        ncols=min(3, max(1, len(unique))),
        fontsize=FONT_SIZE,
        frameon=False,
    )
    controls = "; ".join(control_sentence(control) for control in judgement.controls)
    shown = ", ".join(title for title, _ in bands)
    return Illustration(
        "position",
        "Where each method stands, from a single model (0) to a deep ensemble (100)",
        f"{conditions(judgement.config)} The first, bold, is the primary endpoint. A filled mark: decided, or a "
        "control that passed; a hollow one: not decided, wherever it lies. Grey bands: equivalent to either. An arrow: "
        "the interval goes on beyond the edge; no mark: the score was not measured, or the deep ensemble is worse by "
        f"it. Controls: {controls}.",
        f"Intervals of {', '.join(label(result, name) for name in names)} by {shown}.",
        figure,
    )


def _lines(result: StudyResult, judgement: Judgement, endpoint: Endpoint, looks: dict[str, Style]) -> list[_Line]:
    lines = []
    for judged in judgement.methods:
        row, stated = judged.row(*endpoint), judged.verdict("C2").words.values()
        if row and row.position.pieces:
            decided = any(endpoint in endpoints for endpoints in stated)
            lines.append(_Line(label(result, judged.name), looks[judged.name], row.position, decided))
    return lines


def _view(drawn: Sequence[Interval]) -> tuple[float, float]:
    """Enough for most of what is bounded; the rest ends in arrows."""
    ends = np.array([end for each in drawn if each.bounded for end in (each.lower, each.upper)] or [0.0])
    low, high = min(SHOWN[0], np.quantile(ends, 0.1) - 0.2), max(SHOWN[1], np.quantile(ends, 0.9) + 0.2)
    return float(max(low, -4.0)), float(min(high, 5.0))


def _draw_scale(axes: Axes, margin: float) -> None:
    for place, colour, name in ((0.0, _SINGLE, "single model"), (1.0, _DEEP, "deep ensemble")):
        axes.axvspan(place - margin, place + margin, color="#e2e2e2", linewidth=0, zorder=0.5)
        axes.axvline(place, color=colour, linewidth=1.2, zorder=1)
        axes.text(
            place,
            1.0,
            name,
            color=colour,
            fontsize=FONT_SIZE,
            ha="center",
            va="bottom",
            transform=axes.get_xaxis_transform(),
        )
    axes.axvline(0.5, color="#888888", linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)


def _draw(axes: Axes, at: float, line: _Line, low: float, high: float) -> None:
    """The pieces of an interval, with arrows where they leave the view, and the estimate where it is in it."""
    style, reach = line.style, 0.012 * (high - low)
    for lower, upper in line.position.pieces:
        start, end = max(lower, low + reach), min(upper, high - reach)
        if start > end:
            start = end = high - reach if lower > high - reach else low + reach
        axes.plot([start, end], [at, at], color=style.colour, linewidth=1.5, solid_capstyle="butt", zorder=2)
        for leaves, edge, marker in ((lower < low + reach, low, "<"), (upper > high - reach, high, ">")):
            if leaves:
                inside = edge + (reach if edge == low else -reach)
                axes.plot(inside, at, marker=marker, color=style.colour, markersize=6, clip_on=False, zorder=3)
    visible = low <= line.position.value <= high
    axes.plot(
        [line.position.value] if visible else [],
        [at] if visible else [],
        marker=style.marker,
        color=style.colour,
        markerfacecolor=style.colour if line.decided else "white",
        linestyle="none",
        markersize=5.5,
        zorder=4,
    )
    axes.plot([], [], marker=style.marker, color=style.colour, linestyle="none", markersize=5.5, label=line.name)
