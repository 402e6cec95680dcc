"""The answer of a study in a few sentences, computed from its scores and saying no more than their intervals do."""

import re

import pandas as pd

from be_jax.report import columns
from be_jax.report.benchmark import corruptions, with_distance
from be_jax.report.columns import percent, scaled
from be_jax.report.methods import DEEP_ENSEMBLE, SINGLE, divergence, is_batch_ensemble, label, runs_of
from be_jax.report.ratios import Ratio, diversity_ratio, gain_recovered, paired_difference
from be_jax.report.summary import Estimate, compared_sets, has_temperature, look_up, sets_of, summarise
from be_jax.report.verdict import LIKE_DEEP, LIKE_SINGLE, MARGIN, verdict
from be_jax.results import StudyResult


def answer(result: StudyResult) -> list[str]:
    """Does BatchEnsemble behave like an ensemble, here? A few sentences on each of its initialisations, then the rest.

    The rest: test scores of all methods, diverged runs, and what the words mean. Every figure is that of
    `gain_recovered`, `diversity_ratio`, `paired_difference` or `summarise`.
    """
    summary = summarise(result)
    sentences = [
        sentence
        for method in result.methods
        if is_batch_ensemble(method)
        for sentence in _on_method(result, summary, method)
    ]
    sentences = sentences or ["no BatchEnsemble was trained, so whether it behaves like an ensemble is not answered."]
    sentences[0] = f"{_setting(result)}, {sentences[0]}"
    sentences += _test_scores(result, summary)
    diverged = [f"{label(result, method)}: {text}" for method in result.methods if (text := divergence(result, method))]
    if diverged:
        sentences.append(f"Diverged runs have no scores and are not in these means ({'; '.join(diverged)}).")
    return [sentence[0].upper() + sentence[1:] for sentence in sentences + _reading(result, sentences)]


def _setting(result: StudyResult) -> str:
    """Where the answer holds, to open its first sentence."""
    described = re.match(r"(\S+) .*?\btrain (\d+(?:,\d{3})*)", result.data)
    data = f"{described[1]} with {described[2]} training images" if described else result.data
    pool = f"a pool of {len(result.pooled.networks)} networks; " if result.pooled else ""
    seeds = len({run.seed for run in result.runs if not (result.pooled and run.method == result.pooled.method)})
    return f"On {data} ({pool}{seeds} seed{'s' * (seeds > 1)})"


def _on_method(result: StudyResult, summary: pd.DataFrame, method: str) -> list[str]:
    """Quality, and then diversity with what it detects."""
    runs, name = runs_of(result, method), label(result, method)
    if all(run.status == "diverged" for run in runs):
        all_runs = f"all {len(runs)} runs" if len(runs) > 1 else "the only run"
        return [f"{all_runs} of {name} diverged, so nothing can be said of it."]
    return [_quality(result, method), f"{_diversity(result, summary, method)}{_detection(result, summary, method)}."]


def _quality(result: StudyResult, method: str) -> str:
    """Verdicts on NLL and accuracy of test and shift, and the gains that they are drawn from."""
    gains = {
        where.format(metric.title.removesuffix(" %")): gain_recovered(result, method, set_name, metric.key)
        for set_name, where in (("test", "test {}"), ("shift", "{} under shift"))
        if set_name in sets_of(result)
        for metric in (columns.NLL, columns.ACCURACY)
    }
    name = label(result, method)
    verdicts, reasons = _grouped(gains)
    undefined = "; ".join(f"in {listed(where)} {reason}" for reason, where in reasons.items())
    if not verdicts:
        why = undefined if len(reasons) > 1 else "".join(reasons) or "no labelled set was scored"
        return f"whether {name} behaves like an ensemble is undecided: {why}."
    said = listed([f"{words} in {listed(where)}" for words, where in verdicts.items()])
    if len(verdicts) == 1:
        (said,) = verdicts
    recovered = listed([f"{percent(gain)} in {where}" for where, gain in gains.items() if not gain.undefined])
    sentence = f"{name} {said}: of the deep ensemble's gain over a single network it recovers {recovered}"
    return sentence + (f"; {undefined}, so there is no gain to recover." if undefined else ".")


def _grouped(gains: dict[str, Ratio]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Names of the gains by verdict, and of the undefined ones by reason."""
    verdicts: dict[str, list[str]] = {}
    reasons: dict[str, list[str]] = {}
    for where, gain in gains.items():
        if gain.undefined:
            reasons.setdefault(gain.undefined, []).append(where)
        else:
            verdicts.setdefault(verdict(gain), []).append(where)
    return verdicts, reasons


def _diversity(result: StudyResult, summary: pd.DataFrame, method: str) -> str:
    """Mutual information relative to the deep ensemble's, or in nats where that is not defined everywhere."""
    metric = columns.MUTUAL_INFORMATION
    sets = compared_sets(result)
    ratios = {name: diversity_ratio(result, method, name, metric.key) for name in sets}
    if not any(ratio.undefined for ratio in ratios.values()):
        parts = [f"{percent(ratio)} {_on(name)}" for name, ratio in ratios.items()]
        return f"Its members' mutual information is, of the deep ensemble's, {listed(parts)}"
    parts = []
    for name in sets:
        deep = look_up(summary, DEEP_ENSEMBLE, name, metric.key)
        against = f" (deep ensemble: {metric.shown(deep)})" if deep.n else ""
        parts.append(f"{metric.shown(look_up(summary, method, name, metric.key))}{against} {_on(name)}")
    return f"Its members' mutual information in nats is {listed(parts)}"


def _detection(result: StudyResult, summary: pd.DataFrame, method: str) -> str:
    """AUROC by mutual information, and what it is to be held against; nothing without OOD sets."""
    match sets_of(result, "ood/"):
        case []:
            return ""
        case [only]:
            return f"; by it one tells {_detection_of(result, summary, method, only)}"
        case several:
            return _detections(result, summary, method, several)


def _detection_of(result: StudyResult, summary: pd.DataFrame, method: str, set_name: str) -> str:
    own, deep, single = _aurocs(summary, method, set_name)
    against = []
    if deep.n:
        difference = paired_difference(result, method, DEEP_ENSEMBLE, set_name, columns.AUROC_EPISTEMIC.key)
        apart = f" (difference {columns.AUROC_EPISTEMIC.shown(difference)})" if difference.n > 1 else ""
        against.append(f"{columns.AUROC_EPISTEMIC.shown(deep)} for the deep ensemble{apart}")
    if single.n:
        against.append(f"{columns.AUROC_MAX_PROBABILITY.shown(single)} for a single network's maximum probability")
    held = f", against {listed(against)}" if against else ""
    name = with_distance(result, set_name)
    return f"{name} from test with an AUROC of {columns.AUROC_EPISTEMIC.shown(own)}{held}"


def _detections(result: StudyResult, summary: pd.DataFrame, method: str, sets: list[str]) -> str:
    """The same of several sets, in short."""
    parts = []
    for name in sets:
        own, *others = (columns.AUROC_EPISTEMIC.shown(auroc) for auroc in _aurocs(summary, method, name) if auroc.n)
        held = f" ({', '.join(others)})" if others else ""
        parts.append(f"{with_distance(result, name)} {own}{held}")
    _, deep, single = _aurocs(summary, method, sets[0])
    against = ["the deep ensemble's"] * bool(deep.n) + ["a single network's by maximum probability"] * bool(single.n)
    brackets = f", in brackets {listed(against)}" if against else ""
    return f"; the AUROC by which it tells sets from test{brackets}, is for {listed(parts)}"


def _aurocs(summary: pd.DataFrame, method: str, set_name: str) -> tuple[Estimate, Estimate, Estimate]:
    """By mutual information of the method and of the deep ensemble, by maximum probability of the single network."""
    compared = (
        (method, columns.AUROC_EPISTEMIC),
        (DEEP_ENSEMBLE, columns.AUROC_EPISTEMIC),
        (SINGLE, columns.AUROC_MAX_PROBABILITY),
    )
    own, deep, single = (look_up(summary, each, set_name, metric.key) for each, metric in compared)
    return own, deep, single


def _test_scores(result: StudyResult, summary: pd.DataFrame) -> list[str]:
    """Test accuracy and NLL of every method that has them."""
    parts = []
    for method in result.methods:
        accuracy, nll = (look_up(summary, method, "test", metric.key) for metric in (columns.ACCURACY, columns.NLL))
        if accuracy.n:
            parts.append(f"{columns.ACCURACY.shown(accuracy)} % and {columns.NLL.shown(nll)} ({label(result, method)})")
    sentences = [f"Test accuracy and NLL are {listed(parts)}."] if parts else []
    return sentences + _scaled_scores(result, summary)


def _scaled_scores(result: StudyResult, summary: pd.DataFrame) -> list[str]:
    """Test NLL and ECE of every method at its own temperature, where one was fitted."""
    if not has_temperature(result):
        return []
    nll, ece = scaled(columns.NLL), scaled(columns.ECE)
    parts = [
        f"{nll.shown(look_up(summary, method, 'test', nll.key))} and "
        f"{ece.shown(look_up(summary, method, 'test', ece.key))} % ({label(result, method)})"
        for method in result.methods
        if look_up(summary, method, "test", nll.key).n
    ]
    return [f"At temperatures fitted on validation data, test NLL and ECE are {listed(parts)}."]


def _reading(result: StudyResult, sentences: list[str]) -> list[str]:
    """What the figures and words of these sentences mean."""
    counted, like = "Numbers are means over seeds, with 95 % intervals in brackets or after ±", ""
    if any(words in sentence for words in (LIKE_SINGLE, LIKE_DEEP) for sentence in sentences):
        like = f"; “like” means that the whole interval is within {round(100 * MARGIN)} points of 0 % or 100 %"
    reading = [f"{counted}{like}."] if any(" ± " in sentence or "[" in sentence for sentence in sentences) else []
    if "shift" in sets_of(result):
        reading.append(f"The shift is the mean over {corruptions(result)}.")
    return reading


def _on(set_name: str) -> str:
    return {"test": "on test", "shift": "under shift"}.get(set_name) or f"on {set_name.removeprefix('ood/')}"


def listed(parts: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
