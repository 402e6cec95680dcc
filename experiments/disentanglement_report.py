"""The disentanglement of uncertainties as a figure and a page, from `disentanglement.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from be_jax.metrics import DisentanglementError, disentanglement_error
from be_jax.report.figures.illustration import draw_estimates, legend_above, new_figure, tidy
from be_jax.stats.means import estimate
from experiments.small_report import looks, made, name_of, table

KINDS = ("error", "aleatoric", "epistemic")
PARTS = ("aleat. follows noise", "epist. ignores noise", "epist. follows size", "aleat. ignores size")
"""In the order of `DisentanglementError`."""
SCALE = "0 is a perfect split; 0.5 where both uncertainties follow both causes, or neither"
SWEEPS = {"label_noise": "labels become noisier", "data_scarcity": "training images become fewer"}


def draw(record: Mapping[str, Any]) -> dict[str, Figure]:
    """Both uncertainties along both sweeps, a line for each method."""
    figure = new_figure(5.6)
    config = record["config"]
    ticks = {
        "label_noise": [f"{noise:g}" for noise in config["noises"]],
        "data_scarcity": [f"{size:,}" for size in reversed(config["sizes"])],
    }
    names = {"label_noise": "rate of random labels", "data_scarcity": "training images"}
    styles = looks([row["method"] for row in record["methods"]])
    for axes, (kind, sweep) in zip(
        figure.subplots(2, 2).flat, [(k, s) for k in ("aleatoric", "epistemic") for s in SWEEPS], strict=True
    ):
        for row in record["methods"]:
            values = [estimate(of_runs) for of_runs in row[sweep][kind]]
            draw_estimates(axes, range(len(values)), values, styles[row["method"]], name_of(row["method"]))
        axes.set_xticks(range(len(ticks[sweep])), ticks[sweep])
        tidy(axes, title=f"{kind}: {SWEEPS[sweep]}", x=names[sweep], y="nats")
    legend_above(figure, figure.axes[0])
    return {"disentanglement": figure}


def _errors(record: Mapping[str, Any]) -> dict[str, str]:
    """Of each method, such as "0.214 ± 0.031"."""
    found = {row["method"]: estimate(row["disentanglement_error"]) for row in record["methods"]}
    return {method: f"{error.mean:.3f} ± {error.half_width:.3f}" for method, error in found.items()}


def errors_of_runs(swept: Mapping[str, Any]) -> list[DisentanglementError]:
    """Of each run of a method, from its errors and uncertainties along both sweeps, `[settings][runs]` each."""
    series = [swept[sweep][kind] for sweep in SWEEPS for kind in KINDS]
    runs = min(len(of_setting) for settings in series for of_setting in settings)
    return [
        disentanglement_error(*(np.array([of_setting[run] for of_setting in settings]) for settings in series))
        for run in range(runs)
    ]


def _deviations(row: Mapping[str, Any]) -> list[float]:
    """The four parts of a method's error, means over runs."""
    return [float(np.mean(values)) for values in list(zip(*errors_of_runs(row), strict=True))[1:]]


def sentences(record: Mapping[str, Any]) -> list[str]:
    """The disentanglement error of every method."""
    errors = ", ".join(f"{name_of(method)} {error}" for method, error in _errors(record).items())
    return [f"Error of the split of uncertainty into aleatoric and epistemic ({SCALE}): {errors}."]


def to_markdown(record: Mapping[str, Any]) -> str:
    """The disentanglement error of every method, and its four parts."""
    errors, config = _errors(record), record["config"]
    rows = [
        [
            name_of(row["method"]),
            f"{errors[row['method']]} ({len(row['disentanglement_error'])})",
            *(f"{part:.2f}" for part in _deviations(row)),
        ]
        for row in record["methods"]
    ]
    heads = ["method", "error (runs)", *PARTS]
    words = (
        f"Disentanglement error (arXiv 2408.12175; {SCALE}), mean and half-width of the 95 % t-interval over runs, and "
        "the four deviations that it is the mean of, from correlations with the test error: 0 where an uncertainty "
        "follows its own cause, or ignores the other's, 1 where it does not follow its own, or follows the other's as "
        "closely as the error does. It sees the shape of a curve and not its size: copies, whose epistemic uncertainty "
        "follows nothing, score no worse than methods whose uncertainties follow everything. It depends on the range "
        "of noise. "
        f"{config['members']} members, or passes; the MNIST study's MLP, {config['sizes'][-1]:,} images, "
        f"{config['train']['epochs']} epochs; of fewer images each is repeated in an epoch. Noise is in the labels of "
        "every set, test too, and was drawn once: a label that is wrong at one rate is so at higher ones. Deep "
        "ensembles are those of the pool that share no network. Copies of one network, which have no epistemic "
        "uncertainty, are the control: 0.5 is expected of them."
    )
    title = "# Disentanglement: does aleatoric follow the noise, and epistemic the lack of data?"
    figure = "![uncertainties](disentanglement.png)"
    return "\n\n".join([title, words, figure, table(heads, rows).strip(), "## How this was made", made(record)]) + "\n"
