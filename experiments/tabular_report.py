"""The tabular study as a figure and a page, from `tabular.json`."""

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.figure import Figure

from be_jax.methods import TABLE
from be_jax.report.columns import percent
from be_jax.report.figures.illustration import apart, legend_above, new_figure, tidy
from be_jax.report.words import listed
from be_jax.stats.controls import NEGATIVE, POSITIVE
from experiments.small_report import (
    KNOWN,
    SCALE,
    bar,
    controls,
    idle_controls,
    interval,
    looks,
    made,
    name_of,
    table,
)
from experiments.zoo_figures import panel
from experiments.zoo_worth import COSTS, relative, worth

MEASURES = {
    "test nll_scaled": "gain, NLL scaled",
    "test accuracy": "gain, accuracy",
    "test crps_scaled": "gain, CRPS scaled",
    "test rmse": "gain, RMSE",
    "test root_epistemic": "diversity, √MI",
    "test spread_of_means": "diversity, spread of means",
}
NLL = next(iter(MEASURES))
ALONE = "a member alone"
VIEW = (-2.0, 4.0)


WORTH = {"test nll_scaled": "worth, NLL scaled", "test crps_scaled": "worth, CRPS scaled"}
"""In networks, between 1 and the pool's."""

KEPT = {"last": "", "best": ", with the weights of its own best validation loss"}
PAID = "FLOPs of a prediction"


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """Where every method and control stands, table by table; and what each is worth against what it costs."""
    return {"tabular": _positions(record), "tabular_worth": _worth_against_cost(record)}


def _positions(record: Mapping[str, Any]) -> Figure:
    names = list(dict.fromkeys(name for each in record["tables"] for name in each["methods"]))
    styles = looks([*names, "copies", "deep_ensemble"])
    figure = new_figure(4.0)
    axes = figure.subplots()
    for shift, name in zip(apart(len(styles), 0.8 / len(styles)), styles, strict=True):
        known = {"copies": NEGATIVE, "deep_ensemble": POSITIVE}.get(name)
        for at, each in enumerate(record["tables"]):
            found = each["controls"][known] if known else each["methods"].get(name, {}).get(NLL)
            bar(axes, at + shift, interval(found), *VIEW, styles[name])
        label = f"{name_of(name)} (control)" if known else name_of(name)
        axes.plot([], [], color=styles[name].colour, marker=styles[name].marker, linestyle="none", label=label)
    for level in (0, 1):
        axes.axhline(level, color="black", linewidth=0.9, linestyle=":" if level == 0 else "--")
    axes.set(ylim=VIEW)
    axes.set_xticks(range(len(record["tables"])), [each["dataset"] for each in record["tables"]])
    tidy(axes, title="gain recovered, test NLL (scaled)")
    legend_above(figure, axes)
    return figure


def _worth_against_cost(record: Mapping[str, Any]) -> Figure:
    """Each table by CRPS where it has numbers to predict, by NLL otherwise."""
    figure = new_figure(6.8)
    tables = [as_zoo(each) for each in record["tables"]]
    panels = figure.subplots(2, 3, sharey=True)
    for axes, each in zip(panels.flat, tables, strict=False):
        endpoint = next(key for key in reversed(WORTH) if key in each["worth"])
        panel(axes, each, endpoint, COSTS[PAID])
        tidy(axes, title=each["dataset"], x=f"{PAID}, x single", y=WORTH[endpoint])
    for axes in panels.flat[len(tables) :]:
        axes.set_axis_off()
    legend_above(figure, max(panels.flat, key=lambda axes: len(axes.get_legend_handles_labels()[1])))
    return figure


def as_zoo(each: Mapping[str, Any]) -> dict[str, Any]:
    """A table as what the zoo's figures are drawn from; and by which scores there is a worth."""
    names = list(each["equivalents"])
    return {
        **each,
        "styles": {name: KNOWN[name].style._asdict() for name in names},
        "labels": {name: name_of(name) for name in names},
        "worth": {endpoint for of in each["equivalents"].values() for endpoint in of},
    }


def sentences(record: Mapping[str, Any]) -> list[str]:
    """What each BatchEnsemble of the studies recovers on the tables whose controls check something."""
    tables = [each for each in record["tables"] if not each["failed"] and not idle_controls(each)]
    said = []
    for name in (name for name, row in TABLE.items() if row.is_subject):
        rows = {each["dataset"]: each["methods"][name][NLL] for each in tables if name in each["methods"]}
        if found := [f"{percent(interval(row))} on {dataset}" for dataset, row in rows.items()]:
            said.append(f"Of the deep ensemble's gain in scaled test NLL {name_of(name)} recovers {listed(found)}.")
    return said


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its words, and a table with a row for each data set and method."""
    config = record["config"]
    words = (
        f"An MLP on five tables, {len(config['seeds'])} splits, everything trained once in each, for "
        f"{config['train']['epochs']} epochs{KEPT[config['train']['keep']]}. {SCALE} Intervals are of 95 %, over "
        "splits, which all methods share; no row is tested in two of them, but training rows overlap, so that "
        "intervals over other data of the kind would be wider (friedman1 is generated, and its splits share no row); "
        "they are not corrected for their number. A member alone: its gain in test NLL, on the same scale. A dash: it "
        "is not measured there. Where a control fails nothing is said."
    )
    checked = "\n".join(f"- {each['data']}. {controls(each)}" for each in record["tables"])
    bought = (
        "Worth is the number of networks whose deep ensemble has the same score, between 1 and "
        f"{2 * config['members']}. **Above the green line a method is worth more than the deep ensemble that costs as "
        "much.**"
    )
    said = "\n".join(f"- {sentence}" for sentence in sentences(record))
    parts = ["# Tables: does a BatchEnsemble match a deep ensemble?", said, words, "![tables](tabular.png)"]
    parts += [bought, "![worth against cost](tabular_worth.png)"]
    heads = ["data, method", *MEASURES.values(), ALONE, *WORTH.values(), f"{PAID}, x single"]
    parts += [
        table(heads, list(_rows(record))).strip(),
        "## Data and controls",
        checked,
    ]
    return "\n\n".join([*parts, "## How this was made", made(record)]) + "\n"


def _rows(record: Mapping[str, Any]) -> Iterable[list[str]]:
    for each in map(as_zoo, record["tables"]):
        if each["failed"]:
            yield [f"{each['dataset']}: control failed", *("" for _ in (*MEASURES, ALONE, *WORTH, PAID))]
        for name, rows in each["methods"].items():
            gains = [percent(interval(rows.get(endpoint))) for endpoint in MEASURES]
            worths = [str(worth(each, name, endpoint) or "–") for endpoint in WORTH]
            paid = relative(each, name, COSTS[PAID])
            alone = percent(interval(each["alone"].get(name)))
            yield [f"{each['dataset']}, {name_of(name)}", *gains, alone, *worths, f"{paid:.2f}"]
