"""Histograms of epistemic uncertainty on test and out of distribution."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from be_jax.report import columns
from be_jax.report.digest import Digest
from be_jax.report.figures.illustration import FONT_SIZE, Illustration, described, new_figure, tidy
from be_jax.report.methods import has_members, label, styles
from be_jax.report.summary import look_up, summarise
from be_jax.results import StudyResult

EDGES = np.logspace(-7, np.log10(2.5), 51)  # nats; smaller values count in the first bin
_LINES = ("-", "--", ":", "-.")


def epistemic_histograms(result: StudyResult, examples: Digest) -> Illustration | None:
    """One panel for each method that has members; nothing where there is none."""
    drawn = [m for m in result.methods if has_members(m) and (m, "test") in examples.epistemic]
    if not drawn:
        return None
    ood = [name for name in examples.sets("epistemic") if name != "test"]
    figure = new_figure(0.9 + 1.25 * len(drawn))
    panels = figure.subplots(len(drawn), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    heights = {(m, name): _fractions(examples.epistemic[m, name]) for m in drawn for name in (*ood, "test")}
    top = 1.05 * max(height[1:].max() for height in heights.values())
    summary = summarise(result)

    def named(method: str, set_name: str) -> str:
        mean = look_up(summary, method, set_name, columns.MUTUAL_INFORMATION.key)
        return f"{described(set_name)}: mean {columns.MUTUAL_INFORMATION.shown(mean)}"

    for axes, method in zip(panels, drawn, strict=True):
        colour = styles(result.methods)[method].colour
        for index, name in enumerate(ood):
            filled = {"fill": True, "alpha": 0.45} if index == 0 else {"linestyle": _LINES[index % len(_LINES)]}
            axes.stairs(heights[method, name], EDGES, color=colour, label=named(method, name), **filled)
        axes.stairs(heights[method, "test"], EDGES, color="black", linewidth=1.3, label=named(method, "test"))
        tidy(axes, title=label(result, method), y="examples")
        axes.set(xscale="log", xlim=(EDGES[0], EDGES[-1]), ylim=(0, top or 1))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        axes.legend(loc="upper left", fontsize=FONT_SIZE, frameon=False)
    panels[-1].set_xlabel("mutual information, nats", fontsize=FONT_SIZE)
    against = f" and on {', '.join(map(described, ood))}" if ood else ""
    return Illustration(
        "epistemic",
        "Epistemic uncertainty",
        f"Mutual information of the members on each example of test (black){against}{' (coloured)' * bool(ood)}, on a "
        "logarithmic scale, all seeds together; means with 95 % intervals over seeds. What is below 1e-7 counts in the "
        "first bin, which may be cut. The less the two overlap, the better it detects what is out of distribution. A "
        "single network has no members, and so none.",
        f"Histograms of mutual information on test{against} for {', '.join(label(result, m) for m in drawn)}.",
        figure,
    )


def _fractions(values: np.ndarray) -> np.ndarray:
    """Fraction of the examples in each bin."""
    return np.histogram(np.clip(values, EDGES[0], EDGES[-1]), EDGES)[0] / len(values)
