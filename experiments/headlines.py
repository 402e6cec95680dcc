"""What committed studies come to: their titles, their headlines, and the findings that README.md opens with."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from be_jax import methods
from be_jax.report import answer
from be_jax.report.columns import DASH, percent
from be_jax.report.methods import label
from be_jax.report.words import listed, short_title, standing
from be_jax.results import StudyResult
from be_jax.stats import Judgement, MethodJudgement
from experiments import small_report
from experiments.evidence import PRIMARY

RESULTS = Path(__file__).parent / "results"

TITLES = {
    "mnist_embedded": "A sample of MNIST: 4,000 training images",
    "mnist_full": "All of MNIST, one learning rate for all",
    "mnist_rates": "All of MNIST, a learning rate for each method",
    "mnist_published": "All of MNIST by the published protocol",
    "cifar10_cpu": "CIFAR-10: ResNet-8, 3,000 training images",
    "mnist_gru": "A recurrent network on rows of MNIST: 4,000 training images",
    "mnist_vit": "A vision transformer on MNIST: 4,000 training images",
    "ablation": "Ablation on 4,000 images of MNIST",
}
"""The studies that have a page once they are committed, in the order of the index."""

NOTES = {
    "mnist_rates": "Rates were chosen by scaled validation NLL, with a third of the epochs; that they were chosen is "
    "in no interval, and by another score, or at another length, others may be best. From all of MNIST at one rate "
    "this study differs in its seeds and its pool, too; runs of N(1, 0.5) and of the wider network are those of the "
    "zoo on all of MNIST, at the same rate. At 0.016 random signs gain on some corruptions (stripes) and lose on "
    "others (contrast, brightness, fog): scaled shift NLL is the sum of opposites, and shift accuracy far below that "
    "at 0.001.",
    "mnist_published": "The published protocol: training stops early, by the validation loss of all members together, "
    "and the weights of its minimum are kept; own weights step by 1/m of their gradient. Deep ensembles, trained "
    "jointly, so train longer than single networks: 100 % are deep ensembles made of the pool, the row `deep ensemble` "
    "those of the study.",
    "ablation": "One learning rate for all rows. Members drop units of their own, but in the row that says otherwise "
    "and in copies, so that what they share trains with less noise than a single network does: the table of the fit "
    "shows it. Rows that keep the start's distance keep its scale too, and are to be set against `N(1, 0.5), scale "
    "kept`; deep ensembles on the same batches against `deep ensemble, same batches`. It has all 10,000 test images, "
    "and other seeds than the sample of 4,000 training images that ships, of which 500 are tested: a method that both "
    "have may stand elsewhere within their intervals.",
}
"""What has to be known to read a page, beside the conditions that all share."""

HEADLINE = "mnist_rates"
STUDIES = (HEADLINE, "mnist_full", "mnist_published", "cifar10_cpu")
"""The study that README.md opens with, and those that it sets beside it."""

SHOWN = ("batch_ensemble", "batch_ensemble_sign", "single_wide")
MANY_IMAGES = 4_000
"""A sample of MNIST of this size has a study of its own."""


def findings() -> str:
    """The findings of the study that README.md opens with, and a table beside others; nothing until there is one."""
    if not (RESULTS / f"verdicts_{HEADLINE}.json").exists():
        return ""
    result, judgement = committed(HEADLINE)
    what = f"{_linked(TITLES[HEADLINE], HEADLINE)}, a network of {result.runs[0].parameters:,} weights"
    said = [standing(label(result, each.name), each, judgement.config) for each in _told(judgement)]
    shown = headlines(HEADLINE) if judgement.failed else [f"{words[0].upper()}{words[1:]}." for words in said]
    heads = ["gain recovered, scaled test NLL", *(small_report.name_of(name) for name in SHOWN)]
    return f"{what}:\n\n{bulleted(shown)}\n\n{small_report.table(heads, gains())}"


def gains() -> list[list[str]]:
    """What BatchEnsembles and a wider network recover of the gain in scaled test NLL, study by study.

    Tables whose controls check nothing are left to their page.
    """
    rows = []
    for name in (name for name in STUDIES if (RESULTS / f"verdicts_{name}.json").exists()):
        _, judgement = committed(name)
        judged = {each.name: each for each in judgement.methods}
        shown = [_primary(judged[method], judgement) if method in judged else DASH for method in SHOWN]
        rows.append([_linked(TITLES[name], name), *shown])
    for step in _record("phase").get("sizes", ()):
        if step["size"] < MANY_IMAGES:
            rows.append([_linked(f"{step['size']:,} images of MNIST", "phase"), *_positions(step)])
    for each in _record("tabular").get("tables", ()):
        if not small_report.idle_controls(each):
            rows.append([_linked(f"table {each['dataset']}", "tabular"), *_positions(each)])
    return rows


def _linked(title: str, page: str) -> str:
    return f"[{title}](experiments/results/{page}.md)"


def _record(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _primary(judged: MethodJudgement, judgement: Judgement) -> str:
    """The gain by the primary endpoint, or why it is not told."""
    row, undertrained = judged.row(*judgement.config.primary), judged.verdict("C2").decision == "undertrained"
    why = "control failed" if judgement.failed else "undertrained" if undertrained else ""
    return why or (percent(row.position) if row else DASH)


def _positions(told: Mapping[str, Any]) -> list[str]:
    """The same of a step of a ladder, or a table."""
    why = "control failed" if told["failed"] else ""
    positions = {name: small_report.interval(told["methods"].get(name, {}).get(PRIMARY)) for name in SHOWN}
    shown = {name: "undertrained" if name in told["undertrained"] else percent(at) for name, at in positions.items()}
    return [why or shown[name] for name in SHOWN]


def committed(name: str) -> tuple[StudyResult, Judgement]:
    """A study's result and judgement; a method of the study that is not the reference of its name says so."""
    result = StudyResult.load(RESULTS / f"{name}.json")
    if name == "mnist_published":
        labels = {"deep_ensemble": "jointly trained deep ensemble"}
        result = dataclasses.replace(result, config={**result.config, "labels": labels})
    return result, Judgement.load(RESULTS / f"verdicts_{name}.json")


def headlines(name: str) -> list[str]:
    """What the answer says of BatchEnsembles and of references, or why nothing is said."""
    result, judgement = committed(name)
    if judgement.failed:
        return answer(result, judgement)[:1]
    if name == "ablation":
        return [_grouped(result, judgement)]
    told = _told(judgement)
    return answer(result, dataclasses.replace(judgement, methods=tuple(told)))[: len(told)]


def _grouped(result: StudyResult, judgement: Judgement) -> str:
    """The settings of an ablation by what is said of them by the primary endpoint."""
    groups: dict[str, list[str]] = {}
    for each in judgement.methods:
        verdict = each.verdict("C2")
        unsaid = "undertrained" if verdict.decision == "undertrained" else "inconclusive"
        groups.setdefault(next(iter(verdict.words), unsaid), []).append(label(result, each.name))
    told = "; ".join(f"**{words}**: {' / '.join(names)}" for words, names in groups.items())
    return f"By {short_title(judgement.config.primary)}, {told}."


def diversity(name: str) -> list[str]:
    """How far members of BatchEnsembles differ, in one sentence; none where a control failed."""
    result, judgement = committed(name)
    first = judgement.config.functions[0]
    rows = {each.name: each.row(*first) for each in _told(judgement) if _is_subject(each.name)}
    shown = [
        f"{percent(row.position)} for {label(result, of)}" for of, row in rows.items() if row and row.position.pieces
    ]
    if judgement.failed or not shown:
        return []
    return [f"Diversity, the root of mutual information on test, is {listed(shown)}; a deep ensemble's is 100 %."]


def _told(judgement: Judgement) -> list[MethodJudgement]:
    return [each for each in judgement.methods if each.role == "reference" or _is_subject(each.name)]


def _is_subject(name: str) -> bool:
    return name in methods.TABLE and methods.TABLE[name].is_subject


def bulleted(sentences: list[str]) -> str:
    """As a list in Markdown."""
    return "\n".join(f"- {sentence}" for sentence in sentences)
