"""What committed studies come to: their titles, their headlines, and the findings that README.md opens with."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from be_jax import methods
from be_jax.report import answer
from be_jax.report.columns import percent
from be_jax.report.methods import label
from be_jax.results import StudyResult
from be_jax.stats import Judgement, MethodJudgement

RESULTS = Path(__file__).parent / "results"

TITLES = {
    "mnist_embedded": "A sample of MNIST: 4,000 training images",
    "mnist_full": "All of MNIST: 55,000 training images",
    "mnist_rates": "All of MNIST, a learning rate for each method",
    "mnist_published": "All of MNIST by the published protocol",
    "cifar10_cpu": "CIFAR-10: ResNet-8, 3,000 training images",
    "mnist_gru": "A recurrent network on rows of MNIST: 4,000 training images",
    "mnist_vit": "A vision transformer on MNIST: 4,000 training images",
    "ablation": "Ablation on 4,000 images of MNIST",
}
"""The studies that have a page once they are committed, in the order of the index."""

NOTES = {
    "mnist_published": "The published protocol: training stops early, by the validation loss of all members together, "
    "and the weights of its minimum are kept; own weights step by 1/m of their gradient. Deep ensembles, trained "
    "jointly, so train longer than single networks: 100 % are deep ensembles made of the pool, the row `deep ensemble` "
    "those of the study.",
    "ablation": "One learning rate for all rows. Members drop units of their own, but in the row that says otherwise "
    "and in copies, so that what they share trains with less noise than a single network does: the table of the fit "
    "shows it. Rows that keep the start's distance keep its scale too, and are to be set against `N(1, 0.5), scale "
    "kept`; deep ensembles on the same batches against `deep ensemble, same batches`.",
}
"""What has to be known to read a page, beside the conditions that all share."""

HEADLINE, ALSO = "mnist_full", ("mnist_published", "cifar10_cpu")
"""The study that README.md opens with, and those that it names beside it."""


def findings() -> str:
    """The findings of the study that README.md opens with, and a line on others; nothing until there is one."""
    if not (RESULTS / f"verdicts_{HEADLINE}.json").exists():
        return ""
    result, _ = committed(HEADLINE)
    what = (
        f"[{TITLES[HEADLINE]}](experiments/results/{HEADLINE}.md), a network of {result.runs[0].parameters:,} weights"
    )
    return f"{what}:\n\n{bulleted([*headlines(HEADLINE), *_brief(ALSO)])}\n"


def _brief(names: Sequence[str]) -> list[str]:
    """What BatchEnsembles and references of further studies recover, in one line; nothing where none is committed."""
    told = [_of_study(name, *committed(name)) for name in names if (RESULTS / f"verdicts_{name}.json").exists()]
    return [f"Elsewhere, of the gain in scaled test NLL: {'; '.join(told)}."] if told else []


def _of_study(name: str, result: StudyResult, judgement: Judgement) -> str:
    opening = f"[{TITLES[name]}](experiments/results/{name}.md)"
    if judgement.failed:
        return f"{opening}: no verdict, a control failed"
    parts = {label(result, each.name): _primary(each, judgement) for each in _told(judgement)}
    return ", ".join([opening, *(f"{name} {figure}" for name, figure in parts.items() if figure)])


def _primary(judged: MethodJudgement, judgement: Judgement) -> str:
    """The gain by the primary endpoint; empty where there are too few runs for it."""
    if judged.verdict("C2").decision == "undertrained":
        return "undertrained"
    row = judged.row(*judgement.config.primary)
    undecided = "" if judged.verdict("C2").words else " (inconclusive)"
    return f"{percent(row.position)}{undecided}" if row and row.position.pieces else ""


def committed(name: str) -> tuple[StudyResult, Judgement]:
    """A study's result and judgement."""
    return StudyResult.load(RESULTS / f"{name}.json"), Judgement.load(RESULTS / f"verdicts_{name}.json")


def headlines(name: str) -> list[str]:
    """What the answer says of BatchEnsembles and of references, or why nothing is said."""
    result, judgement = committed(name)
    if judgement.failed:
        return answer(result, judgement)[:1]
    told = _told(judgement)
    return answer(result, dataclasses.replace(judgement, methods=tuple(told)))[: len(told)]


def _told(judgement: Judgement) -> list[MethodJudgement]:
    return [each for each in judgement.methods if each.role == "reference" or _is_subject(each.name)]


def _is_subject(name: str) -> bool:
    return name in methods.TABLE and methods.TABLE[name].is_subject


def bulleted(sentences: list[str]) -> str:
    """As a list in Markdown."""
    return "\n".join(f"- {sentence}" for sentence in sentences)
