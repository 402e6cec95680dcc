"""What committed studies come to: their titles, their headlines, and the findings that README.md opens with."""

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from be_jax import methods
from be_jax.report import answer
from be_jax.report.columns import DASH, percent
from be_jax.report.methods import label
from be_jax.report.words import listed, short_title, standing
from be_jax.results import StudyResult
from be_jax.stats import Endpoint, Equivalent, Judgement, MethodJudgement
from experiments import small_report
from experiments.cost.result import Result
from experiments.evidence import PRIMARY, recorded
from experiments.zoo_methods import VARIANTS
from experiments.zoo_report import learned_apart
from experiments.zoo_worth import COSTS, ENDPOINTS, relative, worth

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
    "have may stand elsewhere within their intervals. With 20 networks the positive control failed (84 % [70, 97], as "
    "one in twenty does by chance); it has 40 for that reason.",
}
"""What has to be known to read a page, beside the conditions that all share."""

HEADLINE = "mnist_rates"
IN_README = (HEADLINE, "mnist_published", "cifar10_cpu")
"""The study that README.md opens with, and those that it sets beside it."""
FURTHER = {Endpoint("test", "nll"): "its test NLL, unscaled", Endpoint("shift", "accuracy"): "its shift accuracy"}
"""Endpoints of the first that are told beside the primary one."""

SHOWN = ("batch_ensemble", "batch_ensemble_sign", "single_wide")
MANY_IMAGES = 4_000
"""A sample of MNIST of this size has a study of its own."""


def findings() -> str:
    """The findings of the study that README.md opens with, and a table beside others; nothing until there is one."""
    if not (RESULTS / f"verdicts_{HEADLINE}.json").exists():
        return ""
    result, judgement = committed(HEADLINE)
    what = _linked(TITLES[HEADLINE], HEADLINE)
    said = [standing(label(result, each.name), each) for each in judgement.methods if _is_subject(each.name)]
    shown = headlines(HEADLINE) if judgement.failed else [f"{words}." for words in said]
    zoos = {name: recorded(RESULTS, name) for name in ZOOS_SHOWN}
    shown += best_start(zoos) + learned_apart({_linked(ZOOS_SHOWN[name], name): zoo for name, zoo in zoos.items()})
    heads = ["gain recovered, scaled test NLL", *(small_report.name_of(name) for name in SHOWN)]
    return f"{what}:\n\n{bulleted(shown)}\n\n{small_report.table(heads, gains())}"


def best_start(records: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Which BatchEnsemble of each zoo, by its name, is worth most: a sentence for each that is the best of some."""
    told: dict[str, list[tuple[str, float]]] = {}
    for zoo, record in records.items():
        if found := _best(record):
            best, worth_of_best = found
            start = record["labels"][best].removeprefix("BatchEnsemble").strip(", ")
            flops = relative(record, best, COSTS["FLOPs of a prediction"]) or math.nan
            told.setdefault(start, []).append((f"{worth_of_best} {_linked(ZOOS_SHOWN[zoo], zoo)}", flops))
    said = []
    for start, of_zoos in told.items():
        worths, prices = zip(*of_zoos, strict=True)
        ends = dict.fromkeys(f"{end:.1f}" for end in (min(prices), max(prices)))
        said.append(
            f"Of the zoo's BatchEnsembles {start} is worth most, in networks, by {ENDPOINTS[PRIMARY]}: "
            f"{listed(worths)}, at {' to '.join(ends)} times one's FLOPs."
        )
    return said


ZOOS_SHOWN = {"zoo_full": "on all of MNIST", "zoo_full_lenet": "with LeNet there", "zoo_cifar10": "on CIFAR-10"}


def _best(record: Mapping[str, Any]) -> tuple[str, Equivalent] | None:
    """Which BatchEnsemble of a zoo is worth most, of those that were trained to the end; None where none is judged."""
    labels: Mapping[str, str] = record.get("labels", {})
    names = [name for name in (*SHOWN[:2], *VARIANTS) if labels.get(name, "").startswith("BatchEnsemble")]
    trained = [name for name in names if name not in record["undertrained"]]
    worths = {name: found for name in trained if (found := worth(record, name, PRIMARY))}
    return max(worths.items(), key=lambda item: item[1].value) if worths else None


def gains() -> list[list[str]]:
    """What BatchEnsembles and a wider network recover of the gain in scaled test NLL, study by study.

    Tables whose controls check nothing are left to their page.
    """
    rows = []
    for name in (name for name in IN_README if (RESULTS / f"verdicts_{name}.json").exists()):
        _, judgement = committed(name)
        told = {judgement.config.primary: _linked(TITLES[name], name), **(FURTHER if name == HEADLINE else {})}
        rows += [[words, *(_gain(judgement, method, end) for method in SHOWN)] for end, words in told.items()]
    for step in recorded(RESULTS, "phase").get("sizes", ()):
        if step["size"] < MANY_IMAGES:
            rows.append([_linked(f"{step['size']:,} images of MNIST", "phase"), *_positions(step)])
    for each in recorded(RESULTS, "tabular").get("tables", ()):
        if not small_report.idle_controls(each):
            rows.append([_linked(f"table {each['dataset']}", "tabular"), *_positions(each)])
    return rows


def _linked(title: str, page: str) -> str:
    return f"[{title}](experiments/results/{page}.md)"


def _gain(judgement: Judgement, method: str, endpoint: Endpoint) -> str:
    """A method's gain by an endpoint, or why it is not told."""
    judged = judgement.method(method)
    if judgement.failed or judged is None:
        return "control failed" if judgement.failed else DASH
    row = judged.row(*endpoint)
    return "undertrained" if judged.undertrained else percent(row.position) if row else DASH


def costs() -> str:
    """Of four ResNet-18s, as they were measured; nothing where they were not."""
    path = RESULTS / "cost.json"
    if not path.exists():
        return ""
    result = Result.load(path)
    of = result.groups()["resnet18", "float32"]
    one, ours, deep = (of[name] for name in ("single", "batch_ensemble", "deep_ensemble"))
    shown = {
        f"seconds, on {result.device}: one image": [each.latency for each in (one, ours, deep)],
        f"{result.settings.batch} images": [each.prediction.seconds for each in (one, ours, deep)],
        "a step": [each.step.seconds for each in (one, ours, deep)],
    }
    ratios = [f"parameters {ours.parameters / one.parameters:.2g} ({deep.parameters / one.parameters:.2g})"]
    for words, times in shown.items():
        of_one, *others = (each.median if each else math.nan for each in times)
        ratios.append("{} {:.2g} ({:.2g})".format(words, *(seconds / of_one for seconds in others)))
    told = "Four ResNet-18s as a BatchEnsemble (a deep ensemble), relative to one"
    return f"{told}: {', '.join(ratios)}: [what all cost](experiments/results/cost.md).\n"


def _positions(told: Mapping[str, Any]) -> list[str]:
    """The same of a step of a ladder, or a table."""
    why = "control failed" if told["failed"] else ""
    positions = {name: small_report.interval(told["methods"].get(name, {}).get(PRIMARY)) for name in SHOWN}
    shown = {name: "undertrained" if name in told["undertrained"] else percent(at) for name, at in positions.items()}
    return [why or shown[name] for name in SHOWN]


def committed(name: str) -> tuple[StudyResult, Judgement]:
    """A study's result and judgement."""
    return StudyResult.load(RESULTS / f"{name}.json"), Judgement.load(RESULTS / f"verdicts_{name}.json")


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
        unsaid = "undertrained" if each.undertrained else "inconclusive"
        groups.setdefault(next(iter(each.verdict("C2").words), unsaid), []).append(label(result, each.name))
    told = "; ".join(f"**{words}**: {' / '.join(names)}" for words, names in groups.items())
    return f"By {short_title(judgement.config.primary)}, {told}."


def diversity(name: str) -> list[str]:
    """How far members of BatchEnsembles differ, in one sentence; none where a control failed."""
    result, judgement = committed(name)
    first = judgement.config.functions[0]
    judged = [each for each in _told(judgement) if _is_subject(each.name) and not each.undertrained]
    rows = {each.name: each.row(*first) for each in judged}
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
