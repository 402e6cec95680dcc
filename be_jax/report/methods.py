"""How each method is named and drawn, everywhere in a report."""

from typing import NamedTuple

from be_jax.results import COPIES, DEEP_ENSEMBLE, SINGLE, SINGLE_WIDE, RunRecord, StudyResult

_LABELS = {
    SINGLE: "single network",
    "mc_dropout": "MC dropout",
    "batch_ensemble_sign": "BatchEnsemble ±1",
    DEEP_ENSEMBLE: "deep ensemble",
    COPIES: "identical members",
    SINGLE_WIDE: "single network of equal cost",
}


class Style(NamedTuple):
    """Colour, marker and line of a method: told apart in print and without colour vision too."""

    colour: str
    marker: str
    line: str


# Colours of Okabe and Ito (2008).
_STYLES = {
    SINGLE: Style("#000000", "o", "-"),
    "mc_dropout": Style("#CC79A7", "v", ":"),
    "batch_ensemble": Style("#0072B2", "s", "--"),
    "batch_ensemble_sign": Style("#E69F00", "D", "-."),
    DEEP_ENSEMBLE: Style("#009E73", "^", "-"),
    SINGLE_WIDE: Style("#56B4E9", "h", ":"),
    COPIES: Style("#7F7F7F", "x", ":"),
}
_OTHER_STYLES = (Style("#D55E00", "P", "--"), Style("#F0E442", "X", "-."), Style("#8C564B", "*", ":"))


def label(result: StudyResult, method: str) -> str:
    """The method's name in text; `batch_ensemble` is named by how r and s are drawn."""
    if method == "batch_ensemble":
        return f"BatchEnsemble N(1, {result.config.get('init_std', 0.5):g})"
    return _LABELS.get(method, method.replace("_", " "))


def styles(methods: tuple[str, ...]) -> dict[str, Style]:
    """One style for each method; those of the study always have the same."""
    others = [method for method in methods if method not in _STYLES]
    taken = {method: _OTHER_STYLES[i % len(_OTHER_STYLES)] for i, method in enumerate(others)}
    return {method: _STYLES.get(method) or taken[method] for method in methods}


def has_members(method: str) -> bool:
    """Whether members can differ, so that mutual information and disagreement mean something."""
    return method not in (SINGLE, SINGLE_WIDE)


def runs_of(result: StudyResult, method: str) -> list[RunRecord]:
    """The method's runs, diverged ones included."""
    return [run for run in result.runs if run.method == method]


def divergence(result: StudyResult, method: str) -> str:
    """What became of the method's runs, such as "4 of 5 runs; seed 69 diverged at step 123"; empty if none diverged."""
    runs = runs_of(result, method)
    diverged = [run for run in runs if run.status == "diverged"]
    if not diverged:
        return ""
    seeds = ", ".join(str(run.seed) for run in diverged)
    steps = ", ".join(dict.fromkeys(str(run.diverged_step) for run in diverged))
    told = f"seed{'s' * (len(diverged) > 1)} {seeds} diverged at step{'s' * (',' in steps)} {steps}"
    return f"{len(runs) - len(diverged)} of {len(runs)} runs; {told}"
