"""The claims C1 to C4 about one method, judged: rows of evidence, Holm's correction over all of them, verdicts.

A claim is a conjunction, as the study states it ("in accuracy, calibration and OOD detection"): it is supported where
every row that can be judged supports it, and contradicted where one row does. The family of the correction is every
row of every claim about the method, so that the level bounds the probability of *any* false statement about it. Of a
row's two opposite nulls at most one is true, hence one p-value each. That Holm's steps also control such errors of
direction is proved for independent rows (Shaffer 1980, Ann. Stat. 8:1342); for ours, which are correlated,
`experiments/judge_simulation.py` measures it.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

from statsmodels.stats.multitest import multipletests

from be_jax.stats import evidence, hypotheses
from be_jax.stats.evidence import Decision, Evidence, weigh
from be_jax.stats.margins import JudgeConfig
from be_jax.stats.sample import Sample

ClaimName = Literal["C1", "C2", "C3", "C4"]

STATEMENTS: Mapping[ClaimName, str] = {
    "C1": "is worse than a deep ensemble",
    "C2": "tracks a single model in accuracy, calibration and OOD detection",
    "C3": "has members that are near-identical as functions",
    "C4": "has members that are near-identical in parameter space",
}

PARAMETERS = "parameters"
"""The set of scores of weights."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is said of one claim about one method.

    Attributes:
      claim: its name; `STATEMENTS` has the words.
      method: name of the method.
      decision: "not judged" where there is nothing to judge by; see the module for the rest.
      evidence: its rows.
      units: how many seeds or networks it rests on, `{factor: count}`.
    """

    claim: ClaimName
    method: str
    decision: Decision
    evidence: tuple[Evidence, ...]
    units: Mapping[str, int]


def judge(
    name: str,
    method: Sample,
    single: Sample,
    deep_ensemble: Sample,
    weights: tuple[Sample, Sample] | None = None,
    config: JudgeConfig | None = None,
) -> tuple[Verdict, ...]:
    """Judges C1 to C4 about one method, in that order.

    Args:
      name: of the method.
      method, single, deep_ensemble: scores of its runs, of single networks and of deep ensembles. Samples whose factors
        have the same name are paired.
      weights: what was measured on weights, in the set `PARAMETERS`, of the method's runs and of deep ensembles: scores
        that are 0 for copies of one network, such as distances. C4 is not judged without them.
      config: margins and metrics.

    Raises:
      ValueError: paired samples of different lengths, or samples with no score in common to judge by.
    """
    config = config or JudgeConfig()
    units = _units(name, method, single, deep_ensemble)
    rows = _rows(method, single, deep_ensemble, config)
    if not any(rows.values()):
        raise ValueError(f"{name}, single networks and deep ensembles have no score in common to judge by")
    rows["C4"] = _rows_of_weights(name, *weights, config) if weights else []
    decided = iter(_decided([row for of_claim in rows.values() for row in of_claim], config.level))
    return tuple(
        Verdict(claim, name, _all_of(own), own, units)
        for claim, of_claim in rows.items()
        for own in [tuple(itertools.islice(decided, len(of_claim)))]
    )


def _rows(
    method: Sample, single: Sample, deep_ensemble: Sample, config: JudgeConfig
) -> dict[ClaimName, list[Evidence]]:
    """Rows of C1, C2 and C3, before Holm's correction."""
    rows: dict[ClaimName, list[Evidence]] = {"C1": [], "C2": [], "C3": []}
    for set_name, metric in method.scores[0]:
        if not all(sample.has(set_name, metric) for sample in (method, single, deep_ensemble)):
            continue
        if metric in (config.detection if set_name.startswith("ood/") else config.quality):
            to_deep = evidence.gains(set_name, metric, method, single, deep_ensemble, against=deep_ensemble)
            to_single = evidence.gains(set_name, metric, method, single, deep_ensemble, against=single)
            rows["C1"].append(weigh(to_deep, hypotheses.worse_than_deep_ensemble, config.gain_margin, config))
            rows["C2"].append(weigh(to_single, hypotheses.tracks_single_model, config.gain_margin, config))
        elif metric in config.diversity:
            compared = evidence.diversities(set_name, metric, method, deep_ensemble)
            rows["C3"].append(weigh(compared, hypotheses.near_identical, config.diversity_margin, config))
    return rows


def _rows_of_weights(name: str, method: Sample, deep_ensemble: Sample, config: JudgeConfig) -> list[Evidence]:
    """Rows of C4, before Holm's correction."""
    _units(name, method, deep_ensemble)
    return [
        weigh(
            evidence.diversities(set_name, metric, method, deep_ensemble),
            hypotheses.near_identical,
            config.diversity_margin,
            config,
        )
        for set_name, metric in method.scores[0]
        if method.has(set_name, metric) and deep_ensemble.has(set_name, metric)
    ]


def _units(name: str, *samples: Sample) -> dict[str, int]:
    units: dict[str, int] = {}
    for sample in samples:
        if units.setdefault(sample.factor, sample.units) != sample.units:
            raise ValueError(
                f"{name} is compared with samples of {units[sample.factor]} and of {sample.units} {sample.factor}, "
                "which cannot be paired; list the same ones, or give one of the samples another factor name"
            )
    return units


def _decided(family: list[Evidence], level: float) -> list[Evidence]:
    """The rows with Holm's p-values over all of them."""
    adjusted = multipletests([row.p for row in family], method="holm")[1]
    return [row.decided(float(p), level) for row, p in zip(family, adjusted, strict=True)]


def _all_of(rows: Sequence[Evidence]) -> Decision:
    """The decision on a conjunction, of the rows that can be judged; without any row, it is not judged."""
    if not rows:
        return "not judged"
    decisions = {row.decision for row in rows} - {"not judged"}
    if "contradicted" in decisions:
        return "contradicted"
    return "supported" if decisions == {"supported"} else "undecided"
