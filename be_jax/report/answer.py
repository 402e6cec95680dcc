"""The answer of a study: a sentence for each method, and what has to be known to read it."""

import re

from be_jax.report.benchmark import corruptions
from be_jax.report.methods import label
from be_jax.report.summary import sets_of
from be_jax.report.words import conditions, control_sentence, headline, judged_on
from be_jax.results import StudyResult
from be_jax.stats import Judgement, judge_results
from be_jax.stats.of_results import seeds_factor


def answer(result: StudyResult, judgement: Judgement | None = None) -> list[str]:
    """Where each method stands between a single model and a deep ensemble; then controls, conditions and notes.

    Args:
      result: of the study; methods are called as its configuration says.
      judgement: of it; made from the scores of its runs where not given.
    """
    judgement = judgement or judge_results(result)
    if judgement is None:
        had = ", ".join(label(result, method) for method in result.methods) or "no method"
        return [
            "Whether a method behaves like an ensemble is not answered: that takes single networks, deep ensembles and "
            f"another method, and this study has {had}."
        ]
    controls = "; ".join(control_sentence(control) for control in judgement.controls)
    if judgement.failed:
        opening = [f"No verdict: a control failed. {controls}."]
    else:
        ordered = sorted(judgement.methods, key=lambda judged: judged.role)
        opening = [headline(label(result, judged.name), judged, judgement.config) for judged in ordered]
        opening.append(f"Controls: {controls}.")
    shift = [f"The shift is the mean over {corruptions(result)}."] * ("shift" in sets_of(result))
    told = [*opening, conditions(judgement.config), judged_on(judgement), *shift, *judgement.notes]
    return [sentence[0].upper() + sentence[1:] for sentence in _with_labels(told, result)]


def _with_labels(sentences: list[str], result: StudyResult) -> list[str]:
    """Seeds of a method under its label; the longest names first, for some begin with others."""
    called = {seeds_factor(method): f"seeds of {label(result, method)}" for method in result.methods}
    factors = re.compile("|".join(map(re.escape, sorted(called, key=len, reverse=True))))
    return [factors.sub(lambda match: called[match[0]], sentence) for sentence in sentences]
