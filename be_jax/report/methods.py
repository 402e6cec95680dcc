"""How methods are named and drawn in a report: as `be_jax.methods` says, foreign ones by their own names."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from be_jax.methods import TABLE, Style
from be_jax.results import DEEP_ENSEMBLE, SINGLE, RunRecord, StudyResult

__all__ = [
    "DEEP_ENSEMBLE",
    "SINGLE",
    "Style",
    "divergence",
    "has_members",
    "label",
    "runs_of",
    "styles",
    "title",
]

_BROWN, _MAGENTA, _TEAL, _OLIVE = "#8C564B", "#C71585", "#008080", "#808000"
SPARE_STYLES = tuple(
    Style(colour, marker, line)
    for colour, marker, line in zip(2 * (_BROWN, _MAGENTA, _TEAL, _OLIVE), "P*hdX<>p", 4 * ("--", ":"), strict=True)
)
"""For methods that are not of the table; their colours are no method's of it."""


def label(result: StudyResult, method: str) -> str:
    """The method's name in text: as the study's own `labels` have it, or the table for this configuration."""
    named: Mapping[str, str] = result.config.get("labels", {})
    return named.get(method) or title(method, result.config)


def title(method: str, options: Mapping[str, Any] = MappingProxyType({})) -> str:
    """The method's name as the table has it for a configuration; another's own."""
    return TABLE[method].label_of(options) if method in TABLE else method.replace("_", " ")


def styles(methods: tuple[str, ...]) -> dict[str, Style]:
    """One style for each method; those of the table always have the same."""
    others = [method for method in methods if method not in TABLE]
    taken = {method: SPARE_STYLES[i % len(SPARE_STYLES)] for i, method in enumerate(others)}
    return {method: TABLE[method].style if method in TABLE else taken[method] for method in methods}


def has_members(method: str) -> bool:
    """Whether members can differ, so that mutual information and disagreement mean something."""
    return method not in TABLE or TABLE[method].has_members


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
