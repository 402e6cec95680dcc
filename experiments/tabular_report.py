"""The tabular study as a figure and a page, from `tabular.json`."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from be_jax.report.columns import percent
from be_jax.report.figures.illustration import apart, legend_above, new_figure, tidy
from be_jax.stats.controls import NEGATIVE, POSITIVE
from experiments.small_report import SCALE, bar, controls, interval, looks, made, name_of, table

MEASURES = {
    "test nll_scaled": "gain, NLL scaled",
    "test accuracy": "gain, accuracy",
    "test crps_scaled": "gain, CRPS scaled",
    "test rmse": "gain, RMSE",
    "test root_epistemic": "diversity, √MI",
    "test spread_of_means": "diversity, spread of means",
}
ALONE = "a member alone"
VIEW = (-2.0, 4.0)


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """By the primary endpoint: every method and control, table by table."""
    names = list(dict.fromkeys(name for each in record["tables"] for name in each["methods"]))
    styles = looks([*names, "copies", "deep_ensemble"])
    figure = new_figure(4.0)
    axes = figure.subplots()
    for shift, name in zip(apart(len(styles), 0.1), styles, strict=True):
        known = {"copies": NEGATIVE, "deep_ensemble": POSITIVE}.get(name)
        for at, each in enumerate(record["tables"]):
            found = each["controls"][known] if known else each["methods"].get(name, {}).get("test nll_scaled")
            bar(axes, at + shift, interval(found), *VIEW, styles[name])
        label = f"{name_of(name)} (control)" if known else name_of(name)
        axes.plot([], [], color=styles[name].colour, marker=styles[name].marker, linestyle="none", label=label)
    for level in (0, 1):
        axes.axhline(level, color="black", linewidth=0.9, linestyle=":" if level == 0 else "--")
    axes.set(ylim=VIEW)
    axes.set_xticks(range(len(record["tables"])), [each["dataset"] for each in record["tables"]])
    tidy(axes, title="gain recovered, test NLL (scaled)")
    legend_above(figure, axes)
    return {"tabular": figure}


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its words, and a table with a row for each data set and method."""
    config = record["config"]
    words = (
        f"An MLP on five tables, {len(config['seeds'])} splits, everything trained once in each, for "
        f"{config['train']['epochs']} epochs. {SCALE} Intervals are of 95 %, over splits, which all methods share and "
        "whose rows overlap, so that they are narrower than those over other data of the kind would be; they are not "
        "corrected for their number. A member alone: its gain in test NLL, on the same scale. A dash: the deep "
        "ensemble and the single network cannot be told apart, or it is not measured there. Where a control fails "
        "nothing is said."
    )
    checked = "\n".join(f"- {each['data']}. {controls(each)}" for each in record["tables"])
    parts = ["# Tables: does a BatchEnsemble match a deep ensemble?", words, "![tables](tabular.png)"]
    parts += [
        table(["data, method", *MEASURES.values(), ALONE], list(_rows(record))).strip(),
        "## Data and controls",
        checked,
    ]
    return "\n\n".join([*parts, "## How this was made", made(record)]) + "\n"


def _rows(record: Mapping[str, Any]) -> Iterable[list[str]]:
    for each in record["tables"]:
        if each["failed"]:
            yield [f"{each['dataset']}: control failed", *("" for _ in (*MEASURES, ALONE))]
        for name, rows in each["methods"].items():
            shown = [rows.get(endpoint) for endpoint in MEASURES] + [each["alone"].get(name)]
            yield [f"{each['dataset']}, {name_of(name)}", *(percent(interval(row)) for row in shown)]
