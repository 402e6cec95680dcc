"""What figures and pages of small studies share: positions with their intervals, from a committed JSON file."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.markers import CARETDOWN, CARETLEFT, CARETRIGHT, CARETUP

from be_jax.methods import TABLE, Style
from be_jax.report.columns import percent
from be_jax.report.methods import styles
from be_jax.report.words import control_outcome
from be_jax.stats import Interval
from be_jax.stats.controls import checks_nothing
from experiments.ablation_settings import SETTINGS
from experiments.zoo_methods import TABM, VARIANTS

MEASURES = {
    "test nll_scaled": "gain, test NLL (temperature-scaled)",
    "test accuracy": "gain, test accuracy",
    "ood auroc_max_probability": "gain, OOD AUROC",
    "test root_epistemic": "diversity, √MI on test",
}
"""Endpoints that are shown: the primary one first."""

KNOWN = TABLE | VARIANTS | {TABM.name: TABM}
"""Every method, and those of experiments."""

SCALE = (
    "0 % is a single network, or copies of one; 100 % a deep ensemble, or independent networks. An interval without an "
    "end, or of two parts: the deep ensemble's own gain is not told from none."
)


def interval(row: Mapping[str, Any] | None) -> Interval:
    """The position of a row, or that of a control; nothing where there is none."""
    if row is None:
        return Interval(math.nan, ())
    return Interval(_number(row["value"]), tuple((_number(a), _number(b)) for a, b in row["pieces"]))


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def name_of(method: str) -> str:
    """A method, or a setting of the ablation, in words."""
    return SETTINGS[method].label if method in SETTINGS else KNOWN[method].label_of({})


def looks(methods: Sequence[str]) -> dict[str, Style]:
    """A style for each."""
    return styles(tuple(methods))


def bar(axes: Axes, at: float, shown: Interval, low: float, high: float, style: Style, *, across: bool = False) -> None:
    """An interval and its value, with an arrow at the end of the view [low, high] where the interval goes on.

    Args:
      axes: where.
      at: its place on the other axis.
      shown: the interval; nothing is drawn where it has no piece.
      low: least of the view.
      high: greatest of the view.
      style: colour and marker.
      across: whether positions are along x.
    """
    before, after = (CARETLEFT, CARETRIGHT) if across else (CARETDOWN, CARETUP)
    for lower, upper in shown.pieces:
        ends, place = [min(max(lower, low), high), max(min(upper, high), low)], [at, at]
        axes.plot(*((ends, place) if across else (place, ends)), color=style.colour, linewidth=1.2)
        for leaves, end, arrow in ((lower < low, low, before), (upper > high, high, after)):
            if leaves:
                point = (end, at) if across else (at, end)
                axes.plot(*point, marker=arrow, color=style.colour, markersize=5, linestyle="none")
    if shown.pieces and low <= shown.value <= high:
        point = (shown.value, at) if across else (at, shown.value)
        axes.plot(*point, marker=style.marker, color=style.colour, markersize=4.5, linestyle="none")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in heads[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (heads, rule, *rows)) + "\n"


def cells(rows: Mapping[str, Any] | None) -> list[str]:
    """The `MEASURES` of one method as text."""
    return [percent(interval((rows or {}).get(endpoint))) for endpoint in MEASURES]


def controls(told: Mapping[str, Any]) -> str:
    """Such as "identical members 3 % [-20, 25], passed"."""
    positions = {name: interval(control) for name, control in told["controls"].items()}
    return "; ".join(
        f"{name} {percent(positions[name])}, {control_outcome(control['passed'], positions[name])}"
        for name, control in told["controls"].items()
    )


def idle_controls(told: Mapping[str, Any]) -> bool:
    """Whether a control could not have failed."""
    return any(checks_nothing(interval(control)) for control in told["controls"].values())


def made(record: Mapping[str, Any]) -> str:
    """How a result was made: command, versions, hardware."""
    how = record["provenance"]
    return f"`{how['command']}`, {how['date']}, {how['processor']}, Python {how['python']}, jax {how['jax']}."
