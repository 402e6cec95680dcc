"""The ablation as a figure: a row for each setting, a panel for each measure, from its result and judgement."""

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from be_jax.report.figures.illustration import FONT_SIZE, new_figure, tidy
from be_jax.results import StudyResult
from be_jax.stats import Endpoint, Interval, Judgement
from be_jax.stats.controls import NEGATIVE
from experiments.ablation_settings import SETTINGS
from experiments.small_report import MEASURES, bar, looks, name_of

VIEWS = {"test nll_scaled": (-1.5, 1.5), "test accuracy": (-1.5, 1.5), "test root_epistemic": (0.0, 2.0)}


def draw(result: StudyResult, judgement: Judgement) -> dict[str, Figure]:
    """Positions with their intervals; the negative control in the first row."""
    settings = {each.name: each for each in judgement.methods if each.name in SETTINGS}
    style = looks(["batch_ensemble"])["batch_ensemble"]
    control = next(each for each in judgement.controls if each.name == NEGATIVE)
    figure = new_figure(1.2 + 0.2 * (len(settings) + 1))
    panels = figure.subplots(1, len(VIEWS), sharey=True)
    for axes, (endpoint, view) in zip(panels, VIEWS.items(), strict=True):
        shown: list[Interval | None] = [control.position if endpoint == str(judgement.config.primary) else None]
        for each in settings.values():
            row = each.row(*Endpoint(*endpoint.split(" ")))
            shown.append(row.position if row and not each.undertrained and not judgement.failed else None)
        for at, position in enumerate(shown):
            if position:
                bar(axes, at, position, *view, style, across=True)
        for level in (0, 1):
            axes.axvline(level, color="black", linewidth=0.9, linestyle=":" if level == 0 else "--")
        axes.set(xlim=view, ylim=(len(shown) - 0.5, -0.5))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        tidy(axes, title=MEASURES[endpoint].replace("(temperature-scaled)", "scaled"))
    figure.supxlabel("0 %: a single network, or copies of one; 100 %: a deep ensemble", fontsize=FONT_SIZE)
    names = [f"{result.config['members']} copies (control)", *map(name_of, settings)]
    panels[0].set_yticks(range(len(names)), names, fontsize=FONT_SIZE - 1)
    return {"settings": figure}
