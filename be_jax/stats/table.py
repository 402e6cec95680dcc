"""Verdicts for readers: a table of the evidence, and a short text for each claim with the figures behind it."""

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from be_jax.stats.claims import STATEMENTS, Verdict
from be_jax.stats.evidence import Decision, Evidence
from be_jax.stats.margins import JudgeConfig

_CONSTANTS = {None: math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_ORDER: tuple[Decision, ...] = ("contradicted", "supported", "undecided", "not judged")


def evidence_table(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Every row of every verdict, indexed by (method, claim, set, metric); columns as the fields of `Evidence`."""
    rows = [
        {"method": verdict.method, "claim": verdict.claim, **dataclasses.asdict(row), "p": row.p}
        for verdict in verdicts
        for row in verdict.evidence
    ]
    columns = ["method", "claim", *(field.name for field in dataclasses.fields(Evidence)), "p"]
    frame = pd.DataFrame(rows, columns=columns).rename(columns={"set_name": "set"})
    return frame.set_index(["method", "claim", "set", "metric"])


def verdict_table(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """The decisions: a row for each method, a column for each claim."""
    frame = pd.DataFrame([(v.method, v.claim, v.decision) for v in verdicts], columns=["method", "claim", "decision"])
    return frame.pivot(index="method", columns="claim", values="decision")


def sentence(verdict: Verdict) -> str:
    """The verdict in words, its rows grouped by what they say, with their figures in percent of the deep ensemble's."""
    opening = f"{verdict.claim}, {verdict.method} {STATEMENTS[verdict.claim]}: {verdict.decision}"
    if not verdict.evidence:
        return f"{opening} (needs {'weights' if verdict.claim == 'C4' else 'scores of these sets'})."
    units = ", ".join(f"{count} {factor}" for factor, count in verdict.units.items())
    groups = [f"{decision}: {text}" for decision in _ORDER if (text := _told(verdict.evidence, decision))]
    kind = "gain recovered" if verdict.claim in ("C1", "C2") else "ratio to the deep ensemble"
    margin = f"margin {100 * verdict.evidence[0].margin:.0f} %"
    return f"{opening} ({units}; {kind}, {margin}). {'. '.join(map(_capitalised, groups))}."


def conditions(config: JudgeConfig) -> str:
    """What the verdicts were decided by, in one sentence."""
    return (
        f"The probability of any false statement about a method is at most {100 * config.level:g} % (Holm over its "
        f"rows); a gain within {100 * config.gain_margin:g} % of a single network's or a deep ensemble's counts as "
        f"equal to it, and diversity below {100 * config.diversity_margin:g} % of a deep ensemble's as near-identical; "
        "intervals are 95 % bootstrap intervals over seeds or networks and test examples."
    )


def as_records(verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """JSON-compatible records; what is not a number is null, and an end without a bound is "Infinity" with its sign."""
    text = json.dumps([dataclasses.asdict(verdict) for verdict in verdicts])
    records = json.loads(text, parse_constant=lambda constant: None if constant == "NaN" else constant)
    assert isinstance(records, list)
    return records


def from_records(records: Iterable[Mapping[str, Any]]) -> tuple[Verdict, ...]:
    """The verdicts of which `as_records` made these records."""
    return tuple(
        Verdict(**{**record, "evidence": tuple(Evidence(**_with_constants(row)) for row in record["evidence"])})
        for record in records
    )


def _with_constants(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _CONSTANTS.get(value, value) for name, value in row.items()}


def _p(value: float) -> str:
    """Smaller ones say no more: how a tail that far out looks is not known from a few seeds."""
    return "p < 0.0001" if value < 1e-4 else f"p = {value:.2g}"


def percent(row: Evidence) -> str:
    """The estimate with its interval, such as "43 % [20, 61]"."""
    return f"{100 * row.estimate:z.0f} % [{_end(row.lower)}, {_end(row.upper)}]".replace("-", "−")


def _end(fraction: float) -> str:
    return f"{100 * fraction:z.0f}".replace("inf", "∞")


def _told(evidence: Sequence[Evidence], decision: Decision) -> str:
    """The rows of one decision: with their figures, or together where they have the same reason for having none."""
    rows = [row for row in evidence if row.decision == decision]
    texts = [_figures(row) for row in rows if not row.reason]
    for reason in dict.fromkeys(row.reason for row in rows if row.reason):
        names = ", ".join(f"{row.set_name} {row.metric}" for row in rows if row.reason == reason)
        texts.append(f"{names} ({reason})")
    return "; ".join(texts)


def _figures(row: Evidence) -> str:
    return f"{row.set_name} {row.metric} {percent(row)}, {_p(row.adjusted_p)}"


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
