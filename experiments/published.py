"""Published figures beside ours, on one scale: what a BatchEnsemble recovers of a deep ensemble."""

from typing import Literal, NamedTuple

from be_jax.report.columns import percent
from be_jax.report.methods import label
from be_jax.results import DEEP_ENSEMBLE, StudyResult
from be_jax.stats import Judgement, diversity_ratio, gain_recovered

METHODS = ("batch_ensemble", "batch_ensemble_sign")
MEASURES = {"accuracy": "accuracy", "nll": "NLL", "epistemic": "mutual information", "pairwise_kl": "pairwise KL"}


class Figure(NamedTuple):
    """A metric of a set, as published for a BatchEnsemble of 4 members, its deep ensemble and its single network."""

    source: Literal["a", "b", "c"]
    set_name: str
    metric: str
    batch_ensemble: float
    deep_ensemble: float
    single: float = 0.0

    @property
    def name(self) -> str:
        kind = "gain" if self.single else "ratio"
        return f"{kind}, {self.set_name.removeprefix('ood/')} {MEASURES[self.metric]}"

    @property
    def ratio(self) -> float:
        """Gain recovered, or the ratio to the deep ensemble of what a single network has none of."""
        return (self.batch_ensemble - self.single) / (self.deep_ensemble - self.single)


SOURCES = {
    "a": (
        "arXiv 2601.16936, MLP on MNIST, 5 seeds, N(1, 0.5), read by eye off its first author's plots (about ±3 % of "
        "an axis); shift: MNIST-C"
    ),
    "b": "uncertainty-baselines, WRN-28-10 on CIFAR-10, 96 % accuracy; shift: CIFAR-10-C",
    "c": "giung2, WRN-28-1 on CIFAR-10, 92 % accuracy",
}

FIGURES = {
    "mnist": (
        Figure("a", "test", "accuracy", 97.2, 97.6, 96.9),
        Figure("a", "test", "nll", 0.092, 0.083, 0.100),
        Figure("a", "shift", "nll", 1.46, 1.07, 1.66),
        Figure("a", "test", "epistemic", 0.003, 0.020),
        Figure("a", "shift", "epistemic", 0.034, 0.118),
        Figure("a", "ood/fashion_mnist", "epistemic", 0.022, 0.158),
    ),
    "cifar10": (
        Figure("b", "test", "accuracy", 96.3, 96.6, 96.0),
        Figure("b", "test", "nll", 0.136, 0.114, 0.159),
        Figure("b", "shift", "accuracy", 77.8, 77.9, 76.1),
        Figure("b", "shift", "nll", 0.97, 0.81, 1.05),
        Figure("c", "test", "accuracy", 93.18, 94.60, 92.31),
        Figure("c", "test", "nll", 0.2949, 0.1701, 0.2801),
        Figure("c", "test", "pairwise_kl", 0.0192, 0.2528),
    ),
}


def markdown(result: StudyResult, judgement: Judgement) -> str:
    """A table of published ratios and of those of this study's BatchEnsembles, with intervals of 95 %."""
    methods = [method for method in METHODS if method in result.methods]
    lines = [["", "published", *(f"here, {label(result, method)}" for method in methods)]]
    lines.append(["---"] * len(lines[0]))
    shown = FIGURES[result.experiment]
    for figure in shown:
        ours = [_ours(result, judgement, method, figure) for method in methods]
        lines.append([figure.name, f"{100 * figure.ratio:.0f} % ({figure.source})".replace("-", "−"), *ours])
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    sources = ". ".join(f"({key}) {SOURCES[key]}" for key in dict.fromkeys(figure.source for figure in shown))
    joint = DEEP_ENSEMBLE in {run.method for run in result.runs}
    note = " Ratios here are to the study's own deep ensembles, trained jointly; gains are on the scale of the pool's."
    return f"{table}\n\n{sources}.{note * joint}\n"


def _ours(result: StudyResult, judgement: Judgement, method: str, figure: Figure) -> str:
    """Where it was judged, the judgement's: its interval is over test examples too."""
    judged = judgement.method(method)
    row = judged.row(figure.set_name, figure.metric) if judged and figure.single else None
    if row is not None:
        return percent(row.position)
    compare = gain_recovered if figure.single else diversity_ratio
    return percent(compare(result, method, figure.set_name, figure.metric).position)
