"""Diversity over training as a figure and a page, from `diversity.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from be_jax.report.columns import percent
from be_jax.report.figures.illustration import apart, legend_above, new_figure, tidy
from be_jax.stats import Interval, of_seeds, ratio
from be_jax.stats.fieller import UNDEFINED
from experiments.small_report import bar, looks, made, name_of, table

SHOWN = {
    "test epistemic": "√MI, test",
    "ood epistemic": "√MI, OOD",
    "test disagreement": "disagreement, test",
    "kernel_distance": "distance of kernels",
}
VIEW = (0.0, 3.0)
DEEP = "deep_ensemble"


def position(record: Mapping[str, Any], method: str, name: str, epoch: int) -> Interval:
    """A score at an epoch, of that of deep ensembles after as many; roots of what is quadratic."""
    scores = {row["method"]: row["scores"] for row in record["methods"]}
    if name not in scores[method]:
        return UNDEFINED
    at = record["epochs"].index(epoch)
    own, deep = (_statistic([run[at] for run in scores[each][name]], each, name) for each in (method, DEEP))
    return ratio(own, deep) if deep.value > 0 else UNDEFINED


def _statistic(values: Sequence[float], method: str, name: str) -> Any:
    metric = "root_epistemic" if name.endswith("epistemic") else name
    scores = [{("", metric.removeprefix("root_")): np.array([value])} for value in values]
    return of_seeds(scores, method).statistic("", metric)


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """A panel for each score: every method's, of the deep ensemble's, over epochs."""
    figure, methods = new_figure(6.4), [row["method"] for row in record["methods"] if row["method"] != DEEP]
    epochs = record["epochs"]
    for axes, (name, title) in zip(figure.subplots(2, 2).flat, SHOWN.items(), strict=True):
        for shift, (method, style) in zip(apart(len(methods), 0.08), looks(methods).items(), strict=True):
            found = [position(record, method, name, epoch) for epoch in epochs]
            places = np.arange(len(epochs)) + shift
            for at, each in zip(places, found, strict=True):
                bar(axes, at, each, *VIEW, style)
            axes.plot(places, [each.value for each in found], color=style.colour, linestyle=style.line, linewidth=1)
            axes.plot([], [], color=style.colour, marker=style.marker, label=name_of(method))
        axes.axhline(1, color="black", linewidth=0.9, linestyle="--")
        axes.set(ylim=VIEW)
        axes.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
        tidy(axes, title=f"{title}, of the deep ensemble's", x="epoch (0: the start)")
    legend_above(figure, figure.axes[0])
    return {"diversity": figure}


def to_markdown(record: Mapping[str, Any]) -> str:
    """The figure with its words, and a table of mutual information at every recorded epoch."""
    epochs, config = record["epochs"], record["config"]
    rows = []
    for row in record["methods"]:
        means = np.mean(row["scores"]["test epistemic"], axis=0)
        if row["method"] == DEEP:
            rows.append(["deep ensemble: √MI in √nats", *(f"{value**0.5:.3f}" for value in means)])
        else:
            shown = [percent(position(record, row["method"], "test epistemic", epoch)) for epoch in epochs]
            rows.append([name_of(row["method"]), *shown])
    words = (
        f"{record['data']}. Members compared on at most {config['num_inputs']:,} test and as many OOD images "
        "during training, each method with the deep ensemble after as many epochs: 100 % are independent networks, 0 % "
        "copies of one. Roots make mutual information linear. Intervals are of 95 %, over "
        f"{len(config['seeds'])} seeds and {config['pool_size'] // config['members']} deep ensembles without a network "
        "in common."
    )
    heads = ["√MI on test, of the deep ensemble's, at epoch", *map(str, epochs)]
    parts = ["# Diversity over training", words, "![diversity over training](diversity.png)"]
    return "\n\n".join([*parts, table(heads, rows).strip(), "## How this was made", made(record)]) + "\n"
